"""What several figures do with their axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray


def legend_below(figure: Figure, axis: Axes, columns: int) -> None:
    """One legend below all panels, with the entries of one of them."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def show_pixels(axis: Axes, pixels: NDArray[np.uint8]) -> None:
    """An image with crisp pixels, uint8 (height, width, 3), and nothing around it."""
    axis.imshow(pixels, interpolation="nearest")
    axis.set_axis_off()
