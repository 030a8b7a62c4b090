"""The explorer: five panels on one trained model."""

from __future__ import annotations

import contextlib
import html

import ipywidgets as widgets

from companion.experiments.prior import load_codec
from companion.experiments.profiles import load_experiment
from companion.experiments.trained import load_trained
from companion.project import project_root
from companion.widgets.panels import (
    AttributePanel,
    BitsPanel,
    HyperplanePanel,
    InterpolationPanel,
    Panel,
    SamplersPanel,
)
from companion.widgets.space import Space
from lbae_lib.data.registry import with_home
from lbae_lib.errors import LbaeError
from lbae_lib.models.hardware import choose_device


def open_explorer(
    profile: str, dataset: str, data_root: str = "data", device: str = "auto"
) -> widgets.Widget:
    """The explorer on a data set's model; if there is no model yet, what to do.

    Args:
        profile: a file in ``config/``.
        dataset: a registered name or "folder:PATH".
        data_root: where torchvision's data sets are; relative to the project, or to the home
            folder if it starts with "~".
        device: "auto", "cpu" or "cuda".
    """
    try:
        experiment = load_experiment(profile, dataset)
        root = project_root() / with_home(data_root)
        trained = load_trained(experiment, root, choose_device(device))
    except LbaeError as error:
        return widgets.HTML(f"<p><b>Nothing to explore yet:</b> {html.escape(str(error))}</p>")
    try:
        prior = load_codec(experiment).autoregressive
    except LbaeError:
        prior = None  # the panel offers the other samplers
    return explorer(Space(trained, prior))


def explorer(space: Space) -> widgets.Tab:
    """All panels as tabs; the attribute ``panels`` has them by title."""
    panels: dict[str, Panel] = {
        "Hyperplane": HyperplanePanel(space),
        "Samplers": SamplersPanel(space),
        "Interpolation": InterpolationPanel(space),
        "Bits": BitsPanel(space),
    }
    with contextlib.suppress(LbaeError):  # images without attributes and classes have no such tab
        panels["Attributes"] = AttributePanel(space)
    tab = widgets.Tab([panel.view for panel in panels.values()], titles=list(panels))
    tab.panels = panels
    return tab
