"""Image corruptions, which a metric must rank below real images; and the sharpness of images.

Images are uint8 (K, C, S, S).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from lbae_lib.checks import check_images


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Images, mirrored at their edges, under a Gaussian blur; sigma is in (0, (S - 1)/3] pixels."""
    check_images(images)
    largest = (min(images.shape[2:]) - 1) / 3
    if not 0 < sigma <= largest:
        raise ValueError(f"sigma is {sigma}, but must be above 0 and at most {largest:g} pixels")
    reach = math.ceil(3 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32, device=images.device)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel /= kernel.sum()
    flat = images.float().flatten(0, 1)[:, None]  # (K·C, 1, S, S)
    flat = functional.pad(flat, [reach] * 4, mode="reflect")
    flat = functional.conv2d(flat, kernel.view(1, 1, 1, -1))
    flat = functional.conv2d(flat, kernel.view(1, 1, -1, 1))
    return flat.view(images.shape).round().clamp(0, 255).to(torch.uint8)


def noisy(images: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Images with Gaussian noise; sigma is a share of the range of grey levels."""
    check_images(images)
    noise = torch.randn(images.shape, generator=generator, device=generator.device)
    noise = noise.to(images.device) * (255 * sigma)
    return (images.float() + noise).round().clamp(0, 255).to(torch.uint8)


def sharpness(images: Tensor) -> Tensor:
    """Mean length of each image's gradient, in grey levels per pixel: float64 (K,)."""
    check_images(images)
    grey = images.float().mean(1)
    down = grey[:, 1:, :-1] - grey[:, :-1, :-1]
    right = grey[:, :-1, 1:] - grey[:, :-1, :-1]
    return torch.hypot(down, right).double().mean((1, 2))
