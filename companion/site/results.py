"""The executed notebooks that there are, and what their records say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from companion.experiments.records import RECORD_FILE, read_record
from companion.paper.decisions import Verdict
from companion.project import in_force, project_root
from companion.workflow.book_state import pages_in_force
from lbae_lib.data.registry import DATASETS, PAPER_DATASETS
from lbae_lib.files import read_json


@dataclass(frozen=True)
class ResultSet:
    """Executed notebooks of one data set in one profile; ``place`` is ``<profile>/<data set>``."""

    place: Path
    title: str
    notebooks: tuple[str, ...]

    def file(self, notebook: str) -> Path:
        """The executed notebook: the user's own, or else the published one."""
        return in_force(self.place / f"{notebook}.ipynb")

    @property
    def label(self) -> str:
        """The title as MyST text."""
        return as_text(self.title)

    def page(self, notebook: str) -> str:
        """The document that a notebook becomes, e.g. ``results/quick/digits/03_sampling``."""
        return document(self.file(notebook))

    def verdicts(self, notebook: str) -> list[Verdict]:
        """The verdicts in a notebook's record."""
        return verdicts_of(self.record(notebook))

    def record(self, notebook: str) -> dict[str, Any]:
        """A notebook's record."""
        return read_record(self.file(notebook).with_suffix("") / RECORD_FILE)

    def training(self) -> dict[str, Any] | None:
        """The record of the model's training; None if there is none."""
        path = in_force(self.place / "lbae" / RECORD_FILE)
        return read_record(path) if path.exists() else None


def document(notebook: Path) -> str:
    """The document that an executed notebook becomes, without its suffix."""
    return notebook.relative_to(project_root()).with_suffix("").as_posix()


def verdicts_of(record: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts in a page's record."""
    read = map(Verdict.read, record["results"].get("verdicts", []))
    return [verdict for verdict in read if verdict is not None]


def find_results(profile: str) -> list[ResultSet]:
    """Every data set with executed notebooks: the paper's, other folders of images, stand-ins."""
    executed: dict[Path, list[str]] = {}
    for page in pages_in_force(profile):
        place = Path(*page.relative_to(project_root()).parts[1:-1])
        if len(place.parts) == 2:
            executed.setdefault(place, []).append(page.stem)
    return [
        ResultSet(
            place, f"{dataset_title(place)} (profile {place.parts[0]})", tuple(executed[place])
        )
        for place in sorted(executed, key=_order)
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; cells are Markdown themselves."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def as_text(title: str) -> str:
    """A title as MyST text on one line: that of a folder of images may hold anything."""
    return re.sub(r"([\\`*_{}\[\]<>&|$~!#])", r"\\\1", " ".join(title.split()))


def cell(text: str) -> str:
    """Text as a cell of a table in Markdown."""
    return text.replace("|", r"\|")


def notebook_title(notebook: Path) -> str:
    """The first heading of a notebook."""
    cells = read_json(notebook, "notebook")["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].removeprefix("# ")


def dataset_title(place: Path) -> str:
    """A data set's title; of a folder of images, as its training's record has it."""
    return str(_dataset(place)["title"])


def dataset_source(place: Path) -> str:
    """What a data set consists of, for a reader; "" if it is not known."""
    return str(_dataset(place).get("source") or "")


def paper_dataset(place: Path) -> str | None:
    """The title of the paper's data set that a place's images are from; None for others."""
    found = _dataset(place)
    title = found.get("stands_for") or found["title"]
    return title if title in PAPER_DATASETS.values() and not found.get("embedded") else None


def _dataset(place: Path) -> dict[str, Any]:
    """Title, source, ``stands_for`` and ``embedded`` of a data set, as far as they are known."""
    if place.name in DATASETS:
        return asdict(DATASETS[place.name])
    path = in_force(place / "lbae" / RECORD_FILE)
    if not path.exists():
        return {"title": place.name}
    found: dict[str, Any] = read_record(path, {"options.dataset.title": str})["options"]["dataset"]
    return found


def _order(place: Path) -> tuple[int, int, Path]:
    """MNIST, CIFAR-10, CelebA, then other folders of images, then stand-ins in the same order."""
    titles, found = [*PAPER_DATASETS.values()], _dataset(place)
    title = found.get("stands_for") or found["title"]
    within = titles.index(title) if title in titles else len(titles)
    group = 2 if found.get("embedded") else within // len(titles)
    return group, within, place
