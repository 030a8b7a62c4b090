"""The inversions that the pages compare, and what they get wrong under both rules for signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lbae_lib.bits import hamming_distance
from lbae_lib.latent import inversion
from lbae_lib.latent.algorithm_1 import authors_procedure, restored_algorithm_1
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import deviation_from_linear, hamming_path, interpolate_bits
from lbae_lib.latent.inversion import Inversion


@dataclass(frozen=True)
class InversionMethod:
    """A way from latents back to hyperplane normals."""

    label: str  # for tables and figures
    # Of latents (K, N), a sampler and the generator of random margins
    invert: Callable[[Tensor, HyperplaneSampler, torch.Generator], Inversion]
    full_rank: bool = False  # needs a sampler of full rank
    boundary: bool = True  # whether bits are those of Eq. 12; if not, the raw signs
    scored_ends: bool = False  # the true latents enclose a scored path, as in the authors' code


INVERSIONS: Mapping[str, InversionMethod] = {
    "algorithm_1": InversionMethod("Algorithm 1", lambda b, s, _: inversion.algorithm_1(b, s)),
    "centroids": InversionMethod(
        "difference of centroids (Eq. 14)", lambda b, s, _: inversion.centroid_difference(b, s)
    ),
    "both_halves": InversionMethod(
        "Eq. 14 applied to Algorithm 1", lambda b, s, _: inversion.both_halves(b, s)
    ),
    "least_change": InversionMethod(
        "Algorithm 1, wrong bits corrected",
        lambda b, s, _: inversion.least_change(b, s, inversion.algorithm_1(b, s)),
        full_rank=True,
    ),
    "unit_margins": InversionMethod(
        "exact, equal margins", lambda b, s, _: inversion.exact(b, s, None), full_rank=True
    ),
    "exact": InversionMethod("exact, random margins", inversion.exact, full_rank=True),
    "authors": InversionMethod(
        "the authors' procedure",
        lambda b, s, _: authors_procedure(b, s),
        boundary=False,
        scored_ends=True,
    ),
    "restored": InversionMethod(
        "Algorithm 1, sign restored", lambda b, s, _: restored_algorithm_1(b, s)
    ),
}
LABELS = {key: method.label for key, method in INVERSIONS.items()}
_TURN_SEED = 20_200  # no page draws normals with it, which would be parallel
_TURN = 1e-6  # of a normal, in radians, that would be opposite to another


def paths_between(
    sampler: HyperplaneSampler, source: Tensor, target: Tensor, steps: int, boundary: bool = True
) -> Tensor:
    """The bits along great circles between normals (K, R), float32 (K, steps, N) in {-1, +1}.

    Opposite normals, as those of complementary latents can be, have no single shortest path. A
    random one is taken: the target is turned by a millionth. With ``boundary``, bits are those of
    Eq. 12, else the raw signs.
    """
    ends = (normalize(source.double(), dim=1), normalize(target.double(), dim=1))
    opposite = (ends[0] + ends[1]).norm(dim=1) < _TURN
    if bool(opposite.any()):
        noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(_TURN_SEED))
        turn = _TURN * normalize(noise.to(ends[1]), dim=1)
        target = torch.where(opposite[:, None], ends[1] + turn, target.to(ends[1]))
    return interpolate_bits(sampler, source, target, steps, boundary)


@dataclass(frozen=True)
class SignRules:
    """What normals get wrong by Eq. 12, and by the raw signs of V r."""

    by_boundary: Tensor  # wrong bits by Eq. 12, int64 (K,)
    raw: Tensor  # wrong bits by the raw signs, int64 (K,)
    behind: Tensor  # whether the boundary vector is behind, so that Eq. 12 complements, bool (K,)

    @classmethod
    def of(cls, found: Inversion, latents: Tensor, sampler: HyperplaneSampler) -> SignRules:
        """Compare the bits of normals with the latents (K, N) that they should generate."""
        latents = sampler.checked(latents)
        by_boundary, raw = (
            hamming_distance(sampler.bits(found.normals, rule), latents) for rule in (True, False)
        )
        behind = found.normals.to(sampler.vectors) @ sampler.vectors[-1] < 0
        return cls(by_boundary.cpu(), raw.cpu(), behind.cpu())


@dataclass(frozen=True)
class HammingPaths:
    """Distances along paths, measured both ways (Figure 9)."""

    own: tuple[Tensor, Tensor]  # from the path's own first and last point, as in the authors' code
    true: tuple[Tensor, Tensor]  # from the true latents, as the paper's text says

    @classmethod
    def of(cls, path: Tensor, source: Tensor, target: Tensor) -> HammingPaths:
        """Measure a path (K, T, N) between latents (K, N)."""
        own, true = hamming_path(path), hamming_path(path, (source, target))
        return cls((own[0].cpu(), own[1].cpu()), (true[0].cpu(), true[1].cpu()))

    def deviations(self) -> tuple[float | None, float | None]:
        """Largest deviations of the mean path from a line, own ends first."""
        return deviation_from_linear(self.own[0]), deviation_from_linear(self.true[0])

    def first_step(self) -> float | None:
        """Mean distance of the path's first point from the true source; None without paths."""
        first = self.true[0][:, 0]
        return float(first.mean()) if len(first) else None
