"""Editing attributes by setting bits (Section 4.3, Eq. 17)."""

from __future__ import annotations

import torch
from torch import Tensor

from lbae_lib.bits import check_bits

PAPER_THRESHOLD = 0.1  # Section 4.3
CODE_THRESHOLD = 0.12  # the authors' code


def expected_bits(latents: Tensor, has: Tensor) -> Tensor:
    """p = E[Y^a] over the latents of images with the attribute.

    Args:
        latents: (K, N) in {-1, +1}, of training images.
        has: bool (K,), which images have the attribute.

    Returns:
        float64 (N,) in [-1, 1].

    Raises:
        ValueError: if no image has it.
    """
    check_bits(latents, "latents")
    has = has.bool()
    if not bool(has.any()):
        raise ValueError("no latent has the attribute: its expected bits are not defined")
    return latents[has].double().mean(0)


def contrast(latents: Tensor, has: Tensor) -> Tensor:
    """E[Y^a] - E[Y^¬a]: what the attribute changes, without what all images share.

    A bit that is nearly always set is so in images with the attribute, too; Eq. 17 sets it
    in every image. The difference leaves it alone.

    Args:
        latents: (K, N) in {-1, +1}, of training images.
        has: bool (K,), which images have the attribute.

    Returns:
        float64 (N,) in [-2, 2].

    Raises:
        ValueError: if all images have it, or none.
    """
    return expected_bits(latents, has) - expected_bits(latents, ~has.bool())


def set_attribute(latents: Tensor, direction: Tensor, threshold: float = PAPER_THRESHOLD) -> Tensor:
    """Set the bits whose direction is outside the threshold to its sign, keep the others.

    Args:
        latents: b, (K, N) in {-1, +1}.
        direction: p, (N,): from :func:`expected_bits` as in the paper, or :func:`contrast`;
            its negative takes the attribute away.
        threshold: D >= 0; the lower, the more bits are set.

    Returns:
        (K, N) in {-1, +1}, of the type of ``latents``.

    Raises:
        ValueError: if widths differ, or the threshold is negative.
    """
    check_bits(latents, "latents")
    if direction.shape != latents.shape[1:]:
        raise ValueError(
            f"the direction has shape {tuple(direction.shape)}, but latents have "
            f"{latents.shape[1]} bits"
        )
    if threshold < 0:
        raise ValueError(f"the threshold is {threshold}, but must not be negative")
    direction = direction.to(latents.device)
    decided = direction.abs() > threshold
    return torch.where(decided, torch.sign(direction).to(latents.dtype), latents)


def bits_set(direction: Tensor, threshold: float) -> int:
    """How many bits the threshold decides."""
    return int((direction.abs() > threshold).sum())


def threshold_for(direction: Tensor, bits: int) -> float:
    """The threshold that decides so many bits, the strongest ones.

    Args:
        direction: p, (N,).
        bits: 0 to N; equal values are decided together, so that a few more may be.
    """
    ordered = direction.abs().sort(descending=True).values
    if bits >= len(ordered):
        return 0.0
    return float(ordered[bits])
