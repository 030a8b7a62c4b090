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
from companion.site.listings import (
    ResultSet,
    atlas_table,
    counts_table,
    find_results,
    overview_figure,
    performance_tables,
    reliability_table,
    verdict_tables,
)
from companion.workflow.plan import BOOK_INDEX
from companion.workflow.staleness import STALE_PAGES, stale_reasons
from lbae_lib.errors import LbaeError
from lbae_lib.files import write_json, write_text

_FRONT = ("book/method", "book/verdicts", "book/atlas", "book/paper_versus_code")
_BACK = ("book/performance", "book/reliability", "book/cite")
_API = ("data", "models", "latent", "metrics", "coding")  # rooms with a page of reference
# jupyter-book 1 cannot be run with "python -m". What jsonschema would do with this package takes
# it two seconds: a grammar of IRIs, which notebooks have none of.
_JUPYTER_BOOK = (
    "import sys; sys.modules['rfc3987_syntax'] = None; "
    "from jupyter_book.cli.main import main; main()"
)
_GENERATED = Path("build/generated")


def build_book(profile: str, single: bool = False) -> Path:
    """Build the book from every result there is.

    Results of the profile ``smoke`` mean nothing and are left out, unless it is the one asked
    for.

    Args:
        profile: the one just made.
        single: as one page, to print or to search; beside the other.

    Returns:
        The index page.

    Raises:
        LbaeError: if there is no result, a notebook holds an error, or Sphinx warns.
    """
    root = project_root()
    sets = find_results(root, profile)
    if not sets:
        raise LbaeError("there are no executed notebooks under results/: run `lbae report` first")
    for result in sets:
        for name in result.notebooks:
            check_executed(root / result.folder / f"{name}.ipynb")
    tables = root / "results" / profile / f"{TABLES}.ipynb"
    across = tables.relative_to(root).with_suffix("").as_posix() if tables.exists() else None
    if across:
        check_executed(tables)
    pages = [root / s.folder / f"{name}.ipynb" for s in sets for name in s.notebooks]
    pages += [tables] if across else []
    stale = {
        page.relative_to(root).with_suffix("").as_posix(): reasons
        for page in pages
        if (reasons := stale_reasons(page))
    }
    (root / _GENERATED).mkdir(parents=True, exist_ok=True)
    write_json(root / STALE_PAGES, stale)
    for name, text in (
        ("atlas", atlas_table(root, sets, across)),
        ("counts", counts_table(root, sets)),
        ("overview", overview_figure(root, sets)),
        ("performance", performance_tables(root)),
        ("reliability", reliability_table(root)),
        ("verdicts", verdict_tables(root, sets, stale)),
        *((f"api_{room}", reference(root, room)) for room in _API),
    ):
        write_text(root / _GENERATED / f"{name}.md", text)
    write_text(root / "build/_toc.yml", yaml.safe_dump(contents(sets, across), sort_keys=False))
    print(
        f"building the book from {sum(len(s.notebooks) for s in sets)} notebooks …", file=sys.stderr
    )
    if not single:
        _sphinx(root, root / "build", "html")
        return root / BOOK_INDEX
    _sphinx(root, root / "build/single", "singlehtml")
    # The page is made for its source's folder, but what it shows is beside that folder.
    folder = root / "build/single/_build/singlehtml"
    return (folder / "book/intro.html").replace(folder / "index.html")


def _sphinx(root: Path, target: Path, builder: str) -> None:
    """Run jupyter-book; no half-built book is left."""
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
    front = [*_FRONT, *([across] if across else [])]
    parts: list[dict[str, object]] = [
        {"caption": "The companion", "chapters": [{"file": page} for page in front]}
    ]
    for result in sets:
        chapters = [{"file": (result.folder / name).as_posix()} for name in result.notebooks]
        parts.append({"caption": result.title, "chapters": chapters})
    parts.append({"caption": "Appendix", "chapters": [{"file": page} for page in _BACK]})
    pages = [
        {"file": "book/own_images"},
        {"file": "book/library"},
        *({"file": f"book/api/{room}"} for room in _API),
    ]
    parts.append({"caption": "Use it", "chapters": pages})
    return {"format": "jb-book", "root": "book/intro", "parts": parts}


def reference(root: Path, room: str) -> str:
    """What Sphinx makes a room's reference of: a section a module, in Markdown.

    Args:
        root: of the project.
        room: a folder of ``lbae_lib``.
    """
    modules = sorted(p.stem for p in (root / "lbae_lib" / room).glob("[a-z]*.py"))
    return (
        "\n\n".join(
            f"## {name}\n\n```{{eval-rst}}\n.. automodule:: lbae_lib.{room}.{name}\n"
            "   :members:\n   :member-order: bysource\n```"
            for name in modules
        )
        + "\n"
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
