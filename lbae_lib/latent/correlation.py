"""From moments to unit vectors: the Gram matrix H (Eq. 9), its repair, its factor (Eq. 10).

Nothing makes H positive semi-definite. Where it is not, no unit vectors have its angles, and H
must be replaced by a correlation matrix for which they exist: the paper leaves this repair open.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lbae_lib.latent.nearest_correlation import Eigen, nearest_psd, positive_part

Method = Literal["clip", "nearest"]


@dataclass(frozen=True)
class Repair:
    """A correlation matrix near H, and how it was found.

    Attributes:
        matrix: float64 (N+1, N+1), unit diagonal, eigenvalues >= 0 up to rounding.
        method: "clip", "nearest", or "none" if H needed no repair.
        eigenvalues: of H, (N+1,), ascending.
        eigenvectors: of H, as columns, (N+1, N+1).
        iterations: of the method; 1 for "clip", 0 for "none".
        change: root-mean-square change of the entries off the diagonal.
    """

    matrix: Tensor
    method: str
    eigenvalues: Tensor
    eigenvectors: Tensor
    iterations: int
    change: float

    @property
    def negative(self) -> int:
        """Number of eigenvalues of H that are negative beyond rounding."""
        return int((self.eigenvalues < -_tolerance(self.eigenvalues)).sum())

    def vectors(self) -> Tensor:
        """Unit rows V with V Vᵀ = ``matrix``, float64 (N+1, R): see :func:`factor`."""
        if self.method == "nearest":
            return factor(self.matrix)
        # Clipping keeps the eigenvectors of H: no matrix is decomposed again.
        return _rows(self.eigenvalues, self.eigenvectors)


def gram_matrix(moment_matrix: Tensor) -> Tensor:
    """H = cos(π/2 (1 - M)) = sin(π/2 M) (Eq. 8, Eq. 9), float64 (N+1, N+1), of M of Eq. 4.

    Raises:
        ValueError: if M is not square, or an entry is outside [-1, 1].
    """
    _check_square(moment_matrix, "M")
    largest = float(moment_matrix.abs().max())
    if not largest <= 1.0:
        raise ValueError(
            f"M holds an entry of size {largest:g}, but moments of bits are in [-1, 1]"
        )
    return torch.sin(math.pi / 2 * moment_matrix.double())


def rounding_moments(vectors: Tensor) -> Tensor:
    """M = 2/π·asin(V Vᵀ), the moments that hyperplane rounding has in expectation: (N+1, N+1).

    This inverts Eq. 9. Two unit vectors at angle α fall on the same side of a random hyperplane
    with the probability 1 - α/π (Eq. 6, Eq. 7), and that is (M + 1) / 2 (Eq. 5).
    ``vectors`` are V, unit rows, (N+1, R).
    """
    moment_matrix = torch.asin((vectors @ vectors.T).clamp(-1, 1)) * (2 / math.pi)
    return moment_matrix.fill_diagonal_(1.0)


def repair(gram: Tensor, method: Method = "nearest", boundary_weight: float = 1.0) -> Repair:
    """H itself if it is positive semi-definite (Eq. 10), else :func:`clip` or :func:`nearest`.

    All compute in float64. ``boundary_weight`` is that of :func:`nearest`; "clip" has none.

    Raises:
        ValueError: if H is not square, symmetric and finite with a unit diagonal, the method is
            unknown, or "nearest" is needed and the weight is not positive.
        RuntimeError: if Newton's method does not converge.
    """
    _check_gram(gram)
    gram = _symmetric(gram.double())
    if method not in ("clip", "nearest"):
        raise ValueError(f"no repair {method!r}: choose 'clip' or 'nearest'")
    values, basis = eigen = torch.linalg.eigh(gram)
    if float(values[0]) >= -_tolerance(values):
        return Repair(gram, "none", values, basis, 0, 0.0)
    if method == "clip":
        matrix, iterations = clip(gram, eigen)
    else:
        matrix, iterations = nearest(gram, boundary_weight, eigen)
    change = (matrix - gram).fill_diagonal_(0.0)
    pairs = max(1, len(gram) * (len(gram) - 1))
    rms = float(change.square().sum().div(pairs).sqrt())
    return Repair(matrix, method, values, basis, iterations, rms)


def clip(gram: Tensor, eigen: Eigen | None = None) -> tuple[Tensor, int]:
    """Set negative eigenvalues to zero, then scale back to a unit diagonal: the authors' repair.

    Their code takes the nearest positive semi-definite matrix in the Frobenius norm (Higham
    1988), which clips the eigenvalues, and does not restore the unit diagonal. Signs do not depend
    on the length of a row of V, so the scaling leaves the distribution of the bits as it is. The
    jitter that their code adds until Cholesky's decomposition succeeds is left out.

    Returns the matrix, float64, and 1 for one iteration; ``eigen`` is that of H, if known.
    """
    return _unit_diagonal(_projected(gram.double(), eigen)), 1


def nearest(
    gram: Tensor, boundary_weight: float = 1.0, eigen: Eigen | None = None
) -> tuple[Tensor, int]:
    """The nearest correlation matrix in a weighted Frobenius norm, by Newton's method.

    The last row belongs to the boundary vector and carries the first moments. Its squared errors
    have the weight ``boundary_weight``. With ``math.inf`` the row is held fixed: the matrix is
    then positive semi-definite if and only if S = C - h hᵀ is, where h is the boundary's column
    and C the rest. The nearest such S with the diagonal 1 - h² is found instead.

    Args:
        gram: H, (N+1, N+1), symmetric, unit diagonal.
        boundary_weight: above 0.
        eigen: of H, if known; spares the first decomposition where the weight is 1.

    Returns:
        The matrix, float64, and the number of Newton steps.

    Raises:
        ValueError: if the weight is not positive.
        RuntimeError: if Newton's method does not converge.
    """
    if not boundary_weight > 0:
        raise ValueError(f"boundary_weight is {boundary_weight}, but must be above 0")
    gram = gram.double()
    if math.isinf(boundary_weight):
        return _fixed_boundary(gram)
    weights = torch.ones_like(gram[0])
    weights[-1] = boundary_weight
    scale = weights.sqrt()
    known = eigen if boundary_weight == 1 else None
    matrix, steps = nearest_psd(gram * torch.outer(scale, scale), weights, eigen=known)
    return _unit_diagonal(_symmetric(matrix)), steps


def _fixed_boundary(gram: Tensor) -> tuple[Tensor, int]:
    boundary = gram[:, -1]  # h
    free = boundary.square() < 1 - 1e-12  # neither the boundary vector nor parallel to it
    column = boundary[free]
    variance = 1 - column.square()
    fixed = torch.outer(column, column)
    inner, steps = nearest_psd(gram[free][:, free] - fixed, variance)
    scale = (variance / inner.diagonal()).sqrt()
    # The vector of a constant bit is the boundary vector or its opposite, and so is its row.
    matrix = torch.outer(boundary, boundary)
    matrix[torch.outer(free, free)] = (inner * torch.outer(scale, scale) + fixed).flatten()
    return _symmetric(matrix.fill_diagonal_(1.0)), steps


def alternating_projections(
    gram: Tensor, tolerance: float = 1e-7, max_iterations: int = 2000
) -> tuple[Tensor, int]:
    """The nearest correlation matrix by alternating projections, slower than :func:`nearest`.

    Returns the matrix, float64, and the number of sweeps, once a sweep changes the matrix by less
    than the tolerance, relatively.

    Raises:
        RuntimeError: if that takes more than ``max_iterations``.

    Reference:
        N. J. Higham (2002), *Computing the nearest correlation matrix: a problem from finance*,
        IMA Journal of Numerical Analysis 22, 329-343, Algorithm 3.3.
    """
    current, correction = gram.double(), torch.zeros_like(gram, dtype=torch.float64)
    for iteration in range(1, max_iterations + 1):
        shifted = current - correction  # Dykstra's correction
        projected = _projected(shifted)
        correction = projected - shifted
        following = projected.clone().fill_diagonal_(1.0)
        change = float((following - current).norm() / following.norm())
        current = following
        if change < tolerance:
            # The last step set the diagonal; one more projection makes the eigenvalues >= 0.
            return _unit_diagonal(_projected(current)), iteration
    raise RuntimeError(
        f"the nearest correlation matrix was not reached in {max_iterations} sweeps (last change "
        f"{change:.1e}, tolerance {tolerance:.1e}): raise max_iterations or tolerance, or use the "
        "repair 'clip'"
    )


def factor(correlation: Tensor, rank: int | None = None) -> Tensor:
    """Unit rows V with V Vᵀ = H (Eq. 10).

    The paper takes the Cholesky factor. All factors give the same distribution of bits, because a
    rotation of the normals r ~ N(0, I) is again N(0, I). This one, U √Λ without its zero columns,
    also exists for singular H.

    Args:
        correlation: H, (N+1, N+1), positive semi-definite with unit diagonal.
        rank: R, the number of largest eigenvalues to keep; all by default.

    Returns:
        V, float64 (N+1, R), with normalised rows.

    Raises:
        ValueError: if H has negative eigenvalues, or the rank is below 1.
    """
    values, basis = torch.linalg.eigh(correlation.double())
    if float(values[0]) < -_tolerance(values):
        raise ValueError(
            f"H has the eigenvalue {float(values[0]):.3g} < 0, so no vectors have these angles: "
            "repair it first"
        )
    return _rows(values, basis, rank)


def _rows(values: Tensor, basis: Tensor, rank: int | None = None) -> Tensor:
    """Unit rows of U √Λ, from the largest eigenvalues above zero."""
    if rank is not None and rank < 1:
        raise ValueError(f"rank is {rank}, but must be at least 1")
    kept = int((values > _tolerance(values)).sum())
    kept = kept if rank is None else min(rank, kept)
    return normalize(basis[:, -kept:] * values[-kept:].sqrt(), dim=1)


def _projected(matrix: Tensor, eigen: Eigen | None = None) -> Tensor:
    """The nearest positive semi-definite matrix."""
    return _symmetric(positive_part(*(eigen or torch.linalg.eigh(matrix))))


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.T) / 2


def _unit_diagonal(matrix: Tensor) -> Tensor:
    scale = matrix.diagonal().rsqrt()
    return (matrix * torch.outer(scale, scale)).fill_diagonal_(1.0)


def _tolerance(values: Tensor) -> float:
    """The size below which an eigenvalue counts as rounding."""
    return float(values.abs().max()) * len(values) * 1e-13


def _check_square(matrix: Tensor, name: str) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} has shape {tuple(matrix.shape)}, but must be square")


def _check_gram(gram: Tensor) -> None:
    _check_square(gram, "H")
    if not bool(gram.isfinite().all()):
        raise ValueError("H holds values that are not finite: check the latents it comes from")
    asymmetry = float((gram - gram.T).abs().max())
    if asymmetry > 1e-12:
        raise ValueError(
            f"H differs from its transpose by up to {asymmetry:g}, but must be symmetric: use "
            "(H + H.T) / 2"
        )
    if float((gram.diagonal() - 1).abs().max()) > 1e-12:
        raise ValueError(
            "H has entries other than 1 on its diagonal, but vectors must have length 1: use the "
            "correlations, H_ij / sqrt(H_ii H_jj)"
        )
