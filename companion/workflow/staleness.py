"""Results older than what they are made of, and the note that the book puts on their pages."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from companion.experiments.profiles import load_experiment
from companion.experiments.records import RECORD_FILE, SCORES, TABLES, belongs_beside, read_record
from companion.experiments.sources import code_hash
from companion.project import project_root
from lbae_lib.errors import ConfigError
from lbae_lib.files import read_json, sha256_file

STALE_PAGES = Path("build/generated/stale.json")
# An input's role in a record, and its file in the data set's folder.
_ROLES = {
    "model": "lbae/model.safetensors",
    "latents": "lbae/latents.safetensors",
    "baseline": "vae/model.safetensors",
    "extractor": "extractor/model.safetensors",
    "prior": "prior/model.safetensors",
}


def stale_reasons(executed: Path) -> list[str]:
    """Why an executed notebook's results are older than what they are made of; [] if they are not.

    What is not there, e.g. latents, which are not kept, cannot have changed.

    Args:
        executed: ``results/<profile>/<data set>/<name>.ipynb``, with its record beside it.

    Raises:
        CheckpointError: if its record is missing or damaged.
    """
    name = executed.stem
    path = executed.with_suffix("") / RECORD_FILE
    needed = {"options.profile": str, "options.parameters": dict}
    if name != TABLES:
        needed["options.dataset"] = str
    record = read_record(path, needed)
    inputs, options = record["inputs"], record["options"]
    notebook = project_root() / "notebooks" / f"{name}.ipynb"
    if not notebook.exists():
        return ["its notebook is no longer there"]
    reasons = []
    if inputs.get("notebook") != sha256_file(notebook):
        reasons.append("the notebook has changed")
    if inputs.get("code") != code_hash(notebook):
        reasons.append("the library has changed")
    if name == TABLES:  # made of the records of all data sets
        scores = executed.parent.parent.glob(f"*/*/{SCORES}/{RECORD_FILE}")
        known = list(inputs.values())
        own = executed.parent.name
        kept = [p for p in scores if belongs_beside(p.parents[2].name, own)]
        if any(sha256_file(p) not in known for p in kept):
            reasons.append("scores have changed")
        older = [f"{p.parents[1].name} ({p.parents[2].name})" for p in kept if _is_older(p)]
        if older:
            reasons.append(f"what the scores of {', '.join(older)} are made of has changed")
        return reasons
    try:
        experiment = load_experiment(options["profile"], options["dataset"])
    except ConfigError as error:
        return [*reasons, f"its profile cannot be used ({error})"]
    wanted = notebook_parameters(notebook) | dict(experiment.notebooks.get(name, {}))
    wanted |= given_parameters(executed)
    own = options["parameters"]
    if any(own[key] != wanted[key] for key in own.keys() & wanted.keys()):
        reasons.append("its parameters have changed")
    for role, file in _ROLES.items():
        product = experiment.folder / file
        if role in inputs and product.exists() and inputs[role] != sha256_file(product):
            reasons.append(f"the {role} has changed")
    return reasons


def _is_older(record: Path) -> bool:
    page = record.parent.with_suffix(".ipynb")
    return page.exists() and bool(stale_reasons(page))


def notebook_parameters(notebook: Path) -> dict[str, Any]:
    """The defaults in a notebook's cell of parameters."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    found = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    tree = ast.parse("".join(found[0]["source"])) if found else ast.Module([], [])
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def given_parameters(executed: Path) -> dict[str, Any]:
    """What the run of a notebook was given on the command line; the user's choice stays.

    Raises:
        CheckpointError: if the executed notebook is missing or damaged.
    """
    about = read_json(executed, "page").get("metadata", {})
    return dict(about.get("papermill", {}).get("overrides", {}))
