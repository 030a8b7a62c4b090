"""Kernel distance (squared MMD with a cubic kernel) between features; KID with Inception's."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbae_lib.metrics.checks import checked_pair

_CHUNK = 1000  # rows of the kernel's matrix at a time


@dataclass(frozen=True)
class KernelDistance:
    """Mean of the unbiased estimate over random subsets; it may be slightly negative."""

    mean: float
    subset_error: float  # of that mean, by the choice of subsets; these overlap
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
        ValueError: if there are fewer than 2 subsets or rows, or as :func:`.checks.checked`.

    Reference:
        Bińkowski et al. (2018), *Demystifying MMD GANs*.
    """
    if subset_size < 2 or subsets < 2:
        raise ValueError(
            f"{subsets} subsets of {subset_size} images: choose at least 2 subsets of at least 2"
        )
    a, b = checked_pair(a, b, ("first", "second"), subset_size)
    random = np.random.RandomState(seed)
    # (subsets, K) and (subsets, L), ones at the rows of a subset
    in_a, in_b = (torch.zeros(subsets, len(x), dtype=x.dtype, device="cpu") for x in (a, b))
    for pair in zip(in_a, in_b, strict=True):
        for rows in pair:
            rows[torch.from_numpy(random.choice(len(rows), subset_size, replace=False))] = 1
    in_a, in_b = in_a.to(a.device), in_b.to(b.device)
    pairs = subset_size * (subset_size - 1)
    within = (_sums(a, a, in_a, in_a, True) + _sums(b, b, in_b, in_b, True)) / pairs
    values = within - 2 * _sums(a, b, in_a, in_b) / subset_size**2
    error = float(values.std(correction=0)) / math.sqrt(subsets)
    return KernelDistance(float(values.mean()), error, subset_size)


def _sums(x: Tensor, y: Tensor, in_x: Tensor, in_y: Tensor, within: bool = False) -> Tensor:
    """Sums of the kernel over the pairs of each subset; within a set, of different rows alone.

    All subsets share the kernel's values, which are computed once.
    """
    total = torch.zeros(len(in_x), dtype=x.dtype, device=x.device)
    for start in range(0, len(x), _CHUNK):
        rows = slice(start, start + _CHUNK)
        inner = (x[rows] @ y.T).div_(x.shape[1]).add_(1)
        kernel = inner * inner * inner  # (chunk, L)
        if within:
            kernel.diagonal(start).zero_()
        total += ((in_x[:, rows] @ kernel) * in_y).sum(1)
    return total
