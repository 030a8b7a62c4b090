"""Pictures for widgets: quick to draw, with crisp pixels and alternative text."""

import html
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from companion.figures.grids import tile
from companion.figures.style import COLOURS, GREY
from companion.png import png_bytes

_WIDTH, _HEIGHT = 420, 130  # of a plot, in CSS pixels


def png(images: Tensor, columns: int, scale: int, gap: int = 2) -> bytes:
    """Images (K, C, S, S) in a grid with white gaps, each pixel a square of ``scale``."""
    pixels = tile(images, columns, gap).repeat(scale, axis=0).repeat(scale, axis=1)
    return png_bytes(pixels, quick=True)


def bits_png(bits: Tensor, changed: Tensor, scale: int = 9) -> bytes:
    """Bits (N,) as squares in rows of 50: +1 dark, -1 light, changed bits orange."""
    columns = min(50, len(bits))
    rows = -(-len(bits) // columns)
    on, marked = (bits > 0).cpu().numpy()[:, None], changed.cpu().numpy()[:, None]
    orange = np.where(on, (213, 94, 0), (245, 190, 140))
    canvas = np.full((rows * columns, 3), 255, dtype=np.uint8)
    canvas[: len(bits)] = np.where(marked, orange, np.where(on, 60, 225))
    grid = canvas.reshape(rows, columns, 3).repeat(scale, axis=0).repeat(scale, axis=1)
    grid[::scale] = grid[:, ::scale] = 255
    return png_bytes(grid, quick=True)


def path_svg(curves: Sequence[tuple[str, Sequence[float]]], at: int) -> str:
    """Curves over the steps of a path as SVG, with the current step marked.

    Each curve has the key of its colour, and its values in [0, 1].
    """
    steps = len(curves[0][1])
    x = [8 + (_WIDTH - 16) * i / max(1, steps - 1) for i in range(steps)]
    lines = []
    for name, values in curves:
        points = " ".join(
            f"{px:.1f},{_HEIGHT - 8 - (_HEIGHT - 16) * value:.1f}"
            for px, value in zip(x, values, strict=True)
        )
        colour = COLOURS[name]
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    shares = ", ".join(f"{values[at]:.0%}" for _, values in curves)
    words = html.escape(f"Step {at + 1} of {steps}: {shares}", quote=True)
    return (
        f'<svg role="img" aria-label="{words}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'style="max-width:100%" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
        f'<line x1="{x[at]:.1f}" x2="{x[at]:.1f}" y1="8" y2="{_HEIGHT - 8}" stroke="{GREY}"/>'
        f"{''.join(lines)}</svg>"
    )
