"""A Sphinx extension: generated pages, and pages of results arranged for readers.

While Sphinx starts, it writes what the book's pages include. ``jupyter-book build .`` shows the
published results; ``lbae book`` adds the user's own runs.

``lbae_repository`` in ``_config.yml``, or the environment variable ``GITHUB_REPOSITORY`` that
GitHub's workflows set, names the repository as "owner/name"; without it there are no links to
GitHub and Binder.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from companion.experiments.records import RECORD_FILE, read_record
from companion.project import PUBLISHED, RUNS, ignore_own_runs
from companion.site.generated import write_generated
from companion.site.result_pages import arranged, links, named_pages, origin_note, stale_note
from companion.site.results import as_text, dataset_source, dataset_title, verdicts_of
from companion.site.verdict_tables import page_verdicts
from companion.workflow.book_state import stale_pages

BOOK_PROFILE = "LBAE_BOOK"  # set by `lbae book`: the profile; own runs are shown then
# What axe-core finds wrong in the HTML of Sphinx and its theme: a list without items, entries in
# a role that is deprecated, a box that scrolls and that the keyboard cannot reach.
_ACCESSIBLE = {
    ' role="list" class="citation-list"': ' class="citation-list"',
    ' role="doc-biblioentry"': "",
    '<div class="pst-scrollable-table-container">': (
        '<div class="pst-scrollable-table-container" role="group" aria-label="table" tabindex="0">'
    ),
}


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
        write_generated(
            profile or "quick", config.lbae_stale, config.lbae_repository, config.lbae_branch
        )

    def add_notes(_app: Any, page: str, source: list[str]) -> None:
        if not _is_result(page):
            return
        config = app.config
        record = read_record(Path(app.srcdir, page, RECORD_FILE))
        place = PurePosixPath(page).parent.relative_to(PurePosixPath(page).parts[0])
        verdicts = verdicts_of(record)
        evidence = f"evidence-{page.replace('/', '-')}" if verdicts else ""
        notes = (
            origin_note(page, record, dataset_source(Path(place))),
            stale_note(config.lbae_stale.get(page, [])),
            page_verdicts(verdicts, evidence),
        )
        end = links(page, config.lbae_repository, config.lbae_branch)
        title = as_text(dataset_title(Path(place))) if len(place.parts) == 2 else ""
        source[0] = arranged(source[0], notes, end, title, evidence, named_pages(page))
        if app.builder.name == "singlehtml":  # one page, in the folder of the root
            name = PurePosixPath(page).name
            for mark in "\"'(":
                quoted = json.dumps(mark)[1:-1]
                source[0] = source[0].replace(f"{quoted}{name}/", f"{quoted}{page}/")

    def make_accessible(
        _app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any
    ) -> None:
        for before, after in _ACCESSIBLE.items():
            context["body"] = context.get("body", "").replace(before, after)

    def copy_files(_app: Any, error: Exception | None) -> None:
        """Copy the figures and tables of executed notebooks beside their pages."""
        others = shutil.ignore_patterns("*.svg", "*.json", "*.safetensors")
        for page in filter(_is_result, app.env.found_docs if error is None else ()):
            folder = Path(app.srcdir, page)
            shutil.copytree(folder, Path(app.outdir, page), ignore=others, dirs_exist_ok=True)

    app.connect("config-inited", generate)
    app.connect("source-read", add_notes)
    app.connect("html-page-context", make_accessible)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True}


def _is_result(page: str) -> bool:
    return page.startswith((f"{RUNS}/", f"{PUBLISHED}/"))
