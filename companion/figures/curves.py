"""Curves: training losses and the Hamming path of Figure 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from companion.analysis.inversions import LABELS
from companion.figures.style import (
    COLOURS,
    GREY,
    ONE_COLUMN,
    new_figure,
    styled,
)


@styled
def loss_curves(history: Sequence[Mapping[str, Any]], best_epoch: int, unit: str) -> Figure:
    """Training and validation loss by epoch, with the kept epoch marked.

    Args:
        history: the lines of ``progress.jsonl``.
        best_epoch: whose weights are kept, counted from 1.
        unit: of the loss, for the axis.
    """
    figure, (axis,) = new_figure(width=ONE_COLUMN * 1.5)
    epochs = [line["epoch"] for line in history]
    for part in ("train", "validation"):
        losses = [line[f"{part}_loss"] for line in history]
        axis.plot(epochs, losses, color=COLOURS[part], label=part)
    best = history[best_epoch - 1]["validation_loss"]
    kept = f"kept: epoch {best_epoch}, {best:.1f}"
    axis.plot(best_epoch, best, "o", color=COLOURS["validation"], ms=4, label=kept)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    low = min(line[f"{p}_loss"] for line in history for p in ("train", "validation"))
    typical = sorted(line["validation_loss"] for line in history)[len(history) // 2]
    if history[0]["train_loss"] > 4 * typical:  # the first epochs would flatten the rest
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}")
        axis.set_ylim(bottom=low * 0.9)
    axis.set_xlabel("epoch")
    axis.set_ylabel(f"loss an image ({unit})")
    axis.legend()
    return figure


@styled
def hamming_paths(paths: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Mean and standard deviation, cut at 0, of the distance from source and target (Figure 9).

    Args:
        paths: by method, what :func:`lbae_lib.latent.interpolation.hamming_path` returns.
    """
    columns = len(paths)
    figure, axes = new_figure(
        columns, width=max(ONE_COLUMN, 1.8 * columns), height=2.2, sharey=True
    )
    for axis, (method, (source, target)) in zip(axes, paths.items(), strict=True):
        steps = np.arange(1, source.shape[1] + 1)
        axis.plot(steps, np.linspace(0, 1, len(steps)), color=GREY, lw=0.7, ls=":")
        axis.plot(steps, np.linspace(1, 0, len(steps)), color=GREY, lw=0.7, ls=":")
        for values, end, colour in (
            (source, "source", COLOURS["source"]),
            (target, "target", COLOURS["target"]),
        ):
            mean, spread = values.mean(0).numpy(), values.std(0).numpy()
            low = np.maximum(mean - spread, 0)
            axis.fill_between(steps, low, mean + spread, color=colour, alpha=0.2, lw=0)
            axis.plot(steps, mean, color=colour, label=f"from {end}")
        axis.set_title(fill(LABELS[method], 22), fontsize=7)
        axis.set_xlabel("step k")
        axis.set_xticks([1, len(steps) // 2, len(steps)])
    axes[0].set_ylabel("distance / distance of the ends")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
