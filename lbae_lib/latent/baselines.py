"""Samplers to set beside hyperplane rounding: the paper's, and the floor and ceiling of error.

Each has ``sample(count, generator)``, which gives (count, N) in {-1, +1}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lbae_lib.bits import signs
from lbae_lib.latent.moments import Moments


class Sampler(Protocol):
    """Anything that draws latents."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}."""
        ...


def rounded_gaussian(root: Tensor, mean: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Signs of L z + m with z ~ N(0, I).

    Args:
        root: L, (N, R).
        mean: m, (N,).
        count: K.
        generator: of z.

    Returns:
        (K, N) in {-1, +1}.
    """
    noise = torch.randn(
        count, root.shape[1], generator=generator, dtype=root.dtype, device=root.device
    )
    return signs(noise @ root.T + mean)


@dataclass(frozen=True)
class DirectRounding:
    """b = f_b(L z + E[Y]) with L Lᵀ = Σ and z ~ N(0, I) (Eqs. 2-3): what the paper argues against.

    Attributes:
        root: L, (N, R); any root of Σ gives the same distribution.
        mean: E[Y], (N,).
    """

    root: Tensor
    mean: Tensor

    @classmethod
    def fit(cls, target: Moments) -> DirectRounding:
        """From moments of latents; their covariance is positive semi-definite by nature."""
        values, basis = torch.linalg.eigh(target.covariance)
        return cls(basis * values.clamp(min=0).sqrt(), target.first)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}."""
        return rounded_gaussian(self.root, self.mean, count, generator)


@dataclass(frozen=True)
class IndependentBits:
    """Bits with the right first moments and no correlation.

    Attributes:
        mean: E[Y], (N,) in [-1, 1].
    """

    mean: Tensor

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}."""
        uniform = torch.rand(
            count,
            len(self.mean),
            generator=generator,
            dtype=self.mean.dtype,
            device=self.mean.device,
        )
        return signs(self.mean - (2 * uniform - 1))  # P(+1) = (1 + mean) / 2


@dataclass(frozen=True)
class UniformBits:
    """Fair coins: the paper's b = f_b(N(0, I)), columns "N(0,1)" of Tables 1, 2 and 4."""

    latent_size: int
    device: torch.device | str = "cpu"

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}."""
        size = (count, self.latent_size)
        return signs(
            torch.randn(size, generator=generator, dtype=torch.float64, device=self.device)
        )


@dataclass(frozen=True)
class Resampling:
    """Training latents drawn anew, with replacement: the Monte-Carlo floor of every error.

    Attributes:
        latents: (K, N) in {-1, +1}.
    """

    latents: Tensor

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}."""
        chosen = torch.randint(
            len(self.latents), (count,), generator=generator, device=self.latents.device
        )
        return self.latents[chosen]
