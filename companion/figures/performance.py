"""What a machine could do and what a training loop makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.figures.style import COLOURS, GREY, INK, ONE_COLUMN, new_figure, styled

_LABELS = {"plain": "plain loop", "library": "lbae_lib"}


@styled
def roofline(found: Mapping[str, Any]) -> Figure:
    """Roofs of copies and matrix products, and each loop under them.

    Args:
        found: the content of a file in ``results/performance/``: "roofs" (FLOP/s by precision, and
            "copy" in B/s), "work" ("flops" and "bytes" an image), and for "plain" and "library"
            "images_per_second" and "precision".
    """
    figure, (axis,) = new_figure(width=1.5 * ONE_COLUMN, height=2.7)
    roofs, work = found["roofs"], found["work"]
    intensity = work["flops"] / work["bytes"]
    x = np.geomspace(0.1, 100 * max(1.0, intensity), 200)
    for name, height in roofs.items():
        if name != "copy":
            axis.plot(x, np.minimum(roofs["copy"] * x, height) / 1e9, color=INK, lw=1)
            axis.text(
                x[-1], height / 1e9 * 1.1, f"matrix products, {name}", ha="right", fontsize=7,
                color=GREY,
            )  # fmt: skip
    axis.text(0.14, roofs["copy"] * 0.14 / 1e9 * 3.5, "copies", fontsize=7, color=GREY)
    for side, colour in (("plain", COLOURS["vae"]), ("library", COLOURS["lbae"])):
        rate = found[side]["images_per_second"]
        label = f"{_LABELS[side]}, {rate:,.0f} images/s"
        axis.plot(intensity, rate * work["flops"] / 1e9, "o", ms=5, color=colour, label=label)
    axis.set(xscale="log", yscale="log", xlabel="FLOP a byte, each operation on its own",
             ylabel="GFLOP/s")  # fmt: skip
    axis.legend(loc="lower right")
    return figure
