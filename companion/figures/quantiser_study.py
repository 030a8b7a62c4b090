"""Rate and distortion of quantisers, and the pictures that a study keeps."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from companion.figures.axes import legend_below, plain_numbers, show_pixels
from companion.figures.bottleneck_study import PALETTE
from companion.figures.style import TWO_COLUMNS, new_figure, styled


@styled
def rates(
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    labels: Mapping[str, str],
    titles: tuple[str, str],
) -> Figure:
    """Distortion over bits per image, a point per seed: raw bits open, by the prior filled."""
    figure, axes = new_figure(2, height=3.1)
    for axis, title, name in zip(axes, titles, ("error", "distance"), strict=True):
        for (key, seeds), colour in zip(points.items(), PALETTE, strict=False):
            raw, prior, values = ([p[k] for p in seeds] for k in ("bits", "prior_bits", name))
            axis.plot(raw, values, "o", mfc="none", color=colour, ms=4.5, label=labels[key])
            if None not in prior:
                axis.plot(prior, values, "o", color=colour, ms=4.5)
        axis.set(xscale="log", xlabel="bits per image", ylabel=title)
        plain_numbers(axis.xaxis, (1,))
        largest = max(run[name] for runs in points.values() for run in runs)
        axis.set_ylim(0, 1.1 * largest or 1)
    legend_below(figure, axes[0], 3)
    return figure


@styled
def pictures(files: Mapping[str, str], labels: Mapping[str, str]) -> Figure:
    """The pictures of each variant, PNG files in base 64, as its first seed left them."""
    columns = 2
    tiles = {
        key: np.asarray(Image.open(io.BytesIO(base64.b64decode(file))).convert("RGB"))
        for key, file in files.items()
    }
    rows = -(-len(tiles) // columns)
    tallest = max(pixels.shape[0] / pixels.shape[1] for pixels in tiles.values())
    height = rows * (TWO_COLUMNS / columns * tallest + 0.25)
    figure, axes = new_figure(columns, rows, height=height)
    for axis in axes:
        axis.set_axis_off()
    for axis, (key, pixels) in zip(axes, tiles.items(), strict=False):
        show_pixels(axis, pixels)
        axis.set_title(labels[key])
        axis.set_anchor("N")
    return figure
