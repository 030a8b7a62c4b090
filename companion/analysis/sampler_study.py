"""A study of samplers: fits side by side, and how near their samples are to training latents."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from scipy.stats import spearmanr
from torch import Tensor

from companion.analysis.hyperplane_fits import HyperplaneFit, by_moments, by_projections
from companion.analysis.samplers import LABELS, FittedSamplers
from lbae_lib.bits import nearest_distance
from lbae_lib.latent.correlation import factor
from lbae_lib.latent.higher_order import (
    random_triples,
    third_moments,
    total_variation,
    weight_distribution,
)
from lbae_lib.latent.moments import Moments, moment_errors, moments

# Alternating projections take hundreds of eigenvalue decompositions; above this size they would
# take an hour to find what Newton's method finds.
PROJECTIONS_UP_TO = 700
TRIPLES = 5000  # of bits, whose third-order moments are compared
NEIGHBOURS = 2000  # samples whose nearest training latent is searched
# Of the numbers of a :class:`Sampled`.
TITLES = (
    "RMS error, pair moments",
    "RMS error, first moments",
    "RMS error, third moments",
    "positive bits, total variation",
    f"bits to the nearest training latent, of at most {NEIGHBOURS:,}",
)


def hyperplane_fits(
    samplers: FittedSamplers, rank: int = 64
) -> dict[str, tuple[str, HyperplaneFit]]:
    """All repairs and moment fits with labels; no alternating projections of large matrices."""
    found = {}
    for key in ("clip", "nearest", "favoured", "held", "fit", "fit_favoured"):
        found[key] = LABELS[key], samplers.hyperplane_fit(key)
        if key == "clip" and samplers.latents.shape[1] < PROJECTIONS_UP_TO:
            label = f"{LABELS['nearest']}, by alternating projections"
            found["projections"] = label, by_projections(samplers.moments)
    start = samplers.hyperplane_fit("nearest").vectors
    low = factor(start @ start.T, rank)
    label = f"hyperplane, fitted, rank {low.shape[1]}"
    return found | {"fit_low": (label, by_moments(samplers.moments, low))}


@dataclass(frozen=True)
class Sampled:
    """How near samples of a sampler are to the training latents."""

    pairs: float  # RMS error of pair moments
    first: float  # RMS error of first moments
    third: float  # RMS error of third-order moments over random triples
    weights: float  # total variation of the numbers of positive bits
    distance: float  # mean Hamming distance to the nearest training latent
    positive: Tensor  # shares of samples with 0 to N positive bits, (N+1,)
    distances: Tensor  # shares of samples at Hamming distance 0 to N, (N+1,)

    def numbers(self) -> dict[str, float]:
        """All but the distributions, for records."""
        names = ("pairs", "first", "third", "weights", "distance")
        return {name: getattr(self, name) for name in names}


class ReferenceLatents:
    """Training latents (K, N), and the statistics of them that samples are compared with."""

    def __init__(self, latents: Tensor, truth: Moments, generator: torch.Generator) -> None:
        self.latents, self.truth = latents, truth
        triples = random_triples(latents.shape[1], TRIPLES, generator)
        self.triples = triples.to(latents.device)

    @cached_property
    def third(self) -> Tensor:
        """Third-order moments, (T,)."""
        return third_moments(self.latents, self.triples)

    @cached_property
    def positive(self) -> Tensor:
        """Shares of latents with 0 to N positive bits, (N+1,)."""
        return weight_distribution(self.latents)

    def measure(self, bits: Tensor) -> Sampled:
        """Compare samples (K, N); distances are those of the first ``NEIGHBOURS``."""
        bits = bits.to(self.latents.device)
        errors = moment_errors(moments(bits), self.truth)
        difference = third_moments(bits, self.triples) - self.third
        positive = weight_distribution(bits)
        nearest = nearest_distance(bits[:NEIGHBOURS], self.latents)
        counts = torch.bincount(nearest, minlength=bits.shape[1] + 1)
        return Sampled(
            pairs=errors.pairs,
            first=errors.first,
            third=float(difference.square().mean().sqrt()),
            weights=total_variation(positive, self.positive),
            distance=float(nearest.double().mean()),
            positive=positive.cpu(),
            distances=(counts.double() / len(nearest)).cpu(),
        )


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation; None if all values of a sequence are equal."""
    if min(len(set(a)), len(set(b))) < 2:
        return None
    return float(spearmanr(a, b).statistic)


def share_of_gap(distance: float, start: float, end: float) -> float | None:
    """The share of the gap from ``start`` down to ``end`` that a distance closes.

    None without a gap: if ``end`` is not at least 5% lower.
    """
    return None if end > 0.95 * start else (start - distance) / (start - end)
