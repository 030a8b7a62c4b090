"""Checks that all metrics share."""

import torch
from torch import Tensor


def checked(features: Tensor, name: str, at_least: int = 2) -> Tensor:
    """Features, (K, D), as float64 on their device; ``name`` is that of their set in errors.

    Raises:
        ValueError: if the shape is wrong, a value is not finite, or there are too few rows.
    """
    if features.ndim != 2:
        raise ValueError(f"{name} features have shape {tuple(features.shape)}, but must be (K, D)")
    if len(features) < at_least:
        raise ValueError(
            f"{len(features)} {name} images, but at least {at_least} are needed: give more"
        )
    if not bool(features.isfinite().all()):
        rows = int((~features.isfinite().all(1)).sum())
        raise ValueError(
            f"{rows} of {len(features)} {name} features are not finite: check the images and the "
            "network that they come from"
        )
    return features.to(torch.float64)


def checked_pair(
    a: Tensor, b: Tensor, names: tuple[str, str] = ("reference", "generated"), at_least: int = 2
) -> tuple[Tensor, Tensor]:
    """Both sets by :func:`checked`, with features of the same length."""
    a, b = checked(a, names[0], at_least), checked(b, names[1], at_least)
    check_same_width(a, b)
    return a, b


def check_same_width(a: Tensor, b: Tensor) -> None:
    """Raise ``ValueError`` unless both sets have features of the same length."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"the sets have {a.shape[1]} and {b.shape[1]} features per image: compute both with "
            "the same network"
        )
