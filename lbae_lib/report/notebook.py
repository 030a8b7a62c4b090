"""What a notebook of the companion needs: its inputs, figures with captions, a record.

A notebook opens with :func:`open_notebook`, shows figures and tables, states verdicts, and ends
with :meth:`Notebook.finish`, which writes ``record.json`` beside the figures.
"""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from IPython.display import HTML, display
from matplotlib.figure import Figure

from lbae_lib.config import Experiment, load_experiment, project_root
from lbae_lib.files import replacing, sha256_file
from lbae_lib.models.checkpoints import MODEL_FILE, PROGRESS_FILE
from lbae_lib.report.figures.style import style_context
from lbae_lib.report.records import RECORD_FILE, write_record
from lbae_lib.report.runs import LATENTS_FILE, Trained, load_trained

VERDICTS = {True: "holds", False: "does not hold", None: "not measurable here"}


@dataclass(frozen=True)
class Verdict:
    """A claim of the paper, what was measured, and whether it holds."""

    claim: str
    evidence: str
    holds: bool | None


@dataclass
class Notebook:
    """The state of one notebook run.

    Attributes:
        name: of the notebook, e.g. "02_latent_distribution".
        experiment: what it is run on.
        trained: model, images and latents.
        parameters: the notebook's own, seeds included.
        folder: where figures and record go.
    """

    name: str
    experiment: Experiment
    trained: Trained
    parameters: Mapping[str, Any]
    folder: Path
    results: dict[str, Any] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def provenance(self) -> str:
        """Data, profile and seed, for captions."""
        training = self.experiment.training
        return (
            f"{self.trained.dataset.title}, profile {self.experiment.profile}, "
            f"{self.experiment.network.latent_size} bits, training seed {training.seed}, "
            f"seed {self.parameters.get('seed', 0)}"
        )

    def generator(self, offset: int = 0) -> torch.Generator:
        """A generator seeded by the notebook's ``seed`` and ``offset``."""
        return torch.Generator().manual_seed(1000 * int(self.parameters["seed"]) + offset)

    def history(self) -> list[dict[str, Any]]:
        """The training run's ``progress.jsonl``, a dictionary an epoch."""
        text = (self.experiment.model_folder / PROGRESS_FILE).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def training_results(self) -> dict[str, Any]:
        """What the training run's record says it found."""
        record = json.loads((self.experiment.model_folder / RECORD_FILE).read_text("utf-8"))
        return dict(record["results"])

    def show(self, figure: Figure, name: str, caption: str, alt: str) -> None:
        """Save a figure as PNG and SVG and display it with its caption.

        Args:
            figure: to show.
            name: of the files.
            caption: what is seen; data, profile and seed are added.
            alt: the same for those who do not see it.
        """
        with style_context():
            for suffix in (".png", ".svg"):
                metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
                with replacing(self.folder / f"{name}{suffix}") as scratch:
                    figure.savefig(scratch, metadata=metadata)
        png = (self.folder / f"{name}.png").read_bytes()
        width = int(figure.get_figwidth() * 108)
        display(HTML(figure_html(png, f"{caption} {self.provenance}.", alt, width)))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Display a table; floats in four significant digits."""
        display(HTML(table_html(header, rows)))

    def verdict(self, claim: str, evidence: str, holds: bool | None) -> None:
        """Keep a verdict, for :meth:`finish`; ``None``: not measurable here."""
        self.verdicts.append(Verdict(claim, evidence, None if holds is None else bool(holds)))

    def finish(self) -> None:
        """Display the verdicts and write the record."""
        rows = [(v.claim, v.evidence, VERDICTS[v.holds]) for v in self.verdicts]
        self.table(("claim of the paper", "found here", "verdict"), rows)
        model_folder = self.experiment.model_folder
        write_record(
            self.folder / RECORD_FILE,
            kind=self.name,
            options={
                "profile": self.experiment.profile,
                "dataset": self.experiment.dataset.name,
                "parameters": dict(self.parameters),
            },
            inputs={
                "model": sha256_file(model_folder / MODEL_FILE),
                "latents": sha256_file(model_folder / LATENTS_FILE),
                "notebook": sha256_file(project_root() / "notebooks" / f"{self.name}.ipynb"),
            },
            results=self.results
            | {"verdicts": [vars(v) | {"verdict": VERDICTS[v.holds]} for v in self.verdicts]},
            seconds=time.monotonic() - self.started,
        )


def open_notebook(
    name: str, profile: str, dataset: str, data_root: str, **parameters: Any
) -> Notebook:
    """Load what a notebook works on.

    Args:
        name: of the notebook.
        profile: a file in ``config/``.
        dataset: a registered name or "folder:PATH".
        data_root: where torchvision's data sets are; relative to the project.
        **parameters: the notebook's own, kept in its record.

    Raises:
        LbaeError: if the model, its latents or the images are missing; says the command.
    """
    experiment = load_experiment(profile, dataset)
    trained = load_trained(experiment, project_root() / data_root)
    folder = experiment.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    return Notebook(name, experiment, trained, parameters, folder)


def figure_html(png: bytes, caption: str, alt: str, width: int) -> str:
    """A figure with caption and alternative text as HTML that stands on its own."""
    source = base64.b64encode(png).decode()
    return (
        '<figure class="lbae-figure" style="margin:1em 0">'
        f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt, quote=True)}" '
        f'style="width:{width}px;max-width:100%;background:white">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def table_html(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as HTML, everything escaped; floats in four significant digits, None as a dash."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return (
        f'<table class="table lbae-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
