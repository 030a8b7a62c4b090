"""One style for all figures: sizes, fonts, and the same colour for a method on every page."""

import functools
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import _ImageBase

from companion.figures.fonts import FAMILY, use_letters
from lbae_lib.files import replacing

P = ParamSpec("P")

DPI = 200  # of PNG files
ONE_COLUMN = 3.25  # inches, of the paper's two-column layout
TWO_COLUMNS = 6.75

# Okabe and Ito's palette, which readers with any common colour blindness can tell apart.
INK = "#1b1f24"
GREY = "#8c959f"
# Keys of samplers, inversions and models of the bits are those of companion.analysis.
COLOURS = {
    "truth": INK,
    "resampled": GREY,
    "test": INK,
    "nearest": "#0072B2",
    "clip": "#56B4E9",
    "direct": "#009E73",
    "independent": "#E69F00",
    "uniform": "#CC79A7",
    "favoured": "#004B77",
    "held": "#8FD3F4",
    "fit": "#7A3E9D",
    "fit_favoured": "#B58AD0",
    "dichotomized": "#D55E00",
    "autoregressive": "#882255",
    "logistic": "#B58AD0",
    "mixture": "#B8860B",
    "clusters": "#117733",
    "classes": "#44AA99",
    "conditioned": "#AA4499",
    "tree": "#009E73",
    "factorised": "#E69F00",
    "packed": GREY,
    "jpeg": "#B8860B",
    "webp": "#009E73",
    "avif": "#CC79A7",
    "jxl": "#882255",
    "png": GREY,
    "algorithm_1": "#D55E00",
    "centroids": "#E69F00",
    "both_halves": "#B8860B",
    "unit_margins": "#CC79A7",
    "least_change": "#009E73",
    "exact": "#0072B2",
    "authors": "#56B4E9",
    "restored": "#882255",
    "source": "#882255",
    "target": "#009E73",
    # Of Figure 4: red, blue, yellow, green.
    "positive": "#CC3311",
    "negative": "#0072B2",
    "boundary": "#E0A800",
    "normal": "#009E73",
    # Of Figure 2: blue, green, red.
    "figure_2_truth": "#0072B2",
    "figure_2_direct": "#009E73",
    "figure_2_clip": "#CC3311",
    "lbae": "#0072B2",
    "vae": "#D55E00",
    "control": GREY,
    "train": "#0072B2",
    "validation": "#D55E00",
}
_RC: Any = {
    "font.family": FAMILY,
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "figure.dpi": 110,
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "lbae",
}


# Everything else is matplotlib's own, whatever a user's matplotlibrc says.
_OWN = {
    key: value
    for key, value in mpl.rcParamsDefault.items()
    if key not in ("backend", "backend_fallback", "interactive", "toolbar", "timezone")
}


def new_figure(
    columns: int = 1,
    rows: int = 1,
    width: float = TWO_COLUMNS,
    height: float | None = None,
    **options: Any,
) -> tuple[Figure, list[Axes]]:
    """A figure with its axes in a flat list; call it inside a :func:`styled` function.

    Sizes are in inches; the default height suits axes of about 3:2. Options are those of
    ``Figure.subplots``.
    """
    height = height or rows * (width / columns) / 1.45
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.flat)


def style_context() -> AbstractContextManager[None]:
    """The style as a context, for drawing and saving."""
    return mpl.rc_context(_OWN | _RC)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a function that draws a figure: in the style, and with fonts for all its letters."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style_context():
            return use_letters(draw(*args, **kwargs))

    return wrapper


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Save a figure as PNG, and as SVG if it has no pixels; equal figures have equal files."""
    with style_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the caption says so
        pixels = figure.findobj(lambda a: isinstance(a, _ImageBase) or bool(a.get_rasterized()))
        for suffix in (".png",) if pixels else (".png", ".svg"):
            metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
            with replacing(folder / f"{name}{suffix}") as scratch:
                figure.savefig(scratch, metadata=metadata)
