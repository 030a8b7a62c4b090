"""Eigenvalues of H by the size of the decoder's entrance."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from companion.figures.axes import plain_numbers
from companion.figures.bottleneck_study import PALETTE
from companion.figures.style import GREY, ONE_COLUMN, new_figure, styled


@styled
def traces(
    spectra: Mapping[str, Sequence[Sequence[float]]],
    numbers: Mapping[str, int],
    labels: Mapping[str, str],
    level: float,
) -> Figure:
    """The share of the trace of H in its largest eigenvalues: a curve for each variant.

    ``spectra`` has the largest eigenvalues of each seed, as shares of the trace; a dot marks as
    many eigenvalues as the entrance has ``numbers``.
    """
    figure, (axis,) = new_figure(width=1.4 * ONE_COLUMN, height=2.8)
    for (key, seeds), colour in zip(spectra.items(), PALETTE, strict=False):
        shares = np.cumsum(np.array(seeds).mean(0))
        count = np.arange(1, len(shares) + 1)
        axis.plot(count, shares, color=colour, label=labels[key])
        if numbers[key] <= len(shares):
            axis.plot(numbers[key], shares[numbers[key] - 1], "o", ms=4, color=colour)
    axis.axhline(level, color=GREY, lw=0.6, ls=":")
    axis.set(xscale="log", xlabel="eigenvalues of H, largest first", ylabel="share of the trace")
    axis.set_ylim(0, max(1.05, axis.get_ylim()[1]))
    plain_numbers(axis.xaxis)
    axis.legend()
    return figure
