"""The book's table of contents."""

import yaml

from companion.project import ignore_own_runs, project_root
from companion.site.results import ResultSet, document, find_results, notebook_title
from companion.workflow.book_state import tables_page
from lbae_lib.files import write_text

# Of lbae_lib, with a page of the reference each; "base" has the modules beside the packages.
PACKAGES = ("base", "data", "models", "latent", "metrics", "coding")
_FRONT = (
    "book/explorer", "book/method", "book/verdicts", "book/reproducibility", "book/atlas",
    "book/paper_versus_code",
)  # fmt: skip
_USE = ("book/own_images", "book/commands", "book/library", "book/authors_weights")
_BACK = ("book/performance", "book/scaling", "book/reliability", "book/cite")


def across_page(profile: str) -> str | None:
    """The document of the page on all data sets, if there is one."""
    page = tables_page(profile)
    return document(page) if page else None


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
