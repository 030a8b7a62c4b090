"""How many bits of a latent each order of dependence explains."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from companion.analysis.rate_distortion import LABELS
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, new_figure, styled


@styled
def entropy_orders(bits: Mapping[str, float], raw: int) -> Figure:
    """What each model takes off the one before, from N raw bits, and what is left.

    ``bits`` are cross-entropies per latent by model, the simplest first; ``raw`` is N.
    """
    figure, (axis,) = new_figure(width=TWO_COLUMNS * 0.85, height=0.34 * (len(bits) + 1) + 0.6)
    before = float(raw)
    for row, (key, after) in enumerate(bits.items()):
        axis.barh(LABELS[key], before - after, left=after, height=0.62, color=COLOURS[key])
        text = f"{after - before:+.1f} ".replace("-", "\N{MINUS SIGN}")
        axis.text(min(before, after), row, text, ha="right", va="center", fontsize=7.5)
        before = after
    axis.bar_label(
        axis.barh("left", before, height=0.62, color=GREY), fmt="{:.1f}", padding=4, fontsize=7.5
    )
    axis.axvline(raw, color=INK, lw=0.7, ls=":")
    axis.set(xlabel="bits per latent", xlim=(0, 1.08 * raw))
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    return figure
