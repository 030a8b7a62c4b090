"""Accuracies of linear probes."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from companion.analysis.probes import Probe
from companion.figures.fonts import literal
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, new_figure, styled


@styled
def accuracies(found: Mapping[str, Probe], of: str) -> Figure:
    """Bars with two standard errors, from the label of each probe's inputs; ``of`` is the axis."""
    figure, (axis,) = new_figure(width=TWO_COLUMNS * 0.8, height=0.34 * len(found) + 0.7)
    names = [literal(name, 40) for name in found]
    values = [probe.accuracy for probe in found.values()]
    errors = [2 * probe.error for probe in found.values()]
    colours = [GREY if probe.penalty is None else COLOURS["lbae"] for probe in found.values()]
    axis.barh(names, values, xerr=errors, height=0.62, color=colours, ecolor=INK, capsize=2)
    axis.set(xlabel=of, xlim=(0, 1))
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    return figure
