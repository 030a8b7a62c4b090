"""Unit vectors on the sphere and the hyperplane that rounds them: Figures 3 and 4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray
from torch import Tensor

from companion.figures.style import COLOURS, GREY, INK, TWO_COLUMNS, styled
from lbae_lib.latent.correlation import factor

_Array = NDArray[np.float64]
_ELEVATION = 18.0  # of the view, in degrees


@styled
def sphere_figures(example: SphereExample, normal: Tensor) -> Figure:
    """Left, Figure 3: bits as unit vectors. Right, Figure 4: a hyperplane gives them signs.

    Args:
        example: from :func:`sphere_example`.
        normal: of the hyperplane, (3,).
    """
    figure = Figure(figsize=(TWO_COLUMNS, 3.3), layout="constrained")
    left = figure.add_subplot(1, 2, 1, projection="3d")
    right = figure.add_subplot(1, 2, 2, projection="3d")
    assert isinstance(left, Axes3D) and isinstance(right, Axes3D)
    rows = example.vectors.double().numpy()
    wire_sphere(left)
    _face(left, np.vstack([rows, _unit(normal)]))
    arrow(left, rows[-1], COLOURS["boundary"], r"$V_{N+1}$")
    for row, name in zip(rows[:-1], example.names, strict=True):
        arrow(left, row, INK, name)
    draw_rounding(right, example, normal)
    left.set_title("one vector per bit; angles from H")
    right.set_title("a random hyperplane gives the signs")
    return figure


def draw_rounding(
    axis: Axes3D, example: SphereExample, normal: Tensor, labels: bool = True
) -> None:
    """A hyperplane, and bits in the colour of the side their vectors are on.

    Args:
        axis: to draw into.
        example: from :func:`sphere_example`.
        normal: of the hyperplane, (3,).
        labels: name vectors and signs.
    """
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
    _plane(axis, direction)
    arrow(axis, direction, COLOURS["normal"], "r" if labels else "")


@dataclass(frozen=True)
class SphereExample:
    """Three bits of real latents and the boundary vector, in three dimensions.

    Attributes:
        names: of the bits, counted from 1.
        vectors: unit rows, (4, 3).
        angle_error: largest change of an angle by the drawing, in degrees.
    """

    names: list[str]
    vectors: Tensor
    angle_error: float


def sphere_example(gram: Tensor, generator: torch.Generator, tries: int = 4000) -> SphereExample:
    """Three bits whose vectors and the boundary vector spread over three dimensions.

    Four vectors need four dimensions; of ``tries`` random triples this takes the one whose 4×4
    Gram matrix has the largest second-smallest eigenvalue (vectors well apart) less four times
    the smallest (little lost in drawing), and no two vectors nearly parallel or opposite.

    Args:
        gram: H, (N+1, N+1), positive semi-definite.
        generator: of the triples.
        tries: triples looked at.
    """
    size = len(gram) - 1
    triples = torch.rand(tries, size, generator=generator).topk(3, dim=1).indices
    rows = torch.cat([triples, torch.full((tries, 1), size)], dim=1)
    small = gram[rows[:, :, None], rows[:, None, :]]
    values = torch.linalg.eigvalsh(small)
    cosine = small.tril(-1).abs().amax((1, 2))
    parallel = (cosine - 0.75).clamp(min=0)
    best = rows[(values[:, 1] - 4 * values[:, 0] - 10 * parallel).argmax()]
    small = gram[best][:, best].clamp(-1, 1)
    vectors = factor(small, rank=3)
    missing = 3 - vectors.shape[1]  # bits that never change lie on the boundary vector's line
    vectors = torch.nn.functional.pad(vectors, (missing, 0))
    change = (vectors @ vectors.T).clamp(-1, 1).acos() - small.acos()
    names = [f"bit {index + 1}" for index in best[:-1].tolist()]
    return SphereExample(names, vectors, float(change.abs().max().rad2deg()))


def separating_normal(
    example: SphereExample, generator: torch.Generator, tries: int = 100
) -> Tensor:
    """A random normal, (3,), whose hyperplane gives the three bits both signs.

    The last of ``tries`` if none does: bits that never differ have no such hyperplane.
    """
    normals = torch.randn(tries, 3, generator=generator, dtype=torch.float64)
    sides = normals @ example.vectors[:-1].T > 0
    splits = sides.any(1) & ~sides.all(1)
    return normals[int(splits.int().argmax()) if bool(splits.any()) else -1]


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
    axis.quiver(0, 0, 0, *tip, color=colour, lw=1.6, arrow_length_ratio=0.1)
    right, up = _seen(tip[None], axis.azim)[0]
    beside = "left" if right > 0 else "right"
    above = "bottom" if up > 0 else "top"
    axis.text(
        *(1.08 * tip), label, color=colour, fontsize=7.5, zorder=9,
        ha="center" if abs(right) < 0.4 * abs(up) else beside,
        va="center" if abs(up) < 0.4 * abs(right) else above,
    )  # fmt: skip


def _plane(axis: Axes3D, normal: _Array) -> None:
    circle = great_circle(normal)
    axis.plot_trisurf(*circle.T, color=COLOURS["normal"], alpha=0.18, lw=0)
    axis.plot(*circle.T, color=COLOURS["normal"], lw=0.8)


def great_circle(normal: _Array) -> _Array:
    """Points at right angles to a unit vector, (60, 3)."""
    helper = np.eye(3)[np.abs(normal).argmin()]
    first = np.cross(normal, helper)
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    angle = np.linspace(0, 2 * np.pi, 60)
    return np.outer(np.cos(angle), first) + np.outer(np.sin(angle), second)
