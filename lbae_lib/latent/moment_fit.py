"""Unit vectors fitted to the moments themselves, rather than to a repaired Gram matrix."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lbae_lib.latent.moments import Moments

_LARGEST_COSINE = 1 - 1e-9  # the arcsine's slope is infinite at ±1
_GRID = 2.0**24  # the start is rounded to multiples of 1 / _GRID
_SCALE = 1e4  # squared errors of moments are about 1e-5: scaled to the optimizer's tolerances


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes in one thread within the block, so that sums have a fixed order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class MomentFit:
    """Unit rows V, float64 (N+1, R), whose hyperplane rounding nearly has the target's moments."""

    vectors: Tensor
    iterations: int
    settled: bool  # whether the fit ended by its tolerance, not its limit of iterations


def fit_vectors(
    target: Moments, start: Tensor, boundary_weight: float = 1.0, iterations: int = 300
) -> MomentFit:
    """Unit rows V that minimise the squared error between 2/π·asin(V Vᵀ) and M (Eq. 4).

    A repair minimises errors of cosines instead. The problem is not convex; from the nearest
    correlation matrix, L-BFGS reaches errors that other starts do not improve.

    A difference in the last bit sends L-BFGS to vectors that are as good but not equal. The start
    is therefore rounded and one thread used, so that the result does not depend on the number of
    threads. It may depend on the device.

    Args:
        start: initial V, (N+1, R), e.g. of a repaired Gram matrix; its width is the fit's rank.
        boundary_weight: of the squared errors of first moments, above 0 and finite.
        iterations: maximum number; the fit ends earlier when the weighted mean squared error
            changes by less than 1e-14.

    Raises:
        ValueError: if V and M differ in rows, or the weight is not positive and finite.
    """
    goal = target.matrix
    if len(start) != len(goal):
        raise ValueError(
            f"V has {len(start)} rows, but M is {len(goal)}×{len(goal)}: give the V of this M"
        )
    if not (boundary_weight > 0 and math.isfinite(boundary_weight)):
        raise ValueError(f"boundary_weight is {boundary_weight}, but must be above 0 and finite")
    weights = torch.ones_like(goal).fill_diagonal_(0.0)
    weights[-1, :-1] = weights[:-1, -1] = boundary_weight
    weights /= weights.sum()
    free = (start.detach().contiguous() * _GRID).round().div(_GRID).requires_grad_()
    evaluations = 10 * iterations  # by default 1.25 times as many, which may end a fit first
    optimizer = torch.optim.LBFGS(
        [free], max_iter=iterations, max_eval=evaluations, history_size=20,
        line_search_fn="strong_wolfe", tolerance_change=1e-14 * _SCALE, tolerance_grad=1e-12,
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        vectors = normalize(free, dim=1)
        cosines = (vectors @ vectors.T).clamp(-_LARGEST_COSINE, _LARGEST_COSINE)
        errors = torch.asin(cosines) * (2 / math.pi) - goal  # (N+1, N+1)
        loss = (weights * errors.square()).sum() * _SCALE
        loss.backward()
        return loss

    with one_thread():
        optimizer.step(closure)
    steps, evaluated = (int(optimizer.state[free][key]) for key in ("n_iter", "func_evals"))
    settled = steps < iterations and evaluated < evaluations
    return MomentFit(normalize(free.detach(), dim=1), steps, settled)
