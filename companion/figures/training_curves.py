"""Losses of both models against epochs and against time; distances against numbers of images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.analysis.loss_fit import LossFit
from companion.analysis.sample_size import SizeCurve
from companion.figures.axes import legend_below, plain_numbers
from companion.figures.style import COLOURS, TWO_COLUMNS, new_figure, styled


@styled
def losses_by_time(
    histories: Mapping[str, tuple[str, Sequence[Mapping[str, Any]]]],
    fits: Mapping[str, LossFit | None],
    unit: str,
) -> Figure:
    """Training and validation losses by epoch and by minutes, on logarithmic axes.

    ``histories`` has a label and the lines of ``progress.jsonl`` by colour key ("lbae", "vae");
    ``fits`` are those of the validation loss by epoch.
    """
    figure, axes = new_figure(2, height=2.7, sharey=True)
    for key, (label, history) in histories.items():
        minutes = [line["seconds"] / 60 for line in history]
        for axis, times in zip(axes, ([line["epoch"] for line in history], minutes), strict=True):
            for part, style in (("validation", "-"), ("train", ":")):
                losses = [line[f"{part}_loss"] for line in history]
                name = f"{label}, {part}"
                axis.plot(times, losses, style, color=COLOURS[key], label=name, marker=".", ms=3)
        if (fit := fits.get(key)) is not None:
            # Twice as many epochs: where the curve would go on a constant rate.
            epochs = np.geomspace(2, 2 * len(history), 100)
            losses = [fit.at(epoch) for epoch in epochs]
            name = f"{label}, a + b·t⁻ᶜ"
            axes[0].plot(epochs, losses, "--", color=COLOURS[key], lw=0.8, label=name)
    for axis, title in zip(axes, ("epoch", "minutes"), strict=True):
        axis.set(xlabel=title, xscale="log", yscale="log")
        plain_numbers(axis.xaxis)
        plain_numbers(axis.yaxis, (1, 1.5, 2, 3, 5, 7))
    axes[0].set_ylabel(f"loss per image ({unit})")
    legend_below(figure, axes[0], 3)
    return figure


@styled
def distances_against_size(curves: Mapping[str, SizeCurve], unit: str) -> Figure:
    """Fréchet distances by the number of images, with the deviation over disjoint sets."""
    figure, (axis,) = new_figure(width=TWO_COLUMNS * 0.7, height=2.9)
    for key, curve in curves.items():
        means = [spread.mean for spread in curve.distances]
        errors = [spread.deviation or 0.0 for spread in curve.distances]
        axis.errorbar(curve.sizes, means, errors, color=COLOURS[key], label=curve.label, marker="o",
                      ms=3.5, elinewidth=0.8, capsize=2)  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="images of each set and of the reference")
    plain_numbers(axis.xaxis)
    plain_numbers(axis.yaxis)
    axis.set_ylabel(unit)
    legend_below(figure, axis, 2)
    return figure
