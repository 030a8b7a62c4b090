"""What all samplers of latents have in common."""

from typing import Protocol

import torch
from torch import Tensor


class Sampler(Protocol):
    """Draws latents: bits, unless the class says that it draws real numbers."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) of a real dtype, on its own device; see :mod:`.draws`."""
        ...
