"""The executed notebooks that there are, and what their records say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from companion.experiments.records import RECORD_FILE, read_record
from companion.paper.decisions import Verdict
from companion.project import in_force, project_root
from companion.workflow.book_state import pages_in_force
from lbae_lib.data.registry import DATASETS, PAPER_DATASETS
from lbae_lib.files import read_json


@dataclass(frozen=True)
class ResultSet:
    """Executed notebooks of one data set in one profile.

    Attributes:
        place: ``<profile>/<data set>``, below ``runs/`` and ``results/``.
        title: of data set and profile, for the table of contents.
        notebooks: their names, in order.
    """

    place: Path
    title: str
    notebooks: tuple[str, ...]

    def file(self, notebook: str) -> Path:
        """The executed notebook: the user's own, or else the published one."""
        return in_force(self.place / f"{notebook}.ipynb")

    @property
    def label(self) -> str:
        """The title as MyST text on one line: that of a folder of images may hold anything."""
        return re.sub(r"([\\`*_{}\[\]<>&|$~!#])", r"\\\1", " ".join(self.title.split()))

    def page(self, notebook: str) -> str:
        """The document that a notebook becomes, e.g. ``results/quick/digits/03_sampling``."""
        return self.file(notebook).relative_to(project_root()).with_suffix("").as_posix()

    def verdicts(self, notebook: str) -> list[Verdict]:
        """The verdicts in a notebook's record.

        Raises:
            CheckpointError: if the record is missing or damaged.
        """
        record = read_record(self.file(notebook).with_suffix("") / RECORD_FILE)
        read = map(Verdict.read, record["results"].get("verdicts", []))
        return [verdict for verdict in read if verdict is not None]


def find_results(profile: str) -> list[ResultSet]:
    """Every data set with executed notebooks: the paper's, other folders of images, stand-ins.

    Args:
        profile: that the book is built for; see :func:`comparable`.
    """
    executed: dict[Path, list[str]] = {}
    for page in pages_in_force(profile):
        place = Path(*page.relative_to(project_root()).parts[1:-1])
        if len(place.parts) == 2:
            executed.setdefault(place, []).append(page.stem)
    return [
        ResultSet(place, f"{_title(place)} (profile {place.parts[0]})", tuple(executed[place]))
        for place in sorted(executed, key=_order)
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


def _title(place: Path) -> str:
    """Of a data set; of a folder of images as its training's record has it from the profile."""
    if place.name in DATASETS:
        return DATASETS[place.name].title
    path = in_force(place / "lbae" / RECORD_FILE)
    if not path.exists():
        return place.name
    record = read_record(path, {"options.dataset.title": str})
    return str(record["options"]["dataset"]["title"])


def _order(place: Path) -> tuple[int, Path]:
    """MNIST, CIFAR-10, CelebA, then other folders of images; stand-ins come last."""
    titles, title = [*PAPER_DATASETS.values()], _title(place)
    if title in titles:
        return titles.index(title), place
    return len(titles) + (place.name in DATASETS), place
