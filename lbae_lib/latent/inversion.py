"""From a latent back to a hyperplane normal that generates it (Section 3.3, Algorithm 1).

Each reading of Section 3.3 is a function from latents s, (K, N) in {-1, +1}, and a sampler with
vectors V to an :class:`Inversion`. It is built from the centroid of Eq. 13, the tilting of
Algorithm 1 and the difference of Eq. 14. :func:`exact` and :func:`least_change` instead solve
V r = [s, 1] ∘ m for margins m > 0.

All raise ``ValueError`` if the latents are not bits, or do not have the N bits of the sampler;
these two also if the sampler does not have full rank: see :func:`full_rank`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from lbae_lib.bits import hamming_distance
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.truncated_gaussian import truncated_gaussian

_SHARE = 0.1  # of a latent's mean margin, which a wrong bit gets


@dataclass(frozen=True)
class Inversion:
    """Hyperplane normals found for latents.

    Attributes:
        normals: r, float64 (K, R). :func:`algorithm_1` finds 0, the normal of no hyperplane, for a
            latent without positive bits.
        wrong_bits: d, the Hamming distance between each latent and the bits of its hyperplane
            (Eq. 16), int64 (K,).
        steps: correction steps of Algorithm 1, int64 (K,), or (K, 2) where two halves are tilted; 0
            for the functions without steps.
    """

    normals: Tensor
    wrong_bits: Tensor
    steps: Tensor


def algorithm_1(latents: Tensor, sampler: HyperplaneSampler) -> Inversion:
    """The paper's Algorithm 1 as published, for a batch.

    It starts at the centroid of the positive vectors (Eq. 13) and adds the vectors of the wrong
    bits (Eq. 15) until their number (Eq. 16) no longer falls. As published, it returns the normal
    of the last step, which is the one that brought no gain.
    """
    latents = sampler.checked(latents)
    return _tilted(_centroid(latents, sampler), latents, sampler)


def centroid_difference(latents: Tensor, sampler: HyperplaneSampler) -> Inversion:
    """r = r_p/‖r_p‖ - r_n/‖r_n‖ (Eq. 14) of both centroids (Eq. 13), without Algorithm 1."""
    latents = sampler.checked(latents)
    normals = _difference(_centroid(latents, sampler), _centroid(-latents, sampler))
    return evaluated(normals, latents, sampler)


def both_halves(latents: Tensor, sampler: HyperplaneSampler) -> Inversion:
    """Eq. 14 of two normals by Algorithm 1, started at the positive and the negative centroid.

    This is the fullest reading of Section 3.3, which tilts r_p towards the vectors behind it,
    creates r_n "similarly", and takes their difference. A normal and its opposite generate the
    same bits (Eq. 12), so r_n is compared with s as well. Steps are those of both, (K, 2).
    """
    latents = sampler.checked(latents)
    positive, negative = (
        _tilted(_centroid(half, sampler), latents, sampler) for half in (latents, -latents)
    )
    normals = _difference(positive.normals, negative.normals)
    return evaluated(
        normals, latents, sampler, torch.stack([positive.steps, negative.steps], dim=1)
    )


def exact(
    latents: Tensor,
    sampler: HyperplaneSampler,
    generator: torch.Generator | None,
    sweeps: int = 10,
) -> Inversion:
    """A normal without wrong bits: V r = [s, 1] ∘ m for margins m > 0.

    With a generator, r is a random normal given its bits: r ~ N(0, I) under the condition that it
    generates s and has the boundary vector on the positive side. V r ~ N(0, V Vᵀ) is then
    truncated to the orthant of [s, 1], and drawn by Gibbs sampling.

    Without a generator, all margins are 1. This is the "degenerate" normal r = V⁻¹[s, 1] of
    Section 3.3: between two of them all differing bits flip at the same angle.

    Args:
        sampler: must have full rank R = N + 1; see :func:`full_rank`.
        generator: of the normals, or None for margins of 1.
        sweeps: of Gibbs sampling, at least 0. It starts from the margins of unconditioned random
            hyperplanes; with 0 these are the margins.

    Raises:
        ValueError: if latents are not bits or do not fit the sampler, its rank is not full, or the
            number of sweeps is negative.
    """
    if sweeps < 0:
        raise ValueError(f"sweeps is {sweeps}, but must be at least 0")
    latents = sampler.checked(latents)
    target = pad(latents, (0, 1), value=1.0)  # [s, 1], (K, N+1)
    with full_rank_vectors(sampler) as vectors:
        if generator is not None:
            products = target * (sampler.normals(len(latents), generator) @ vectors.T).abs()
            precision = torch.cholesky_inverse(torch.linalg.cholesky(vectors @ vectors.T))
            target = truncated_gaussian(products, precision, sweeps, generator)
        normals = torch.linalg.solve(vectors, target.T).T
    return evaluated(normals, latents, sampler)


def least_change(latents: Tensor, sampler: HyperplaneSampler, start: Inversion) -> Inversion:
    """An exact normal near another one: only the margins of wrong bits change.

    A bit that ``start`` gets right keeps its margin. A wrong bit gets a tenth of the latent's mean
    margin, on the right side, or 1 where that is 0.

    Args:
        sampler: must have full rank; see :func:`full_rank`.
        start: an inversion by Eq. 12, e.g. of :func:`algorithm_1`, with the same sampler; not of
            :func:`.algorithm_1.authors_procedure`, whose bits are the raw signs.
    """
    latents = sampler.checked(latents)
    signed = pad(latents, (0, 1), value=1.0)  # [s, 1], (K, N+1)
    with full_rank_vectors(sampler) as vectors:
        products = start.normals.to(vectors) @ vectors.T
        # The hyperplane -r has the same bits: put the boundary vector on the positive side.
        margins = signed * products * torch.where(products[:, -1:] >= 0, 1.0, -1.0)
        mean = margins.abs().mean(1, keepdim=True)
        least = torch.where(mean > 0, _SHARE * mean, 1.0)
        target = signed * torch.where(margins > 0, margins, least)
        normals = torch.linalg.solve(vectors, target.T).T
    return evaluated(normals, latents, sampler)


def full_rank(sampler: HyperplaneSampler, weight: float = 0.01) -> HyperplaneSampler:
    """The sampler of (1 - weight) H + weight I, which can reach every latent.

    The weight of the identity is in (0, 1]; 0.01 moves a pair moment of 0.5 by about 0.006.

    Raises:
        ValueError: if the weight is outside of (0, 1].
    """
    if not 0 < weight <= 1:
        raise ValueError(f"weight is {weight}, but must be in (0, 1]")
    gram = sampler.vectors @ sampler.vectors.T
    blended = ((1 - weight) * gram).fill_diagonal_(1.0)
    return HyperplaneSampler(torch.linalg.cholesky(blended))


@contextmanager
def full_rank_vectors(sampler: HyperplaneSampler) -> Iterator[Tensor]:
    """A context that yields V, (N+1, N+1), for linear algebra that needs full rank.

    Raises:
        ValueError: if V is not square, or the block finds it singular.
    """
    size, rank = sampler.vectors.shape
    remedy = "so some latents have no hyperplane: use full_rank(sampler)"
    if rank != size:
        raise ValueError(f"V has rank {rank} of {size}, {remedy}")
    try:
        yield sampler.vectors
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        raise ValueError(f"V has linearly dependent rows, {remedy}") from None


def _centroid(latents: Tensor, sampler: HyperplaneSampler) -> Tensor:
    """r_p = Σ u(s_i) V_i with u(s) = (1 + s) / 2 (Eq. 13), (K, R); r_n for -s."""
    return (1 + latents) / 2 @ sampler.vectors[:-1]


def _difference(positive: Tensor, negative: Tensor) -> Tensor:
    """r = r_p/‖r_p‖ - r_n/‖r_n‖ (Eq. 14), (K, R)."""
    return normalize(positive, dim=1) - normalize(negative, dim=1)


def _tilted(normals: Tensor, latents: Tensor, sampler: HyperplaneSampler) -> Inversion:
    """The loop of Algorithm 1 from given normals, (K, R)."""
    rows = sampler.vectors[:-1]
    best = torch.full((len(latents),), sampler.latent_size, device=latents.device)
    active = torch.ones(len(latents), dtype=torch.bool, device=latents.device)
    steps = torch.zeros_like(best)
    while True:  # at most N times, as each step lowers a whole number
        errors = sampler.bits(normals) != latents  # Eq. 15, (K, N)
        distance = errors.sum(1)  # Eq. 16, (K,)
        active &= distance < best
        if not bool(active.any()):
            return evaluated(normals, latents, sampler, steps)
        best = torch.where(active, distance, best)
        corrected = normalize(normals + errors.to(rows) @ rows, dim=1)
        normals = torch.where(active[:, None], corrected, normals)
        steps += active


def evaluated(
    normals: Tensor, latents: Tensor, sampler: HyperplaneSampler, steps: Tensor | None = None
) -> Inversion:
    """Normals (K, R) with the number of bits that each gets wrong by Eq. 12."""
    wrong = hamming_distance(sampler.bits(normals), latents)
    return Inversion(normals, wrong, torch.zeros_like(wrong) if steps is None else steps)
