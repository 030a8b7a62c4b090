"""What single bits do: their effects, the decoder's rows, linear probes, and flipped bits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.stats import beta
from torch import Tensor

from companion.analysis.bit_effects import BitEffects, participation_ratio
from companion.analysis.decoder_rows import DecoderRows
from companion.analysis.probes import Probe
from companion.analysis.robustness import Perturbed
from companion.figures.axes import legend_below, plain_numbers
from companion.figures.fonts import literal
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, new_figure, styled

_COLUMNS = 8  # bits in a row of maps
_BINS = 40  # of the cosines


@styled
def effect_maps(effects: BitEffects) -> Figure:
    """Maps of the strongest and of the weakest bits, each group with its own scale of colours.

    Of each group, the upper row has the signed effect and the lower row the absolute one. Channels
    are averaged. Titles have the bit's number and its share in all squared effects.
    """
    columns = min(_COLUMNS, len(effects.bits))
    order, shares = effects.order, effects.shares
    groups = {"strongest": order[:columns], "weakest": order[-columns:].flip(0)}
    figure, axes = new_figure(columns, 4, height=0.8 + 4 * TWO_COLUMNS / (columns + 1.5))
    colours = sns.color_palette("vlag", as_cmap=True)
    for row, (name, chosen) in enumerate(groups.items()):
        own = axes[2 * row * columns : 2 * (row + 1) * columns]
        maps = [m[chosen].mean(1).numpy() for m in (effects.signed, effects.absolute)]
        most = max(float(np.abs(maps).max()), 1e-6)
        scale = Normalize(-most, most)
        for axis, pixels in zip(own, np.concatenate(maps), strict=True):
            axis.imshow(pixels, norm=scale, cmap=colours, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, index in zip(own, chosen.tolist(), strict=False):
            title = f"bit {int(effects.bits[index]) + 1}\n{float(shares[index]):.2%}"
            axis.set_title(title, fontsize=6.5, fontweight="normal", loc="center")
        own[0].set_ylabel(f"{name},\nsigned")
        own[columns].set_ylabel(f"{name},\nabsolute")
        figure.colorbar(ScalarMappable(scale, colours), ax=own, shrink=0.8, aspect=30)
    return figure


@styled
def effect_spread(effects: BitEffects, norms: Tensor) -> Figure:
    """The share of the squared effects that the strongest bits have; and effects by row norm.

    ``norms`` are those of the decoder's rows of all bits, (N,).
    """
    figure, (left, right) = new_figure(2, height=2.6)
    shares = effects.shares[effects.order]
    count = np.arange(len(shares) + 1)
    left.plot(count, np.append(0, shares.cumsum(0)), color=COLOURS["lbae"], label="strongest first")
    left.plot(count, count / len(shares), color=GREY, ls=":", label="equal effects")
    ratio = participation_ratio(effects.squared)
    left.axvline(ratio, color=COLOURS["vae"], lw=1, ls="--", label="participation ratio")
    left.set(xlabel="bits", ylabel="share of all squared effects", ylim=(0, 1.02), xlim=(0, None))
    left.legend(loc="upper left")
    right.plot(norms[effects.bits], effects.squared, "o", ms=3, color=COLOURS["lbae"], mec="none")
    right.set(xlabel="norm of the bit's row", ylabel="squared error per image", yscale="log")
    plain_numbers(right.yaxis)
    return figure


@styled
def dictionary(found: DecoderRows) -> Figure:
    """Norms and singular values from the largest, and the distribution of the cosines.

    Dotted: the norm before training, and the cosines of rows in random directions, as they are
    then.
    """
    bits, features = found.rows.shape
    figure, (norms, cosines, values) = new_figure(3, height=2.5)
    look: Any = {"color": COLOURS["lbae"], "label": "trained"}
    norms.plot(range(1, bits + 1), found.norms.sort(descending=True).values, **look)
    random: Any = {"color": INK, "ls": ":", "lw": 1, "label": "before training"}
    norms.axhline(DecoderRows.untrained_norm(bits, features), **random)
    norms.set(title="norms", xlabel="rows, by norm", ylabel="norm", ylim=(0, None))
    most = min(1.0, max(0.01, 5 * float(found.cosines.square().mean().sqrt())))
    edges = np.linspace(-most, most, _BINS + 1)
    shown: Any = {"color": COLOURS["lbae"], "alpha": 0.35, "fill": True}
    cosines.stairs(np.histogram(found.cosines, edges, density=True)[0], edges, **shown)
    at, half = np.linspace(-most, most, 401)[1:-1], (features - 1) / 2
    cosines.plot(at, beta.pdf((at + 1) / 2, half, half) / 2, **random)
    cosines.set(title="cosines", xlabel="cosine of two rows", ylabel="density")
    largest = found.singular_values
    dot = "o" if len(largest) <= _BINS else ""
    values.plot(range(1, len(largest) + 1), largest, marker=dot, ms=2.5, **look)
    values.set(title="singular values", xlabel="number", ylim=(0, None))
    legend_below(figure, norms, 2)
    return figure


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


@styled
def robustness(
    flips: Sequence[Perturbed], noise: Sequence[Perturbed], kept: str, chance: float | None = None
) -> Figure:
    """Squared errors by share of flipped bits; and what is ``kept``, of bits beside a VAE's noise.

    The second panel is drawn where there is a classifier. Bars are two standard errors, and the
    dotted line is what is kept by ``chance``.
    """
    panels = 1 + (flips[0].kept is not None)
    figure, axes = new_figure(panels, width=3.4 * panels, height=2.7)
    shares = [found.strength for found in flips]
    errors = {
        "to the original": ([one.to_original for one in flips], "-"),
        "to the reconstruction": ([one.to_reconstruction for one in flips], "--"),
    }
    for label, (values, line) in errors.items():
        axes[0].plot(shares, values, line, marker="o", ms=3, color=COLOURS["lbae"], label=label)
    axes[0].set(xlabel="share of flipped bits", ylabel="squared error per image", ylim=(0, None))
    axes[0].legend()
    groups = {"lbae": (flips, "LBAE, flipped bits"), "vae": (noise, "VAE, noise on the means")}
    for axis in axes[1:]:
        for key, (found, label) in groups.items():
            if found:
                where = [one.to_reconstruction for one in found]
                share, error = np.array([(one.kept, one.error) for one in found], float).T
                look: Any = {"marker": "o", "ms": 3, "capsize": 2, "color": COLOURS[key]}
                axis.errorbar(where, share, 2 * error, label=label, **look)
        if chance is not None:
            axis.axhline(chance, color=GREY, lw=0.7, ls=":")
        axis.set(xlabel="squared error to the reconstruction", ylabel=kept, ylim=(0, 1.03))
        axis.legend()
    return figure
