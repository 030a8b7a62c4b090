"""Repairs and samplers side by side: what each reaches, and what none can."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from lbae_lib.bits import nearest_distance
from lbae_lib.latent.baselines import DirectRounding, IndependentBits, Resampling
from lbae_lib.latent.correlation import (
    alternating_projections,
    clip,
    factor,
    gram_matrix,
    nearest,
    repair,
    rounding_moments,
)
from lbae_lib.latent.dichotomized import DichotomizedGaussian
from lbae_lib.latent.gaussians import GaussianMixture, SignedSampler
from lbae_lib.latent.higher_order import third_moments, total_variation, weight_distribution
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import slerp
from lbae_lib.latent.moment_fit import fit_vectors
from lbae_lib.latent.moments import (
    MomentErrors,
    Moments,
    moment_errors,
    moments,
    sampling_noise,
)
from lbae_lib.latent.sampler import Sampler

FAVOURED = 50.0  # how many times first moments weigh where they are favoured
# Alternating projections take hundreds of eigenvalue decompositions; above this size they would
# take an hour to find what Newton's method finds.
PROJECTIONS_UP_TO = 700
NEIGHBOURS = 2000  # samples whose nearest training latent is looked for
NEAREST = f"bits to the nearest training latent, first {NEIGHBOURS:,}"
# Moments count as right within so many times the noise of so many samples, on all pages and for all
# data sets: a sampler's own error is compared, whatever number of samples a page draws.
RIGHT_WITHIN, RIGHT_SAMPLES = 2, 20_000


@dataclass(frozen=True)
class Fitted:
    """Unit vectors for hyperplane rounding, and what making them took and gave.

    Attributes:
        label: of the method.
        vectors: V, (N+1, R).
        iterations: of the method.
        seconds: wall time on the processor.
        errors: of the moments in expectation, without Monte-Carlo noise.
        smallest: smallest eigenvalue of V Vᵀ.
        settled: whether the method ended by itself; if not, by its limit of iterations.
    """

    label: str
    vectors: Tensor
    iterations: int
    seconds: float
    errors: MomentErrors
    smallest: float
    settled: bool = True

    @property
    def rank(self) -> int:
        """R."""
        return self.vectors.shape[1]


def fits(truth: Moments, rank: int = 64) -> dict[str, Fitted]:
    """All repairs and moment fits; no alternating projections of large matrices.

    Args:
        truth: moments of the training latents.
        rank: of the fit of low rank.
    """
    gram = gram_matrix(truth.matrix)
    repairs: dict[str, tuple[str, Callable[[], tuple[Tensor, int]]]] = {
        "clip": ("clipped eigenvalues (the authors')", lambda: clip(gram)),
        "projections": (
            "nearest, by alternating projections",
            lambda: alternating_projections(gram),
        ),
        "nearest": ("nearest, by Newton's method", lambda: nearest(gram)),
        "favoured": (
            f"nearest, first moments × {FAVOURED:g}",
            lambda: nearest(gram, FAVOURED),
        ),
        "held": ("nearest, first moments held", lambda: nearest(gram, math.inf)),
    }
    if len(gram) > PROJECTIONS_UP_TO:
        del repairs["projections"]
    found = {}
    for key, (label, run) in repairs.items():
        began = time.monotonic()
        matrix, iterations = run()
        seconds = time.monotonic() - began
        found[key] = _fitted(label, factor(matrix), iterations, seconds, truth)
    start = found["nearest"].vectors
    low = factor(start @ start.T, rank)
    for key, label, vectors, weight in (
        ("fit", "fitted to moments", start, 1.0),
        ("fit_favoured", f"fitted, first moments × {FAVOURED:g}", start, FAVOURED),
        ("fit_low", f"fitted, rank {low.shape[1]}", low, 1.0),
    ):
        began = time.monotonic()
        result = fit_vectors(truth, vectors, weight)
        seconds = time.monotonic() - began
        made = _fitted(label, result.vectors, result.iterations, seconds, truth)
        found[key] = replace(made, settled=result.settled)
    return found


def moments_right(errors: MomentErrors, truth: Moments) -> tuple[bool, str]:
    """Whether a sampler's moments, free of noise, are those of the latents, and by which limits.

    Args:
        errors: of the sampler's moments in expectation.
        truth: moments of the training latents.
    """
    noise = sampling_noise(truth, RIGHT_SAMPLES)
    pairs, first = (RIGHT_WITHIN * error for error in (noise.pairs, noise.first))
    limits = (
        f"Allowed is {RIGHT_WITHIN} times the noise of {RIGHT_SAMPLES:,} samples, "
        f"{pairs:.4f} for pair and {first:.4f} for first moments"
    )
    return errors.pairs < pairs and errors.first < first, limits


def least_error(truth: Moments) -> float:
    """What no hyperplane sampler can go below: RMS error of the pair moments.

    The arcsine's slope is nowhere below 1, so that |2/π·asin x - M| ≥ 2/π |x - H| for each entry;
    and no correlation matrix is nearer to H, here without its boundary row, than the nearest one.

    Args:
        truth: moments of the training latents, M.
    """
    gram = gram_matrix(truth.matrix)[:-1, :-1]
    difference = repair(gram, "nearest").matrix - gram
    size = len(difference)
    return float(2 / math.pi * difference.square().sum().div(size * (size - 1)).sqrt())


def all_errors(pairs: float, first: float, width: int) -> float:
    """RMS error over all moments, from those of the pair and of the first moments."""
    count = width * (width - 1) / 2
    return math.sqrt((count * pairs**2 + width * first**2) / (count + width))


def samplers(truth: Moments, latents: Tensor, fitted: Mapping[str, Fitted]) -> dict[str, Sampler]:
    """Samplers by name: the floor, the paper's, and the laboratory's."""
    chosen = ("clip", "nearest", "favoured", "held", "fit", "fit_favoured")
    return {
        "floor": Resampling(latents),
        "independent": IndependentBits(truth.first),
        "direct": DirectRounding.fit(truth),
        **{key: HyperplaneSampler(fitted[key].vectors) for key in chosen},
        "dichotomized": DichotomizedGaussian.fit(truth)[0],
        "mixture": SignedSampler(GaussianMixture.fit(latents)),
    }


@dataclass(frozen=True)
class Sampled:
    """How near samples of a sampler are to the training latents.

    Attributes:
        pairs: RMS error of pair moments.
        first: RMS error of first moments.
        third: RMS error of third-order moments over random triples.
        weights: total variation of the distributions of the number of positive bits.
        distance: mean Hamming distance to the nearest training latent.
        positive: shares of samples with 0 to N positive bits, (N+1,).
        distances: shares of samples at Hamming distance 0 to N, (N+1,).
    """

    pairs: float
    first: float
    third: float
    weights: float
    distance: float
    positive: Tensor
    distances: Tensor

    def numbers(self) -> dict[str, float]:
        """What is no distribution, for records."""
        names = ("pairs", "first", "third", "weights", "distance")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Yardstick:
    """What samples are measured against.

    Attributes:
        latents: training latents, (K, N).
        truth: their moments.
        triples: of bits, (T, 3).
    """

    latents: Tensor
    truth: Moments
    triples: Tensor

    @cached_property
    def third(self) -> Tensor:
        """Third-order moments of the training latents."""
        return third_moments(self.latents, self.triples)

    def measure(self, bits: Tensor) -> Sampled:
        """Measure samples.

        Args:
            bits: (K, N) in {-1, +1}; distances are those of the first ``NEIGHBOURS``.
        """
        errors = moment_errors(moments(bits), self.truth)
        difference = third_moments(bits, self.triples) - self.third
        positive = weight_distribution(bits)
        nearest_ones = nearest_distance(bits[:NEIGHBOURS], self.latents)
        return Sampled(
            pairs=errors.pairs,
            first=errors.first,
            third=float(difference.square().mean().sqrt()),
            weights=total_variation(positive, weight_distribution(self.latents)),
            distance=float(nearest_ones.double().mean()),
            positive=positive,
            distances=torch.bincount(nearest_ones, minlength=bits.shape[1] + 1).double()
            / len(nearest_ones),
        )


def _fitted(label: str, vectors: Tensor, iterations: int, seconds: float, truth: Moments) -> Fitted:
    errors = moment_errors(Moments(rounding_moments(vectors), truth.count), truth)
    smallest = float(torch.linalg.eigvalsh(vectors @ vectors.T)[0])
    return Fitted(label, vectors, iterations, seconds, errors, smallest)


def margins_along(
    vectors: Tensor, source: Tensor, target: Tensor, steps: int = 101
) -> tuple[Tensor, Tensor]:
    """Signed products V r along the great circle between two normals.

    Args:
        vectors: V, (N+1, R).
        source: normal (R,).
        target: normal (R,).
        steps: points.

    Returns:
        Positions in [0, 1], (steps,); and V r times the boundary's sign, (steps, N).
    """
    path = slerp(source[None], target[None], steps)[0]
    products = path @ vectors.T
    sides = torch.where(products[:, -1:] >= 0, 1.0, -1.0)
    return torch.linspace(0, 1, steps, dtype=torch.float64), products[:, :-1] * sides


def small_example(
    sampler: HyperplaneSampler, bits: int, generator: torch.Generator
) -> HyperplaneSampler:
    """Vectors of a few real bits in three dimensions, well apart.

    Args:
        sampler: of all bits.
        bits: 2, with the boundary vector; or 3, without it.
        generator: of the triples tried.

    Returns:
        A sampler whose three vectors span the space; the last of them is a boundary vector only
        if ``bits`` is 2.
    """
    gram = sampler.vectors @ sampler.vectors.T
    size = sampler.latent_size
    triples = torch.rand(2000, size, generator=generator).topk(3, dim=1).indices
    if bits == 2:
        triples[:, -1] = size
    smallest = torch.linalg.eigvalsh(gram[triples[:, :, None], triples[:, None, :]])[:, 0]
    best = triples[smallest.argmax()]
    return HyperplaneSampler(torch.linalg.cholesky(gram[best][:, best]))


def small_path(
    sampler: HyperplaneSampler, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Three vectors, and two normals between which the first two bits flip.

    Args:
        sampler: of :func:`small_example`.
        generator: of the margins; None for equal ones.
    """
    normals = []
    for signs in ((1.0, -1.0, 1.0), (-1.0, 1.0, 1.0)):
        margins = torch.ones(3, dtype=torch.float64)
        if generator is not None:
            margins = (sampler.vectors @ sampler.normals(1, generator)[0]).abs()
        end = torch.tensor(signs, dtype=torch.float64)
        normals.append(torch.linalg.solve(sampler.vectors, end * margins))
    return sampler.vectors, normals[0], normals[1]


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation."""
    ranks = [torch.tensor(values).argsort().argsort().double() for values in (a, b)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])
