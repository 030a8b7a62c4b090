"""Results older than what they are made of, and the note that the book puts on their pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lbae_lib.config import load_experiment, project_root
from lbae_lib.errors import ConfigError
from lbae_lib.files import read_json, sha256_file
from lbae_lib.report.records import RECORD_FILE
from lbae_lib.sources import notebook_sources, sources_hash

STALE_PAGES = Path("build/generated/stale.json")


def code_hash(notebook: Path) -> str:
    """SHA-256 of what the library files behind a notebook do; comments do not count."""
    return sources_hash(notebook_sources(notebook))


def stale_reasons(executed: Path) -> list[str]:
    """Why an executed notebook's results are older than what they are made of; [] if they are not.

    Args:
        executed: ``results/<profile>/<data set>/<name>.ipynb``, with its record beside it.
    """
    name = executed.stem
    record = read_json(executed.with_suffix("") / RECORD_FILE, "record")
    inputs, options = record["inputs"], record["options"]
    notebook = project_root() / "notebooks" / f"{name}.ipynb"
    if not notebook.exists():
        return ["its notebook is no longer there"]
    reasons = []
    if inputs["notebook"] != sha256_file(notebook):
        reasons.append("the notebook has changed")
    if inputs.get("code") != code_hash(notebook):
        reasons.append("the library has changed")
    if "dataset" not in options:  # a page across data sets
        return reasons
    try:
        experiment = load_experiment(options["profile"], options["dataset"])
    except ConfigError:
        return [*reasons, "its profile no longer has this data set"]
    parameters = experiment.notebooks.get(name, {})
    if any(options["parameters"].get(key, value) != value for key, value in parameters.items()):
        reasons.append("its parameters have changed")
    model = experiment.model_folder / "model.safetensors"
    if model.exists() and inputs["model"] != sha256_file(model):
        reasons.append("the model has changed")
    return reasons


def stale_note(reasons: list[str]) -> str:
    """What a reader is told, as MyST Markdown."""
    return (
        ":::{warning}\nThe results on this page are older than what they are made of: "
        f"{', '.join(reasons)} since. `lbae report` makes them anew.\n:::\n"
    )


def mark_page(text: str, reasons: list[str]) -> str:
    """A notebook's JSON with the note behind its first cell, which has the title."""
    content = json.loads(text)
    cell = {"cell_type": "markdown", "id": "stale", "metadata": {}, "source": stale_note(reasons)}
    content["cells"].insert(1, cell)
    return json.dumps(content)


def setup(app: Any) -> Mapping[str, Any]:
    """What Sphinx calls: marks the pages that ``build/generated/stale.json`` names."""
    path = Path(app.srcdir) / STALE_PAGES
    pages = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def read(_app: Any, page: str, source: list[str]) -> None:
        if page in pages:
            source[0] = mark_page(source[0], pages[page])

    app.connect("source-read", read)
    return {"parallel_read_safe": True}
