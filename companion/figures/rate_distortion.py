"""Rate and distortion, and the cross-entropy of latents under several models."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.analysis.rate_distortion import LABELS, MOSAIC, Point
from companion.figures.axes import legend_below, plain_numbers
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, new_figure, styled

_LEAST = 1.0  # bits an image: less says nothing of it, and would cost the axis a decade or two
_MARKS = {"packed": "s", "factorised": "^", "autoregressive": "o"}


@styled
def rate_distortion(points: Sequence[Point], distance: str) -> Figure:
    """PSNR and Fréchet distance over measured bits per image.

    An LBAE's points are marked by coder; a line joins the others, dashed for mosaics. Points of
    less than one bit an image are left out.
    """
    points = [point for point in points if point.bits >= _LEAST]
    figure, axes = new_figure(2, height=3.1)
    for axis, measure, label in zip(
        axes, ("psnr", "distance"), ("PSNR, dB", distance), strict=True
    ):
        for method in dict.fromkeys(point.method for point in points):
            own = [p for p in points if p.method == method and p.distance >= 0]
            if method == "lbae":
                for coder, mark in _MARKS.items():
                    part = [p for p in own if p.setting.endswith(coder) and p.error > 0]
                    face = "white" if coder == "packed" else None
                    look: Any = {"marker": mark, "ls": "", "ms": 4.5, "mfc": face}
                    _draw(axis, part, measure, "lbae", f"LBAE, {LABELS[coder]}", look)
            else:
                own = [p for p in own if p.error > 0 or measure != "psnr"]
                own.sort(key=lambda point: point.bits)
                line = "--" if method.endswith(MOSAIC) else "-"
                look = {"marker": ".", "ms": 5, "lw": 1, "ls": line}
                _draw(axis, own, measure, method, LABELS[method], look)
        axis.set(xscale="log", xlabel="measured bits per image", ylabel=label)
        plain_numbers(axis.xaxis, (1,))
    axes[1].set_yscale("symlog", linthresh=0.1)
    axes[1].set_ylim(-0.01, 1.5 * max(0.01, *(point.distance for point in points)))
    legend_below(figure, axes[1], 4)
    return figure


def _draw(
    axis: Axes, points: Sequence[Point], measure: str, method: str, label: str, look: Any
) -> None:
    bits, values = [p.bits for p in points], [getattr(p, measure) for p in points]
    axis.plot(bits, values, color=COLOURS[method.removesuffix(MOSAIC)], label=label, **look)


@styled
def entropy_ladder(bits: Mapping[str, float], raw: int) -> Figure:
    """Bits per latent under better and better models, the simplest first; ``raw`` is N."""
    figure, (axis,) = new_figure(width=TWO_COLUMNS * 0.8, height=0.34 * (len(bits) + 1) + 0.5)
    names, colours = ["raw", *(LABELS[n] for n in bits)], [GREY, *(COLOURS[n] for n in bits)]
    bars = axis.barh(names, [raw, *bits.values()], height=0.62, color=colours)
    axis.bar_label(bars, fmt="{:.4g}", padding=4, fontsize=7.5)
    axis.set_xlabel("bits per latent")
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0, colors=INK)
    return figure


@styled
def entropy_orders(bits: Mapping[str, float], raw: int) -> Figure:
    """What each model takes off the one before, from N raw bits, and what is left.

    ``bits`` are cross-entropies per latent by model, the simplest first; ``raw`` is N.
    """
    figure, (axis,) = new_figure(width=TWO_COLUMNS * 0.85, height=0.34 * (len(bits) + 1) + 0.6)
    before = float(raw)
    for row, (key, after) in enumerate(bits.items()):
        axis.barh(LABELS[key], before - after, left=after, height=0.62, color=COLOURS[key])
        text = f"{after - before:+.1f} ".replace("-", "\N{MINUS SIGN}")
        axis.text(min(before, after), row, text, ha="right", va="center", fontsize=7.5)
        before = after
    axis.bar_label(
        axis.barh("left", before, height=0.62, color=GREY), fmt="{:.1f}", padding=4, fontsize=7.5
    )
    axis.axvline(raw, color=INK, lw=0.7, ls=":")
    axis.set(xlabel="bits per latent", xlim=(0, 1.08 * raw))
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    return figure
