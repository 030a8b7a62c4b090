"""The study of samplers: moment errors, and why bits flip together with equal margins."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from torch import Tensor

from companion.analysis.geometry import great_circle, path_with_flips
from companion.analysis.sampler_study import Sampled
from companion.analysis.samplers import LABELS
from companion.figures.axes import legend_below, plain_numbers
from companion.figures.spheres import wire_sphere
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, new_figure, styled

_NEAR, _CROWD = 1.1, 4  # times the floor, and so many samplers that near it need a panel
_MARKS = {"held": "s", "favoured": "s", "fit": "^", "fit_favoured": "^"}


@styled
def error_plane(found: Mapping[str, Sampled]) -> Figure:
    """Errors of pair moments against errors of first moments, one point per sampler.

    Dotted lines go through "resampled", whose errors are the noise of as many training latents.
    Four or more samplers within 10% of this floor have a panel of their own, with linear axes.
    """
    floor = found["resampled"]
    limits = _NEAR * floor.first, _NEAR * floor.pairs
    near = {k: s for k, s in found.items() if s.first < limits[0] and s.pairs < limits[1]}
    panels = [found, near] if len(near) >= _CROWD else [found]
    figure, axes = new_figure(len(panels), height=4.2)
    for axis, samplers in zip(axes, panels, strict=True):
        axis.axvline(floor.first, color=GREY, lw=0.7, ls=":")
        axis.axhline(floor.pairs, color=GREY, lw=0.7, ls=":")
        for key, s in samplers.items():
            look: Any = {"ms": 5.5, "mfc": "none", "mew": 1.2, "color": COLOURS[key]}
            axis.plot(s.first, s.pairs, _MARKS.get(key, "o"), label=LABELS[key], **look)
        axis.set(xlabel="RMS error, first moments", ylabel="RMS error, pair moments")
        axis.locator_params(nbins=5)
    axes[0].set(xscale="log", yscale="log")
    for side in (axes[0].xaxis, axes[0].yaxis):
        low, high = side.get_view_interval()
        plain_numbers(side, (1, 2, 4, 7) if high < 8 * low else (1, 2, 5))
    for axis in axes[1:]:
        axis.set_title(f"within {_NEAR - 1:.0%} of the floor")
    legend_below(figure, axes[0], 2)
    return figure


@styled
def weights_and_distances(found: Mapping[str, Sampled]) -> Figure:
    """Cumulative distributions of positive bits and of distances to the training latents."""
    figure, axes = new_figure(2, height=2.5, sharey=True)
    titles = ("positive bits", "bits to the nearest training latent")
    for axis, title, name in zip(axes, titles, ("positive", "distances"), strict=True):
        below = {key: getattr(sampled, name).cumsum(0).numpy() for key, sampled in found.items()}
        widths = np.linspace(4.5, 1.0, len(below))  # equal curves are seen below each other
        for (key, values), width in zip(below.items(), widths, strict=True):
            look: Any = {"color": COLOURS[key], "lw": width, "label": LABELS[key]}
            if key in ("resampled", "test"):
                look |= {"ls": "--", "lw": 1.2, "zorder": 3}
            axis.step(range(len(values)), values, where="post", **look)
        low = min(int(np.searchsorted(values, 0.001)) for values in below.values())
        high = max(int(np.searchsorted(values, 0.999)) for values in below.values())
        axis.set(xlabel=title, xlim=(low - 1, high + 1), ylim=(0, 1))
    axes[0].set_ylabel("share with at most as many")
    axes[1].legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    return figure


@styled
def margins_on_path(panels: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Products V r on the path from one normal to another: a bit flips where its line crosses 0.

    Panels have results of :func:`companion.analysis.geometry.margins_along`; at most 40 differing
    bits are drawn.
    """
    figure, axes = new_figure(len(panels), height=2.5)
    for axis, (title, (position, products)) in zip(axes, panels.items(), strict=True):
        values = products.numpy()
        differing = np.flatnonzero(np.sign(values[0]) != np.sign(values[-1]))[:40]
        for bit in differing:
            rising = values[-1, bit] > 0
            colour = COLOURS["positive" if rising else "negative"]
            axis.plot(position, values[:, bit], color=colour, lw=0.6, alpha=0.7)
        axis.axhline(0, color=INK, lw=0.6)
        axis.set(title=title, xlabel="position on the path", xlim=(0, 1))
    axes[0].set_ylabel("V r of a differing bit")
    return figure


@styled
def flips_on_spheres(examples: Mapping[str, tuple[Tensor, Tensor, Tensor]]) -> Figure:
    """Paths between two normals (3,), and the great circles of V (3, 3) on which bits flip."""
    figure = Figure(figsize=(TWO_COLUMNS, TWO_COLUMNS / len(examples) + 0.3), layout="constrained")
    for place, (title, (vectors, source, target)) in enumerate(examples.items(), start=1):
        axis = figure.add_subplot(1, len(examples), place, projection="3d")
        assert isinstance(axis, Axes3D)
        wire_sphere(axis)
        for row in vectors.numpy():
            axis.plot(*great_circle(row).T, color=GREY, lw=1.0)
        path, flips = (points.numpy() for points in path_with_flips(vectors, source, target))
        axis.plot(*path.T, color=COLOURS["nearest"], lw=1.8)
        axis.plot(*flips.T, "o", color=COLOURS["algorithm_1"], ms=5)
        for end, label in ((path[0], "source"), (path[-1], "target")):
            axis.plot(*end[:, None], "o", color=INK, ms=3)
            axis.text(*(1.3 * end), label, fontsize=7, ha="center")
        middle = path[len(path) // 2]  # seen from in front of the path, a little to the side
        turn = float(np.degrees(np.arctan2(middle[1], middle[0]))) + 25
        axis.view_init(elev=float(np.degrees(np.arcsin(middle[2]))) + 10, azim=turn)
        axis.set_title(title)
    return figure
