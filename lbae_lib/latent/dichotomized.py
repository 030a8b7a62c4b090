"""The dichotomized Gaussian: bits with exact first moments, by thresholding a Gaussian.

L. J. Emrich and M. R. Piedmonte (1991), *A method for generating high-dimensional multivariate
binary variates*, The American Statistician 45, 302-304; J. H. Macke et al. (2009), *Generating
spike trains with specified correlation coefficients*, Neural Computation 21, 397-423.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lbae_lib.latent.correlation import Method, Repair, factor, repair
from lbae_lib.latent.gaussians import Gaussian, SignedSampler
from lbae_lib.latent.moments import Moments

_NODES = 48  # of the Gauss-Legendre rule: error 1e-10 for correlations up to 0.99
_CHUNK = 1 << 16  # pairs at a time: 25 MB for each array of pairs × nodes
_LARGEST_ANGLE = math.pi / 2 - 1e-6
_LARGEST_MARGIN = 8.0  # of a constant bit
_TOLERANCE = 1e-12  # of angles


class DichotomizedGaussian(SignedSampler):
    """b = f_b(γ + L z) with z ~ N(0, I): one threshold for each bit, and no boundary vector.

    The margins γ determine the first moments, whatever the repair does to the correlations.
    Hyperplane rounding has the first moments in a row of its Gram matrix, which a repair changes.
    γ, float64 (N,), and L, unit rows, float64 (N, R), are ``real.mean`` and ``real.root``.
    """

    @classmethod
    def fit(
        cls, target: Moments, method: Method = "nearest"
    ) -> tuple[DichotomizedGaussian, Repair]:
        """The sampler for given moments (Eq. 4), and the repair of its correlation matrix.

        ``method`` is that of :func:`lbae_lib.latent.correlation.repair`, whose errors are raised.
        """
        margins = margins_of(target.first)
        repaired = repair(latent_correlation(margins, target.second), method)
        return cls(Gaussian(margins, factor(repaired.matrix))), repaired


def margins_of(first: Tensor) -> Tensor:
    """γ with P(z > -γ) = (1 + E[b]) / 2 for z ~ N(0, 1): float64 (N,) in [-8, 8]."""
    # ndtri of the smaller tail keeps its precision near ±1.
    size = -torch.special.ndtri((1 - first.double().abs()) / 2)
    return torch.sign(first.double()) * size.clamp(max=_LARGEST_MARGIN)


def pair_moments(margins: Tensor, correlation: Tensor) -> Tensor:
    """E[b_i b_j] of thresholded Gaussians with this correlation: float64 (N, N) in [-1, 1]."""
    rows, columns = _pairs(margins)
    angles = torch.asin(correlation[rows, columns].double().clamp(-1, 1))
    return _symmetric(_moments(margins[rows], margins[columns], angles), margins)


def latent_correlation(margins: Tensor, second: Tensor) -> Tensor:
    """Correlations of Gaussians whose thresholded pairs have given moments, pair by pair.

    Returns float64 (N, N) for E[b bᵀ], (N, N); in general it is not positive semi-definite. The
    counted moments of rare bits may be such that no correlation has them: the pair then gets the
    nearest possible one.
    """
    rows, columns = _pairs(margins)
    found = [
        torch.sin(_solve(margins[i], margins[j], second[i, j].double()))
        for i, j in zip(rows.split(_CHUNK), columns.split(_CHUNK), strict=True)
    ]
    return _symmetric(torch.cat(found), margins)


def _solve(a: Tensor, b: Tensor, target: Tensor) -> Tensor:
    """Angles with given moments for margins a and b, all (P,): Newton's method within brackets."""
    low = torch.full_like(target, -_LARGEST_ANGLE)
    high = torch.full_like(target, _LARGEST_ANGLE)
    angle = torch.zeros_like(target)
    for _ in range(60 if len(target) else 0):
        error = _moments(a, b, angle) - target
        low = torch.where(error < 0, angle, low)
        high = torch.where(error > 0, angle, high)
        slope = 4 * _integrand(a, b, angle)
        following = angle - error / slope.clamp(min=1e-300)
        outside = ~((following > low) & (following < high))
        following = torch.where(outside, (low + high) / 2, following)
        change = float((following - angle).abs().max())
        angle = following
        if change < _TOLERANCE:
            break
    return angle


def _moments(a: Tensor, b: Tensor, angle: Tensor) -> Tensor:
    """E[b_i b_j] = 4 P(both positive) - 2 P(i) - 2 P(j) + 1, for correlations sin(angle): (P,)."""
    p, q = torch.special.ndtr(a), torch.special.ndtr(b)
    nodes, weights = (
        torch.from_numpy(x).to(angle.device) for x in np.polynomial.legendre.leggauss(_NODES)
    )
    t = angle[:, None] * (1 + nodes) / 2  # from 0 to the angle, (P, nodes)
    integral = (_integrand(a[:, None], b[:, None], t) * weights).sum(1) * angle / 2
    return 4 * (p * q + integral) - 2 * p - 2 * q + 1


def _integrand(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """d/dt of P(both positive) at the correlation sin t (Drezner and Wesolowsky 1990)."""
    cosine = torch.cos(t).square()
    exponent = -(a.square() + b.square() - 2 * a * b * torch.sin(t)) / (2 * cosine)
    return torch.exp(exponent) / (2 * math.pi)


def _pairs(margins: Tensor) -> Tensor:
    """Rows and columns above the diagonal of an N×N matrix, (2, P)."""
    return torch.triu_indices(len(margins), len(margins), offset=1, device=margins.device)


def _symmetric(values: Tensor, margins: Tensor) -> Tensor:
    """The symmetric N×N matrix with these values off its diagonal, and ones on it."""
    rows, columns = _pairs(margins)
    matrix = torch.eye(len(margins), dtype=torch.float64, device=margins.device)
    matrix[rows, columns] = values
    matrix[columns, rows] = values
    return matrix
