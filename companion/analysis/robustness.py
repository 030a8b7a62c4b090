"""Perturbed latents: the distortion of decoded images, and whether a classifier still agrees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbae_lib.metrics.classifier import FeatureClassifier, presence
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.encoding import decode, to_unit_range

FLIPPED = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # shares of the bits
_DEVIATIONS = tuple(0.03 * 2 ** (step / 2) for step in range(17))  # of noise, up to 7.7


@dataclass(frozen=True)
class Perturbed:
    """Decoded images of perturbed latents."""

    strength: float  # share of flipped bits, or standard deviation of the noise
    to_reconstruction: float  # :func:`squared_error` to the images of the unperturbed latents
    to_original: float  # the same to the test images
    # Share of images in which the classifier finds the class of the unperturbed reconstruction, or
    # of its attributes; None without a classifier
    kept: float | None
    error: float | None  # standard error of ``kept`` over images
    images: Tensor  # the first of them, uint8 (R, C, S, S)


@dataclass(eq=False)
class PerturbedModel:
    """A model whose latents are perturbed."""

    model: LBAE | VAE  # in eval mode
    latents: Tensor  # of test images, (K, N)
    originals: Tensor  # these images, uint8 (K, C, S, S)
    classifier: FeatureClassifier | None = None  # of classes or attributes of training images
    shown: int = 0  # number of images that are kept

    def __post_init__(self) -> None:
        self.reconstructions = decode(self.model, self.latents)
        own = self.classifier
        self._found = None if own is None else presence(own, self.reconstructions)
        self._several = own is not None and own.several

    def measure(self, latents: Tensor, strength: float) -> Perturbed:
        """The images of perturbed latents (K, N)."""
        images = decode(self.model, latents)
        kept = error = None
        if self.classifier is not None and self._found is not None:
            agrees = self._agreement(self._found, presence(self.classifier, images))
            kept, error = float(agrees.mean()), float(agrees.std(correction=0))
            error /= math.sqrt(len(agrees))
        return Perturbed(
            strength, squared_error(images, self.reconstructions),
            squared_error(images, self.originals), kept, error, images[: self.shown],
        )  # fmt: skip

    @property
    def chance(self) -> float | None:
        """What would be ``kept`` if each image became the reconstruction of another one."""
        if self._found is None:
            return None
        return float(self._agreement(self._found, self._found.roll(1, 0)).mean())

    def _agreement(self, before: Tensor, after: Tensor) -> Tensor:
        """Share of each image's attributes that are as before, or whether its class is, (K,)."""
        same = before == after
        return same.double().mean(1) if self._several else same.all(1).double()

    def flipped(self, shares: Sequence[float], generator: torch.Generator) -> list[Perturbed]:
        """Each bit is flipped with the same probability, one of ``shares``.

        A bit that is flipped at one share is flipped at all larger ones.
        """
        uniform = torch.rand(self.latents.shape, generator=generator).to(self.latents.device)
        return [
            self.measure(torch.where(uniform < share, -self.latents, self.latents), share)
            for share in shares
        ]

    def noisy(self, errors: Sequence[float], generator: torch.Generator) -> list[Perturbed | None]:
        """Gaussian noise of the standard deviation that gives each squared error to the originals.

        The deviation is interpolated between a few that are tried, with the same noise for all.
        None where even no noise has a larger error, or the largest noise a smaller one.
        """
        noise = torch.randn(self.latents.shape, generator=generator).to(self.latents)
        tried = (0.0, *_DEVIATIONS)
        decoded = (decode(self.model, self.latents + sigma * noise) for sigma in tried)
        found = np.maximum.accumulate([squared_error(d, self.originals) for d in decoded])

        def perturbed(error: float) -> Perturbed | None:
            if not found[0] <= error <= found[-1]:
                return None
            sigma = float(np.interp(error, found, tried))
            return self.measure(self.latents + sigma * noise, sigma)

        return [perturbed(error) for error in errors]


def squared_error(images: Tensor, others: Tensor) -> float:
    """Mean over images uint8 (K, C, S, S) of the squared error summed over pixels in [0, 1]."""
    difference = to_unit_range(images) - to_unit_range(others)
    return float(difference.double().square().sum((1, 2, 3)).mean())
