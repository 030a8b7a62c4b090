"""Unit vectors on the sphere and the hyperplane that rounds them: Figures 3 and 4."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray
from torch import Tensor

from lbae_lib.report.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, styled

_Array = NDArray[np.float64]


@styled
def sphere_figures(vectors: Tensor, names: list[str], normal: Tensor) -> Figure:
    """Left, Figure 3: bits as unit vectors. Right, Figure 4: a hyperplane gives them signs.

    Args:
        vectors: unit rows (bits + 1, 3); the last is the boundary vector.
        names: of the bits.
        normal: of the hyperplane, (3,).
    """
    rows = vectors.double().numpy()
    direction = (normal / normal.norm()).double().numpy()
    figure = Figure(figsize=(TWO_COLUMNS, 3.3), layout="constrained")
    left = figure.add_subplot(1, 2, 1, projection="3d")
    right = figure.add_subplot(1, 2, 2, projection="3d")
    assert isinstance(left, Axes3D) and isinstance(right, Axes3D)
    boundary_side = np.sign(rows[-1] @ direction)
    for axis in (left, right):
        _wire_sphere(axis)
        _arrow(axis, rows[-1], COLOURS["boundary"], r"$V_{N+1}$")
    for row, name in zip(rows[:-1], names, strict=True):
        _arrow(left, row, INK, name)
        positive = np.sign(row @ direction) == boundary_side
        colour = COLOURS["positive"] if positive else COLOURS["negative"]
        _arrow(right, row, colour, f"{name}: {'+1' if positive else '−1'}")
    _plane(right, direction)
    _arrow(right, direction, COLOURS["normal"], "r")
    left.set_title("a vector a bit; angles from H")
    right.set_title("a random hyperplane gives the signs")
    return figure


def choose_bits(gram: Tensor, generator: torch.Generator, tries: int = 4000) -> list[int]:
    """Three bits whose vectors and the boundary vector spread over three dimensions.

    Four vectors need four dimensions; of ``tries`` random triples this takes the one whose 4×4
    Gram matrix has the largest second-smallest eigenvalue (vectors well apart) less four times
    the smallest (little lost in drawing).

    Args:
        gram: H, (N+1, N+1), positive semi-definite.
        generator: of the triples.
        tries: triples looked at.
    """
    size = len(gram) - 1
    triples = torch.rand(tries, size, generator=generator).topk(3, dim=1).indices
    rows = torch.cat([triples, torch.full((tries, 1), size)], dim=1)
    values = torch.linalg.eigvalsh(gram[rows[:, :, None], rows[:, None, :]])
    return sorted(triples[(values[:, 1] - 4 * values[:, 0]).argmax()].tolist())


def _wire_sphere(axis: Axes3D) -> None:
    u, v = np.mgrid[0 : 2 * np.pi : 41j, 0 : np.pi : 21j]
    x, y, z = np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v)
    axis.plot_wireframe(x, y, z, color=GREY, lw=0.25, alpha=0.5, rstride=4, cstride=4)
    axis.set_box_aspect((1, 1, 1), zoom=1.38)
    axis.set_axis_off()
    axis.view_init(elev=18, azim=-55)


def _arrow(axis: Axes3D, tip: _Array, colour: str, label: str) -> None:
    axis.quiver(0, 0, 0, *tip, color=colour, lw=1.6, arrow_length_ratio=0.1)
    axis.text(*(1.13 * tip), label, color=colour, fontsize=7.5, ha="center", va="center")


def _plane(axis: Axes3D, normal: _Array) -> None:
    helper = np.eye(3)[np.abs(normal).argmin()]
    first = np.cross(normal, helper)
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    angle = np.linspace(0, 2 * np.pi, 60)
    circle = np.outer(np.cos(angle), first) + np.outer(np.sin(angle), second)
    axis.plot_trisurf(*circle.T, color=COLOURS["normal"], alpha=0.18, lw=0)
    axis.plot(*circle.T, color=COLOURS["normal"], lw=0.8)
