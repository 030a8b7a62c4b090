"""Rate and distortion, and the ladder of entropies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from companion.analysis.rate_distortion import LABELS, Point
from companion.figures.style import (
    COLOURS,
    GREY,
    INK,
    TWO_COLUMNS,
    new_figure,
    plain_numbers,
    styled,
)

_MARKS = {"packed": "s", "factorised": "^", "autoregressive": "o"}


@styled
def rate_distortion(points: Sequence[Point], distance: str) -> Figure:
    """PSNR and Fréchet distance against measured bits an image.

    Args:
        points: of all methods; those of an LBAE are marked by coder, others joined by a line.
        distance: name of the Fréchet distance.
    """
    figure, axes = new_figure(2, width=TWO_COLUMNS, height=3.1)
    methods = list(dict.fromkeys(point.method for point in points))
    for axis, measure, label in zip(
        axes, ("psnr", "distance"), ("PSNR, dB", distance), strict=True
    ):
        for method in methods:
            own = [p for p in points if p.method == method and p.distance >= 0]
            if method == "lbae":
                for coder, mark in _MARKS.items():
                    part = [p for p in own if p.setting.endswith(coder)]
                    axis.plot(
                        [p.bits for p in part], [getattr(p, measure) for p in part], mark, ms=4.5,
                        color=COLOURS["lbae"], mfc="white" if coder == "packed" else None,
                        label=f"LBAE, {LABELS[coder]}",
                    )  # fmt: skip
                continue
            own = sorted((p for p in own if p.error > 0 or measure != "psnr"), key=lambda p: p.bits)
            axis.plot(
                [p.bits for p in own], [getattr(p, measure) for p in own], ".-", ms=5, lw=1,
                color=COLOURS[method], label=LABELS[method],
            )  # fmt: skip
        axis.set(xscale="log", xlabel="measured bits an image", ylabel=label)
        plain_numbers(axis.xaxis, (1,))
    axes[1].set_yscale("symlog", linthresh=0.1)
    axes[1].set_ylim(-0.01, 1.5 * max(point.distance for point in points))
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


@styled
def entropy_ladder(bits: Mapping[str, float], raw: int) -> Figure:
    """Bits a latent under better and better models.

    Args:
        bits: cross-entropy of test latents, by model, the plainest first.
        raw: N.
    """
    figure, (axis,) = new_figure(width=TWO_COLUMNS * 0.8, height=0.34 * (len(bits) + 1) + 0.5)
    names = list(bits)
    rows = range(len(names) + 1)
    axis.barh(
        rows, [raw, *bits.values()], height=0.62,
        color=[GREY, *(COLOURS[name] for name in names)],
    )  # fmt: skip
    for row, value in zip(rows, [raw, *bits.values()], strict=True):
        axis.annotate(
            f"{value:.4g}", (value, row), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=7.5,
        )  # fmt: skip
    axis.set(xlabel="bits a latent", yticks=rows, yticklabels=["raw", *(LABELS[n] for n in names)])
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0, colors=INK)
    return figure
