"""Vectors, normals and paths in three dimensions, for figures; all on the processor."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from lbae_lib.latent.correlation import factor
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import slerp

_MAX_ERROR = 5.0  # degrees by which three bits and the boundary vector may be bent
_FLAT = 1e-6  # smallest eigenvalue of the Gram matrix of three vectors that span the space
_CORRELATED = 0.25  # such an eigenvalue of vectors that are clearly not at right angles


@dataclass(frozen=True)
class SphereExample:
    """A few bits of real latents and the boundary vector, in three dimensions."""

    names: list[str]  # of the bits, counted from 1
    vectors: Tensor  # unit rows, the boundary vector last: (4, 3), or (3, 3) for two bits
    angle_error: float  # largest change of an angle by the projection, in degrees


def sphere_example(gram: Tensor, generator: torch.Generator, tries: int = 4000) -> SphereExample:
    """Three bits whose vectors and the boundary vector fit into three dimensions, or else two.

    Four vectors need four dimensions. Of ``tries`` random triples this takes the one whose 4×4
    part of H (N+1, N+1) has the largest second-smallest eigenvalue (vectors well apart) less four
    times the smallest (little lost in the projection), and no two vectors nearly parallel or
    opposite. If an angle still changes by more than 5 degrees, it takes two bits, which always fit:
    those whose 3×3 Gram matrix has the largest smallest eigenvalue.
    """
    gram = gram.cpu()
    size = len(gram) - 1
    triples = torch.rand(tries, size, generator=generator).topk(3, dim=1).indices
    rows = torch.cat([triples, torch.full((tries, 1), size)], dim=1)
    small = gram[rows[:, :, None], rows[:, None, :]]
    values = torch.linalg.eigvalsh(small)
    cosine = small.tril(-1).abs().amax((1, 2))
    parallel = (cosine - 0.75).clamp(min=0)
    best = rows[(values[:, 1] - 4 * values[:, 0] - 10 * parallel).argmax()]
    found = _in_three_dimensions(gram, best)
    if found.angle_error <= _MAX_ERROR:
        return found
    rows = rows[:, 1:]
    values = torch.linalg.eigvalsh(gram[rows[:, :, None], rows[:, None, :]])
    return _in_three_dimensions(gram, rows[values[:, 0].argmax()])


def _in_three_dimensions(gram: Tensor, rows: Tensor) -> SphereExample:
    small = gram[rows][:, rows].clamp(-1, 1)
    vectors = factor(small, rank=3)
    missing = 3 - vectors.shape[1]  # bits that never change lie on the boundary vector's line
    vectors = pad(vectors, (missing, 0))
    change = (vectors @ vectors.T).clamp(-1, 1).acos() - small.acos()
    names = [f"bit {index + 1}" for index in rows[:-1].tolist()]
    return SphereExample(names, vectors, float(change.abs().max().rad2deg()))


def separating_normal(example: SphereExample, generator: torch.Generator) -> Tensor:
    """A random normal, (3,), whose hyperplane gives the bits both signs.

    The last of 100 if none does: bits that never differ have no such hyperplane.
    """
    normals = torch.randn(100, 3, generator=generator, dtype=torch.float64)
    sides = normals @ example.vectors[:-1].T > 0
    splits = sides.any(1) & ~sides.all(1)
    return normals[int(splits.int().argmax()) if bool(splits.any()) else -1]


def which_hyperplane(example: SphereExample, normal: Tensor) -> str:
    """What a caption says of the result of :func:`separating_normal`."""
    sides = example.vectors[:-1] @ normal > 0
    if bool(sides.any()) and not bool(sides.all()):
        return "the seed's first hyperplane that gives the bits both signs"
    return "a random hyperplane, as none of those tried gives the bits both signs"


def change_of_angles(example: SphereExample) -> str:
    """What a caption says of the projection to three dimensions."""
    if example.angle_error < 0.1:
        return "no angle changes by 0.1 degrees or more"
    return f"angles change by at most {example.angle_error:.1f} degrees"


def great_circle(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points at right angles to a unit vector, (60, 3)."""
    helper = np.eye(3)[np.abs(normal).argmin()]
    first = np.cross(normal, helper)
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    angle = np.linspace(0, 2 * np.pi, 60)
    return np.outer(np.cos(angle), first) + np.outer(np.sin(angle), second)


