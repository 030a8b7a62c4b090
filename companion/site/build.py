"""The book: a table of contents from the results there are, then jupyter-book."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from companion.experiments.records import TABLES
from companion.project import project_root
from companion.site.atlas import atlas_table
from companion.site.overview import overview_figure
from companion.site.performance import performance_tables
from companion.site.reliability import reliability_table
from companion.site.results import ResultSet, find_results
from companion.site.verdict_tables import counts_table, limits_table, verdict_tables
from companion.workflow.plan import BOOK_INDEX
from companion.workflow.staleness import STALE_PAGES, stale_reasons
from lbae_lib.errors import LbaeError
from lbae_lib.files import write_json, write_text

_FRONT = ("book/method", "book/verdicts", "book/atlas", "book/paper_versus_code")
_BACK = ("book/performance", "book/reliability", "book/cite")
_PACKAGES = ("data", "models", "latent", "metrics", "coding")  # of lbae_lib, with a reference each
# jupyter-book 1 cannot be run with "python -m". jsonschema spends two seconds on the grammar of
# IRIs in rfc3987_syntax, and notebooks have none.
_JUPYTER_BOOK = (
    "import sys; sys.modules['rfc3987_syntax'] = None; "
    "from jupyter_book.cli.main import main; main()"
)


def build_book(profile: str, single: bool = False) -> Path:
    """Build the book from every result there is.

    Results of the profile ``smoke`` mean nothing. They are left out unless the book is built for
    that profile.

    Args:
        profile: that the book is built for.
        single: build one page, to print or to search, beside the book of many pages.

    Returns:
        The index page.

    Raises:
        LbaeError: if there is no result, a notebook holds an error, or Sphinx warns.
    """
    root = project_root()
    sets = find_results(root, profile)
    if not sets:
        raise LbaeError("there are no executed notebooks under results/: run `lbae report` first")
    pages = [result.page(name) for result in sets for name in result.notebooks]
    across = f"results/{profile}/{TABLES}"
    if (root / f"{across}.ipynb").exists():
        pages.append(across)
    for page in pages:
        check_executed(root / f"{page}.ipynb")
    _write_generated(root, sets, pages, across if across in pages else None)
    print(f"building the book from {len(pages)} notebooks …", file=sys.stderr)
    if not single:
        _run_sphinx(root, root / "build", "html")
        return root / BOOK_INDEX
    _run_sphinx(root, root / "build/single", "singlehtml")
    # The page is made for its source's folder, but the files that it shows are one level higher.
    folder = root / "build/single/_build/singlehtml"
    return (folder / "book/intro.html").replace(folder / "index.html")


def _write_generated(
    root: Path, sets: list[ResultSet], pages: list[str], across: str | None
) -> None:
    """Write the table of contents and what the book's pages include."""
    found = {page: stale_reasons(root / f"{page}.ipynb") for page in pages}
    stale = {page: reasons for page, reasons in found.items() if reasons}
    write_json(root / STALE_PAGES, stale)
    generated = {
        "atlas": atlas_table(sets, across),
        "counts": counts_table(sets),
        "limits": limits_table(),
        "overview": overview_figure(sets),
        "performance": performance_tables(root),
        "reliability": reliability_table(root),
        "verdicts": verdict_tables(sets, stale),
    }
    generated |= {f"api_{package}": reference(root, package) for package in _PACKAGES}
    for name, text in generated.items():
        write_text(root / f"build/generated/{name}.md", text)
    write_text(root / "build/_toc.yml", yaml.safe_dump(contents(sets, across), sort_keys=False))


def _run_sphinx(root: Path, target: Path, builder: str) -> None:
    """Run jupyter-book; a book that fails is removed."""
    shutil.rmtree(target / "_build" / builder, ignore_errors=True)
    command = [
        sys.executable, "-c", _JUPYTER_BOOK, "build", str(root), "--toc",
        str(root / "build/_toc.yml"), "--path-output", str(target), "--builder", builder, "-W",
        "-n", "--keep-going", "-q",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, cwd=root, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(target / "_build" / builder, ignore_errors=True)
        raise LbaeError(f"the book could not be built:\n{done.stdout}\n{done.stderr}")


def contents(sets: list[ResultSet], across: str | None) -> dict[str, object]:
    """The table of contents, as jupyter-book reads it.

    Args:
        sets: the data sets' pages.
        across: the page on all data sets, if there is one; without its suffix.
    """
    parts = [("The companion", [*_FRONT, *([across] if across else [])])]
    parts += [(result.title, [*map(result.page, result.notebooks)]) for result in sets]
    packages = [f"book/api/{package}" for package in _PACKAGES]
    parts += [("Appendix", [*_BACK]), ("Use it", ["book/own_images", "book/library", *packages])]
    listed = [
        {"caption": caption, "chapters": [{"file": page} for page in pages]}
        for caption, pages in parts
    ]
    return {"format": "jb-book", "root": "book/intro", "parts": listed}


def reference(root: Path, package: str) -> str:
    """The source of a package's reference for Sphinx: one section per module, in Markdown.

    Args:
        root: of the project.
        package: a folder of ``lbae_lib``.
    """
    modules = sorted(p.stem for p in (root / "lbae_lib" / package).glob("[a-z]*.py"))
    return "\n".join(
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: lbae_lib.{package}.{name}\n"
        "   :members:\n   :member-order: bysource\n```\n"
        for name in modules
    )


def check_executed(notebook: Path) -> None:
    """Raise ``LbaeError`` if a notebook was not run to its end without an error."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        if cell.get("execution_count") is None:
            raise LbaeError(f"cell {number} of {notebook} was never run: run the notebook again")
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                text = re.sub(r"\x1b\[[0-9;]*m", "", output.get("evalue", ""))
                raise LbaeError(f"cell {number} of {notebook} ended with an error: {text}")
