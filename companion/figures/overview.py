"""The method in one figure."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from mpl_toolkits.mplot3d import Axes3D
from torch import Tensor

from companion.analysis.geometry import SphereExample
from companion.figures.spheres import draw_rounding
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, styled

_SIDE = 0.25  # of a panel, as a share of the figure's width
_LEFT = (0.04, 0.375, 0.71)  # edges of the three columns
_BOTTOM = (0.55, 0.05)  # and of the two rows
_HEIGHT = 4.2  # inches
_TALL = _SIDE * TWO_COLUMNS / _HEIGHT  # of a panel, as a share of the figure's height


@styled
def method_overview(
    image: Tensor,
    bits: Tensor,
    reconstruction: Tensor,
    example: SphereExample,
    normal: Tensor,
    new_bits: Tensor,
    new_image: Tensor,
) -> Figure:
    """Above: an image, its bits, its reconstruction. Below: a hyperplane, new bits, a new image."""
    figure = Figure(figsize=(TWO_COLUMNS, _HEIGHT))
    for row, column, pixels, title in (
        (0, 0, image, "an image"),
        (0, 2, reconstruction, "its reconstruction"),
        (1, 2, new_image, "a new image"),
    ):
        axis = _panel(figure, row, column, title)
        axis.imshow(pixels.permute(1, 2, 0).expand(-1, -1, 3).numpy(), interpolation="nearest")
    colours = ListedColormap([COLOURS["negative"], COLOURS["positive"]])
    for row, latent, title in ((0, bits, f"{len(bits)} bits"), (1, new_bits, "new bits")):
        axis = _panel(figure, row, 1, title)
        axis.imshow(_squares(latent), cmap=colours, vmin=-1, vmax=1, interpolation="nearest")
    sphere = _panel(figure, 1, 0, "a random hyperplane", projection="3d")
    assert isinstance(sphere, Axes3D)
    draw_rounding(sphere, example, normal, labels=False)

    gap = _LEFT[1] - _LEFT[0] - _SIDE
    for row, column, text in (
        (0, 0, "encoder,\ntanh, sign"),
        (0, 1, "decoder"),
        (1, 0, "side gives\nthe sign"),
        (1, 1, "decoder"),
    ):
        start = _LEFT[column] + _SIDE + 0.12 * gap
        height = _BOTTOM[row] + _TALL / 2
        _arrow(figure, (start, height), (start + 0.76 * gap, height))
        figure.text(start + 0.38 * gap, height + 0.025, text, ha="center", va="bottom", fontsize=7)
    middle = _LEFT[1] + _SIDE / 2
    _arrow(figure, (middle - 0.03, _BOTTOM[0] - 0.015), (_LEFT[0] + _SIDE, _BOTTOM[1] + _TALL))
    words = "how often two bits agree gives each pair an angle"
    figure.text(middle + 0.01, _BOTTOM[0] - 0.035, words, va="center", fontsize=7)
    return figure


def _squares(bits: Tensor) -> np.ma.MaskedArray[tuple[int, int], np.dtype[np.float64]]:
    """Bits as a square of rows and columns; the rest of the last row is masked."""
    columns = math.ceil(math.sqrt(len(bits)))
    rows = math.ceil(len(bits) / columns)
    cells = np.full(rows * columns, np.nan)
    cells[: len(bits)] = bits.double().numpy()
    return np.ma.masked_invalid(cells.reshape(rows, columns))


def _panel(figure: Figure, row: int, column: int, title: str, **options: Any) -> Axes:
    axis = figure.add_axes((_LEFT[column], _BOTTOM[row], _SIDE, _TALL), **options)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(visible=True, color=GREY, linewidth=0.5)
    axis.set_title(title, fontsize=8, fontweight="normal", loc="center", pad=3)
    return axis


def _arrow(figure: Figure, start: tuple[float, float], end: tuple[float, float]) -> None:
    look: Any = {"arrowstyle": "-|>", "mutation_scale": 9, "color": INK}
    figure.add_artist(FancyArrowPatch(start, end, transform=figure.transFigure, **look))
