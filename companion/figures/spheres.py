"""Unit vectors on the sphere and the hyperplane that rounds them: Figures 3 and 4."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from mpl_toolkits.mplot3d import Axes3D, proj3d
from numpy.typing import NDArray
from torch import Tensor

from companion.analysis.geometry import SphereExample, great_circle
from companion.figures.axes import heat_map, shown_rows
from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, styled

_Array = NDArray[np.float64]
_ELEVATION = 18.0  # of the view, in degrees


class Arrow(FancyArrowPatch):
    """An arrow from the centre to a tip, (3,), whose flat head is seen from every side.

    The heads of matplotlib's own 3-D arrows vanish where the arrow points at the viewer.
    """

    def __init__(self, tip: _Array, colour: str) -> None:
        look: Any = {"arrowstyle": "-|>", "mutation_scale": 11, "shrinkA": 0, "shrinkB": 0}
        super().__init__((0, 0), (0, 0), color=colour, lw=1.6, **look)
        self.tip = tip

    def do_3d_projection(self, renderer: object = None) -> float:
        """Project both ends; matplotlib calls it, and draws far artists first."""
        assert isinstance(self.axes, Axes3D)
        xs, ys, zs = proj3d.proj_transform(*np.array([np.zeros(3), self.tip]).T, self.axes.M)
        self.set_positions((xs[0], ys[0]), (xs[1], ys[1]))
        return float(np.min(zs))


@styled
def sphere_figures(example: SphereExample, normal: Tensor, gram: Tensor) -> Figure:
    """Left, Figure 3: H, bits as unit vectors. Right, Figure 4: a hyperplane gives them signs."""
    figure = Figure(figsize=(TWO_COLUMNS, 2.75))
    heat = figure.add_axes((0.01, 0.2, 0.27, 0.27 * TWO_COLUMNS / 2.75))
    left, right = (
        figure.add_axes((start, 0.0, 0.33, 0.89), projection="3d") for start in (0.3, 0.63)
    )
    assert isinstance(left, Axes3D) and isinstance(right, Axes3D)
    _heat_map(heat, figure.add_axes((0.05, 0.12, 0.19, 0.035)), gram)
    rows = example.vectors.double().numpy()
    wire_sphere(left)
    _face(left, np.vstack([rows, _unit(normal)]))
    arrow(left, rows[-1], COLOURS["boundary"], r"$V_{N+1}$")
    for row, name in zip(rows[:-1], example.names, strict=True):
        arrow(left, row, INK, name)
    draw_rounding(right, example, normal)
    heat.set_title("Figure 3: H, the cosines of angles", fontsize=7.5)
    left.set_title("one unit vector per bit", fontsize=7.5, y=1.04)
    right.set_title("Figure 4: a hyperplane gives signs", fontsize=7.5, y=1.04)
    return figure


def _heat_map(axis: Axes, below: Axes, gram: Tensor) -> None:
    """H and its colours; evenly spaced rows, the boundary's among them, if all would not fit."""
    shown = shown_rows(len(gram))
    cosines = gram.cpu().numpy()[np.ix_(shown, shown)]
    most = float(np.quantile(np.abs(cosines[np.triu_indices(len(cosines), 1)]), 0.99))
    look = {"orientation": "horizontal", "extend": "both"}
    heat_map(axis, cosines, most, cbar_ax=below, cbar_kws=look)
    below.tick_params(labelsize=6)


def draw_rounding(
    axis: Axes3D, example: SphereExample, normal: Tensor, labels: bool = True
) -> None:
    """A hyperplane with a normal (3,), and bits in the colour of the side their vectors are on."""
    wire_sphere(axis)
    rows = example.vectors.double().numpy()
    direction = _unit(normal)
    _face(axis, np.vstack([rows, direction]))
    boundary_side = np.sign(rows[-1] @ direction)
    arrow(axis, rows[-1], COLOURS["boundary"], r"$V_{N+1}$" if labels else "")
    for row, name in zip(rows[:-1], example.names, strict=True):
        positive = np.sign(row @ direction) == boundary_side
        colour = COLOURS["positive"] if positive else COLOURS["negative"]
        arrow(axis, row, colour, f"{name}: {'+1' if positive else '−1'}" if labels else "")
    circle = great_circle(direction)
    axis.plot_trisurf(*circle.T, color=COLOURS["normal"], alpha=0.18, lw=0)
    axis.plot(*circle.T, color=COLOURS["normal"], lw=0.8)
    arrow(axis, direction, COLOURS["normal"], "r" if labels else "")


def wire_sphere(axis: Axes3D) -> None:
    """A unit sphere in thin lines; the caller turns it."""
    u, v = np.mgrid[0 : 2 * np.pi : 41j, 0 : np.pi : 21j]
    x, y, z = np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v)
    axis.plot_wireframe(x, y, z, color=GREY, lw=0.25, alpha=0.5, rstride=4, cstride=4)
    axis.set_box_aspect((1, 1, 1), zoom=1.38)
    axis.set_axis_off()


def _face(axis: Axes3D, tips: _Array) -> None:
    """Turn to where tips (K, 3) and centre are furthest apart in the picture."""
    points = np.vstack([tips, np.zeros(3)])

    def gap(azimuth: int) -> float:
        flat = _seen(points, azimuth)
        apart = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
        return float(apart[np.triu_indices(len(points), 1)].min())

    axis.view_init(elev=_ELEVATION, azim=max(range(-180, 180, 5), key=gap))


def _seen(points: _Array, azimuth: float) -> _Array:
    """Points (K, 3) as seen from afar: to the right and up, (K, 2)."""
    turn, tilt = np.radians([azimuth, _ELEVATION])
    right = [-np.sin(turn), np.cos(turn), 0.0]
    up = [-np.cos(turn) * np.sin(tilt), -np.sin(turn) * np.sin(tilt), np.cos(tilt)]
    return points @ np.array([right, up]).T


def _unit(normal: Tensor) -> _Array:
    unit: _Array = (normal / normal.norm()).double().numpy()
    return unit


def arrow(axis: Axes3D, tip: _Array, colour: str, label: str) -> None:
    """A vector from the centre, labelled on the far side of its tip."""
    axis.add_artist(Arrow(tip, colour))
    right, up = _seen(tip[None], axis.azim)[0]
    beside = "left" if right > 0 else "right"
    above = "bottom" if up > 0 else "top"
    axis.text(
        *(1.08 * tip), label, color=colour, fontsize=7.5, zorder=9,
        ha="center" if abs(right) < 0.4 * abs(up) else beside,
        va="center" if abs(up) < 0.4 * abs(right) else above,
    )  # fmt: skip
