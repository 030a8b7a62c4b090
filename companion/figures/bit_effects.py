"""Effect maps of single bits, and how the effects are spread over the bits."""

import numpy as np
import seaborn as sns
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from companion.analysis.bit_effects import BitEffects, participation_ratio
from companion.figures.axes import plain_numbers
from companion.figures.style import COLOURS, GREY, TWO_COLUMNS, new_figure, styled

_COLUMNS = 8  # bits of a row


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
            title = f"bit {int(effects.bits[index])}\n{float(shares[index]):.2%}"
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
