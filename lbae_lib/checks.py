"""Checks of the tensors that callers pass to this library."""

import torch
from torch import Tensor


def check_images(
    images: Tensor, name: str = "images", channels: int | None = None, side: int | None = None
) -> None:
    """Raise ``ValueError`` unless images are uint8 (K, 1 or 3, H, W), or (K, C, S, S) if given.

    Images in [0, 1] would be taken for black ones.
    """
    if not isinstance(images, Tensor):
        raise ValueError(f"{name} are a {type(images).__name__}, but must be a torch.Tensor")
    shape = tuple(images.shape)
    if channels is None:
        fits, wanted = len(shape) == 4 and shape[1] in (1, 3), "1 or 3, H, W"
    else:
        fits, wanted = shape[1:] == (channels, side, side), f"{channels}, {side}, {side}"
    if images.dtype != torch.uint8 or not fits:
        raise ValueError(
            f"{name} are {images.dtype} of shape {shape}, but must be uint8 (K, {wanted}); "
            "convert images in [0, 1] with lbae_lib.models.encoding.to_uint8"
        )


def check_unit_range(images: Tensor, channels: int, side: int) -> None:
    """Raise ``ValueError`` unless images are real numbers, (B, C, S, S), in [0, 1].

    Overshoots of less than 0.5 pass; levels of 0 to 255 and images in [-1, 1] do not.
    """
    shape = tuple(images.shape)
    if not images.is_floating_point() or shape[1:] != (channels, side, side):
        raise ValueError(
            f"images are {images.dtype} of shape {shape}, but must be real numbers in [0, 1] of "
            f"shape (B, {channels}, {side}, {side}); convert uint8 images with "
            "lbae_lib.models.encoding.to_unit_range"
        )
    if images.numel() and not (float(images.min()) > -0.5 and float(images.max()) < 1.5):
        low, high = float(images.min()), float(images.max())
        raise ValueError(f"images span [{low:g}, {high:g}], but must be in [0, 1]: rescale them")
