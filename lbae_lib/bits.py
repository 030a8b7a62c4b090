"""Bits in {-1, +1}: the sign rule (Eq. 1), packing to bytes, and Hamming distances (Eq. 16)."""

import torch
from torch import Tensor
from torch.nn.functional import embedding

_BIT_WEIGHTS = (128, 64, 32, 16, 8, 4, 2, 1)
_CHUNK = 512  # latents whose distances are computed at a time


def signs(x: Tensor) -> Tensor:
    """Round real numbers to bits: b = f_b(x) = +1 if x >= 0, else -1 (Eq. 1).

    All rounding to bits goes through this function, so that sign(0) = +1 holds everywhere. The
    result has the shape and dtype of ``x``; NaN rounds to -1.

    Example:
        >>> signs(torch.tensor([-0.3, 0.0, 2.0])).tolist()
        [-1.0, 1.0, 1.0]
    """
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def check_bits(bits: Tensor, name: str = "bits") -> None:
    """Raise ``ValueError`` unless every entry of a tensor is -1 or +1; booleans are refused."""
    if not isinstance(bits, Tensor) or bits.dtype == torch.bool:
        what = "bool" if isinstance(bits, Tensor) else f"a {type(bits).__name__}"
        raise ValueError(f"{name} are {what}, but must be a torch.Tensor of -1 and +1")
    if bits.numel() and not bool((bits.abs() == 1).all()):
        low, high = float(bits.min()), float(bits.max())
        raise ValueError(
            f"{name} must hold only -1 and +1, but span [{low:g}, {high:g}]: "
            "round them with lbae_lib.bits.signs first"
        )


def check_latents(
    bits: Tensor, name: str = "latents", empty: bool = False, size: int | None = None
) -> None:
    """Raise ``ValueError`` unless these are latents (K, N) in {-1, +1}.

    K may be 0 if ``empty``, and N must be ``size`` if given.
    """
    check_bits(bits, name)
    if bits.ndim != 2 or size not in (None, bits.shape[1]):
        wanted = f"(K, {'N' if size is None else size})"
        raise ValueError(f"{name} are of shape {tuple(bits.shape)}, but must be {wanted}")
    if not len(bits) and not empty:
        raise ValueError(f"there are no {name}: give at least one")


def pack_bits(bits: Tensor) -> Tensor:
    """Pack bits, (K, N) in {-1, +1}, into bytes, uint8 (K, ceil(N / 8)).

    The most significant bit comes first, +1 is stored as 1, and the spare bits of a row's last byte
    are 0.

    Raises:
        ValueError: if an entry is not -1 or +1, or the shape is not (K, N).
    """
    check_latents(bits, "bits", empty=True)
    count, width = bits.shape
    bytes_per_row = -(-width // 8)
    ones = torch.zeros(count, bytes_per_row * 8, dtype=torch.uint8, device=bits.device)
    ones[:, :width] = bits > 0
    weights = torch.tensor(_BIT_WEIGHTS, dtype=torch.uint8, device=bits.device)
    return (ones.view(count, bytes_per_row, 8) * weights).sum(-1, dtype=torch.uint8)


def unpack_bits(packed: Tensor, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Undo :func:`pack_bits`: uint8 (..., ceil(N / 8)) to bits (..., N) in {-1, +1}.

    Raises:
        ValueError: if rows are not uint8, or do not have the bytes that N = ``width`` bits need.
    """
    if packed.dtype != torch.uint8:
        raise ValueError(f"packed bits are {packed.dtype}, but must be uint8: see pack_bits")
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

    Both are (..., N) in {-1, +1}, and broadcast.
    """
    return (a != b).sum(-1)


def nearest_distance(bits: Tensor, reference: Tensor) -> Tensor:
    """Hamming distance of each latent to the nearest of a reference set: int64 (K,) in [0, N].

    Latents, (K, N), and reference, (L, N), are in {-1, +1}.

    Raises:
        ValueError: if the reference is empty, or the widths differ.
    """
    if bits.shape[1:] != reference.shape[1:] or not len(reference):
        raise ValueError(
            f"latents are of shape {tuple(bits.shape)} and the reference of "
            f"{tuple(reference.shape)}: give (K, N) and (L, N), with L >= 1"
        )
    width = bits.shape[1]
    columns = reference.float().T
    nearest = [
        # <a, b> = N - 2 d, exact in float32
        ((width - part.float() @ columns) / 2).min(1).values
        for part in bits.split(_CHUNK)
    ]
    return torch.cat(nearest).long()
