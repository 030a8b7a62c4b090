"""The network as a drawing (supplement, Figures 1 and 2)."""

import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from companion.analysis.network_stages import Stage, residual_layers
from companion.figures.style import COLOURS, GREY, INK, new_figure, styled

_FACE = {"encoder": "#cfe4f2", "decoder": "#f7dccb", "bits": "#fff3c4"}
_SHIFT = 0.12  # of a slab's back


@styled
def architecture(stages: Sequence[Stage], image_shape: tuple[int, ...]) -> Figure:
    """Encoder and decoder as slabs: height is the side of the maps, depth their number."""
    figure, (axis,) = new_figure(height=2.6)
    slabs = [("image", "encoder", image_shape), *((s.name, s.part, s.shape) for s in stages)]
    x, sides = 0.0, []
    for name, part, shape in slabs:
        kind = "bits" if name.startswith("linear, tanh") else part
        wide = _slab(axis, x, shape, image_shape[1], _FACE[kind])
        sides.append((x, x + wide))
        size = f"{shape[0]}×{shape[1]}²" if len(shape) == 3 else f"{shape[0]}"
        size += "\nbits" * (kind == "bits")
        axis.text(x + wide / 2, -1.06, size, ha="center", va="top", fontsize=6)
        words = name.replace("transposed conv", "tr. conv")
        axis.text(x + wide / 2, 1.3, words, va="bottom", fontsize=6, rotation=38, color=INK)
        x += wide + (0.67 if name == "image" else 0.55)
    for (_, end), (start, _) in itertools.pairwise(sides):
        axis.add_patch(_arrow((end + 0.1, 0), (start - 0.03, 0), mutation_scale=6, color=GREY))
    axis.set(xlim=(-0.4, x + 1.1), ylim=(-1.3, 2.55))
    axis.set_axis_off()
    return figure


@styled
def residual_blocks() -> Figure:
    """The layers inside a residual block of the encoder and of the decoder."""
    figure, axes = new_figure(2, height=1.7)
    for axis, part in zip(axes, ("encoder", "decoder"), strict=True):
        layers = residual_layers(part == "decoder")
        for x, layer in enumerate(layers):
            axis.add_patch(Rectangle((x, 0), 0.8, 1, facecolor=_FACE[part], edgecolor=INK, lw=0.4))
            words = layer.replace("transposed", "tr.").replace(", ", ",\n").replace(" (", "\n(")
            axis.text(x + 0.4, 0.5, words, rotation=90, fontsize=6, ha="center", va="center")
        skip = {"connectionstyle": "arc3,rad=-0.12", "color": COLOURS["normal"], "lw": 1}
        axis.add_patch(_arrow((1.4, 1.02), (8.4, 1.02), mutation_scale=7, **skip))
        axis.set(xlim=(-0.1, len(layers)), ylim=(-0.05, 1.45))
        axis.set_title(f"residual block of the {part}", pad=2)
        axis.set_axis_off()
    return figure


def _slab(axis: Axes, x: float, shape: tuple[int, ...], side: int, colour: str) -> float:
    """Draw a slab with its left edge at x; returns its width."""
    if len(shape) == 3:
        height, wide = 0.35 + 1.65 * shape[1] / side, 0.12 + 0.09 * math.log2(shape[0] + 1)
    else:
        height, wide = 0.35 + 0.25 * math.log10(max(10, shape[0])), 0.14
    low, high, right = -height / 2, height / 2, x + wide
    behind = right + _SHIFT, high + _SHIFT
    top = [(x, high), (x + _SHIFT, high + _SHIFT), behind, (right, high)]
    end = [(right, low), (right + _SHIFT, low + _SHIFT), behind, (right, high)]
    front = [(x, low), (right, low), (right, high), (x, high)]
    for corners, alpha in ((top, 0.7), (end, 0.45), (front, 1.0)):
        axis.add_patch(Polygon(corners, facecolor=colour, edgecolor=INK, lw=0.5, alpha=alpha))
    return wide + _SHIFT


def _arrow(start: tuple[float, float], end: tuple[float, float], **look: object) -> FancyArrowPatch:
    return FancyArrowPatch(start, end, arrowstyle="->", **look)  # type: ignore[arg-type]
