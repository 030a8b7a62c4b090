"""Distributions and moments of latents: Figure 2, and the Gram matrix behind it."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from torch import Tensor

from companion.analysis.latent_distributions import LatentDistributions
from companion.analysis.samplers import LABELS
from companion.figures.axes import heat_map, legend_below, shown_rows
from companion.figures.style import COLOURS, GREY, new_figure, styled
from lbae_lib.latent.higher_order import total_variation
from lbae_lib.latent.moments import Moments

_MAX_POINTS = 20_000  # of a scatter plot
# Of Figure 2: a method's colour in the paper, line and short name.
_METHODS = {
    "truth": ("figure_2_truth", "", ""),
    "direct": ("figure_2_direct", "-", "direct"),
    "clip": ("figure_2_clip", "-", "hyperplane, clipped"),
    "nearest": ("figure_2_clip", ":", "hyperplane, nearest"),
}
_PANELS = (
    ("positive", "positive bits", "bits at +1", "share of latents"),
    ("distances", "pairwise distances", "bits in which two latents differ", "share of pairs"),
    ("pairs", "pair moments", r"$E[b_i b_j]$", "share of pairs of bits"),
    ("first", "first moments", r"$E[b_i]$", "share of bits"),
)


@styled
def distribution(found: Mapping[str, LatentDistributions]) -> Figure:
    """Figure 2: the training latents' distributions against samplers', in the paper's colours.

    Upper row: the number of positive bits, and the Hamming distance of two latents. Lower row:
    E[b_i b_j] of all pairs of bits, and E[b_i] of all bits. Each panel states how far a sampler is
    from the "truth": total variation of what is drawn, and of single moments the RMS error.
    """
    figure, axes = new_figure(2, 2, height=4.9)
    truth = found["truth"]
    for axis, (name, title, unit, share) in zip(axes, _PANELS, strict=True):
        edges = truth.edges(name)
        distances = []
        for method, own in found.items():
            shares = own.shares(name, edges)
            filled = method == "truth"
            colour, line, short = _METHODS[method]
            look: Any = {"color": COLOURS[colour], "fill": filled}
            look |= {"alpha": 0.35, "lw": 0} if filled else {"lw": 1.1, "ls": line}
            axis.stairs(shares, edges, label=LABELS[method], **look)
            if not filled:
                apart = total_variation(shares, truth.shares(name, edges))
                text = f"{short}: TV {apart:.3f}"
                error = own.rms_error(name, truth)
                distances.append(text if error is None else f"{text}, RMS {error:.4f}")
                place = 0.97 - 0.085 * (len(distances) - 1)
                axis.text(0.985, place, distances[-1], color=look["color"], fontsize=6, ha="right",
                          va="top", transform=axis.transAxes)  # fmt: skip
        axis.set(title=title, xlabel=unit, ylabel=share, ylim=(0, 1.3 * axis.get_ylim()[1]))
        axis.set_xlim(edges[0], edges[-1])
    legend_below(figure, axes[0], 2)
    return figure


@styled
def moment_scatter(found: Mapping[str, Moments], truth: Moments) -> Figure:
    """Sampled moments over the truth, one column per method; upper row pairs, lower row first."""
    columns = len(found)
    figure, axes = new_figure(columns, 2, height=2 * 6.75 / columns + 0.2, sharex=True, sharey=True)
    every = max(1, len(truth.pairs) // _MAX_POINTS)
    for index, (method, moments) in enumerate(found.items()):
        upper, lower = axes[index], axes[columns + index]
        for axis, x, y, size in (
            (upper, truth.pairs[::every], moments.pairs[::every], 1.0),
            (lower, truth.first, moments.first, 6.0),
        ):
            axis.axline((0, 0), slope=1, color=GREY, lw=0.6)
            look: Any = {"color": COLOURS[method], "alpha": 0.5, "rasterized": True}
            axis.plot(x, y, ".", ms=size, mew=0, **look)
            axis.set_aspect("equal")
        upper.set_title(fill(LABELS[method], 19), fontsize=6.5)
        lower.set_xlabel("truth")
    axes[0].set_ylabel(r"sampled $E[b_i b_j]$")
    axes[columns].set_ylabel(r"sampled $E[b_i]$")
    return figure


@styled
def moment_matrices(found: Mapping[str, Moments], truth: Moments) -> Figure:
    """The pair moments E[b_i b_j] as matrices, with correlated bits side by side.

    Average-linkage clustering of 1 - |E[b_i b_j]| of the truth orders the bits of every panel. If
    there are more bits than pixels, evenly spaced ones are shown.
    """
    own = truth.matrix[:-1, :-1].numpy()
    apart = 1 - np.abs(own[np.triu_indices(len(own), 1)])
    most = np.quantile(1 - apart, 0.999)  # one pair must not fade all others
    order = leaves_list(linkage(apart, method="average", optimal_ordering=True))
    order = order[shown_rows(len(order))]
    panels = {"truth": truth, **found}
    figure, axes = new_figure(len(panels), height=2.05)
    for axis, (method, moments) in zip(axes, panels.items(), strict=True):
        heat_map(axis, moments.matrix[:-1, :-1].numpy()[np.ix_(order, order)], most, cbar=False)
        axis.set_title(fill(LABELS[method], 19), fontsize=6.5)
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=0.7, aspect=18, extend="both")
    bar.set_label(r"$E[b_i b_j]$")
    return figure


@styled
def spectrum(before: Tensor, after: Mapping[str, Tensor]) -> Figure:
    """Eigenvalues of the Gram matrix H, ascending, before and after repairs."""
    figure, (left, right) = new_figure(2, height=2.2)
    ranks = np.arange(1, len(before) + 1)
    for axis in (left, right):
        axis.axhline(0, color=GREY, lw=0.6)
        axis.plot(ranks, before.flip(0), color=COLOURS["truth"], label="H of Eq. 9")
        for method, values in after.items():
            axis.plot(ranks, values.flip(0), color=COLOURS[method], lw=1, label=LABELS[method])
        axis.set_xlabel("rank")
    left.set(title="all eigenvalues", ylabel="eigenvalue")
    limit = 1.15 * max(abs(float(before[0])), 1e-3)
    right.set(title="near zero", ylim=(-limit, limit))
    left.legend(loc="upper right")
    return figure
