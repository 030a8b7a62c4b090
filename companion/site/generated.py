"""What the book's pages include: tables over all results, and the reference."""

from __future__ import annotations

from pathlib import Path

import yaml

from companion.experiments.records import TABLES
from companion.project import ignore_own_runs, in_force, project_root
from companion.site.atlas import atlas_table
from companion.site.overview import overview_figure
from companion.site.performance import performance_tables
from companion.site.reliability import reliability_table
from companion.site.results import ResultSet, find_results
from companion.site.verdict_tables import counts_table, verdict_tables
from lbae_lib.files import write_text

PACKAGES = ("data", "models", "latent", "metrics", "coding")  # of lbae_lib, with a reference each
_FRONT = ("book/method", "book/verdicts", "book/atlas", "book/paper_versus_code")
_BACK = ("book/performance", "book/reliability", "book/cite")


def write_generated(profile: str, stale: dict[str, list[str]]) -> None:
    """Write what the book's pages include to ``build/generated/``.

    Args:
        profile: that the book is built for.
        stale: why pages are out of date, by document.
    """
    sets = find_results(profile)
    generated = {
        "atlas": atlas_table(sets, across_page(profile)),
        "counts": counts_table(sets),
        "overview": overview_figure(sets),
        "performance": performance_tables(),
        "reliability": reliability_table(),
        "verdicts": verdict_tables(sets, stale),
    }
    generated |= {f"api_{package}": reference(package) for package in PACKAGES}
    for name, text in generated.items():
        write_text(project_root() / f"build/generated/{name}.md", text)


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


def reference(package: str) -> str:
    """The source of a package's reference for Sphinx: one section per module, in Markdown.

    Args:
        package: a folder of ``lbae_lib``.
    """
    modules = sorted(p.stem for p in (project_root() / "lbae_lib" / package).glob("[a-z]*.py"))
    return "\n".join(
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: lbae_lib.{package}.{name}\n"
        "   :members:\n   :member-order: bysource\n```\n"
        for name in modules
    )
