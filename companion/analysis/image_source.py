"""A set of images that is scored.

Not in ``image_sources``: the control checks, on many pages, need neither models nor samplers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageSource:
    """A row of a table of scores."""

    label: str  # for tables and figures
    draw: Callable[[int, torch.Generator], Tensor]  # to uint8 (count, C, S, S), shuffled
    random: bool = True  # whether another seed gives other images
    note: str = ""  # how it was fitted, for a table of its own; empty if the label says enough


def random_indices(available: int, count: int, generator: torch.Generator) -> Tensor:
    """Random indices, without replacement where there are enough."""
    if count > available:
        return torch.randint(available, (count,), generator=generator)
    return torch.randperm(available, generator=generator)[:count]
