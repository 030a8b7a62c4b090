"""What two samplers with the same first two moments may still differ in."""

from __future__ import annotations

import torch
from torch import Tensor

from lbae_lib.bits import check_bits

_CHUNK = 1 << 14


def random_triples(width: int, count: int, generator: torch.Generator) -> Tensor:
    """Random triples of different bits, int64 (count, 3).

    Args:
        width: N, at least 3.
        count: how many; the same triple may come twice.
        generator: of the choice.

    Raises:
        ValueError: if there are fewer than three bits.
    """
    if width < 3:
        raise ValueError(f"{width} bits have no triple: at least 3 are needed")
    # Three different numbers: each later one skips those before it, in their order.
    first, second, third = (
        torch.randint(width - skip, (count,), generator=generator) for skip in (0, 1, 2)
    )
    second = second + (second >= first)
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    third = third + (third >= low)
    third = third + (third >= high)
    return torch.stack([first, second, third], dim=1)


def third_moments(bits: Tensor, triples: Tensor) -> Tensor:
    """E[b_i b_j b_k], float64, one a triple.

    Args:
        bits: (K, N) in {-1, +1}.
        triples: (T, 3).
    """
    check_bits(bits)
    total = torch.zeros(len(triples), dtype=torch.float64)
    for part in bits.to(torch.int8).split(_CHUNK):
        columns = part.T.contiguous()  # a bit a row: gathers are then contiguous
        for rows in torch.arange(len(triples)).split(2048):
            i, j, k = triples[rows].T
            total[rows] += (columns[i] * columns[j] * columns[k]).sum(1, dtype=torch.int64)
    return total / len(bits)


def weight_distribution(bits: Tensor) -> Tensor:
    """Shares of latents with 0, 1, …, N positive bits, float64 (N+1,).

    Args:
        bits: (K, N) in {-1, +1}.
    """
    check_bits(bits)
    weights = (bits > 0).sum(1)
    return torch.bincount(weights, minlength=bits.shape[1] + 1).double() / len(bits)


def total_variation(p: Tensor, q: Tensor) -> float:
    """Half the summed difference of two distributions, in [0, 1]."""
    return float((p - q).abs().sum() / 2)
