"""From moments to a Gram matrix that exists: Eqs. 8-10 and the repair they leave open.

Entry by entry, H = cos(π/2 (1 - M)) = sin(π/2 M) gives the angles between unit vectors that
hyperplane rounding needs. Nothing makes the matrix of these entries positive semi-definite;
where it is not, no such vectors exist and H must be replaced by a matrix for which they do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lbae_lib.latent.nearest_correlation import nearest_psd

Method = Literal["clip", "nearest"]


@dataclass(frozen=True)
class Repair:
    """A correlation matrix, and what it cost to get there.

    Attributes:
        matrix: float64 (N+1, N+1), unit diagonal, eigenvalues >= 0 up to rounding.
        method: "none" if the input needed no repair.
        eigenvalues: of the input, ascending.
        iterations: of the method; 1 for clipping, 0 for none.
        change: root-mean-square change of an entry off the diagonal.
    """

    matrix: Tensor
    method: str
    eigenvalues: Tensor
    iterations: int
    change: float

    @property
    def negative(self) -> int:
        """How many eigenvalues of the input were below zero by more than rounding."""
        return int((self.eigenvalues < -_tolerance(self.eigenvalues)).sum())


def gram_matrix(moment_matrix: Tensor) -> Tensor:
    """H = cos(π/2 (1 - M)) = sin(π/2 M) (Eqs. 8-9).

    Args:
        moment_matrix: M, (N+1, N+1) in [-1, 1].

    Raises:
        ValueError: if an entry is outside [-1, 1].
    """
    largest = float(moment_matrix.abs().max())
    if not largest <= 1.0:
        raise ValueError(f"a moment of bits is at most 1 in size, but M holds {largest:g}")
    return torch.sin(math.pi / 2 * moment_matrix.double())


def rounding_moments(vectors: Tensor) -> Tensor:
    """The moments that hyperplane rounding has in expectation: 2/π·asin(V Vᵀ).

    The inverse of Eqs. 8-9: two unit vectors at angle α fall on the same side of a random
    hyperplane with probability 1 - α/π (Eq. 6; Grothendieck's identity).

    Args:
        vectors: unit rows, (N+1, R).

    Returns:
        (N+1, N+1) with first moments in the last row.
    """
    moment_matrix = torch.asin((vectors @ vectors.T).clamp(-1, 1)) * (2 / math.pi)
    return moment_matrix.fill_diagonal_(1.0)


def repair(gram: Tensor, method: Method = "nearest", boundary_weight: float = 1.0) -> Repair:
    """The matrix itself if it is positive semi-definite, else :func:`clip` or :func:`nearest`.

    Args:
        gram: H, (N+1, N+1).
        method: "clip" (the authors') or "nearest".
        boundary_weight: see :func:`nearest`; clipping has none.

    Raises:
        ValueError: if the matrix is not square, symmetric, finite, with unit diagonal; or the
            method is unknown.
    """
    _check_gram(gram)
    gram = _symmetric(gram)
    if method not in ("clip", "nearest"):
        raise ValueError(f"no repair {method!r}: there are 'clip' and 'nearest'")
    values = torch.linalg.eigvalsh(gram)
    if float(values[0]) >= -_tolerance(values):
        return Repair(gram, "none", values, 0, 0.0)
    matrix, iterations = clip(gram) if method == "clip" else nearest(gram, boundary_weight)
    return Repair(matrix, method, values, iterations, _rms_off_diagonal(matrix - gram))


def clip(gram: Tensor) -> tuple[Tensor, int]:
    """Negative eigenvalues to zero, then rows back to unit length: the authors' repair.

    Their code takes the nearest positive semi-definite matrix in the Frobenius norm (Higham
    1988), which clips the eigenvalues, and does not restore the unit diagonal; since signs do
    not depend on the length of a row of V, the distribution of the bits is the same.
    """
    return _unit_diagonal(_project_psd(gram)), 1


def nearest(
    gram: Tensor, boundary_weight: float = 1.0, tolerance: float = 1e-9
) -> tuple[Tensor, int]:
    """The nearest correlation matrix in a weighted Frobenius norm, by Newton's method.

    The last row belongs to the boundary vector and carries the first moments. Its errors weigh
    ``boundary_weight`` times; with ``math.inf`` it is held as it is: X then exists if and only if
    S = C - h hᵀ is positive semi-definite, where h is the boundary's column and C the rest, so
    that the nearest S with the diagonal 1 - h² is found instead.

    Args:
        gram: symmetric, unit diagonal.
        boundary_weight: of squared errors in the last row, above 0.
        tolerance: see :func:`lbae_lib.latent.nearest_correlation.nearest_psd`.

    Returns:
        The matrix and the number of Newton steps.

    Raises:
        ValueError: if the weight is not positive.
        RuntimeError: if Newton's method does not converge.
    """
    if not boundary_weight > 0:
        raise ValueError(f"boundary_weight is {boundary_weight}, but must be above 0")
    if math.isinf(boundary_weight):
        return _held_boundary(gram, tolerance)
    weights = torch.ones_like(gram[0])
    weights[-1] = boundary_weight
    scale = weights.sqrt()
    matrix, steps = nearest_psd(gram * torch.outer(scale, scale), weights, tolerance)
    return _unit_diagonal(_symmetric(matrix)), steps


def _held_boundary(gram: Tensor, tolerance: float) -> tuple[Tensor, int]:
    boundary = gram[:, -1]
    free = boundary.square() < 1 - 1e-12  # neither the boundary vector nor along it
    column = boundary[free]
    variance = 1 - column.square()
    fixed = torch.outer(column, column)
    inner, steps = nearest_psd(gram[free][:, free] - fixed, variance, tolerance)
    scale = (variance / inner.diagonal()).sqrt()
    # A constant bit's vector is the boundary vector or its opposite: so is its row.
    matrix = torch.outer(boundary, boundary)
    matrix[torch.outer(free, free)] = (inner * torch.outer(scale, scale) + fixed).flatten()
    return _symmetric(matrix.fill_diagonal_(1.0)), steps


def alternating_projections(
    gram: Tensor, tolerance: float = 1e-7, max_iterations: int = 2000
) -> tuple[Tensor, int]:
    """The nearest correlation matrix by alternating projections: slower than :func:`nearest`.

    Args:
        gram: symmetric, unit diagonal.
        tolerance: stop when a sweep changes the matrix by less than this, relatively.
        max_iterations: sweeps allowed.

    Returns:
        The matrix and the number of sweeps.

    Raises:
        RuntimeError: if the tolerance is not met within the sweeps allowed.

    Reference:
        N. J. Higham (2002), *Computing the nearest correlation matrix: a problem from finance*,
        IMA Journal of Numerical Analysis 22, 329-343, Algorithm 3.3.
    """
    current, correction = gram.clone(), torch.zeros_like(gram)
    change = math.inf
    for iteration in range(1, max_iterations + 1):
        shifted = current - correction  # Dykstra's correction
        projected = _project_psd(shifted)
        correction = projected - shifted
        following = projected.clone().fill_diagonal_(1.0)
        change = float((following - current).norm() / following.norm())
        current = following
        if change < tolerance:
            # The last step set the diagonal; one more projection makes eigenvalues >= 0.
            return _unit_diagonal(_project_psd(current)), iteration
    raise RuntimeError(
        f"the nearest correlation matrix was not reached in {max_iterations} sweeps (last change "
        f"{change:.1e}, wanted {tolerance:.1e}): raise max_iterations, or use the repair 'clip'"
    )


def factor(correlation: Tensor, rank: int | None = None) -> Tensor:
    """Unit rows V with V Vᵀ = H (Eq. 10).

    The paper takes the Cholesky factor. Any factor gives the same distribution of bits, since
    a rotation of the normals r ~ N(0, I) is again N(0, I); this one, U √Λ without its zero
    columns, exists for singular H too and is as narrow as the rank.

    Args:
        correlation: H, positive semi-definite with unit diagonal.
        rank: keep the largest so many eigenvalues and renormalise the rows.

    Returns:
        float64 (N+1, R).

    Raises:
        ValueError: if H has negative eigenvalues (repair it first), or rank is below 1.
    """
    values, basis = torch.linalg.eigh(correlation)
    if float(values[0]) < -_tolerance(values):
        raise ValueError(
            f"H has the eigenvalue {float(values[0]):.3g} < 0, so no vectors have these angles: "
            "repair it first"
        )
    if rank is not None and rank < 1:
        raise ValueError(f"rank is {rank}, but must be at least 1")
    kept = int((values > _tolerance(values)).sum())
    kept = kept if rank is None else min(rank, kept)
    vectors = basis[:, -kept:] * values[-kept:].sqrt()
    return torch.nn.functional.normalize(vectors, dim=1)


def _project_psd(matrix: Tensor) -> Tensor:
    values, basis = torch.linalg.eigh(matrix)
    positive = values > 0
    half = basis[:, positive] * values[positive].sqrt()
    return _symmetric(half @ half.T)


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.T) / 2


def _unit_diagonal(matrix: Tensor) -> Tensor:
    scale = matrix.diagonal().rsqrt()
    return (matrix * torch.outer(scale, scale)).fill_diagonal_(1.0)


def _rms_off_diagonal(matrix: Tensor) -> float:
    size = len(matrix)
    off = matrix - torch.diag(matrix.diagonal())
    return float(off.square().sum().div(max(1, size * (size - 1))).sqrt())


def _tolerance(values: Tensor) -> float:
    """Eigenvalues closer to zero than this are rounding."""
    return float(values.abs().max()) * len(values) * 1e-13


def _check_gram(gram: Tensor) -> None:
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1]:
        raise ValueError(f"H has shape {tuple(gram.shape)}, but must be square")
    if not bool(gram.isfinite().all()):
        raise ValueError("H holds values that are not finite: look at the latents behind it")
    asymmetry = float((gram - gram.T).abs().max())
    if asymmetry > 1e-12:
        raise ValueError(f"H is not symmetric: H and its transpose differ by up to {asymmetry:g}")
    if not torch.allclose(gram.diagonal(), torch.ones_like(gram.diagonal()), atol=1e-12):
        raise ValueError("H has entries other than 1 on its diagonal: vectors must have length 1")
