"""The network as a drawing (supplement, Figures 1 and 2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from companion.analysis.network_stages import Stage, residual_layers
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, new_figure, styled

_FACE = {"encoder": "#cfe4f2", "decoder": "#f7dccb"}


@styled
def architecture(stages: Sequence[Stage], image_shape: tuple[int, ...]) -> Figure:
    """Encoder and decoder as slabs: height is the side of the maps, depth their number.

    Args:
        stages: from :func:`companion.analysis.network_stages.stages`.
        image_shape: (C, S, S).
    """
    figure, (axis,) = new_figure(width=TWO_COLUMNS, height=2.6)
    side = image_shape[1]
    slabs = [("image", "encoder", image_shape)]
    slabs += [(s.name, s.part, s.shape) for s in stages]
    x = 0.0
    centres = []
    for index, (name, part, shape) in enumerate(slabs):
        bits = name.startswith("linear, tanh")
        wide = _slab(axis, x, shape, side, "#fff3c4" if bits else _FACE[part])
        centre = x + wide / 2
        centres.append((x, x + wide))
        label = "bits" if bits else ""
        size = f"{shape[0]}×{shape[1]}²" if len(shape) == 3 else f"{shape[0]}"
        axis.text(centre, -1.06, f"{size}\n{label}".strip(), ha="center", va="top", fontsize=6)
        words = name.replace("transposed conv", "tr. conv")
        axis.text(
            centre,
            1.3,
            words,
            ha="left",
            va="bottom",
            fontsize=6,
            rotation=38,
            color=INK,
        )
        x += wide + 0.55 + (0.12 if index == 0 else 0.0)
    for (_, end), (start, _) in itertools.pairwise(centres):
        axis.add_patch(
            FancyArrowPatch(
                (end + 0.1, 0),
                (start - 0.03, 0),
                arrowstyle="->",
                mutation_scale=6,
                color=GREY,
            )
        )
    axis.set(xlim=(-0.4, x + 1.1), ylim=(-1.3, 2.55))
    axis.set_axis_off()
    return figure


@styled
def residual_blocks() -> Figure:
    """The layers inside a residual block of the encoder and of the decoder."""
    figure, axes = new_figure(2, width=TWO_COLUMNS, height=1.7, rows=1)
    for axis, transposed in zip(axes, (False, True), strict=True):
        layers = residual_layers(transposed)
        part = "decoder" if transposed else "encoder"
        for index, layer in enumerate(layers):
            axis.add_patch(
                Rectangle((index, 0), 0.8, 1, facecolor=_FACE[part], edgecolor=INK, lw=0.4)
            )
            words = layer.replace("transposed", "tr.").replace(", ", ",\n").replace(" (", "\n(")
            axis.text(
                index + 0.4, 0.5, words, rotation=90, fontsize=6, ha="center", va="center"
            )  # fmt: skip
        skip = FancyArrowPatch(
            (1.4, 1.02), (8.4, 1.02), connectionstyle="arc3,rad=-0.12", arrowstyle="->",
            mutation_scale=7, color=COLOURS["normal"], lw=1,
        )  # fmt: skip
        axis.add_patch(skip)
        axis.set(xlim=(-0.1, len(layers)), ylim=(-0.05, 1.45))
        axis.set_title(f"residual block of the {part}", pad=2)
        axis.set_axis_off()
    return figure


def _slab(axis: Axes, x: float, shape: tuple[int, ...], side: int, colour: str) -> float:
    """Draw a slab with its left edge at x; returns its width."""
    if len(shape) == 3:
        height = 0.35 + 1.65 * shape[1] / side
        wide = 0.12 + 0.09 * math.log2(shape[0] + 1)
    else:
        height, wide = 0.35 + 0.25 * math.log10(max(10, shape[0])), 0.14
    low, high, shift = -height / 2, height / 2, 0.12
    front = Rectangle((x, low), wide, height, facecolor=colour, edgecolor=INK, lw=0.5)
    top = Polygon(
        [(x, high), (x + shift, high + shift), (x + wide + shift, high + shift), (x + wide, high)],
        facecolor=colour, edgecolor=INK, lw=0.5, alpha=0.7,
    )  # fmt: skip
    right = Polygon(
        [
            (x + wide, low),
            (x + wide + shift, low + shift),
            (x + wide + shift, high + shift),
            (x + wide, high),
        ],
        facecolor=colour, edgecolor=INK, lw=0.5, alpha=0.45,
    )  # fmt: skip
    for patch in (top, right, front):
        axis.add_patch(patch)
    return wide + shift
