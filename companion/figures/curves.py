"""Curves: training losses, and the Hamming distances of Figure 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from companion.analysis.inversions import LABELS
from companion.figures.axes import legend_below
from companion.figures.style import COLOURS, GREY, ONE_COLUMN, new_figure, styled


@styled
def loss_curves(history: Sequence[Mapping[str, Any]], best_epoch: int, unit: str) -> Figure:
    """Training and validation loss by epoch, with the kept epoch marked.

    Args:
        history: the lines of ``progress.jsonl``.
        best_epoch: the epoch whose weights are kept, counted from 1.
        unit: of the loss, for the axis.
    """
    figure, (axis,) = new_figure(width=ONE_COLUMN * 1.5)
    epochs = [line["epoch"] for line in history]
    losses = {part: [line[f"{part}_loss"] for line in history] for part in ("train", "validation")}
    for part, values in losses.items():
        axis.plot(epochs, values, color=COLOURS[part], label=part)
    best = losses["validation"][best_epoch - 1]
    kept = f"kept: epoch {best_epoch}, {best:.1f}"
    axis.plot(best_epoch, best, "o", color=COLOURS["validation"], ms=4, label=kept)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    typical = sorted(losses["validation"])[len(history) // 2]
    if losses["train"][0] > 4 * typical:  # the first epochs would flatten the rest
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}")
        axis.set_ylim(bottom=0.9 * min(map(min, losses.values())))
    axis.set(xlabel="epoch", ylabel=f"loss per image ({unit})")
    axis.legend()
    return figure


@styled
def hamming_paths(paths: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Mean and standard deviation (cut at 0) of the distances from source and target (Figure 9).

    Args:
        paths: by method, what :func:`lbae_lib.latent.interpolation.hamming_path` returns.
    """
    width = max(ONE_COLUMN, 1.8 * len(paths))
    figure, axes = new_figure(len(paths), width=width, height=2.2, sharey=True)
    for axis, (method, distances) in zip(axes, paths.items(), strict=True):
        steps = np.arange(1, distances[0].shape[1] + 1)
        for ends in ((0, 1), (1, 0)):
            axis.plot(steps, np.linspace(*ends, len(steps)), color=GREY, lw=0.7, ls=":")
        for values, end in zip(distances, ("source", "target"), strict=True):
            mean, spread = values.mean(0).numpy(), values.std(0).numpy()
            low, high = np.maximum(mean - spread, 0), mean + spread
            axis.fill_between(steps, low, high, color=COLOURS[end], alpha=0.2, lw=0)
            axis.plot(steps, mean, color=COLOURS[end], label=f"from {end}")
        axis.set_title(fill(LABELS[method], 22), fontsize=7)
        axis.set(xlabel="step k", xticks=[1, len(steps) // 2, len(steps)])
    axes[0].set_ylabel("distance / distance of the ends")
    legend_below(figure, axes[0], 2)
    return figure
