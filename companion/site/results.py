"""The executed notebooks that there are, and what their records say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from companion.experiments.records import RECORD_FILE, comparable, read_record
from companion.paper.decisions import Verdict
from lbae_lib.data.registry import DATASETS, PAPER_DATASETS
from lbae_lib.files import read_json


@dataclass(frozen=True)
class ResultSet:
    """Executed notebooks of one data set in one profile.

    Attributes:
        folder: the project's ``results/<profile>/<data set>``.
        title: of data set and profile, for the table of contents.
        notebooks: their names, in order.
    """

    folder: Path
    title: str
    notebooks: tuple[str, ...]

    @property
    def label(self) -> str:
        """The title as MyST text on one line: that of a folder of images may hold anything."""
        return re.sub(r"([\\`*_{}\[\]<>&|$~!#])", r"\\\1", " ".join(self.title.split()))

    def page(self, notebook: str) -> str:
        """The document that a notebook becomes: ``results/<profile>/<data set>/<notebook>``."""
        return Path(*self.folder.parts[-3:], notebook).as_posix()

    def verdicts(self, notebook: str) -> list[Verdict]:
        """The verdicts in a notebook's record.

        Raises:
            CheckpointError: if the record is missing or damaged.
        """
        record = read_record(self.folder / notebook / RECORD_FILE)
        read = map(Verdict.read, record["results"].get("verdicts", []))
        return [verdict for verdict in read if verdict is not None]


def find_results(root: Path, profile: str) -> list[ResultSet]:
    """Every data set with executed notebooks: the paper's, other folders of images, stand-ins.

    Args:
        root: of the project.
        profile: that the book is built for; see :func:`comparable`.
    """
    executed = {folder: _notebooks(folder) for folder in (root / "results").glob("*/*")}
    shown = [f for f, names in executed.items() if names and comparable(f.parent.name, profile)]
    return [
        ResultSet(folder, f"{_title(folder)} (profile {folder.parent.name})", executed[folder])
        for folder in sorted(shown, key=_place)
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; cells are Markdown themselves."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def cell(text: str) -> str:
    """Text as a cell of a table in Markdown."""
    return text.replace("|", r"\|")


def notebook_title(notebook: Path) -> str:
    """The first heading of a notebook."""
    cells = read_json(notebook, "notebook")["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].removeprefix("# ")


def _notebooks(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in folder.glob("[0-9]*.ipynb") if ".log" not in p.name))


def _title(folder: Path) -> str:
    """Of a data set; of a folder of images as its training's record has it from the profile."""
    if folder.name in DATASETS:
        return DATASETS[folder.name].title
    path = folder / "lbae" / RECORD_FILE
    if not path.exists():
        return folder.name
    record = read_record(path, {"options.dataset.title": str})
    return str(record["options"]["dataset"]["title"])


def _place(folder: Path) -> tuple[int, Path]:
    """MNIST, CIFAR-10, CelebA, then other folders of images; stand-ins come last."""
    titles, title = [*PAPER_DATASETS.values()], _title(folder)
    if title in titles:
        return titles.index(title), folder
    return len(titles) + (folder.name in DATASETS), folder
