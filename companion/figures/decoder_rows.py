"""The decoder's first layer as a dictionary: norms, cosines and singular values of its rows."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import beta

from companion.analysis.decoder_rows import DecoderRows
from companion.figures.axes import legend_below
from companion.figures.style import COLOURS, INK, new_figure, styled

_BINS = 40


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
    most = min(1.0, max(0.01, 1.1 * float(found.cosines.abs().max())))
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
