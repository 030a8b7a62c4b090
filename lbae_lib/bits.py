"""Bits in {-1, +1}: the sign rule (Eq. 1), packing to bytes, and Hamming distances (Eq. 16)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding

_BIT_WEIGHTS = (128, 64, 32, 16, 8, 4, 2, 1)


def signs(x: Tensor) -> Tensor:
    """Round real numbers to bits: b = f_b(x) = +1 if x >= 0, else -1 (Eq. 1).

    All rounding to bits goes through this function, so that sign(0) = +1 holds everywhere.

    Args:
        x: real numbers, any shape. NaN rounds to -1.

    Returns:
        A tensor of the shape and dtype of ``x`` with values in {-1, +1}.

    Example:
        >>> signs(torch.tensor([-0.3, 0.0, 2.0])).tolist()
        [-1.0, 1.0, 1.0]
    """
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def check_bits(bits: Tensor, name: str = "bits") -> None:
    """Raise ``ValueError`` unless every entry is -1 or +1."""
    if bits.numel() and not bool((bits.abs() == 1).all()):
        low, high = float(bits.min()), float(bits.max())
        raise ValueError(
            f"{name} must hold only -1 and +1, but span [{low:g}, {high:g}]: "
            "round them with lbae_lib.bits.signs first"
        )


def pack_bits(bits: Tensor) -> Tensor:
    """Pack 8 bits into each byte, most significant bit first; +1 is stored as 1.

    Args:
        bits: (K, N) in {-1, +1}.

    Returns:
        uint8 (K, ceil(N / 8)); the spare bits of a row's last byte are 0.

    Raises:
        ValueError: if an entry is not -1 or +1.
    """
    check_bits(bits)
    count, width = bits.shape
    bytes_per_row = -(-width // 8)
    ones = torch.zeros(count, bytes_per_row * 8, dtype=torch.uint8, device=bits.device)
    ones[:, :width] = bits > 0
    weights = torch.tensor(_BIT_WEIGHTS, dtype=torch.uint8, device=bits.device)
    return (ones.view(count, bytes_per_row, 8) * weights).sum(-1, dtype=torch.uint8)


def unpack_bits(packed: Tensor, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Undo :func:`pack_bits`.

    Args:
        packed: uint8 (K, ceil(width / 8)).
        width: N, the number of bits in a row.
        dtype: dtype of the result.

    Returns:
        (K, width) in {-1, +1}.

    Raises:
        ValueError: if a row does not have the number of bytes that ``width`` bits need.
    """
    needed = -(-width // 8)
    if packed.shape[-1] != needed:
        raise ValueError(
            f"rows of {width} bits need {needed} bytes, but these have {packed.shape[-1]}"
        )
    weights = torch.tensor(_BIT_WEIGHTS, device=packed.device)
    values = torch.arange(256, device=packed.device)
    table = torch.where((values[:, None] & weights) != 0, 1.0, -1.0).to(dtype)  # (256, 8)
    return embedding(packed.int(), table).flatten(-2)[..., :width]


def hamming_distance(a: Tensor, b: Tensor) -> Tensor:
    """Number of bits in which two latents differ (Eq. 16): int64 (...) in [0, N].

    Args:
        a: (..., N) in {-1, +1}.
        b: of a shape that broadcasts to that of ``a``.
    """
    return (a != b).sum(-1)


def nearest_distance(bits: Tensor, reference: Tensor, chunk: int = 512) -> Tensor:
    """Hamming distance of each latent to the nearest of a reference set: int64 (K,) in [0, N].

    Args:
        bits: (K, N) in {-1, +1}.
        reference: (L, N) in {-1, +1}.
        chunk: latents at a time; memory is chunk × L floats.
    """
    width = bits.shape[1]
    columns = reference.float().T
    nearest = [
        # <a, b> = N - 2 d, exact in float32
        ((width - part.float() @ columns) / 2).min(1).values
        for part in bits.split(chunk)
    ]
    return torch.cat(nearest).long()
