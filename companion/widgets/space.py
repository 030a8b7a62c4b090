"""The latent space that the explorer shows."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from companion.analysis.samplers import FittedSamplers
from companion.experiments.trained import Trained
from lbae_lib.latent import inversion
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.sampler import Sampler
from lbae_lib.models.encoding import decode

# Of the exact inversion: normals are a tenth longer than after 40 sweeps, in a third of the time.
_SWEEPS = 3


class Space:
    """A trained model and what the panels need of its latents, computed when first needed.

    Args:
        trained: the model with its images and latents; its device is where the panels compute.
        prior: an autoregressive prior, if one was fitted.
    """

    def __init__(self, trained: Trained, prior: Sampler | None = None) -> None:
        self.trained = trained
        self.test = trained.bits("test")
        self.scale = max(2, 192 // trained.images["test"].images.shape[-1])
        device = next(trained.model.parameters()).device
        self.samplers = FittedSamplers(trained.bits("train").to(device), prior=prior)

    @property
    def sampler_keys(self) -> list[str]:
        """The samplers offered, by their keys in the registry."""
        keys = ["nearest", "clip", "dichotomized", "direct", "independent", "uniform"]
        return keys if self.samplers.prior is None else [*keys, "autoregressive"]

    @cached_property
    def hyperplanes(self) -> HyperplaneSampler:
        """The sampler whose normals turn, and between whose normals paths run."""
        vectors = self.samplers.hyperplane_fit("nearest").vectors
        return inversion.full_rank(HyperplaneSampler(vectors))

    def invert(self, latents: Tensor) -> inversion.Inversion:
        """Random normals that generate latents (K, N) exactly; the same ones at every call."""
        generator = torch.Generator().manual_seed(0)
        return inversion.exact(latents, self.hyperplanes, generator, _SWEEPS)

    def decode(self, bits: Tensor) -> Tensor:
        """uint8 images (K, C, S, S) of bits (K, N)."""
        return decode(self.trained.model, bits)
