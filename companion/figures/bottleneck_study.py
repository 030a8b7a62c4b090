"""Curves of a study of bottlenecks, and the gradients that they pass on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from companion.figures.axes import legend_below, plain_numbers
from companion.figures.style import GREY, INK, new_figure, styled

# Of the variants in their order; the first is the paper's.
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7A3E9D", GREY,
)  # fmt: skip
_DRAWS = 2000  # of the noise of a stochastic bottleneck


@styled
def study_curves(
    curves: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    labels: Mapping[str, str],
    logarithmic: Sequence[str] = (),
) -> Figure:
    """A panel for each number: means over seeds, bands from the lowest to the highest seed.

    ``curves`` maps the title of a panel and a variant to a number by epoch for each seed;
    ``logarithmic`` has the titles of panels with a logarithmic axis.
    """
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, axes = new_figure(columns, rows, height=2.1 * rows + 0.5)
    for axis, (title, variants) in zip(axes, curves.items(), strict=False):
        for (key, seeds), colour in zip(variants.items(), PALETTE, strict=False):
            values = np.array(seeds)  # (seeds, epochs)
            epochs = np.arange(1, values.shape[1] + 1)
            axis.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
            dot = "o" if len(epochs) == 1 else ""
            line: dict[str, Any] = {"marker": dot, "ms": 4, "color": colour, "label": labels[key]}
            axis.plot(epochs, values.mean(0), ls="-", **line)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if title in logarithmic:
            axis.set_yscale("log")
            plain_numbers(axis.yaxis)
        else:
            axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    legend_below(figure, axes[0], 4)
    return figure


@styled
def surrogate_gradients(
    bottlenecks: Mapping[str, Callable[[Tensor, float, torch.Generator], Tensor]],
    generator: torch.Generator,
) -> Figure:
    """The derivative that each bottleneck passes to a logit, averaged over its noise.

    ``bottlenecks`` maps a label to a function, see :class:`companion.experiments.bottlenecks.Kind`.
    """
    figure, axes = new_figure(2, height=2.6, sharey=True)
    logits = torch.linspace(-3, 3, 241)
    for axis, progress in zip(axes, (0.0, 1.0), strict=True):
        for (label, bits), colour in zip(bottlenecks.items(), PALETTE, strict=False):
            z = logits.expand(_DRAWS, -1).clone().requires_grad_()
            bits(z, progress, generator).sum().backward()
            assert z.grad is not None
            axis.plot(logits, z.grad.mean(0), color=colour, label=label)
        axis.axvline(0, color=INK, lw=0.5, ls=":")
        axis.set(title=f"{'end' if progress else 'start'} of the training", xlabel="logit z")
    axes[0].set_ylabel("gradient, dL/dz : dL/db")
    legend_below(figure, axes[0], 4)
    return figure
