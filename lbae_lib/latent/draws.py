"""Random draws that mean the same on every device.

Numbers are drawn on the generator's device, by convention the processor, and then moved.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def draw_normals(shape: Sequence[int], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal numbers, of the dtype and on the device of ``like``."""
    place = generator.device
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=place).to(like.device)


def draw_uniforms(shape: Sequence[int], generator: torch.Generator, like: Tensor) -> Tensor:
    """Uniform numbers in [0, 1), of the dtype and on the device of ``like``."""
    place = generator.device
    return torch.rand(shape, generator=generator, dtype=like.dtype, device=place).to(like.device)


def draw_integers(
    below: int, count: int, generator: torch.Generator, device: torch.device | str
) -> Tensor:
    """Uniform integers in [0, below), int64 (count,), on ``device``."""
    return torch.randint(below, (count,), generator=generator, device=generator.device).to(device)


def draw_permutation(count: int, generator: torch.Generator, device: torch.device | str) -> Tensor:
    """The integers below ``count`` in random order, int64 (count,), on ``device``."""
    return torch.randperm(count, generator=generator, device=generator.device).to(device)


def draw_categories(weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Random indices with the probabilities ``weights``, (C,): int64 (count,), on their device."""
    if not count:  # which multinomial refuses
        return torch.empty(0, dtype=torch.int64, device=weights.device)
    drawn = torch.multinomial(weights.to(generator.device), count, True, generator=generator)
    return drawn.to(weights.device)
