"""Unit vectors fitted to the moments themselves, instead of to a repaired Gram matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lbae_lib.latent.moments import Moments

# The arcsine's slope is infinite at ±1.
_LARGEST_COSINE = 1 - 1e-9
_GRID = 2.0**24  # steps in one, of the start's numbers


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes in one thread, and adds in one order, whatever it was told before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class MomentFit:
    """Vectors whose rounding has moments near the target's.

    Attributes:
        vectors: V, unit rows, float64 (N+1, R).
        iterations: of L-BFGS.
        settled: whether it ended by its tolerance; if not, by its limit of iterations.
    """

    vectors: Tensor
    iterations: int
    settled: bool


def fit_vectors(
    target: Moments,
    start: Tensor,
    boundary_weight: float = 1.0,
    iterations: int = 300,
    tolerance: float = 1e-7,
) -> MomentFit:
    """Unit rows V that minimise the squared error of 2/π·asin(V Vᵀ) against M.

    A repair moves H, in cosines; what a sampler needs are moments. The problem is not convex, but
    from the nearest correlation matrix L-BFGS ends at errors that other starts do not beat. It
    makes of a difference in the last bit another path, to vectors as good but not the same: hence
    the start is rounded and one thread used, so that results are the same with any number of them.

    Args:
        target: moments to reproduce.
        start: V to begin from, (N+1, R): :func:`lbae_lib.latent.correlation.factor` of a repaired
            Gram matrix; its width is the rank of the fit.
        boundary_weight: of squared errors of first moments, above 0.
        iterations: at most.
        tolerance: stop when the weighted mean of squared errors changes by less than this times
            1e-7.

    Raises:
        ValueError: if shapes differ or the weight is not positive.
    """
    goal = target.matrix
    if len(start) != len(goal):
        raise ValueError(f"V has {len(start)} rows, but M is {len(goal)}×{len(goal)}")
    if not (boundary_weight > 0 and math.isfinite(boundary_weight)):
        raise ValueError(f"boundary_weight is {boundary_weight}, but must be above 0 and finite")
    weights = torch.ones_like(goal).fill_diagonal_(0.0)
    weights[-1, :-1] = weights[:-1, -1] = boundary_weight
    weights /= weights.sum()
    free = (start.detach().contiguous() * _GRID).round().div(_GRID).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [free], max_iter=iterations, history_size=20, line_search_fn="strong_wolfe",
        tolerance_change=tolerance * 1e-3, tolerance_grad=1e-12,
    )  # fmt: skip

    def loss() -> Tensor:
        vectors = normalize(free, dim=1)
        cosines = (vectors @ vectors.T).clamp(-_LARGEST_COSINE, _LARGEST_COSINE)
        return (weights * (torch.asin(cosines) * (2 / math.pi) - goal).square()).sum()

    def closure() -> Tensor:
        optimizer.zero_grad()
        # Squared moment errors are of order 1e-5: scaled for the optimizer's own tolerances.
        value = loss() * 1e4
        value.backward()
        return value

    with one_thread():
        optimizer.step(closure)
    steps = int(optimizer.state[free]["n_iter"])
    return MomentFit(normalize(free.detach(), dim=1), steps, steps < iterations)
