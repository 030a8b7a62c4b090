"""What a single bit does to the decoded image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.models.autoencoders import LBAE
from lbae_lib.models.encoding import decode, to_unit_range


@dataclass(frozen=True)
class BitEffects:
    """Effects of flipping one bit at a time, as means over the same latents; pixels in [0, 1]."""

    bits: Tensor  # numbers of the bits, int64 (B,)
    signed: Tensor  # the image with the bit at +1 less the image with it at -1, (B, C, S, S)
    absolute: Tensor  # absolute change of each pixel, float32 (B, C, S, S)
    squared: Tensor  # squared change, summed over the pixels of an image, float64 (B,)

    @classmethod
    def measure(cls, model: LBAE, latents: Tensor, bits: Tensor) -> BitEffects:
        """Decode latents (K, N) with each bit of those numbered in ``bits`` flipped in turn.

        The model is in eval mode; there is at least one latent, and at least one bit.
        """
        check_latents(latents)
        before = to_unit_range(decode(model, latents))
        signed, absolute, squared = [], [], []
        for bit in bits.tolist():
            flipped = latents.clone()
            flipped[:, bit] *= -1
            change = to_unit_range(decode(model, flipped)) - before
            signed.append((flipped[:, bit].cpu()[:, None, None, None] * change).mean(0))
            absolute.append(change.abs().mean(0))
            squared.append(change.double().square().sum((1, 2, 3)).mean())
        return cls(bits, torch.stack(signed), torch.stack(absolute), torch.stack(squared))

    @property
    def order(self) -> Tensor:
        """Positions in ``bits`` from the strongest to the weakest bit, int64 (B,)."""
        return self.squared.argsort(descending=True, stable=True)

    @property
    def shares(self) -> Tensor:
        """Share of each bit in the sum of all squared effects, float64 (B,); 0 if that is 0."""
        return self.squared / self.squared.sum().clamp(min=torch.finfo(torch.float64).tiny)


def varying_bits(latents: Tensor) -> Tensor:
    """Numbers of the bits that take both values in latents (K, N), int64 (B,) with B <= N."""
    return torch.nonzero((latents != latents[:1]).any(0))[:, 0].cpu()


def participation_ratio(values: Tensor) -> float:
    """The number of values (B,) that carry their sum: (Σ v)² / Σ v², from 1 to B.

    It is B if all values are equal, and 1 if all but one are 0. None is negative.
    """
    values = values.double()
    return float(values.sum().square() / values.square().sum())
