"""The book's table of contents."""

from __future__ import annotations

from pathlib import Path

import yaml

from companion.experiments.records import TABLES
from companion.project import ignore_own_runs, in_force, project_root
from companion.site.results import ResultSet, find_results
from lbae_lib.files import write_text

PACKAGES = ("data", "models", "latent", "metrics", "coding")  # of lbae_lib, with a reference each
_FRONT = ("book/method", "book/explorer", "book/verdicts", "book/atlas", "book/paper_versus_code")
_BACK = ("book/performance", "book/reliability", "book/cite")


def across_page(profile: str) -> str | None:
    """The document of the page on all data sets: the profile's own, or else another's."""
    places = [Path(name, f"{TABLES}.ipynb") for name in (profile, "laptop", "quick")]
    found = [page for page in map(in_force, places) if page.exists()]
    return found[0].relative_to(project_root()).with_suffix("").as_posix() if found else None


def contents(sets: list[ResultSet], across: str | None) -> dict[str, object]:
    """The table of contents, as jupyter-book reads it.

    Args:
        sets: the data sets' pages.
        across: the page on all data sets, if there is one; without its suffix.
    """
    parts = [("The companion", [*_FRONT, *([across] if across else [])])]
    parts += [(result.title, [*map(result.page, result.notebooks)]) for result in sets]
    packages = [f"book/api/{package}" for package in PACKAGES]
    parts += [("Appendix", [*_BACK]), ("Use it", ["book/own_images", "book/library", *packages])]
    listed = [
        {"caption": caption, "chapters": [{"file": page} for page in pages]}
        for caption, pages in parts
    ]
    return {"format": "jb-book", "root": "book/intro", "parts": listed}


def write_published_contents() -> None:
    """Write ``_toc.yml``, the contents of the book that ``jupyter-book build .`` makes."""
    ignore_own_runs()
    listed = contents(find_results("quick"), across_page("quick"))
    head = "# Written by `lbae publish`: the pages of the published results.\n"
    write_text(project_root() / "_toc.yml", head + yaml.safe_dump(listed, sort_keys=False))
