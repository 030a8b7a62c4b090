"""Editing attributes of images by setting bits (Section 4.3, Eq. 17)."""

import torch
from torch import Tensor

from lbae_lib.bits import check_latents

PAPER_THRESHOLD = 0.1  # D in Section 4.3
CODE_THRESHOLD = 0.12  # D in the authors' code


def expected_bits(latents: Tensor, has: Tensor) -> Tensor:
    """p = E[Y^a], the mean latent of images with the attribute a: float64 (N,) in [-1, 1].

    Latents are (K, N) in {-1, +1}; ``has`` is bool (K,): which of their images have the attribute.

    Raises:
        ValueError: if no image has the attribute, or an argument is of another form.
    """
    check_latents(latents, empty=True)
    if has.shape != latents.shape[:1] or not bool(((has == 0) | (has == 1)).all()):
        raise ValueError(
            f"has is {has.dtype} of shape {tuple(has.shape)}, but must be bool ({len(latents)},)"
        )
    has = has.bool()
    if not bool(has.any()):
        raise ValueError(
            "no latent has the attribute: its expected bits are not defined; choose another "
            "attribute, or give more latents"
        )
    return latents[has].double().mean(0)


def contrast(latents: Tensor, has: Tensor) -> Tensor:
    """E[Y^a] - E[Y^¬a], what distinguishes images with the attribute: float64 (N,) in [-2, 2].

    Eq. 17 sets a bit that is +1 in nearly all images, with the attribute or not; the difference
    leaves it unchanged.

    Raises:
        ValueError: as :func:`expected_bits`, or if all images have the attribute.
    """
    if bool(has.bool().all()) and len(has):
        raise ValueError(
            "all latents have the attribute: what distinguishes them from others is not defined; "
            "choose another attribute, or give more latents"
        )
    return expected_bits(latents, has) - expected_bits(latents, ~has.bool())


def set_attribute(latents: Tensor, direction: Tensor, threshold: float = PAPER_THRESHOLD) -> Tensor:
    """Set each bit with ``|p_i| > D`` to the sign of p_i, and keep the others (Eq. 17).

    Args:
        latents: b, (K, N) in {-1, +1}.
        direction: p, (N,), from :func:`expected_bits` as in the paper, or :func:`contrast`; its
            negative removes the attribute.
        threshold: D >= 0; the lower, the more bits are set.

    Returns:
        (K, N) in {-1, +1}, of the dtype of ``latents``.

    Raises:
        ValueError: if widths differ, latents are not bits, or the threshold is negative.
    """
    check_latents(latents, empty=True)
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
    """Number of bits that :func:`set_attribute` sets with this threshold, 0 to N."""
    return int((direction.abs() > threshold).sum())


def threshold_for(direction: Tensor, bits: int) -> float:
    """The threshold D >= 0 that sets this number of bits, those with the largest ``|p_i|``.

    It is the next largest ``|p_i|``; bits equal to it are not set, so ties set fewer bits.
    """
    ordered = direction.abs().sort(descending=True).values
    return float(ordered[bits]) if bits < len(ordered) else 0.0


def threshold_changing(latents: Tensor, direction: Tensor, share: float) -> float:
    """The lowest threshold D at which Eq. 17 changes at most a share of these latents' bits.

    The share, in [0, 1], is of all bits, on average over the latents.
    """
    changes = (latents != torch.sign(direction).to(latents)).double().mean(0)  # of each bit
    largest_first = direction.to(latents.device).abs().argsort(descending=True)
    changed = changes[largest_first].cumsum(0) / len(direction)
    return threshold_for(direction, int((changed <= share).sum()))
