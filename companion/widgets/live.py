"""A panel of the explorer on another page in JupyterLab, and whether its kernel still answers."""

import itertools
import os
import threading
from typing import Any

import ipywidgets as widgets

from companion.experiments.trained import Trained
from companion.widgets.attributes_panel import AttributesPanel
from companion.widgets.hyperplane_panel import HyperplanePanel
from companion.widgets.interpolation_panel import InterpolationPanel
from companion.widgets.samplers_panel import SamplersPanel
from companion.widgets.space import Space
from lbae_lib.errors import ConfigError, unknown

_PANELS = {
    panel.title: panel
    for panel in (HyperplanePanel, SamplersPanel, InterpolationPanel, AttributesPanel)
}
_PERIOD = 3.0  # seconds between beats
_PATIENCE = 12  # seconds without a beat, after which the kernel is said not to answer
_ids = itertools.count()


class Heartbeat(widgets.HTML):  # type: ignore[misc]  # ipywidgets has no types
    """Says that the kernel runs.

    Each beat replaces the line, which starts its animation again. When beats stop, the animation
    ends, and its end shows the other text; the browser needs no kernel for that.
    """

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._class = f"lbae-beat-{next(_ids)}"
        self._stopped = threading.Event()
        self.beat()

    def beat(self) -> None:
        """Show that the kernel runs."""
        self._number += 1
        own = self._class
        self.value = (
            f"<style>@keyframes {own}-away{{to{{visibility:hidden;font-size:0}}}}"
            f"@keyframes {own}-here{{to{{visibility:visible;font-size:1em}}}}"
            f".{own}-alive{{animation:{own}-away 0s {_PATIENCE}s forwards}}"
            f".{own}-dead{{visibility:hidden;font-size:0;"
            f"animation:{own}-here 0s {_PATIENCE}s forwards}}"
            f"</style><span data-beat='{self._number}' class='{own}-alive'>● The kernel runs: the "
            f"pictures follow the controls.</span> <strong role='alert' class='{own}-dead'>"
            "○ The kernel does not answer: the pictures are old. If it is not busy, run all cells "
            "again.</strong>"
        )

    def start(self) -> None:
        """Beat until :meth:`stop`, while the kernel lives."""
        threading.Thread(target=self._beat_on, daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()

    def _beat_on(self) -> None:
        while not self._stopped.wait(_PERIOD):
            self.beat()


def in_jupyter() -> bool:
    """Whether a Jupyter server started the kernel, so that somebody sees the notebook."""
    return "JPY_SESSION_NAME" in os.environ


def live_panel(title: str, trained: Trained) -> Any:
    """A panel to use in JupyterLab, by its title; None while a page of the book is made.

    The page has a player in its place. Titles are "Hyperplane", "Samplers", "Interpolation" and
    "Attributes".
    """
    if title not in _PANELS:
        raise ConfigError(unknown("panel", title, _PANELS))
    if not in_jupyter():
        return None
    heartbeat = Heartbeat()
    heartbeat.start()
    return widgets.VBox([heartbeat, _PANELS[title](Space(trained)).view])
