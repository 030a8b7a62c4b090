"""What several figures do with their axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

_MAX_ROWS = 250  # of a matrix: more would not fit its pixels


def shown_rows(count: int) -> NDArray[np.int64]:
    """Evenly spaced rows of a matrix if all would not fit, the first and last among them."""
    return np.linspace(0, count - 1, min(count, _MAX_ROWS)).round().astype(int)


def heat_map(axis: Axes, matrix: NDArray[np.float64], most: float, **options: Any) -> None:
    """A matrix of signed numbers up to ``most``; options are those of seaborn's."""
    look = {"square": True, "rasterized": True, "xticklabels": False, "yticklabels": False}
    sns.heatmap(matrix, ax=axis, cmap="vlag", vmin=-most, vmax=most, **look, **options)


def plain_numbers(side: XAxis | YAxis, subs: Sequence[float] = (1, 2, 5)) -> None:
    """Label a logarithmic axis with plain numbers: ``subs`` times the powers of ten."""
    side.set_major_locator(LogLocator(subs=subs))
    side.set_major_formatter("{x:g}")
    side.set_minor_formatter(NullFormatter())


def legend_below(figure: Figure, axis: Axes, columns: int) -> None:
    """One legend below all panels, with the entries of one of them."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def show_pixels(axis: Axes, pixels: NDArray[np.uint8]) -> None:
    """An image with crisp pixels, uint8 (height, width, 3), and nothing around it."""
    axis.imshow(pixels, interpolation="nearest")
    axis.set_axis_off()
