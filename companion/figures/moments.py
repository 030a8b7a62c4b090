"""Distributions and moments of latents: Figure 2, and the Gram matrix behind it."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from torch import Tensor

from companion.analysis.samplers import LABELS
from companion.figures.axes import legend_below
from companion.figures.style import COLOURS, GREY, new_figure, styled
from lbae_lib.latent.moments import Moments

_MAX_POINTS = 20_000  # of a scatter plot
_MAX_ROWS = 250  # of a matrix: more would not fit its pixels


@styled
def distribution(latents: Mapping[str, Tensor], found: Mapping[str, Moments]) -> Figure:
    """Figure 2: the training latents' distribution against samplers'.

    Left: E[b_i] of every bit, ordered by the truth. Middle: E[b_i b_j] of every pair, ordered by
    the truth. Right: the distribution of the number of positive bits.

    Args:
        latents: (K, N) in {-1, +1} by method, "truth" among them, in drawing order.
        found: their moments.
    """
    figure, (left, middle, right) = new_figure(3, height=2.3)
    truth = found["truth"]
    bit_order, pair_order = truth.first.argsort(), truth.pairs.argsort()
    ranks = np.arange(0, len(pair_order), max(1, len(pair_order) // 2000))
    for method, moments in found.items():
        is_truth = method == "truth"
        look: Any = {"color": COLOURS[method], "zorder": 1 if is_truth else 2}
        left.plot(moments.first[bit_order], lw=2.4 if is_truth else 0.6, **look)
        points: Any = {"lw": 2.4} if is_truth else {"marker": ".", "ls": "", "ms": 1.2, "mew": 0}
        middle.plot(ranks, moments.pairs[pair_order][ranks], **points, **look)
        ones = (latents[method] > 0).sum(1)
        shares = ones.bincount(minlength=latents[method].shape[1] + 1) / len(ones)
        right.plot(shares, lw=2.4 if is_truth else 1.0, label=LABELS[method], **look)
    totals = np.concatenate([(bits > 0).sum(1).numpy() for bits in latents.values()])
    right.set_xlim(*np.quantile(totals, [0.0005, 0.9995]) + np.array([-2, 2]))
    left.set(title="first moments", xlabel="bit, ordered by truth", ylabel=r"$E[b_i]$")
    middle.set(title="pair moments", xlabel="pair, ordered by truth", ylabel=r"$E[b_i b_j]$")
    right.set(title="positive bits", xlabel="bits at +1", ylabel="share of latents")
    legend_below(figure, right, 3)
    return figure


@styled
def moment_scatter(found: Mapping[str, Moments], truth: Moments) -> Figure:
    """Sampled moments over the truth, one column per method; upper row pairs, lower row first.

    Args:
        found: by method.
        truth: moments of the training latents.
    """
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

    Args:
        found: by method.
        truth: moments of the training latents.
    """
    own = truth.matrix[:-1, :-1].numpy()
    apart = 1 - np.abs(own[np.triu_indices(len(own), 1)])
    most = np.quantile(1 - apart, 0.999)  # one pair must not fade all others
    order = leaves_list(linkage(apart, method="average", optimal_ordering=True))
    order = order[np.linspace(0, len(order) - 1, min(len(order), _MAX_ROWS)).round().astype(int)]
    panels = {"truth": truth, **found}
    figure, axes = new_figure(len(panels), height=2.05)
    for axis, (method, moments) in zip(axes, panels.items(), strict=True):
        matrix = moments.matrix[:-1, :-1].numpy()[np.ix_(order, order)]
        sns.heatmap(
            matrix, ax=axis, cmap="vlag", vmin=-most, vmax=most, square=True, cbar=False,
            rasterized=True, xticklabels=False, yticklabels=False,
        )  # fmt: skip
        axis.set_title(fill(LABELS[method], 19), fontsize=6.5)
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=0.7, aspect=18, extend="both")
    bar.set_label(r"$E[b_i b_j]$")
    return figure


@styled
def spectrum(before: Tensor, after: Mapping[str, Tensor]) -> Figure:
    """Eigenvalues of the Gram matrix before and after repairs.

    Args:
        before: eigenvalues of H, ascending.
        after: by method.
    """
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
