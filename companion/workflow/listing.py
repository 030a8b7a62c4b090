"""The command ``lbae list``: data sets, what is trained of them, and what is out of date."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from companion.experiments.artifacts import MODEL
from companion.experiments.profiles import Experiment, load_experiment, load_profile, profile_names
from companion.experiments.records import RECORD_FILE, read_record
from companion.project import is_published, results_in_force
from companion.workflow.notebooks import executed_notebooks
from companion.workflow.staleness import artifact_reasons, page_reasons
from lbae_lib.data.registry import DATASETS, FOLDER_PREFIX
from lbae_lib.errors import LbaeError


def list_results(
    profile: Annotated[str | None, Option("--profile", "-p", help="Only this profile.")] = None,
) -> None:
    """List what is trained, published, run here or out of date.

    Example: lbae list -p laptop
    """
    for name in [profile] if profile else profile_names():
        content = load_profile(name)
        typer.echo(f"{name}: {content.description}")
        for key in content.datasets:
            dataset = key if key in DATASETS else f"{FOLDER_PREFIX}{key.removeprefix('folder-')}"
            if key != "folder":
                typer.echo(f"  {key:18} {_state(load_experiment(name, dataset))}")
        for path in results_in_force(f"{name}/folder-*/lbae/{RECORD_FILE}"):
            place = path.parent.parent.name
            if place not in content.datasets:
                typer.echo(f"  {place:18} {_own_folder(name, path)}")


def _own_folder(profile: str, path: Path) -> str:
    """The state of a user's own images, and where they are."""
    try:
        dataset = read_record(path, {"options.dataset.name": str})["options"]["dataset"]["name"]
        return f"{_state(load_experiment(profile, dataset))} ({dataset})"
    except LbaeError as error:
        return str(error)


def _state(experiment: Experiment) -> str:
    """Models and pages of a data set, in a few words."""
    models = ["lbae", *(["vae"] if experiment.entry.vae else [])]
    parts = [f"{model.upper()} {_model(experiment, model)}" for model in models]
    pages = Counter(map(_page, executed_notebooks(experiment.place)))
    parts += [f"{count} pages {state}" for state, count in pages.items()]
    return "; ".join(parts if pages else [*parts, "no pages"])


def _page(page: Path) -> str:
    where = "published" if is_published(page) else "run here"
    try:
        return f"{where}, out of date" if page_reasons(page) else where
    except LbaeError:
        return f"{where}, damaged"


def _model(experiment: Experiment, model: str) -> str:
    path = MODEL.path(experiment, model)
    if not path.exists():
        return "not trained"
    try:
        reasons = artifact_reasons(MODEL, experiment, model)
    except LbaeError as error:
        return f"damaged ({error})"
    where = "published" if is_published(path) else "trained here"
    return f"{where}, out of date: {'; '.join(reasons)}" if reasons else where
