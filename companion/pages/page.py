"""What every page of the book does: show figures and tables, keep verdicts, write a record."""

import base64
import hashlib
import html
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from IPython.core.getipython import get_ipython
from IPython.display import HTML, display
from matplotlib.figure import Figure
from torch import Tensor

from companion.experiments.parameters import check_given, check_values
from companion.experiments.records import RECORD_FILE, environment, write_record
from companion.experiments.sources import code_hash, notebook_hash
from companion.figures.fonts import missing_letters
from companion.figures.style import save_figure
from companion.pages.player import player_html
from companion.pages.tables import Rows, csv_table, download_links, html_table, latex_table
from companion.paper.claims import declared
from companion.paper.decisions import (
    COLLAPSED,
    Decision,
    Outcome,
    Verdict,
    by_claim,
    gated,
    outcome_of,
)
from companion.project import RUNS, is_published, project_root
from lbae_lib.errors import ConfigError
from lbae_lib.files import replacing, write_text

_LONGEST_NAME = 60  # letters of a file's name, of at most 4 bytes each


@dataclass(kw_only=True)
class Page:
    """The state of one notebook run."""

    name: str  # of the notebook, e.g. "02_latent_distribution"
    profile: str  # a file in ``config/``
    parameters: Mapping[str, Any]  # of the notebook, seeds included
    folder: Path  # of figures, tables and record
    results: dict[str, Any] = field(default_factory=dict)  # JSON values for the record
    verdicts: list[Verdict] = field(default_factory=list)  # on the paper's claims
    closed: dict[str, str] = field(default_factory=dict)  # why, by gate; see decisions.gated
    made_of: dict[str, str] = field(default_factory=dict)  # SHA-256 by role, when read
    device: str = "cpu"  # that computes the page, "cpu" or "cuda"
    _started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        notebook = project_root() / "notebooks" / f"{self.name}.ipynb"
        self.made_of |= {"notebook": notebook_hash(notebook), "code": code_hash(notebook)}

    @property
    def provenance(self) -> str:
        """What figures and tables were computed from, for captions."""
        return f"Profile {self.profile}"

    def show(self, figure: Figure, name: str, caption: str, alt: str) -> None:
        """Save a figure, and display it with its caption, to which the provenance is added."""
        name = file_name(name)
        save_figure(figure, self.folder, name)
        caption = " ".join(filter(None, (caption, missing_letters(figure))))
        png = (self.folder / f"{name}.png").read_bytes()
        width = int(figure.get_figwidth() * 108)
        display(HTML(figure_html(png, f"{caption} {self.provenance}.", alt, width)))

    def play(
        self, frames: Tensor, columns: int, labels: Sequence[str], name: str, caption: str, alt: str
    ) -> None:
        """Display frames uint8 (T, K, C, S, S) with a slider; save them as one PNG file."""
        caption = f"{caption} {self.provenance}."
        png, player = player_html(frames, columns, labels, caption, alt)
        with replacing(self.folder / f"{file_name(name)}.png") as scratch:
            scratch.write_bytes(png)
        display(HTML(player))

    def table(
        self,
        header: Sequence[str],
        rows: Rows,
        name: str | None = None,
        caption: str = "",
        measured: bool = True,
    ) -> None:
        """Display a table with floats in four significant digits.

        With a name there are a caption, and CSV and LaTeX files for download. The provenance is
        added if the numbers were measured here.
        """
        page = html_table(header, rows)
        if name is not None:
            name = file_name(name)
            caption = f"{caption} {self.provenance}." if measured else caption
            caption = " ".join(caption.split())  # a name may have line breaks
            page += f'<p class="lbae-caption">{html.escape(caption)}</p>'
            files = {
                f"{name}.csv": csv_table(header, rows),
                f"{name}.tex": f"% {caption}\n{latex_table(header, rows)}",
            }
            for file, content in files.items():
                write_text(self.folder / file, content)
            page += download_links(files)
        display(HTML(page))

    def needs(self, condition: object, otherwise: str, *claims: str) -> bool:
        """Whether a section can be measured; if not, show and record why it is left out.

        ``otherwise`` says what is missing and what would give it; the section's claims are then not
        tested here.
        """
        if condition:
            return True
        display(HTML(f'<p class="lbae-caption">{html.escape(otherwise)}</p>'))
        self.results.setdefault("left_out", []).append(otherwise)
        for key in claims:
            self.verdict(key, otherwise, Outcome.NOT_TESTED)
        return False

    def verdict(
        self,
        key: str,
        evidence: str,
        answer: bool | Outcome | Decision,
        reading: str = "",
        decides: bool = True,
    ) -> None:
        """Record whether a claim holds, after its gates.

        Args:
            key: of the claim in ``companion/paper/claims.yaml``.
            evidence: the numbers found here; rule and reason of the decision are added.
            answer: a decision, an outcome, or whether it holds.
            reading: of the claim, if it has several; they are shown under it and count once.
            decides: whether this reading decides the claim.
        """
        claim = declared(key)
        if claim.page != self.name:
            raise ConfigError(
                f"the claim {key!r} is judged on page {claim.page}, not on {self.name}: change its "
                "page in companion/paper/claims.yaml"
            )
        closed = self.closed_gates()
        decision = gated(gated(Decision.of(answer), [COLLAPSED], closed), claim.gates, closed)
        evidence = " ".join(filter(None, (evidence.rstrip(".") + ".", decision.text)))
        self.verdicts.append(Verdict(key, evidence, decision.outcome, reading, decides))

    def closed_gates(self) -> dict[str, str]:
        """Gates that are closed when a verdict is recorded, with the reason."""
        return self.closed

    def finish(self) -> None:
        """Display the verdicts, if any, and write the record."""
        if self.verdicts:
            self.table(("claim of the paper", "found here", "verdict"), verdict_rows(self.verdicts))
        write_record(
            self.folder / RECORD_FILE,
            kind=self.name,
            options={"profile": self.profile, **self._options()},
            inputs=self.made_of,
            results=self.results | {"verdicts": [v.entry() for v in self.verdicts]},
            seconds=time.monotonic() - self._started,
            made_in=environment(self.device),
        )
        if self.folder.is_relative_to(project_root() / RUNS / "notebooks"):  # of a run by itself
            where = self.folder.relative_to(project_root()).as_posix()
            display(HTML(f"<p>Figures, tables and the record of this run: {where}</p>"))

    def _options(self) -> dict[str, Any]:
        return {"parameters": dict(self.parameters)}


