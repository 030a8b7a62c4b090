"""What several figures do with their axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray


def plain_numbers(side: XAxis | YAxis, subs: Sequence[int] = (1, 2, 5)) -> None:
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
