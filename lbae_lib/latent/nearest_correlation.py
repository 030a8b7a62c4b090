"""The nearest positive semi-definite matrix with a given diagonal, by Newton's method."""

from collections.abc import Callable

import torch
from torch import Tensor

Eigen = tuple[Tensor, Tensor]  # eigenvalues (N,) and eigenvectors (N, N) of a symmetric matrix

_ARMIJO = 1e-4  # share of the predicted decrease that a step must reach
_SHORTEST = 1e-6  # step length at which the line search ends
_SHIFT = 1e-10  # added to the Jacobian, which may be singular


def nearest_psd(
    matrix: Tensor,
    diagonal: Tensor,
    tolerance: float = 1e-9,
    max_iterations: int = 100,
    eigen: Eigen | None = None,
) -> tuple[Tensor, int]:
    """The matrix X ⪰ 0 with diag X = b that minimises ‖X - G‖ in the Frobenius norm.

    The dual problem in the N multipliers y of the diagonal is convex and once differentiable,

        θ(y) = ½ ‖(G + diag y)₊‖² - bᵀy,   ∇θ(y) = diag((G + diag y)₊) - b.

    Its semi-smooth Newton method converges quadratically; each step solves a linear system by
    preconditioned conjugate gradients. The solution is X = (G + diag y)₊.

    Args:
        matrix: G, symmetric, float64 (N, N).
        diagonal: b > 0, (N,).
        tolerance: of ‖∇θ‖, relative to 1 + ‖b‖.
        max_iterations: maximum number of Newton steps.
        eigen: of G, if known and b is its diagonal.

    Returns:
        X, float64 (N, N), and the number of Newton steps.

    Raises:
        ValueError: if an entry of the diagonal is not positive.
        RuntimeError: if the tolerance is not reached.

    Reference:
        H. Qi and D. Sun (2006), *A quadratically convergent Newton method for computing the
        nearest correlation matrix*, SIAM Journal on Matrix Analysis and Applications 28, 360-385.
    """
    if not bool((diagonal > 0).all()):
        raise ValueError(
            f"the diagonal holds {float(diagonal.min()):g}, but all its entries must be positive"
        )
    bound = tolerance * (1 + float(diagonal.norm()))
    y = diagonal - matrix.diagonal()
    values, basis = eigen or torch.linalg.eigh(matrix + y.diag())
    theta, gradient = _dual(values, basis, diagonal, y)
    for iteration in range(max_iterations + 1):
        size = float(gradient.norm())
        if size <= bound:
            return positive_part(values, basis), iteration
        if iteration == max_iterations:
            break
        step = _newton_step(values, basis, gradient, min(0.1, size))
        slope = float(step @ gradient)
        length = 1.0
        while True:
            trial = y + length * step
            values, basis = torch.linalg.eigh(matrix + trial.diag())
            following, gradient = _dual(values, basis, diagonal, trial)
            enough = theta + _ARMIJO * length * slope + 1e-12 * abs(theta)
            if following <= enough or length < _SHORTEST:
                break
            length /= 2
        y, theta = trial, following
    raise RuntimeError(
        f"the nearest matrix was not reached in {max_iterations} Newton steps (residual "
        f"{size:.1e}, bound {bound:.1e}): raise max_iterations or tolerance, or "
        "use the repair 'clip'"
    )


def _dual(values: Tensor, basis: Tensor, diagonal: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """θ(y) and ∇θ(y), from the eigenvalues and eigenvectors of G + diag y."""
    positive = values.clamp(min=0)
    gradient = basis.square() @ positive - diagonal
    return float(positive.square().sum() / 2 - diagonal @ y), gradient


def positive_part(values: Tensor, basis: Tensor) -> Tensor:
    """A₊ of A's positive eigenvalues alone, from its eigenvalues and eigenvectors (as columns)."""
    kept = values > 0
    half = basis[:, kept] * values[kept].sqrt()
    return half @ half.T


def _newton_step(values: Tensor, basis: Tensor, gradient: Tensor, relative: float) -> Tensor:
    """-V⁻¹ ∇θ by conjugate gradients, V an element of the generalised Jacobian of ∇θ.

    V h = diag(P (Ω ∘ (Pᵀ diag(h) P)) Pᵀ) with the eigenvectors P. Ω is 1 between two positive
    eigenvalues, 0 between two others, and λ/(λ - μ) between a positive λ and another μ. The
    smaller of the two groups of eigenvectors suffices to compute it.
    """
    positive = values > 0
    upper, lower = basis[:, positive], basis[:, ~positive]
    high, low = values[positive], values[~positive]
    mixed = high[:, None] / (high[:, None] - low[None, :])  # Ω between the groups
    few = upper.shape[1] <= lower.shape[1]
    own, other, weights = (upper, lower, mixed) if few else (lower, upper, 1 - mixed.T)

    def partial(h: Tensor) -> Tensor:
        """diag of own·ownᵀ H own·ownᵀ + 2 own (weights ∘ ownᵀ H other) otherᵀ."""
        scaled = own * h[:, None]
        inside = own @ (own.T @ scaled)
        across = own @ (weights * (scaled.T @ other))
        return (inside * own).sum(1) + 2 * (across * other).sum(1)

    def product(h: Tensor) -> Tensor:
        return (partial(h) if few else h - partial(h)) + _SHIFT * h

    # The preconditioner is the diagonal of V, from squared eigenvectors.
    squares, others = own.square(), other.square()
    diagonal = squares.sum(1).square() + 2 * ((squares @ weights) * others).sum(1)
    diagonal = (diagonal if few else 1 - diagonal).clamp(min=1e-8)
    return _conjugate_gradients(product, -gradient, diagonal, relative)


def _conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Tensor, diagonal: Tensor, relative: float
) -> Tensor:
    """Solve product(x) = right up to a relative residual, preconditioned by a diagonal."""
    solution = torch.zeros_like(right)
    residual = right.clone()
    scaled = residual / diagonal
    direction = scaled.clone()
    energy = residual @ scaled
    stop = relative * float(right.norm())
    for _ in range(200):
        image = product(direction)
        alpha = energy / (direction @ image)
        solution += alpha * direction
        residual -= alpha * image
        if float(residual.norm()) <= stop:
            break
        scaled = residual / diagonal
        energy, previous = residual @ scaled, energy
        direction = scaled + (energy / previous) * direction
    return solution
