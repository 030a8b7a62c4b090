"""Images spoilt in known ways, which a metric must tell from real ones; and their sharpness."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Images under a Gaussian blur.

    Args:
        images: uint8 (K, C, S, S).
        sigma: standard deviation in pixels; edges are mirrored.

    Returns:
        uint8 (K, C, S, S).
    """
    reach = math.ceil(3 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel /= kernel.sum()
    flat = images.float().flatten(0, 1)[:, None]  # (K·C, 1, S, S)
    flat = functional.pad(flat, [reach] * 4, mode="reflect")
    flat = functional.conv2d(
        functional.conv2d(flat, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1)
    )
    return flat.view(images.shape).round().clamp(0, 255).to(torch.uint8)


def noisy(images: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Images with Gaussian noise.

    Args:
        images: uint8 (K, C, S, S).
        sigma: standard deviation, as a share of the range of grey levels.
        generator: of the noise.

    Returns:
        uint8 (K, C, S, S).
    """
    noise = torch.randn(images.shape, generator=generator) * (255 * sigma)
    return (images.float() + noise).round().clamp(0, 255).to(torch.uint8)


def without_class(labels: Tensor, dropped: int, count: int, generator: torch.Generator) -> Tensor:
    """Random indices of images that are not of one class.

    Args:
        labels: int64 (K,).
        dropped: the class left out.
        count: how many; with replacement if there are not enough.
        generator: of the choice.

    Returns:
        int64 (count,).
    """
    (left,) = torch.nonzero(labels != dropped, as_tuple=True)
    if count > len(left):
        return left[torch.randint(len(left), (count,), generator=generator)]
    return left[torch.randperm(len(left), generator=generator)[:count]]


def sharpness(images: Tensor) -> Tensor:
    """Mean length of the grey-level gradient of each image: blurring lowers it.

    Args:
        images: uint8 (K, C, S, S).

    Returns:
        float64 (K,), grey levels a pixel.
    """
    grey = images.float().mean(1)
    down = grey[:, 1:, :-1] - grey[:, :-1, :-1]
    right = grey[:, :-1, 1:] - grey[:, :-1, :-1]
    return torch.hypot(down, right).double().mean((1, 2))
