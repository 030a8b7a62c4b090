"""Bits in {-1, +1}: the sign rule, packing to bytes, and Hamming distances.

Everything that turns a real number into a bit goes through :func:`signs`, so that the
convention sign(0) = +1 of Eq. 1 is written once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding

_BIT_WEIGHTS = (128, 64, 32, 16, 8, 4, 2, 1)


def signs(x: Tensor) -> Tensor:
    """Round real numbers to bits, b = +1 if x >= 0 else -1 (Eq. 1).

    Args:
        x: real numbers, any shape. NaN rounds to -1, so check inputs before rounding.

    Returns:
        A tensor of the same shape and dtype with values in {-1, +1}.

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
            f"{name} must hold only -1 and +1, but span [{low:g}, {high:g}]; "
            "round them with lbae_lib.bits.signs first"
        )


def pack_bits(bits: Tensor) -> Tensor:
    """Pack bits 8 to a byte, most significant bit first; +1 is stored as 1.

    Args:
        bits: shape (K, N), values in {-1, +1}.

    Returns:
        uint8 of shape (K, ceil(N / 8)); the spare bits of the last byte are 0.
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
        packed: uint8 of shape (K, ceil(width / 8)).
        width: number of bits N in a row.
        dtype: dtype of the result.

    Returns:
        Shape (K, width), values in {-1, +1}.

    Raises:
        ValueError: if the number of bytes in a row does not fit ``width``.
    """
    if packed.shape[-1] != -(-width // 8):
        raise ValueError(
            f"{packed.shape[-1]} bytes a row cannot hold exactly {width} bits: "
            f"expected {-(-width // 8)} bytes"
        )
    weights = torch.tensor(_BIT_WEIGHTS, device=packed.device)
    values = torch.arange(256, device=packed.device)
    table = torch.where((values[:, None] & weights) != 0, 1.0, -1.0).to(dtype)  # of every byte
    return embedding(packed.int(), table).flatten(-2)[..., :width]


def hamming_distance(a: Tensor, b: Tensor) -> Tensor:
    """Number of bits in which two latents differ (Eq. 16), as int64.

    Args:
        a: shape (..., N), values in {-1, +1}.
        b: shape broadcastable to ``a``.
    """
    return (a != b).sum(-1)


def nearest_distance(bits: Tensor, reference: Tensor, chunk: int = 512) -> Tensor:
    """Hamming distance of each latent from the nearest of a reference set, as int64 (K,).

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
