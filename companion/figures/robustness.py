"""Distortion by flipped bits, and what a classifier still finds at equal distortion."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.analysis.robustness import Perturbed
from companion.figures.style import COLOURS, GREY, new_figure, styled


@styled
def robustness(
    flips: Sequence[Perturbed], noise: Sequence[Perturbed], kept: str, chance: float | None = None
) -> Figure:
    """Squared errors by share of flipped bits; and what is ``kept``, of bits beside a VAE's noise.

    The second panel is drawn where there is a classifier. Bars are two standard errors, and dotted
    lines are the error without flips, and what is kept by ``chance``.
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
                where = [one.to_original for one in found]
                share, error = np.array([(one.kept, one.error) for one in found], float).T
                look: Any = {"marker": "o", "ms": 3, "capsize": 2, "color": COLOURS[key]}
                axis.errorbar(where, share, 2 * error, label=label, **look)
        axis.axvline(flips[0].to_original, color=GREY, lw=0.7, ls=":")
        if chance is not None:
            axis.axhline(chance, color=GREY, lw=0.7, ls=":")
        axis.set(xlabel="squared error to the original", ylabel=kept, ylim=(0, 1.03))
        axis.legend()
    return figure
