"""A Sphinx extension: notes on pages of results.

Below its title, a page that is out of date says so. At its end, a page links to its record and to
its notebook on Binder. ``lbae_repository`` in ``_config.yml``, or the environment variable
``GITHUB_REPOSITORY`` that GitHub's workflows set, names the repository as "owner/name"; without it
there is no link to Binder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from companion.workflow.staleness import STALE_PAGES

_BINDER = "https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/notebooks/{name}.ipynb"


def stale_note(reasons: list[str]) -> str:
    """What a page that is out of date tells its reader, as MyST Markdown."""
    return (
        ":::{warning}\nThe results on this page are out of date: "
        f"{', '.join(reasons)} since. Run `lbae report` to regenerate them.\n:::\n"
    )


def links(page: str, repository: str, branch: str = "main") -> str:
    """A page's last line, as MyST Markdown.

    Args:
        page: of executed results, e.g. "results/quick/digits/03_sampling".
        repository: "owner/name" on GitHub, or "".
        branch: that Binder takes the notebook from, and ``.binder/``, which encodes the digits.
    """
    name = PurePosixPath(page).name
    parts = [f"{{download}}`record of this page, with all numbers <{name}/record.json>`"]
    parts += [f"notebook `notebooks/{name}.ipynb`"]
    if repository:
        address = _BINDER.format(repository=repository, branch=branch, name=name)
        parts += [f"run it [on the digits, on Binder]({address})"]
    return f"---\n\n{' · '.join(parts)}\n"


def with_notes(notebook: str, end: str, reasons: list[str]) -> str:
    """A notebook's JSON with a last cell, and a note below the title if it is out of date."""
    content = json.loads(notebook)
    if reasons:
        content["cells"].insert(1, _cell("stale", stale_note(reasons)))
    content["cells"].append(_cell("links", end))
    return json.dumps(content)


def _cell(name: str, text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def setup(app: Any) -> Mapping[str, Any]:
    """What Sphinx calls.

    The pages that ``build/generated/stale.json`` names are a value of the configuration, so that
    pages are read again when it changes.
    """
    app.add_config_value("lbae_stale", {}, "env", [dict])
    app.add_config_value("lbae_repository", os.environ.get("GITHUB_REPOSITORY", ""), "env", [str])
    app.add_config_value("lbae_branch", "main", "env", [str])

    def read_stale(_app: Any, config: Any) -> None:
        path = Path(app.srcdir) / STALE_PAGES
        config.lbae_stale = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def add_notes(_app: Any, page: str, source: list[str]) -> None:
        if not page.startswith("results/"):
            return
        config = app.config
        end = links(page, config.lbae_repository, config.lbae_branch)
        source[0] = with_notes(source[0], end, config.lbae_stale.get(page, []))

    app.connect("config-inited", read_stale)
    app.connect("source-read", add_notes)
    return {"parallel_read_safe": True}
