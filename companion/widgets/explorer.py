"""The explorer: five panels on one trained model, which is chosen by name."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from companion.experiments.artifacts import MODEL
from companion.experiments.prior import load_codec
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import RECORD_FILE, read_record
from companion.experiments.trained import load_trained
from companion.project import project_root, results_in_force
from companion.widgets.attributes_panel import AttributesPanel
from companion.widgets.bits_panel import BitsPanel
from companion.widgets.hyperplane_panel import HyperplanePanel
from companion.widgets.interpolation_panel import InterpolationPanel
from companion.widgets.live import Heartbeat, in_jupyter
from companion.widgets.panel import Panel
from companion.widgets.samplers_panel import SamplersPanel
from companion.widgets.space import Space
from lbae_lib.data.registry import with_home
from lbae_lib.errors import LbaeError
from lbae_lib.models.hardware import choose_device


def open_explorer(
    profile: str, dataset: str, data_root: str = "data", device: str = "auto"
) -> Explorer:
    """The explorer on a data set's model; if there is no model yet, what to do.

    ``data_root`` is relative to the project, or to the home folder if it starts with "~".
    """
    shown = Explorer(project_root() / with_home(data_root), device)
    try:
        shown.choose(load_experiment(profile, dataset))
    except LbaeError as error:
        shown.say(error)
    if in_jupyter():
        shown.heartbeat.start()
    return shown


class Explorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A choice of models, and the panels of the one chosen, by title."""

    def __init__(self, data_root: Path, device: str) -> None:
        self._root, self._device = data_root, device
        self._models = trained_models()
        self.panels: dict[str, Panel] = {}
        self.model = widgets.Dropdown(
            options=list(self._models), value=None, description="model",
            tooltip="a trained model: data set, bits, profile", layout={"max_width": "32em"},
        )  # fmt: skip
        self.message, self.heartbeat = widgets.HTML(), Heartbeat()
        self._tab: widgets.Tab | None = None
        self._head: tuple[Any, ...] = (self.heartbeat, self.model, self.message)
        super().__init__(self._head)
        self.model.observe(lambda change: self._show(self._models[change["new"]]), "value")

    def choose(self, experiment: Experiment) -> None:
        """Choose an experiment's model; say what to do if there is none."""
        folder = experiment.model_folder
        same = [name for name, found in self._models.items() if found.model_folder == folder]
        if same:
            self.model.value = same[0]
        else:
            self._show(experiment)

    def say(self, problem: LbaeError) -> None:
        """Show why there is nothing to explore."""
        text = html.escape(str(problem))
        self.message.value = f"<p role='alert'><b>Nothing to explore yet:</b> {text}</p>"

    def _show(self, experiment: Experiment) -> None:
        self.message.value = f"<p role='status'>Loading {html.escape(model_name(experiment))} …</p>"
        page = self._tab.selected_index if self._tab else 0
        self.panels, self._tab = {}, None
        self.children = self._head
        try:
            trained = load_trained(experiment, self._root, choose_device(self._device))
            try:
                prior = load_codec(experiment).autoregressive
            except LbaeError:
                prior = None  # the panel offers the other samplers
            self._tab = explorer(Space(trained, prior))
        except LbaeError as error:
            self.say(error)
            return
        self.panels = self._tab.panels
        if page is not None and page < len(self.panels):
            self._tab.selected_index = page
        self.message.value = ""
        self.children = (*self._head, self._tab)


def explorer(space: Space) -> widgets.Tab:
    """All panels as tabs; the attribute ``panels`` has them by title."""
    made: list[Panel] = [HyperplanePanel(space), SamplersPanel(space), InterpolationPanel(space),
                         BitsPanel(space)]  # fmt: skip
    if space.test_attributes is not None:
        made.append(AttributesPanel(space))
    panels = {panel.title: panel for panel in made}
    tab = widgets.Tab([panel.view for panel in panels.values()], titles=list(panels))
    tab.panels = panels
    return tab


def trained_models() -> dict[str, Experiment]:
    """The experiments with a trained LBAE, by a name for people.

    Models whose record is damaged, or whose profile no longer has them, are left out.
    """
    found = {}
    needed = {"options.profile": str, "options.dataset.name": str}
    for path in results_in_force(f"*/*/{MODEL.files[0].format(model='lbae*')}"):
        try:
            options = read_record(path.with_name(RECORD_FILE), needed)["options"]
            name = options["dataset"]["name"]
            experiment = load_experiment(options["profile"], name, path.parent.name)
        except LbaeError:
            continue
        shown = model_name(experiment)
        if shown in found:  # of another folder of that name
            shown += f", {experiment.place.name}"
        found[shown] = experiment
    return found


def model_name(experiment: Experiment) -> str:
    """For example "Digits, 64 bits (quick)"."""
    size = experiment.network.latent_size
    return f"{experiment.dataset.title}, {size} bits ({experiment.profile})"
