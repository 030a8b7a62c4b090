"""A Sphinx extension: generated pages, and notes on pages of results.

While Sphinx starts, it writes what the book's pages include. ``jupyter-book build .`` shows the
published results; ``lbae book`` adds the user's own runs.

Below its title, a page of results says whether it was published or run here, and whether it is out
of date. At its end, it links to its record and to its notebook on Binder. ``lbae_repository`` in
``_config.yml``, or the environment variable ``GITHUB_REPOSITORY`` that GitHub's workflows set,
names the repository as "owner/name"; without it there is no link to Binder.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from companion.experiments.records import RECORD_FILE, read_record
from companion.project import PUBLISHED, RUNS, ignore_own_runs
from companion.site.generated import write_generated
from companion.workflow.book_state import stale_pages
from companion.workflow.stored_once import referred_files

BOOK_PROFILE = "LBAE_BOOK"  # set by `lbae book`: the profile; own runs are shown then
_BINDER = "https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/notebooks/{name}.ipynb"


def stale_note(reasons: list[str]) -> str:
    """What a page that is out of date tells its reader, as MyST Markdown."""
    return (
        ":::{warning}\nThe results on this page are out of date: "
        f"{', '.join(reasons)}. Run `lbae report` to regenerate them.\n:::\n"
    )


def origin_note(page: str, record: Mapping[str, Any]) -> str:
    """Where a page's results come from, as MyST Markdown.

    Args:
        page: its document, in ``runs/`` or ``results/``.
        record: of its run.
    """
    day, commit = record["finished"][:10], record["environment"]["commit"]["hash"]
    code = f", with the code of commit {commit[:7]}" if commit else ""
    kind = "Your own run" if page.startswith(f"{RUNS}/") else "Published results, computed"
    return f"*{kind} on {day}{code}.*\n"


def links(page: str, repository: str, branch: str = "main") -> str:
    """A page's last line, as MyST Markdown.

    Args:
        page: of executed results, e.g. "results/quick/digits/03_sampling".
        repository: "owner/name" on GitHub, or "".
        branch: that Binder takes the notebook from, and ``.binder/``.
    """
    name = PurePosixPath(page).name
    parts = [f"{{download}}`record of this page, with all numbers <{name}/record.json>`"]
    parts += [f"notebook `notebooks/{name}.ipynb`"]
    if repository:
        address = _BINDER.format(repository=repository, branch=branch, name=name)
        parts += [f"run it [on the digits, on Binder]({address})"]
    return f"---\n\n{' · '.join(parts)}\n"


def with_notes(notebook: str, origin: str, end: str, reasons: list[str]) -> str:
    """A notebook's JSON with a last cell, and notes below its title."""
    content = json.loads(notebook)
    content["cells"].insert(1, _cell("origin", origin))
    if reasons:
        content["cells"].insert(2, _cell("stale", stale_note(reasons)))
    content["cells"].append(_cell("links", end))
    return json.dumps(content)


def _cell(name: str, text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def setup(app: Any) -> Mapping[str, Any]:
    """What Sphinx calls.

    The pages that are out of date are a value of the configuration, so that pages are read again
    when it changes.
    """
    app.add_config_value("lbae_stale", {}, "env", [dict])
    app.add_config_value("lbae_repository", os.environ.get("GITHUB_REPOSITORY", ""), "env", [str])
    app.add_config_value("lbae_branch", "main", "env", [str])

    def generate(_app: Any, config: Any) -> None:
        profile = os.environ.get(BOOK_PROFILE)
        if profile is None:
            ignore_own_runs()
        config.lbae_stale = stale_pages(profile or "quick")
        write_generated(profile or "quick", config.lbae_stale)

    def add_notes(_app: Any, page: str, source: list[str]) -> None:
        if not _is_result(page):
            return
        config = app.config
        record = read_record(Path(app.srcdir, page, RECORD_FILE))
        end = links(page, config.lbae_repository, config.lbae_branch)
        origin = origin_note(page, record)
        source[0] = with_notes(source[0], origin, end, config.lbae_stale.get(page, []))
        if app.builder.name == "singlehtml":  # one page, in the folder of the root
            name = PurePosixPath(page).name
            for mark in "\"'(":
                quoted = json.dumps(mark)[1:-1]
                source[0] = source[0].replace(f"{quoted}{name}/", f"{quoted}{page}/")

    def copy_files(_app: Any, error: Exception | None) -> None:
        """Put the figures to which executed notebooks refer beside their pages."""
        for page in filter(_is_result, app.env.found_docs if error is None else ()):
            for file in referred_files(Path(app.srcdir, f"{page}.ipynb")):
                target = Path(app.outdir, page, file.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)

    app.connect("config-inited", generate)
    app.connect("source-read", add_notes)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True}


def _is_result(page: str) -> bool:
    return page.startswith((f"{RUNS}/", f"{PUBLISHED}/"))
