"""Vectors for hyperplane rounding, by repairs of H and by fits to the moments; and their errors."""

import math
import time
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lbae_lib.latent.correlation import (
    Method,
    Repair,
    alternating_projections,
    factor,
    gram_matrix,
    repair,
    rounding_moments,
)
from lbae_lib.latent.moment_fit import fit_vectors
from lbae_lib.latent.moments import MomentErrors, Moments, moment_errors


@dataclass(frozen=True)
class HyperplaneFit:
    """Unit vectors for hyperplane rounding, and how they were found."""

    vectors: Tensor  # V, (N+1, R)
    truth: Moments  # moments of the latents that they were fitted to
    iterations: int  # of the method
    seconds: float  # wall time of the method
    settled: bool = True  # by the method's tolerance, not by its limit of iterations
    repair: Repair | None = None  # of H; None if the vectors were found in another way

    @property
    def rank(self) -> int:
        """R."""
        return self.vectors.shape[1]

    @cached_property
    def errors(self) -> MomentErrors:
        """Errors of the moments in expectation, without Monte-Carlo noise."""
        return moment_errors(Moments(rounding_moments(self.vectors), self.truth.count), self.truth)

    @cached_property
    def smallest(self) -> float:
        """Smallest eigenvalue of V Vᵀ."""
        return float(torch.linalg.eigvalsh(self.vectors @ self.vectors.T)[0])


def by_repair(
    truth: Moments, method: Method = "nearest", boundary_weight: float = 1.0
) -> HyperplaneFit:
    """Vectors from a repaired H; an infinite weight keeps the first moments as they are."""
    began = time.monotonic()
    found = repair(gram_matrix(truth.matrix), method, boundary_weight)
    seconds = time.monotonic() - began
    return HyperplaneFit(factor(found.matrix), truth, found.iterations, seconds, repair=found)


def by_projections(truth: Moments) -> HyperplaneFit:
    """Vectors from the nearest correlation matrix, found by alternating projections."""
    began = time.monotonic()
    matrix, sweeps = alternating_projections(gram_matrix(truth.matrix))
    return HyperplaneFit(factor(matrix), truth, sweeps, time.monotonic() - began)


def by_moments(truth: Moments, start: Tensor, boundary_weight: float = 1.0) -> HyperplaneFit:
    """Vectors fitted to the moments themselves, from vectors (N+1, R) to start from."""
    began = time.monotonic()
    found = fit_vectors(truth, start, boundary_weight)
    seconds = time.monotonic() - began
    return HyperplaneFit(found.vectors, truth, found.iterations, seconds, found.settled)


def least_error(truth: Moments) -> float:
    """The lower bound for hyperplane samplers: RMS error of the pair moments.

    The arcsine's slope is nowhere below 1, so that |2/π·asin x - M| ≥ 2/π |x - H| for each entry;
    and no correlation matrix is nearer to H, here without its boundary row, than the nearest one.
    """
    gram = gram_matrix(truth.matrix)[:-1, :-1]
    difference = repair(gram, "nearest").matrix - gram
    size = len(difference)
    return float(2 / math.pi * difference.square().sum().div(size * (size - 1)).sqrt())


def all_errors(errors: MomentErrors, width: int) -> float:
    """RMS error over all moments of ``width`` bits, pair and first moments together."""
    count = width * (width - 1) / 2
    square = count * errors.pairs**2 + width * errors.first**2
    return math.sqrt(square / (count + width))
