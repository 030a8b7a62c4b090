"""Bits to bytes and back: packed, or by a range coder under a :class:`BitModel`.

A range-coded payload holds groups of 1024 latents; in a group come the first bits of all latents,
in the model's order, then the second bits, and so on. It is one stream of 32-bit words, lowest byte
first.

Reference:
    R. Bamler (2022), *Understanding entropy coding with asymmetric numeral systems: a
    statistician's perspective*; its library ``constriction`` has the range coder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lbae_lib.bits import check_bits, pack_bits
from lbae_lib.errors import FormatError, extra
from lbae_lib.latent.bit_models import ONE, BitModel

with extra("coding", "constriction", "entropy coding"):
    from constriction import stream

GROUP = 1024
_WORD = np.dtype("<u4")
# A bit costs at least this much under the likeliest of probabilities, 1 - 1/ONE.
_LEAST_COST = -math.log2(1 - 1 / ONE)


def encode_bits(bits: Tensor, model: BitModel | None) -> bytes:
    """Latents as a payload.

    Args:
        bits: (K, N) in {-1, +1}.
        model: of the bits; None packs them, 8 to a byte.
    """
    if model is None:
        return pack_bits(bits).numpy().tobytes()
    check_bits(bits, "latents")
    if bits.shape[1] != len(model.order):
        raise ValueError(f"latents have {bits.shape[1]} bits, but the prior {len(model.order)}")
    coder = stream.queue.RangeEncoder()
    family = stream.model.Bernoulli(perfect=False)
    for group in bits.split(GROUP):
        shares = model.probabilities(group)[:, model.order].T.contiguous()
        symbols = (group[:, model.order].T > 0).to(torch.int32).contiguous()
        coder.encode(symbols.numpy().ravel(), family, shares.numpy().ravel() / ONE)
    return bytes(coder.get_compressed().astype(_WORD).tobytes())


def decode_bits(payload: bytes, count: int, latent_size: int, model: BitModel | None) -> Tensor:
    """Undo :func:`encode_bits`.

    Args:
        payload: bytes.
        count: K.
        latent_size: N.
        model: the same as in encoding.

    Returns:
        Packed latents, uint8 (K, ceil(N/8)); see :func:`lbae_lib.bits.unpack_bits`.

    Raises:
        FormatError: if the payload cannot be of so many latents.
    """
    if model is None:
        return _unpacked(payload, count, latent_size)
    groups = list(_decoded(payload, count, model))
    return torch.cat(groups) if groups else torch.empty(0, -(-latent_size // 8), dtype=torch.uint8)


def _unpacked(payload: bytes, count: int, latent_size: int) -> Tensor:
    width = -(-latent_size // 8)
    if len(payload) != count * width:
        raise FormatError(
            f"the payload has {len(payload)} bytes, but {count} latents of {latent_size} bits "
            f"have {count * width}"
        )
    packed = torch.from_numpy(np.frombuffer(payload, dtype=np.uint8).reshape(count, width).copy())
    spare = (1 << (-latent_size % 8)) - 1  # bits of a row's last byte that are of no latent
    if bool((packed[:, -1:] & spare).any()):
        raise FormatError("the payload has bits set after the end of a latent")
    return packed


def _decoded(payload: bytes, count: int, model: BitModel) -> Iterator[Tensor]:
    if len(payload) % _WORD.itemsize:
        raise FormatError(f"the payload has {len(payload)} bytes, which are no whole words")
    most = math.ceil((8 * len(payload) + 8 * _WORD.itemsize) / _LEAST_COST)
    if count * len(model.order) > most:
        raise FormatError(
            f"the payload has {len(payload)} bytes, which hold {most:,} bits at most, not "
            f"{count:,} latents of {len(model.order)}"
        )
    words = np.frombuffer(payload, dtype=_WORD).astype(np.uint32)
    coder = stream.queue.RangeDecoder(words)
    family = stream.model.Bernoulli(perfect=False)
    for start in range(0, count, GROUP):
        size = min(GROUP, count - start)
        bits = torch.empty(size, len(model.order))
        walk = model.walk(size)
        for bit in model.order.tolist():
            shares = walk.probability().contiguous().numpy() / ONE
            try:
                symbols = coder.decode(family, shares)
            except AssertionError as error:  # what constriction raises on impossible data
                raise FormatError(f"the payload cannot be decoded ({error})") from None
            bits[:, bit] = torch.from_numpy(symbols) * 2.0 - 1
            walk.append(bits[:, bit])
        yield pack_bits(bits)
    if not coder.maybe_exhausted():
        raise FormatError("the payload goes on after its last latent")
