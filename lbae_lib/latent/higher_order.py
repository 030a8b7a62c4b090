"""Statistics in which samplers with the same first two moments may still differ."""

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.latent.draws import draw_integers

_LATENTS, _TRIPLES = 1 << 14, 1 << 11  # at a time


def random_triples(width: int, count: int, generator: torch.Generator) -> Tensor:
    """Random ordered triples of different bits, with replacement: int64 (count, 3) in [0, N).

    They are on the generator's device; ``width`` is N.

    Raises:
        ValueError: if there are fewer than three bits.
    """
    if width < 3:
        raise ValueError(f"{width} bits have no triple: at least 3 are needed")
    # Three different numbers: each later one skips those before it, in ascending order.
    first, second, third = (
        draw_integers(width - skip, count, generator, generator.device) for skip in (0, 1, 2)
    )
    second = second + (second >= first)
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    third = third + (third >= low)
    third = third + (third >= high)
    return torch.stack([first, second, third], dim=1)


def third_moments(bits: Tensor, triples: Tensor) -> Tensor:
    """E[b_i b_j b_k] of bits (K, N), for triples int64 (T, 3) in [0, N): float64 (T,).

    Raises:
        ValueError: if there are no latents, or a bit is not -1 or +1.
    """
    check_latents(bits)
    total = torch.zeros(len(triples), dtype=torch.float64, device=bits.device)
    parts = triples.to(bits.device).split(_TRIPLES)
    for chunk in bits.to(torch.int8).split(_LATENTS):
        columns = chunk.T.contiguous()  # (N, K): a bit is a row, so that gathers are contiguous
        for part, sums in zip(parts, total.split(_TRIPLES), strict=True):
            i, j, k = part.T
            sums += (columns[i] * columns[j] * columns[k]).sum(1, dtype=torch.int64)
    return total / len(bits)


def weight_distribution(bits: Tensor) -> Tensor:
    """Fractions of latents (K, N) that have 0, 1, …, N positive bits: float64 (N+1,), sum 1.

    Raises:
        ValueError: if there are no latents, or a bit is not -1 or +1.
    """
    check_latents(bits)
    weights = (bits > 0).sum(1)
    return torch.bincount(weights, minlength=bits.shape[1] + 1).double() / len(bits)


def total_variation(p: Tensor, q: Tensor) -> float:
    """Total variation distance of two distributions, half the sum of ``|p - q|``, in [0, 1]."""
    return float((p - q).abs().sum() / 2)
