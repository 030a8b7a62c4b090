"""A panel of the explorer on another page, for a reader who has it open in JupyterLab."""

from __future__ import annotations

import os
from typing import Any

import ipywidgets as widgets

from companion.experiments.trained import Trained
from companion.widgets.attributes_panel import AttributesPanel
from companion.widgets.heartbeat import Heartbeat
from companion.widgets.hyperplane_panel import HyperplanePanel
from companion.widgets.interpolation_panel import InterpolationPanel
from companion.widgets.samplers_panel import SamplersPanel
from companion.widgets.space import Space
from lbae_lib.errors import ConfigError, unknown

_PANELS = {
    panel.title: panel
    for panel in (HyperplanePanel, SamplersPanel, InterpolationPanel, AttributesPanel)
}


def in_jupyter() -> bool:
    """Whether somebody looks at the notebook: a Jupyter server started its kernel."""
    return "JPY_SESSION_NAME" in os.environ


def live_panel(title: str, trained: Trained) -> Any:
    """A panel that follows the reader's hand in JupyterLab; None where a page is made of it.

    The page in the book has a frozen player in its place. The title is "Hyperplane", "Samplers",
    "Interpolation" or "Attributes".
    """
    if title not in _PANELS:
        raise ConfigError(unknown("panel", title, _PANELS))
    if not in_jupyter():
        return None
    heartbeat = Heartbeat()
    heartbeat.start()
    return widgets.VBox([heartbeat, _PANELS[title](Space(trained)).view])
