"""Grids of images with crisp pixels: Figures 5, 7, 8, 10 and 11.

Every pixel of an image is a whole number of pixels of the PNG file, so that none is dropped and all
are of one size. The width of a figure is therefore only near the width asked for.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from companion.figures.axes import show_pixels
from companion.figures.fonts import literal
from companion.figures.style import DPI, TWO_COLUMNS, styled

_GAP = 2  # white pixels between images
_TITLE = 46  # pixels of the file above a grid, for its titles
_BETWEEN = 16  # pixels of the file between grids
_LETTER = 10.5  # pixels of the file, the widest that a letter of a row's label is on average
_LINES_OF = (18, 24, 32, 48)  # letters in a line of a row's label; the first at which it fits
_FEED = 22  # pixels of the file from one line of a row's label to the next
_WORD = 30  # letters of a word, at most, that is not cut for it
_LINES = 9  # of a title or label, at most


def tile(images: Tensor, columns: int, gap: int = _GAP) -> NDArray[np.uint8]:
    """Images uint8 (K, C, S, S), C of 1 or 3, row by row with gaps: uint8 (height, width, 3)."""
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
    """Titled grids of images uint8 (K, C, S, S) side by side, of about ``width`` inches."""
    tiles = [tile(images, columns) for _, images in groups]
    between = _BETWEEN * (len(tiles) - 1)
    across = sum(pixels.shape[1] for pixels in tiles)
    scale = max(1, round((width * DPI - between) / across))
    tallest = scale * max(pixels.shape[0] for pixels in tiles)
    size = scale * across + between, tallest + _TITLE
    figure, left = _figure(size), 0
    for (title, _), pixels in zip(groups, tiles, strict=True):
        _place(figure, size, pixels, left, scale)
        across = scale * pixels.shape[1]
        words = literal(title, max(12, int(across / 12)), _LINES)  # letters in bold
        _write(figure, size, words, left, _TITLE - 6, weight="bold", va="bottom")
        left += across + _BETWEEN
    return figure


@styled
def image_rows(rows: Tensor, titles: Sequence[str] = (), labels: Sequence[str] = ()) -> Figure:
    """One grid of images uint8 (rows, columns, C, S, S), with titles and labels of rows."""
    pixels, step = tile(rows.flatten(0, 1), rows.shape[1]), rows.shape[-1] + _GAP
    word = max(map(len, re.findall(r"[^\s_-]+[_-]?", " ".join(labels))), default=0)
    for letters in _LINES_OF:
        words = [literal(label, max(letters, min(word, _WORD)), _LINES) for label in labels]
        lines = [label.split("\n") for label in words]
        longest = max((len(line) for label in lines for line in label), default=0)
        margin = math.ceil(_LETTER * longest) + 12 * bool(words)
        scale = max(1, round((TWO_COLUMNS * DPI - margin) / pixels.shape[1]))
        if _FEED * max(map(len, lines), default=0) <= scale * step:
            break
    above = _TITLE if titles else 0
    size = margin + scale * pixels.shape[1], above + scale * pixels.shape[0]
    figure = _figure(size)
    _place(figure, size, pixels, margin, scale, above)
    middle = scale * (step - _GAP) / 2
    for index, title in enumerate(titles):
        at = margin + scale * step * index + middle
        _write(figure, size, title, at, above - 8, ha="center", va="bottom", fontsize=7)
    for index, label in enumerate(words):
        at = above + scale * step * index + middle
        _write(figure, size, label, margin - 12, at, ha="right", va="center", fontsize=6.5)
    return figure


def _figure(size: tuple[int, int]) -> Figure:
    """A figure of (width, height) pixels in its file."""
    width, height = ((side + 1e-3) / DPI for side in size)  # rounding must not cost a pixel
    return Figure(figsize=(width, height))


def _place(
    figure: Figure, size: tuple[int, int], pixels: NDArray[np.uint8], left: int, scale: int,
    above: int = _TITLE,
) -> None:  # fmt: skip
    """Draw pixels at ``scale``, ``left`` and ``above`` pixels from the figure's upper left."""
    height, width = (scale * side for side in pixels.shape[:2])
    box = left / size[0], 1 - (above + height) / size[1], width / size[0], height / size[1]
    show_pixels(figure.add_axes(box), pixels)


def _write(
    figure: Figure, size: tuple[int, int], text: str, x: float, y: float, **look: object
) -> None:
    """Text at pixels from the figure's upper left."""
    figure.text(x / size[0], 1 - y / size[1], text, **look)  # type: ignore[arg-type]
