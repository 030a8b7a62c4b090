"""What all samplers of latents have in common.

Samplers draw on the device of their own tensors. The random numbers come from the generator's
device (see :mod:`lbae_lib.latent.draws`), so that a seed means the same on every device.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Sampler(Protocol):
    """Draws binary latents."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}."""
        ...


class RealSampler(Protocol):
    """Draws real latents."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N)."""
        ...
