"""The book: a table of contents from the results there are, then jupyter-book."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from companion.project import project_root
from companion.site.contents import across_page, contents
from companion.site.results import find_results
from companion.site.sphinx_extension import BOOK_PROFILE
from companion.workflow.book_state import BOOK_INDEX, book_digest, keep_digest
from lbae_lib.errors import LbaeError
from lbae_lib.files import read_json, write_text
from lbae_lib.locks import locked

# jupyter-book 1 cannot be run with "python -m"; companion.workflow keeps jsonschema quick.
_JUPYTER_BOOK = "import companion.workflow; from jupyter_book.cli.main import main; main()"


def build_book(profile: str, single: bool = False) -> Path:
    """Build the book from every result there is, the user's own or published; returns its index.

    Results of the profile ``smoke`` mean nothing. They are left out unless the book is built for
    that profile. ``single`` builds one page, to print or to search, beside the book of many pages.
    """
    with locked(project_root() / "build", wait=True):  # its files are shared
        return _built(profile, single)


def _built(profile: str, single: bool) -> Path:
    root = project_root()
    sets = find_results(profile)
    if not sets:
        raise LbaeError("there are no executed notebooks yet: run `lbae report` first")
    digest = book_digest(profile)
    across = across_page(profile)
    pages = [result.page(name) for result in sets for name in result.notebooks]
    pages += [across] if across else []
    for page in pages:
        check_executed(root / f"{page}.ipynb")
    write_text(root / "build/_toc.yml", yaml.safe_dump(contents(sets, across), sort_keys=False))
    print(f"building the book from {len(pages)} notebooks …", file=sys.stderr)
    if not single:
        _run_sphinx(profile, root / "build", "html")
        keep_digest(digest)
        return root / BOOK_INDEX
    _run_sphinx(profile, root / "build/single", "singlehtml")
    # The page is made for its source's folder, but the files that it shows are one level higher.
    folder = root / "build/single/_build/singlehtml"
    return (folder / "book/intro.html").replace(folder / "index.html")


def _run_sphinx(profile: str, target: Path, builder: str) -> None:
    """Run jupyter-book; if it fails or is interrupted, the earlier book stays."""
    root, book = project_root(), target / "_build" / builder
    earlier = book.with_name(f".{builder}.earlier")
    if book.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        book.rename(earlier)
    command = [
        sys.executable, "-c", _JUPYTER_BOOK, "build", str(root), "--toc",
        str(root / "build/_toc.yml"), "--path-output", str(target), "--builder", builder, "-W",
        "-n", "--keep-going", "-q",
    ]  # fmt: skip
    environment = os.environ | {BOOK_PROFILE: profile}
    built = False
    try:
        done = subprocess.run(
            command, check=False, cwd=root, env=environment, capture_output=True, text=True
        )
        built = not done.returncode
    finally:
        shutil.rmtree(earlier if built else book, ignore_errors=True)
        if not built and earlier.exists():
            earlier.rename(book)
    if not built:
        said = "\n".join(map(_without_traceback, (done.stdout, done.stderr)))
        raise LbaeError(f"the book could not be built:\n{said}")


def _without_traceback(said: str) -> str:
    """What jupyter-book said before a traceback: it has named the error by then."""
    return said.partition("Traceback (most recent call last)")[0].rstrip()


def check_executed(notebook: Path) -> None:
    """Raise ``LbaeError`` if a notebook was not run to its end without an error."""
    cells = read_json(notebook, "notebook")["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        if cell.get("execution_count") is None:
            raise LbaeError(f"cell {number} of {notebook} was never run: run the notebook again")
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                text = re.sub(r"\x1b\[[0-9;]*m", "", output.get("evalue", ""))
                raise LbaeError(f"cell {number} of {notebook} ended with an error: {text}")
