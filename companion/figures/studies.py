"""Figures of the studies that train small networks: bottlenecks, quantisers, sizes."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from companion.figures.axes import legend_below, plain_numbers, show_pixels
from companion.figures.style import GREY, INK, ONE_COLUMN, TWO_COLUMNS, new_figure, styled

# Of the variants in their order; the first is the paper's.
_PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7A3E9D", GREY,
)  # fmt: skip
_DRAWS = 2000  # of the noise of a stochastic bottleneck


@styled
def study_curves(
    curves: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    labels: Mapping[str, str],
    logarithmic: Sequence[str] = (),
) -> Figure:
    """A panel for each number: means over seeds, bands from the lowest to the highest seed.

    ``curves`` maps the title of a panel and a variant to a number by epoch for each seed;
    ``logarithmic`` has the titles of panels with a logarithmic axis. The others begin at 0.
    """
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, axes = new_figure(columns, rows, height=2.1 * rows + 0.5)
    for axis, (title, variants) in zip(axes, curves.items(), strict=False):
        for (key, seeds), colour in zip(variants.items(), _PALETTE, strict=False):
            values = np.array(seeds)  # (seeds, epochs)
            epochs = np.arange(1, values.shape[1] + 1)
            axis.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
            dot = "o" if len(epochs) == 1 else ""
            line: dict[str, Any] = {"marker": dot, "ms": 4, "color": colour, "label": labels[key]}
            axis.plot(epochs, values.mean(0), ls="-", clip_on=False, zorder=3, **line)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if title in logarithmic:
            axis.set_yscale("log")
            plain_numbers(axis.yaxis)
        else:
            axis.set_ylim(0, None if np.any(list(variants.values())) else 1)
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    legend_below(figure, axes[0], 4)
    return figure


@styled
def surrogate_gradients(
    bottlenecks: Mapping[str, Callable[[Tensor, float, torch.Generator], Tensor]],
    generator: torch.Generator,
) -> Figure:
    """The derivative that each bottleneck passes to a logit, averaged over its noise.

    ``bottlenecks`` maps a label to a function, see :class:`companion.experiments.bottlenecks.Kind`.
    """
    figure, axes = new_figure(2, height=2.6, sharey=True)
    logits = torch.linspace(-3, 3, 241)
    for axis, progress in zip(axes, (0.0, 1.0), strict=True):
        for (label, bits), colour in zip(bottlenecks.items(), _PALETTE, strict=False):
            z = logits.expand(_DRAWS, -1).clone().requires_grad_()
            bits(z, progress, generator).sum().backward()
            assert z.grad is not None
            axis.plot(logits, z.grad.mean(0), color=colour, label=label)
        axis.axvline(0, color=INK, lw=0.5, ls=":")
        axis.set(title=f"{'end' if progress else 'start'} of the training", xlabel="logit z")
    axes[0].set_ylabel("gradient, dL/dz : dL/db")
    legend_below(figure, axes[0], 4)
    return figure


@styled
def rates(
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    labels: Mapping[str, str],
    titles: tuple[str, str],
) -> Figure:
    """Distortion over bits per image, a point per seed: raw bits open, by the prior filled."""
    figure, axes = new_figure(2, height=3.1)
    for axis, title, name in zip(axes, titles, ("error", "distance"), strict=True):
        for (key, seeds), colour in zip(points.items(), _PALETTE, strict=False):
            raw, prior, values = ([p[k] for p in seeds] for k in ("bits", "prior_bits", name))
            axis.plot(raw, values, "o", mfc="none", color=colour, ms=5.5, label=labels[key])
            if None not in prior:
                axis.plot(prior, values, "o", color=colour, ms=3.5)
        axis.set(xscale="log", xlabel="bits per image", ylabel=title)
        plain_numbers(axis.xaxis, (1,))
        axis.set_yscale("log")
        plain_numbers(axis.yaxis)
    legend_below(figure, axes[0], 3)
    return figure


@styled
def pictures(files: Mapping[str, str], labels: Mapping[str, str]) -> Figure:
    """The pictures of each variant, PNG files in base 64, as its first seed left them."""
    columns = 2
    tiles = {
        key: np.asarray(Image.open(io.BytesIO(base64.b64decode(file))).convert("RGB"))
        for key, file in files.items()
    }
    rows = -(-len(tiles) // columns)
    tallest = max(pixels.shape[0] / pixels.shape[1] for pixels in tiles.values())
    height = rows * (TWO_COLUMNS / columns * tallest + 0.25)
    figure, axes = new_figure(columns, rows, height=height)
    for axis in axes:
        axis.set_axis_off()
    for axis, (key, pixels) in zip(axes, tiles.items(), strict=False):
        show_pixels(axis, pixels)
        axis.set_title(labels[key])
        axis.set_anchor("N")
    return figure


@styled
def traces(
    spectra: Mapping[str, Sequence[Sequence[float]]],
    numbers: Mapping[str, int],
    labels: Mapping[str, str],
    level: float,
) -> Figure:
    """The share of the trace of H in its largest eigenvalues: a curve for each variant.

    ``spectra`` has the largest eigenvalues of each seed, as shares of the trace; a dot marks as
    many eigenvalues as the entrance has ``numbers``.
    """
    figure, (axis,) = new_figure(width=1.4 * ONE_COLUMN, height=2.8)
    for (key, seeds), colour in zip(spectra.items(), _PALETTE, strict=False):
        shares = np.cumsum(np.array(seeds).mean(0))
        count = np.arange(1, len(shares) + 1)
        axis.plot(count, shares, color=colour, label=labels[key])
        if numbers[key] <= len(shares):
            axis.plot(numbers[key], shares[numbers[key] - 1], "o", ms=4, color=colour)
    axis.axhline(level, color=GREY, lw=0.6, ls=":")
    axis.set(xscale="log", xlabel="eigenvalues of H, largest first", ylabel="share of the trace")
    axis.set_ylim(0, max(1.05, axis.get_ylim()[1]))
    plain_numbers(axis.xaxis)
    axis.legend()
    return figure
