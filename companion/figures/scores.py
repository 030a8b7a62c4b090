"""Scores: the precision/recall curves of Figure 6, and distances beside their controls."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from companion.analysis.spread import Spread
from companion.figures.axes import legend_below, plain_numbers
from companion.figures.fonts import literal
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, new_figure, styled


@styled
def precision_recall_curves(panels: Mapping[str, Mapping[str, tuple[str, Tensor]]]) -> Figure:
    """Figure 6: PRD curves (2, angles), precision first; by title and colour key with a label."""
    alone = len(panels) == 1  # then the legend is beside the panel, else below all
    columns = 2 if alone else len(panels)
    side = TWO_COLUMNS / max(columns, 3)
    figure, axes = new_figure(
        columns, width=side * columns, height=side + (0.4 if alone else 1.1), sharey=True
    )
    for axis, (title, curves) in zip(axes, panels.items(), strict=False):
        for colour, (label, (precision, recall)) in curves.items():
            axis.plot(recall, precision, color=COLOURS[colour], label=label)
        axis.set(xlim=(0, 1.01), ylim=(0, 1.01), xlabel="recall", aspect="equal")
        axis.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axis.set_title(literal(title, int(13 * side), 5), fontsize=7.5)
    axes[0].set_ylabel("precision")
    if alone:
        axes[1].set_axis_off()
        axes[1].legend(*axes[0].get_legend_handles_labels(), loc="center left")
    else:
        legend_below(figure, axes[0], min(3, len(axes[0].lines)))
    return figure


@styled
def distance_bars(rows: Sequence[tuple[str, str, Spread]], unit: str) -> Figure:
    """Distances (label, colour key, spread) on a logarithmic axis, from the top."""
    figure, (axis,) = new_figure(width=TWO_COLUMNS * 0.9, height=0.19 * len(rows) + 0.6)
    for place, (_, key, distance) in enumerate(reversed(rows)):
        colour = COLOURS.get(key, INK)
        axis.plot(distance.mean, place, "o", ms=4.5, color=colour)
        if spread := distance.deviation:
            ends = [distance.mean - spread, distance.mean + spread]
            axis.plot(ends, [place, place], color=colour, lw=2, alpha=0.5)
    axis.set_xscale("log")
    plain_numbers(axis.xaxis)
    axis.set_yticks(range(len(rows)), [label for label, _, _ in reversed(rows)])
    axis.grid(axis="x", color=GREY, lw=0.3, alpha=0.5)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(f"{unit}, lower is closer")
    return figure
