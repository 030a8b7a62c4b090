"""Fréchet distance between Gaussians fitted to features; FID with Inception's features."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.metrics.checks import check_same_width, checked


@dataclass(frozen=True)
class Statistics:
    """Mean, float64 (D,), and a root R of the unbiased covariance R Rᵀ, float64 (D, any)."""

    mean: Tensor
    root: Tensor


def feature_statistics(features: Tensor, name: str = "given") -> Statistics:
    """Mean and root of the covariance of features (K, D), in float64.

    Few features are a root themselves; that of many is Cholesky's factor, or comes from an
    eigendecomposition where the covariance is singular.

    Raises:
        ValueError: see :func:`lbae_lib.metrics.checks.checked`, which gets ``name``.
    """
    rows = checked(features, name)
    mean = rows.mean(0)
    root = (rows - mean).T / math.sqrt(len(rows) - 1)  # (D, K)
    if root.shape[0] < root.shape[1]:
        covariance = root @ root.T
        root, failure = torch.linalg.cholesky_ex(covariance)  # (D, D)
        if int(failure):
            values, basis = torch.linalg.eigh(covariance)
            root = basis * values.clamp(min=0).sqrt()
    return Statistics(mean, root)


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """d² = ‖μ_a - μ_b‖² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½).

    With Σ = R Rᵀ, the eigenvalues of the product are those of G Gᵀ and zeros, where G = R_aᵀ R_b:
    complex numbers do not appear, and singular covariances need no jitter. The last digits depend
    on the order of the arguments. Features of different lengths are a ``ValueError``.

    Reference:
        Heusel et al. (2017), *GANs trained by a two time-scale update rule*, Eq. 6.
    """
    check_same_width(a.root.T, b.root.T)
    cross = a.root.T @ b.root
    if cross.shape[0] > cross.shape[1]:
        cross = cross.T
    trace_of_root = torch.linalg.eigvalsh(cross @ cross.T).clamp(min=0).sqrt().sum()
    traces = a.root.square().sum() + b.root.square().sum()
    distance = (a.mean - b.mean).square().sum() + traces - 2 * trace_of_root
    return max(0.0, float(distance))
