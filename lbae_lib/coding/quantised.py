"""Real latents as real bytes: rounded to a grid, range-coded under a Gaussian for each number."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lbae_lib.errors import extra

with extra("coding", "constriction", "entropy coding"):
    from constriction import stream

# Grid cells on each side of zero. The coder's probabilities are multiples of 2^-24 and never zero,
# so that many more cells would cost noticeable length.
_LARGEST = 1 << 12


def encode_quantised(latents: Tensor, step: float, mean: Tensor, deviation: Tensor) -> bytes:
    """Latents rounded to multiples of ``step``, as one stream.

    Args:
        latents: (K, N).
        step: width of a grid cell, above 0.
        mean: of each number under the prior, (N,).
        deviation: standard deviation, (N,), above 0.

    Raises:
        ValueError: if the step is not positive, or so small that numbers leave the grid.
    """
    cells = quantise(latents, step)
    coder = stream.queue.RangeEncoder()
    coder.encode(cells.to(torch.int32).numpy().ravel(), *_model(cells, step, mean, deviation))
    return bytes(coder.get_compressed().astype("<u4").tobytes())


def decode_quantised(
    payload: bytes, count: int, step: float, mean: Tensor, deviation: Tensor
) -> Tensor:
    """Undo :func:`encode_quantised`, up to the rounding: float32 (count, N)."""
    words = np.frombuffer(payload, dtype="<u4").astype(np.uint32)
    shape = torch.empty(count, len(mean))
    cells = stream.queue.RangeDecoder(words).decode(*_model(shape, step, mean, deviation))
    return (torch.from_numpy(cells.reshape(count, -1)).double() * step).float()


def quantise(latents: Tensor, step: float) -> Tensor:
    """The grid cells that latents fall in: whole numbers, (K, N)."""
    if not step > 0:
        raise ValueError(f"the step is {step}, but must be above 0")
    cells = (latents.double() / step).round()
    if bool((cells.abs() > _LARGEST).any()):
        raise ValueError(f"a step of {step} puts latents beyond {_LARGEST} cells: choose a larger")
    return cells


def _model(cells: Tensor, step: float, mean: Tensor, deviation: Tensor) -> tuple[object, ...]:
    family = stream.model.QuantizedGaussian(-_LARGEST, _LARGEST)
    parameters = [(p.double() / step).expand(cells.shape).numpy() for p in (mean, deviation)]
    return family, *(np.ascontiguousarray(p).ravel() for p in parameters)
