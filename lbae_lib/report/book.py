"""The book: a table of contents from the results there are, then jupyter-book."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from lbae_lib.config import project_root
from lbae_lib.errors import LbaeError
from lbae_lib.files import write_text
from lbae_lib.report.workflow import BOOK_INDEX, SCORES, TABLES

_FRONT = ("book/method", "book/atlas", "book/paper_versus_code")
_BACK = ("book/cite",)
# jupyter-book 1 cannot be run with "python -m"
_JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
_GENERATED = Path("build/generated")

# Figure or table of the paper -> what it shows, and the notebook that re-makes it.
ATLAS = (
    ("Figure 1", "the bottleneck: tanh, sign, straight-through gradient", "01_training"),
    ("Figure 2", "training latents, direct rounding, random hyperplanes", "02_latent_distribution"),
    ("Figure 3", "bits as unit vectors on a sphere", "02_latent_distribution"),
    ("Figure 4", "a random hyperplane gives them signs", "02_latent_distribution"),
    ("Figure 5", "images from uniform bits", "03_sampling"),
    ("Figure 6", "precision/recall curves", "05_metrics"),
    ("Figure 7", "reconstructions of test images", "01_training"),
    ("Figure 8", "novel samples", "03_sampling"),
    ("Figure 9", "Hamming distance along interpolations", "04_interpolation"),
    ("Figure 10", "interpolations between test images", "04_interpolation"),
    ("Figure 11", "attribute editing", "07_attributes"),
    ("Algorithm 1", "from a latent to a hyperplane", "04_interpolation"),
    ("Table 1", "FID", "05_metrics"),
    ("Table 2", "KID", "05_metrics"),
    ("Table 3", "resolutions, latent sizes, epochs", "05_metrics"),
    ("Table 4", "precision/recall", "05_metrics"),
    ("Table 5", "Gaussian mixtures on latents", "05_metrics"),
    ("Supplement, Figures 1-2", "the network", "01_training"),
    (
        "Supplement, Figures 3-12",
        "more reconstructions, samples, interpolations, edits",
        "11_gallery",
    ),
    ("Supplement, Table 1", "compression", "09_compression"),
)


@dataclass(frozen=True)
class ResultSet:
    """Executed notebooks of one data set in one profile.

    Attributes:
        folder: ``results/<profile>/<data set>``, relative to the project.
        title: for the table of contents.
        notebooks: names, in order.
    """

    folder: Path
    title: str
    notebooks: tuple[str, ...]


def build_book(profile: str) -> Path:
    """Build the book from every result there is.

    Results of the profile ``smoke`` mean nothing and are left out, unless it is the one asked
    for.

    Args:
        profile: the one just made.

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
    (root / _GENERATED).mkdir(parents=True, exist_ok=True)
    tables = root / "results" / profile / f"{TABLES}.ipynb"
    across = tables.relative_to(root).with_suffix("").as_posix() if tables.exists() else None
    if across:
        check_executed(tables)
    write_text(root / _GENERATED / "atlas.md", atlas_table(sets, across))
    write_text(root / "build/_toc.yml", yaml.safe_dump(contents(sets, across), sort_keys=False))
    html = root / BOOK_INDEX.parent
    shutil.rmtree(html, ignore_errors=True)
    command = [
        sys.executable, "-c", _JUPYTER_BOOK, "build", str(root), "--toc",
        str(root / "build/_toc.yml"), "--path-output", str(root / "build"), "-W", "-n",
        "--keep-going", "-q",
    ]  # fmt: skip
    print(
        f"building the book from {sum(len(s.notebooks) for s in sets)} notebooks …", file=sys.stderr
    )
    done = subprocess.run(command, check=False, cwd=root, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(html, ignore_errors=True)
        raise LbaeError(f"the book could not be built:\n{done.stdout}\n{done.stderr}")
    return root / BOOK_INDEX


def find_results(root: Path, profile: str) -> list[ResultSet]:
    """Every data set with executed notebooks, the paper's own data first."""
    from lbae_lib.data.registry import DATASETS

    found = []
    for folder in sorted((root / "results").glob("*/*")):
        names = tuple(sorted(p.stem for p in folder.glob("[0-9]*.ipynb") if ".log" not in p.name))
        if not names or (folder.parent.name == "smoke" and profile != "smoke"):
            continue
        info = DATASETS.get(folder.name)
        title = info.title if info else folder.name
        found.append(
            ResultSet(folder.relative_to(root), f"{title} (profile {folder.parent.name})", names)
        )
    return sorted(found, key=lambda s: ("digits" in s.folder.parts, s.folder.as_posix()))


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
    return {"format": "jb-book", "root": "book/intro", "parts": parts}


def atlas_table(sets: list[ResultSet], across: str | None) -> str:
    """Figure or table of the paper, and the pages that re-make it, as a Markdown table.

    Args:
        sets: the data sets' pages.
        across: the page on all data sets, which has all tables, if there is one.
    """
    lines = ["| paper | shows | here |", "| --- | --- | --- |"]
    for item, shows, notebook in ATLAS:
        links = [
            f"[{result.title}](/{result.folder.as_posix()}/{notebook})"
            for result in sets
            if notebook in result.notebooks
        ]
        if across and notebook == SCORES:
            links.insert(0, f"[all data](/{across})")
        lines.append(f"| {item} | {shows} | {', '.join(links) or 'not yet'} |")
    return "\n".join(lines) + "\n"


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
