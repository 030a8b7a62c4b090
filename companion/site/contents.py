"""The book's table of contents."""

from pathlib import Path

import yaml

from companion.experiments.records import TABLES
from companion.project import ignore_own_runs, in_force, project_root
from companion.site.results import ResultSet, find_results, notebook_title
from lbae_lib.files import write_text

PACKAGES = ("data", "models", "latent", "metrics", "coding")  # of lbae_lib, with a reference each
_FRONT = (
    "book/explorer", "book/method", "book/verdicts", "book/reproducibility", "book/atlas",
    "book/paper_versus_code",
)  # fmt: skip
_USE = ("book/own_images", "book/commands", "book/library", "book/authors_weights")
_BACK = ("book/performance", "book/scaling", "book/reliability", "book/cite")


def across_page(profile: str) -> str | None:
    """The document of the page on all data sets: the profile's own, or else another's."""
    profiles = (profile, "accelerator", "laptop", "quick")
    places = [Path(name, f"{TABLES}.ipynb") for name in profiles]
    found = [page for page in map(in_force, places) if page.exists()]
    return found[0].relative_to(project_root()).with_suffix("").as_posix() if found else None


def contents(sets: list[ResultSet], across: str | None) -> dict[str, object]:
    """The table of contents, as jupyter-book reads it."""
    packages = [f"book/api/{package}" for package in PACKAGES]
    parts = [("The companion", _files(*_FRONT, *([across] if across else [])))]
    parts += [(result.title, _pages(result)) for result in sets]
    parts += [("Use it", _files(*_USE, *packages))]
    parts += [("Appendix", _files(*_BACK))]
    listed = [{"caption": caption, "chapters": chapters} for caption, chapters in parts]
    return {"format": "jb-book", "root": "book/intro", "parts": listed}


def _files(*pages: str) -> list[dict[str, str]]:
    return [{"file": page} for page in pages]


def _pages(result: ResultSet) -> list[dict[str, str]]:
    """A data set's pages; their own titles name it, which would be long in the contents."""
    return [
        {"file": result.page(name), "title": notebook_title(result.file(name))}
        for name in result.notebooks
    ]


def write_published_contents() -> None:
    """Write ``_toc.yml``, the contents of the book that ``jupyter-book build .`` makes."""
    ignore_own_runs()
    listed = contents(find_results("quick"), across_page("quick"))
    head = "# Written by `lbae publish`: the pages of the published results.\n"
    write_text(project_root() / "_toc.yml", head + yaml.safe_dump(listed, sort_keys=False))