def check_run(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` unless a notebook's parameters are its own and within their bounds."""
    shell = get_ipython()
    cells = [] if shell is None else list(shell.user_ns.get("In", []))
    check_given(name, cells, parameters)
    check_values(name, parameters)


def page_folder(name: str, output: str = "") -> Path:
    """The folder for what a notebook's run leaves, which is made.

    ``output`` is relative to the working folder; without it, the run has a folder of its own in
    ``runs/notebooks/NAME/``. The published results are refused with a ``ConfigError``.
    """
    if output:
        folder = Path(output).expanduser().resolve()
        if is_published(folder):
            raise ConfigError(
                f"{output} is among the published results, which only `lbae publish` changes: "
                "choose another folder as output"
            )
    else:
        run = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{uuid4().hex[:6]}"
        folder = project_root() / RUNS / "notebooks" / name / run
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def verdict_rows(verdicts: Sequence[Verdict]) -> Rows:
    """A row for each claim; below it a row for each of its readings, if it has several."""
    rows: list[tuple[str, str, str]] = []
    for found in by_claim(verdicts).values():
        words = found[0].words
        if len(found) == 1:
            reading = f"{words}; reading: {found[0].reading}" if found[0].reading else words
            rows.append((reading, found[0].evidence, found[0].outcome))
            continue
        rows.append((words, "", outcome_of(found)))
        for one in found:
            mark = " (decides)" if one.decides else ""
            rows.append((f"↳ {one.reading}{mark}", one.evidence, one.outcome))
    return rows


def file_name(name: str) -> str:
    """A name as that of a file in one folder: it may contain the name of an attribute or class.

    A name that had to change keeps its own file by some letters of its hash.
    """
    plain = re.sub(r"[^\w.-]", "-", name)
    if plain == name and len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain[:_LONGEST_NAME]}-{digest[:6]}"


def figure_html(png: bytes, caption: str, alt: str, width: int) -> str:
    """A figure with caption and alternative text as self-contained HTML."""
    source = base64.b64encode(png).decode()
    return (
        '<figure class="lbae-figure" style="margin:1em 0">'
        f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt, quote=True)}" '
        f'style="width:{width}px;max-width:100%;background:white">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
