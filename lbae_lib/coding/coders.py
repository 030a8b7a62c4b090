"""Bits to bytes and back: packed, or by a range coder under a prior.

A range-coded payload holds groups of 1024 latents. A group holds the first bits of all its
latents, in the order of the prior, then their second bits, and so on. The payload is one stream of
32-bit words, lowest byte first. Coding runs on the processor, as the priors do.

Reference:
    R. Bamler (2022), *Understanding entropy coding with asymmetric numeral systems: a
    statistician's perspective*. The range coder is that of its library ``constriction``.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lbae_lib.bits import check_latents, pack_bits
from lbae_lib.errors import FormatError, extra
from lbae_lib.latent.bit_models import ONE, BitModel, Factorised

with extra("coding", "constriction", "entropy coding"):
    from constriction import stream

GROUP = 1024
WORD = np.dtype("<u4")  # of payloads
# A bit costs at least this much, under the largest of probabilities, 1 - 1/ONE.
_LEAST_COST = -math.log2(1 - 1 / ONE)


def encode_bits(bits: Tensor, model: BitModel | None) -> bytes:
    """Latents, (K, N) in {-1, +1}, as a payload; without a prior, 8 bits are packed into each byte.

    Raises:
        ValueError: if an entry is not -1 or +1, or the prior has a different number of bits.
    """
    bits = bits.cpu()
    if model is None:
        return pack_bits(bits).numpy().tobytes()
    check_latents(bits, empty=True, size=len(model.order))
    coder = stream.queue.RangeEncoder()
    family = stream.model.Bernoulli(perfect=False)
    for group in bits.split(GROUP):
        symbols = (group[:, model.order].T > 0).to(torch.int32).contiguous()  # (N, K)
        if isinstance(model, Factorised):
            for row, shared in zip(symbols.numpy(), _shared(model), strict=True):
                coder.encode(row, shared)
        else:
            probabilities = model.probabilities(group)[:, model.order].T.contiguous()
            coder.encode(symbols.numpy().ravel(), family, probabilities.numpy().ravel() / ONE)
    return bytes(coder.get_compressed().astype(WORD).tobytes())


def decode_bits(payload: bytes, count: int, latent_size: int, model: BitModel | None) -> Tensor:
    """Undo :func:`encode_bits` of K latents of N bits with the same prior.

    Latents are packed, uint8 (K, ceil(N / 8)), on the processor: see
    :func:`lbae_lib.bits.unpack_bits`.

    Raises:
        FormatError: if the payload cannot be that of K latents.
    """
    width = -(-latent_size // 8)
    if model is not None:
        empty = torch.empty(0, width, dtype=torch.uint8, device="cpu")
        return torch.cat([empty, *_decoded(payload, count, model)])
    if len(payload) != count * width:
        raise FormatError(
            f"the payload has {len(payload)} bytes, but {count} latents of {latent_size} bits "
            f"have {count * width}: copy the file again"
        )
    packed = torch.from_numpy(np.frombuffer(payload, dtype=np.uint8).reshape(count, width).copy())
    spare = (1 << (-latent_size % 8)) - 1  # bits of a row's last byte beyond the latent
    if bool((packed[:, -1:] & spare).any()):
        raise FormatError("the payload has bits set after the end of a latent: write it again")
    return packed


def _decoded(payload: bytes, count: int, model: BitModel) -> Iterator[Tensor]:
    order = model.order.tolist()
    if len(payload) % WORD.itemsize:
        raise FormatError(
            f"the payload has {len(payload)} bytes, not a whole number of 32-bit "
            "words: copy the file again"
        )
    most = math.ceil((8 * len(payload) + 8 * WORD.itemsize) / _LEAST_COST)
    if count * len(order) > most:
        raise FormatError(
            f"the payload has {len(payload)} bytes, which hold {most:,} bits at most, not "
            f"{count:,} latents of {len(order)}: copy the file again"
        )
    coder = stream.queue.RangeDecoder(np.frombuffer(payload, dtype=WORD).astype(np.uint32))
    family = stream.model.Bernoulli(perfect=False)
    for start in range(0, count, GROUP):
        bits = torch.empty(min(GROUP, count - start), len(order), device="cpu")
        try:
            if isinstance(model, Factorised):
                for column, shared in zip(bits.T, _shared(model), strict=True):
                    column.copy_(torch.from_numpy(coder.decode(shared, len(bits)))).mul_(2).sub_(1)
            else:
                conditionals, column = model.conditionals(len(bits)), None
                for bit in order:
                    probabilities = conditionals.send(column).contiguous().numpy() / ONE
                    column = torch.from_numpy(coder.decode(family, probabilities)) * 2.0 - 1
                    bits[:, bit] = column
        except AssertionError as error:  # what constriction raises on impossible data
            raise FormatError(f"the payload cannot be decoded ({error}): write it again") from None
        yield pack_bits(bits)
    if not coder.maybe_exhausted():
        raise FormatError("the payload continues after its last latent: write it again")


def _shared(model: Factorised) -> list[stream.model.Bernoulli]:
    """The distribution of each bit, which all latents share; much faster than one for each."""
    return [stream.model.Bernoulli(p / ONE, perfect=False) for p in model.numerators.tolist()]
