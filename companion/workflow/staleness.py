"""Results that are out of date: why, for the note that the book puts on their pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from companion.experiments.artifacts import ROLES
from companion.experiments.profiles import load_experiment
from companion.experiments.records import RECORD_FILE, SCORES, TABLES, comparable, read_record
from companion.experiments.sources import code_hash
from companion.project import project_root
from companion.workflow.notebooks import notebook_parameters
from lbae_lib.errors import ConfigError
from lbae_lib.files import read_json, sha256_file

STALE_PAGES = Path("build/generated/stale.json")


def stale_reasons(executed: Path) -> list[str]:
    """Why the results of an executed notebook are out of date; [] if they are up to date.

    What is missing, e.g. latents, which are not kept, cannot have changed.

    Args:
        executed: ``results/<profile>/<data set>/<name>.ipynb``, with its record beside it.

    Raises:
        CheckpointError: if its record is missing or damaged.
    """
    name = executed.stem
    needed = {"options.profile": str, "options.parameters": dict}
    if name != TABLES:
        needed["options.dataset"] = str
    record = read_record(executed.with_suffix("") / RECORD_FILE, needed)
    inputs = record["inputs"]
    notebook = project_root() / "notebooks" / f"{name}.ipynb"
    if not notebook.exists():
        return ["its notebook was removed"]
    reasons = []
    if inputs.get("notebook") != sha256_file(notebook):
        reasons.append("the notebook has changed")
    if inputs.get("code") != code_hash(notebook):
        reasons.append("the library has changed")
    if name == TABLES:
        return reasons + _stale_scores(executed.parent, inputs)
    return reasons + _stale_inputs(executed, notebook, record)


def _stale_scores(folder: Path, inputs: dict[str, str]) -> list[str]:
    """What has changed of the scores that the page across data sets is made of."""
    records = folder.parent.glob(f"*/*/{SCORES}/{RECORD_FILE}")
    kept = [p for p in records if comparable(p.parents[2].name, folder.name)]
    changed = any(sha256_file(p) not in inputs.values() for p in kept)
    pages = {p: p.parent.with_suffix(".ipynb") for p in kept}
    outdated = [
        f"{record.parents[1].name} ({record.parents[2].name})"
        for record, page in pages.items()
        if page.exists() and stale_reasons(page)
    ]
    reasons = ["scores have changed"] if changed else []
    if outdated:
        reasons.append(f"what the scores of {', '.join(outdated)} are made of has changed")
    return reasons


def _stale_inputs(executed: Path, notebook: Path, record: dict[str, Any]) -> list[str]:
    """What has changed of a page's parameters, and of the models that it is made of."""
    inputs, options = record["inputs"], record["options"]
    try:
        experiment = load_experiment(options["profile"], options["dataset"])
    except ConfigError as error:
        return [f"its profile cannot be used ({error})"]
    wanted = notebook_parameters(notebook) | experiment.entry.notebooks.get(executed.stem, {})
    wanted |= given_parameters(executed)
    own = options["parameters"]
    # The device of a run is its own affair: the numbers are the same up to rounding.
    compared = own.keys() & wanted.keys() - {"device"}
    changed = any(own[key] != wanted[key] for key in compared)
    reasons = ["its parameters have changed"] if changed else []
    for role, (artifact, model) in ROLES.items():
        product = artifact.path(experiment, model)
        if role in inputs and product.exists() and inputs[role] != sha256_file(product):
            reasons.append(f"the {role} has changed")
    return reasons


def given_parameters(executed: Path) -> dict[str, Any]:
    """The parameters that a notebook's run was given on the command line; they stay in force.

    Raises:
        CheckpointError: if the executed notebook is missing or damaged.
    """
    about = read_json(executed, "page").get("metadata", {})
    return dict(about.get("papermill", {}).get("overrides", {}))
