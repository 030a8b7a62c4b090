"""Kernel distance (squared MMD with a cubic kernel) between features; KID with Inception's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbae_lib.metrics.checks import checked_pair


@dataclass(frozen=True)
class KernelDistance:
    """Mean of the unbiased estimate over random subsets; it may be slightly negative."""

    mean: float
    standard_error: float  # of that mean, from the spread over the subsets
    subset_size: int  # images of each set


def kernel_distance(
    a: Tensor, b: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """Squared maximum mean discrepancy with the kernel (⟨x, y⟩ / D + 1)³, unbiased.

    Args:
        a: features (K, D).
        b: features (L, D).
        subsets: random pairs of subsets, each drawn without replacement.
        subset_size: rows of each.
        seed: of NumPy's ``RandomState``, as in other implementations of KID.

    Raises:
        ValueError: if a set is smaller than a subset, or as :func:`.checks.checked`.

    Reference:
        Bińkowski et al. (2018), *Demystifying MMD GANs*.
    """
    if subset_size < 2 or subsets < 2:
        raise ValueError(f"{subsets} subsets of {subset_size}: at least 2 of 2 are needed")
    a, b = checked_pair(a, b, ("first", "second"), subset_size)
    random = np.random.RandomState(seed)
    found = []
    for _ in range(subsets):
        x, y = (
            rows[torch.from_numpy(random.choice(len(rows), subset_size, replace=False))]
            for rows in (a, b)
        )
        found.append(_unbiased(x, y))
    values = torch.tensor(found, dtype=torch.float64, device="cpu")
    error = float(values.std(correction=0)) / math.sqrt(subsets)
    return KernelDistance(float(values.mean()), error, subset_size)


def _unbiased(x: Tensor, y: Tensor) -> float:
    m = len(x)
    within = sum(
        (kernel.sum() - kernel.diagonal().sum()) / (m * (m - 1))
        for kernel in (_kernel(x, x), _kernel(y, y))
    )
    return float(within - 2 * _kernel(x, y).mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    inner = (x @ y.T).div_(x.shape[1]).add_(1)
    return inner * inner * inner
