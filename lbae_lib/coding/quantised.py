"""Real latents as bytes: rounded to a grid, range-coded under a Gaussian for each number."""

import numpy as np
import torch
from torch import Tensor

from lbae_lib.coding.coders import WORD
from lbae_lib.errors import FormatError, extra

with extra("coding", "constriction", "entropy coding"):
    from constriction import stream

# Grid cells on each side of zero. The coder's probabilities are multiples of 2^-24 and never zero,
# so many more cells would add noticeable length.
LARGEST = 1 << 12


def encode_quantised(latents: Tensor, step: float, mean: Tensor, deviation: Tensor) -> bytes:
    """Latents rounded to multiples of a step, as one stream; computed on the processor.

    Args:
        latents: (K, N), on any device.
        step: width of a grid cell, above 0.
        mean: of each number under the Gaussian, (N,).
        deviation: standard deviation of each number, (N,), above 0.

    Raises:
        ValueError: if the step is not positive, or so small that numbers leave the grid; if a
            latent is not finite, or a deviation not above 0.
    """
    cells = quantise(latents.cpu(), step).to(torch.int32).contiguous()  # (K, N)
    coder = stream.queue.RangeEncoder()
    coder.encode(cells.numpy().ravel(), *_model(len(cells), step, mean, deviation))
    return bytes(coder.get_compressed().astype(WORD).tobytes())


def decode_quantised(
    payload: bytes, count: int, step: float, mean: Tensor, deviation: Tensor
) -> Tensor:
    """Undo :func:`encode_quantised`, up to the rounding: float32 (K, N), on the processor.

    The other arguments must be those of the encoder. There is no checksum: words that are missing
    at the end, or damaged, may give other latents without an error.

    Raises:
        FormatError: if the payload cannot be that of K latents.
        ValueError: if a deviation is not above 0.
    """
    if len(payload) % WORD.itemsize:
        raise FormatError(f"the payload of {len(payload)} bytes is cut off: copy the file again")
    coder = stream.queue.RangeDecoder(np.frombuffer(payload, dtype=WORD).astype(np.uint32))
    model = _model(count, step, mean, deviation)
    try:
        cells = torch.from_numpy(coder.decode(*model))
    except AssertionError as error:  # what constriction raises on impossible data
        raise FormatError(f"the payload cannot be decoded ({error}): write it again") from None
    if not coder.maybe_exhausted():
        raise FormatError("the payload continues after its last latent: write it again")
    return (cells.reshape(count, len(mean)).double() * step).float()


def quantise(latents: Tensor, step: float) -> Tensor:
    """The grid cells of latents (K, N), or ``ValueError``: float64 integers in [-4096, 4096]."""
    if not step > 0:
        raise ValueError(f"the step is {step}, but must be above 0")
    cells = (latents.double() / step).round()
    if not bool(cells.isfinite().all()):
        raise ValueError("latents hold values that are not finite: check the model and its images")
    if bool((cells.abs() > LARGEST).any()):
        raise ValueError(
            f"a step of {step} puts latents beyond {LARGEST} cells: choose a larger one"
        )
    return cells


def _model(count: int, step: float, mean: Tensor, deviation: Tensor) -> tuple[object, ...]:
    """constriction's Gaussian, and the mean and deviation of each number of K latents."""
    constant = int((~(deviation > 0)).sum())
    if constant:
        raise ValueError(
            f"{constant} of {len(deviation)} numbers are constant (their deviation is not above "
            "0), so they have no Gaussian to code them by: leave them out"
        )
    family = stream.model.QuantizedGaussian(-LARGEST, LARGEST)
    parameters = [(p.cpu().double() / step).numpy() for p in (mean, deviation)]
    return family, *(np.tile(p, count) for p in parameters)