def margins_along(vectors: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (T,) in [0, 1] between normals (R,), and V r by the boundary's sign (T, N)."""
    path = slerp(source[None], target[None], 101)[0]
    products = (path @ vectors.T).cpu()
    sides = torch.where(products[:, -1:] >= 0, 1.0, -1.0)
    return torch.linspace(0, 1, len(path), dtype=torch.float64), products[:, :-1] * sides


def path_with_flips(
    vectors: Tensor, source: Tensor, target: Tensor, points: int = 201
) -> tuple[Tensor, Tensor]:
    """Points (P, R) between normals (R,), and those (F, R) after which a V r changes sign."""
    path = slerp(source[None], target[None], points)[0]
    sides = path @ vectors.T >= 0
    return path, path[:-1][(sides[1:] != sides[:-1]).any(1)]


def small_example(
    sampler: HyperplaneSampler, bits: int, generator: torch.Generator
) -> HyperplaneSampler | None:
    """A sampler of three vectors that span the space, those of real bits.

    With 2 bits they are well apart, and the last is the boundary vector. With 3 there is none, and
    they are correlated. None if no three vectors tried span the space, as those of constant bits.
    """
    gram = (sampler.vectors @ sampler.vectors.T).cpu()
    size = sampler.latent_size
    triples = torch.rand(2000, size, generator=generator).topk(3, dim=1).indices
    if bits == 2:
        triples[:, -1] = size
    smallest = torch.linalg.eigvalsh(gram[triples[:, :, None], triples[:, None, :]])[:, 0]
    spanning = smallest >= _FLAT
    if not bool(spanning.any()):
        return None
    triples, smallest = triples[spanning], smallest[spanning]
    wanted = 1.0 if bits == 2 else _CORRELATED  # 1 if all are at right angles
    best = triples[(smallest - wanted).abs().argmin()]
    return HyperplaneSampler(torch.linalg.cholesky(gram[best][:, best]))


def small_path(
    sampler: HyperplaneSampler, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The vectors of :func:`small_example`, and two normals between which the first two bits flip.

    The margins are equal without a generator. With one they are random: of 100 pairs of ends, the
    pair whose bits flip nearest to one third and two thirds of the path is returned, so that the
    crossings are seen.
    """
    margins = torch.ones(2, 1, 3, dtype=torch.float64)
    if generator is not None:
        normals = sampler.normals(200, generator)
        margins = (normals @ sampler.vectors.T).abs().unflatten(0, (2, 100))
    signs = torch.tensor([[[1.0, -1.0, 1.0]], [[-1.0, 1.0, 1.0]]], dtype=torch.float64)
    ends = torch.linalg.solve(sampler.vectors, (signs * margins).flatten(0, 1).T).T
    first, last = ends.unflatten(0, margins.shape[:2])
    # A bit flips where sin((1 - t) Ω) m / |r| = sin(t Ω) m' / |r'|, Ω being the angle of r and r'.
    angle = torch.cosine_similarity(first, last).arccos()[:, None]
    lengths = first.norm(dim=1, keepdim=True) / last.norm(dim=1, keepdim=True)
    ratio = lengths * (margins[1] / margins[0])[:, :2]
    places = torch.atan2(angle.sin(), ratio + angle.cos()) / angle
    apart = places.sort(dim=1).values - torch.tensor([1 / 3, 2 / 3])
    best = int(apart.abs().sum(1).argmin())
    return sampler.vectors, first[best], last[best]
