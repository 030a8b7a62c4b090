"""Fréchet distance between Gaussians fitted to features; FID with Inception's features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.metrics.checks import check_same_width, checked


@dataclass(frozen=True)
class Statistics:
    """Mean, float64 (D,), and unbiased covariance, float64 (D, D), of features."""

    mean: Tensor
    covariance: Tensor


def feature_statistics(features: Tensor, name: str = "given") -> Statistics:
    """Mean and covariance of features (K, D), in float64.

    Raises:
        ValueError: see :func:`lbae_lib.metrics.checks.checked`, which gets ``name``.
    """
    rows = checked(features, name)
    size = rows.shape[1]
    return Statistics(rows.mean(0), torch.cov(rows.T).reshape(size, size))  # of one feature: 0-D


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """d² = ‖μ_a - μ_b‖² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½).

    With Σ_a = R Rᵀ, the product has the eigenvalues of Rᵀ Σ_b R, which is symmetric and positive
    semi-definite: complex numbers do not appear, and singular covariances need no jitter. The last
    digits of the distance depend on the order of the arguments.

    Reference:
        Heusel et al. (2017), *GANs trained by a two time-scale update rule*, Eq. 6.
    """
    check_same_width(a.covariance, b.covariance)
    values, basis = torch.linalg.eigh(a.covariance)
    root = basis * values.clamp(min=0).sqrt()
    product = root.T @ b.covariance @ root
    trace_of_root = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    traces = a.covariance.trace() + b.covariance.trace()
    distance = (a.mean - b.mean).square().sum() + traces - 2 * trace_of_root
    return max(0.0, float(distance))
