"""Curves: training losses, the Hamming distances of Figure 9, and wrong bits of inversions."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from companion.analysis.inversions import LABELS, HammingPaths, SignRules
from companion.figures.axes import legend_below, plain_numbers
from companion.figures.style import COLOURS, GREY, ONE_COLUMN, TWO_COLUMNS, new_figure, styled

_COLUMNS = 4  # panels side by side


@styled
def loss_curves(history: Sequence[Mapping[str, Any]], best_epoch: int, unit: str) -> Figure:
    """Training and validation loss by the lines of ``progress.jsonl``, the kept epoch marked."""
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
        plain_numbers(axis.yaxis, (1, 1.5, 2, 3, 5, 7))
        axis.set_ylim(bottom=0.9 * min(map(min, losses.values())))
    axis.set(xlabel="epoch", ylabel=f"loss per image ({unit})")
    axis.legend()
    return figure


@styled
def hamming_paths(paths: Mapping[str, HammingPaths]) -> Figure:
    """Distances from source and target along paths, one panel for each inversion (Figure 9).

    Solid lines are means, and bands standard deviations, of distances from the path's own ends;
    dashed lines are means of distances from the true latents. Bands are cut at 0, and at 1 where no
    distance is greater: complemented latents can be farther apart than the ends of their path.
    """
    columns = min(len(paths), _COLUMNS)
    rows = -(-len(paths) // columns)
    width = max(ONE_COLUMN, TWO_COLUMNS / _COLUMNS * columns)
    figure, axes = new_figure(columns, rows, width=width, height=1.9 * rows + 0.4, sharey=True)
    for axis, (method, found) in zip(axes, paths.items(), strict=False):
        steps = np.arange(1, found.own[0].shape[1] + 1)
        for ends in ((0, 1), (1, 0)):
            axis.plot(steps, np.linspace(*ends, len(steps)), color=GREY, lw=0.7, ls=":")
        for own, true, end in zip(found.own, found.true, ("source", "target"), strict=True):
            if len(own):  # paths whose ends are equal are left out
                correction = min(1, len(own) - 1)
                mean, spread = own.mean(0).numpy(), own.std(0, correction=correction).numpy()
                most = max(1.0, float(own.max()))
                low, high = np.maximum(mean - spread, 0), np.minimum(mean + spread, most)
                axis.fill_between(steps, low, high, color=COLOURS[end], alpha=0.2, lw=0)
                axis.plot(steps, mean, color=COLOURS[end], label=f"from the path's {end}")
            look: Any = {"color": COLOURS[end], "ls": (0, (2, 1.5)), "lw": 1}
            axis.plot(steps, true.mean(0), **look, label=f"from the true {end}")
        axis.set_title(fill(LABELS[method], 22), fontsize=7)
        axis.set(xlabel="step k", xticks=[1, len(steps) // 2, len(steps)])
    for axis in axes[len(paths) :]:
        axis.remove()
    for axis in axes[::columns]:
        axis.set_ylabel("distance / distance of the ends", fontsize=7)
    legend_below(figure, axes[0], 2)
    return figure


@styled
def wrong_bits_by_rule(found: Mapping[str, SignRules], bits: int) -> Figure:
    """Distributions of the wrong bits of N ``bits`` by Eq. 12 and by the raw signs of V r.

    A normal with the boundary vector behind it has w wrong bits by one rule and N - w by the other.
    """
    figure, axes = new_figure(len(found), height=2.1, sharex=True, sharey=True)
    width = -(-bits // 40)  # a whole number of bits, or the bins make a comb
    edges = np.arange(0, bits + 1 + width, width) - 0.5
    names = {"by_boundary": ("Eq. 12", "algorithm_1"), "raw": ("raw signs", "authors")}
    for axis, (method, rules) in zip(axes, found.items(), strict=True):
        for rule, (label, colour) in names.items():
            sns.histplot(
                x=getattr(rules, rule).numpy(), ax=axis, stat="proportion", element="step",
                bins=edges, color=COLOURS[colour], alpha=0.25, label=label,
            )  # fmt: skip
        behind = float(rules.behind.double().mean())
        axis.set_title(f"{fill(LABELS[method], 22)}\n{behind:.0%} complemented", fontsize=7)
        axis.set(xlabel=f"wrong bits of {bits}", ylabel="share of latents", xlim=(0, bits))
    legend_below(figure, axes[0], 2)
    return figure
