"""Grids of images with crisp pixels: Figures 5, 7, 8 and 10."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from companion.figures.axes import show_pixels
from companion.figures.style import TWO_COLUMNS, new_figure, styled

_GAP = 2  # white pixels between images


def tile(images: Tensor, columns: int, gap: int = _GAP) -> NDArray[np.uint8]:
    """Images side by side, row by row.

    Args:
        images: uint8 (K, C, S, S), C of 1 or 3.
        columns: images in a row.
        gap: white pixels between them.

    Returns:
        uint8 (height, width, 3).
    """
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ValueError(f"images are {images.dtype} {tuple(images.shape)}, not uint8 (K, C, S, S)")
    count, _, size, _ = images.shape
    step = size + gap
    shape = (math.ceil(count / columns) * step - gap, columns * step - gap, 3)
    canvas = np.full(shape, 255, dtype=np.uint8)
    pixels = images.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).cpu().numpy()
    for index, image in enumerate(pixels):
        top, left = (index // columns) * step, (index % columns) * step
        canvas[top : top + size, left : left + size] = image
    return canvas


@styled
def image_grids(
    groups: Sequence[tuple[str, Tensor]], columns: int, width: float = TWO_COLUMNS
) -> Figure:
    """Titled grids of images side by side.

    Args:
        groups: title and uint8 images (K, C, S, S) of each grid.
        columns: images in a row of each grid.
        width: inches.
    """
    tiles = [tile(images, columns) for _, images in groups]
    ratio = max(pixels.shape[0] / pixels.shape[1] for pixels in tiles)
    figure, axes = new_figure(len(groups), width=width, height=width / len(groups) * ratio + 0.25)
    for axis, (title, _), pixels in zip(axes, groups, tiles, strict=True):
        show_pixels(axis, pixels)
        axis.set_title(title)
    return figure


@styled
def image_rows(rows: Tensor, titles: Sequence[str], width: float = TWO_COLUMNS) -> Figure:
    """One grid, a row of images per row of ``rows``, with titles over its columns.

    Args:
        rows: uint8 (rows, columns, C, S, S).
        titles: of the columns, from the left; there may be fewer.
        width: inches.
    """
    pixels = tile(rows.flatten(0, 1), rows.shape[1])
    height = width * pixels.shape[0] / pixels.shape[1] + 0.2
    figure, (axis,) = new_figure(width=width, height=height)
    show_pixels(axis, pixels)
    size = rows.shape[-1]
    for index, title in enumerate(titles):
        centre = index * (size + _GAP) + size / 2
        axis.text(centre, -3, title, ha="center", va="bottom", fontsize=7)
    return figure
