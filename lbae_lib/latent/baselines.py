"""Baseline samplers for hyperplane rounding: the paper's own, and training latents resampled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.bits import signs
from lbae_lib.latent.draws import draw_integers, draw_normals, draw_uniforms
from lbae_lib.latent.gaussians import Gaussian, SignedSampler
from lbae_lib.latent.moments import Moments


class DirectRounding(SignedSampler):
    """b = f_b(L z + E[Y]) with L Lᵀ = Σ and z ~ N(0, I) (Eq. 2, Eq. 3).

    It does not reproduce the moments of the latents (Figure 2). Any root L of Σ gives the same
    distribution.
    """

    @classmethod
    def fit(cls, target: Moments) -> DirectRounding:
        """The baseline for the mean E[Y] and covariance Σ of latents."""
        return cls(Gaussian.with_covariance(target.first, target.covariance))


@dataclass(frozen=True)
class IndependentBits:
    """Bits with the first moments ``mean``, (N,) in [-1, 1], and no correlation."""

    mean: Tensor

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}, of the dtype of ``mean``."""
        uniform = draw_uniforms((count, len(self.mean)), generator, self.mean)
        return signs(self.mean - (2 * uniform - 1))  # P(+1) = (1 + mean) / 2


@dataclass(frozen=True)
class UniformBits:
    """Fair coins b = f_b(z) with z ~ N(0, I): the columns "N(0,1)" of Tables 1, 2 and 4."""

    latent_size: int
    device: torch.device | str = "cpu"

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float64 (count, N) in {-1, +1}."""
        like = torch.empty(0, dtype=torch.float64, device=self.device)
        return signs(draw_normals((count, self.latent_size), generator, like))


@dataclass(frozen=True)
class Resampling:
    """Training latents, (K, N), drawn with replacement: their only error is Monte-Carlo noise."""

    latents: Tensor

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}, of the dtype of ``latents``."""
        return self.latents[draw_integers(len(self.latents), count, generator, self.latents.device)]
