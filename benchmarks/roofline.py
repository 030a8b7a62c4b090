"""The limits of a machine, and how close two training loops come to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from companion.figures.style import COLOURS, GREY, INK, ONE_COLUMN, new_figure, styled


@styled
def roofline(found: Mapping[str, Any]) -> Figure:
    """Limits by copies and by matrix products, and the rate of each loop below them.

    Args:
        found: a record of ``benchmarks/training.py``: "roofs" (FLOP/s by precision, and "copy" in
            B/s), "work" ("flops" and "bytes" per image), and for "plain" and "library"
            "images_per_second".
    """
    figure, (axis,) = new_figure(width=1.5 * ONE_COLUMN, height=2.7)
    roofs, work = dict(found["roofs"]), found["work"]
    intensity, copies = work["flops"] / work["bytes"], roofs.pop("copy")
    x = np.geomspace(0.1, 100 * max(1.0, intensity), 200)
    note: Any = {"fontsize": 7, "color": GREY}
    for name, height in roofs.items():
        axis.plot(x, np.minimum(copies * x, height) / 1e9, color=INK, lw=1)
        axis.text(x[-1], height / 1e9 * 1.1, f"matrix products, {name}", ha="right", **note)
    axis.text(0.14, copies * 0.14 / 1e9 * 3.5, "copies", **note)
    for side, label, colour in (("plain", "plain loop", "vae"), ("library", "lbae_lib", "lbae")):
        rate = found[side]["images_per_second"]
        look: Any = {"color": COLOURS[colour], "label": f"{label}, {rate:,.0f} images/s"}
        axis.plot(intensity, rate * work["flops"] / 1e9, "o", ms=5, **look)
    axis.set(xscale="log", yscale="log", xlabel="FLOP per byte, each operation by itself")
    axis.set_ylabel("GFLOP/s")
    axis.legend(loc="lower right")
    return figure
