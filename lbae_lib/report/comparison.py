"""The paper's tables beside what was measured here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from lbae_lib.config import load_experiment, project_root, results_folder
from lbae_lib.data.registry import PAPER_DATASETS, paper_counterpart
from lbae_lib.errors import LbaeError
from lbae_lib.files import read_tensors, sha256_file
from lbae_lib.models.autoencoders import LOSS_UNITS
from lbae_lib.report.page import Page
from lbae_lib.report.published import Value, published, published_cells, table_rows
from lbae_lib.report.records import RECORD_FILE, SCORES, TABLES, belongs_beside, read_record
from lbae_lib.report.tables import Spread, shown

COLUMNS = {
    "span": "any",
    "reco": "reconstruction",
    "n01": "N(0, 1)",
    "sampled": "N(μ, Σ)",
    "interp": "interpolation",
}
MODELS = {"lbae": "LBAE (ours)", "vae": "VAE (ours)"}
# The paper's columns -> what is scored here under that name, by model. The paper's Table 5 has no
# row for VAE (ours).
SCORED = {
    "lbae": {
        "reco": "lbae_reco",
        "n01": "lbae_n01",
        "sampled": "lbae_clip",
        "interp": "lbae_interp",
    },
    "vae": {"reco": "vae_reco", "n01": "vae_n01"},
}
# Scored here for VAE (ours), without a cell in the paper's tables.
BEYOND = {"sampled": "vae_sampled", "interp": "vae_interp"}

Header = list[str]
TableRows = list[list[object]]


@dataclass(frozen=True)
class ScoreRecord:
    """The scores of one data set in one profile, as its metrics page recorded them.

    Attributes:
        dataset: name, or "folder:PATH".
        profile: of the run.
        content: what :meth:`lbae_lib.report.scoring.Scoreboard.results` gave.
        verdicts: of the page, each with "claim", "evidence", "verdict".
        trusted: whether the controls of the first judge's distances came out in order.
    """

    dataset: str
    profile: str
    content: Mapping[str, Any]
    verdicts: tuple[Mapping[str, Any], ...] = ()
    trusted: Mapping[str, bool] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> ScoreRecord:
        """From the ``record.json`` of a metrics page."""
        text = {"options.dataset": str, "options.profile": str}
        found = {"scores": dict, "verdicts": list, "controls_in_order": dict}
        record = read_record(path, text | {f"results.{k}": kind for k, kind in found.items()})
        options, results = record["options"], record["results"]
        return cls(
            options["dataset"],
            options["profile"],
            results["scores"],
            tuple(results["verdicts"]),
            results["controls_in_order"],
        )

    @property
    def title(self) -> str:
        """Data set and profile, for tables."""
        info = load_experiment(self.profile, self.dataset).dataset
        stand_in = f", standing for {info.stands_for}" if info.stands_for else ""
        return f"{info.title} ({self.profile}{stand_in})"

    @property
    def folder(self) -> Path:
        """Where the metrics page left its files."""
        return results_folder(self.profile, self.dataset) / SCORES

    @property
    def counterpart(self) -> str | None:
        """The paper's data set that this is or stands for: "mnist", "cifar10", "celeba"."""
        return paper_counterpart(load_experiment(self.profile, self.dataset).dataset)

    @property
    def judges(self) -> list[str]:
        """Keys of the ways of scoring; the first decided the verdicts."""
        return list(self.content["judges"])

    @property
    def judged(self) -> str:
        """By what the verdicts were decided, if anything was scored."""
        return f", judged by {self.judges[0]}" if self.judges else ""

    @property
    def curve_facts(self) -> str:
        """What the PRD curves were made of, for captions."""
        judge = self.content["judges"][self.judges[0]]
        count, runs = self.content["reference_images"], judge["protocol"]["runs"]
        return (
            f"{self.title}: {count:,} images, features of {judge['extractor']}, {runs} clusterings"
        )

    def column_title(self, judge: str, metric: str) -> str:
        """A metric's name, with the network's unless that is Inception."""
        return str(self.content["judges"][judge]["titles"][metric])

    def measure(self, judge: str, metric: str) -> str:
        """A metric's name, and whether its controls failed."""
        title = self.column_title(judge, metric)
        title = title.replace(" precision, F1/8", " precision / recall (F1/8 / F8)")
        in_order = self.trusted.get(metric, self.trusted.get("frechet", True))
        failed = judge == self.judges[0] and not in_order
        return f"{title}, but its controls are out of order" if failed else title

    def effort(self, judge: str, metric: str) -> str:
        """How often a metric was taken: seeds, and subsets or clusterings."""
        protocol = self.content["judges"][judge]["protocol"]
        seeds = _counted(len(self.content["seeds"]), "seed")
        if metric == "kernel":
            row = next(iter(self.content["rows"].values()))
            size = row["kernel"][judge]["subset_size"]
            return f"{seeds}, {protocol['kernel_subsets']} subsets of {size:,}"
        if metric == "frechet":
            return seeds
        return f"{seeds}, {_counted(protocol['runs'], 'clustering')}"

    def spread(self, judge: str, key: str, metric: str) -> Spread | None:
        """A metric of a row over the seeds; None if the row was not scored."""
        row = self.content["rows"].get(key)
        return None if row is None else Spread.of(row["values"][judge][metric])


def published_table(table: str) -> tuple[Header, TableRows]:
    """One of the paper's tables in full: all methods, data sets and columns.

    Args:
        table: "table_1" to "table_5", or "supplement_table_1".
    """
    cells = [cell for cell in published_cells() if cell.table == table]
    there = dict.fromkeys((cell.dataset, cell.column) for cell in cells)
    order = [*COLUMNS, *(column for _, column in there)]
    columns = sorted(there, key=lambda c: ([*PAPER_DATASETS].index(c[0]), order.index(c[1])))
    header = ["method"]
    header += [f"{PAPER_DATASETS[d]}, {COLUMNS.get(c, c.replace('_', ' '))}" for d, c in columns]
    rows: TableRows = []
    for method, source in table_rows(table):
        values = [published(table, method, dataset, column) for dataset, column in columns]
        label = f"{method} ({source})" if source else method
        rows.append([label, *(_shown(value) for value in values)])
    return header, rows


def beside_published(scores: ScoreRecord, judge: str) -> tuple[Header, TableRows]:
    """FID, KID and PRD as published, each beside the same cell as measured here."""
    data = scores.counterpart
    titles = [
        scores.column_title(judge, m) for m in ("frechet", "kernel", "precision_f8", "recall_f8")
    ]
    header = ["model", "images", "paper: FID", titles[0], "paper: KID ×10³", titles[1]]
    header += ["paper: PRD precision / recall", *titles[2:]]
    rows: TableRows = []
    for model, columns in SCORED.items():
        for column, key in columns.items():
            found = [
                scores.spread(judge, key, m)
                for m in ("frechet", "kernel", "precision_f8", "recall_f8")
            ]
            paper = [_paper(t, model, data, column) for t in ("table_1", "table_2", "table_4")]
            cells: list[object] = [MODELS[model], COLUMNS[column]]
            cells += [paper[0], found[0], paper[1], found[1], paper[2], *found[2:]]
            rows.append(cells)
    return header, rows


def across(
    records: Iterable[ScoreRecord], table: str, metrics: tuple[str, ...]
) -> tuple[Header, TableRows]:
    """A table of the paper over all results here: the published value, then ours.

    Args:
        records: of all data sets.
        table: "table_1", "table_2" or "table_4".
        metrics: "frechet", or "kernel", or both PRD numbers.
    """
    columns = ("reco", "n01", "sampled", "interp")
    header = ["data", "model", "measure here", "images", "over"]
    parts = ["precision", "recall"] if len(metrics) == 2 else [""]
    for column in columns:
        header.append(f"{COLUMNS[column]}: paper")
        header += [f"{COLUMNS[column]}: here{', ' * bool(part)}{part}" for part in parts]
    rows: TableRows = []
    for scores in records:
        for judge in scores.judges:
            for model in MODELS:
                cells: list[object] = [
                    scores.title,
                    MODELS[model],
                    scores.measure(judge, metrics[0]),
                    scores.content["reference_images"],
                    scores.effort(judge, metrics[0]),
                ]
                for column in columns:
                    cells.append(_paper(table, model, scores.counterpart, column))
                    key = SCORED[model].get(column) or BEYOND[column]
                    cells += [scores.spread(judge, key, metric) for metric in metrics]
                rows.append(cells)
    return header, rows


def mixtures(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """Table 5 over all results here: mixtures of Gaussians against random hyperplanes."""
    header = ["data", "images from", "measure here", "images", "over", "paper: FID"]
    header += ["distance here", "paper: precision / recall", "precision here", "recall here"]
    drawn = {
        "lbae_clip": ("LBAE, random hyperplanes (clipped)", "LBAE (ours)"),
        "lbae_nearest": ("LBAE, random hyperplanes (nearest)", None),
        "lbae_gmm": ("LBAE, mixture then sign", None),
        "vae_gmm": ("VAE (ours), mixture", None),
        "vae_n01": ("VAE (ours), N(0, 1)", None),
    }
    rows: TableRows = []
    for scores in records:
        for judge in scores.judges:
            for key, (label, method) in drawn.items():
                paper = [
                    published("table_5", method, scores.counterpart, column)
                    if method and scores.counterpart
                    else None
                    for column in ("fid", "prd")
                ]
                found = [
                    scores.spread(judge, key, m) for m in ("frechet", "precision_f8", "recall_f8")
                ]
                rows.append(
                    [
                        scores.title,
                        label,
                        scores.measure(judge, "frechet"),
                        scores.content["reference_images"],
                        scores.effort(judge, "precision_f8"),
                        _shown(paper[0]),
                        found[0],
                        _shown(paper[1]),
                        *found[1:],
                    ]
                )
    return header, rows


def claims(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """Each claim, and how it fared on each data set; all verdicts if there are several."""
    records = list(records)
    header = ["claim of the paper"]
    header += [f"{scores.title}{scores.judged}" for scores in records]
    texts = dict.fromkeys(v["claim"] for scores in records for v in scores.verdicts)
    rows: TableRows = []
    for text in texts:
        found = [[v["verdict"] for v in s.verdicts if v["claim"] == text] for s in records]
        rows.append([text, *("; ".join(verdicts) or None for verdicts in found)])
    return header, rows


def schedules(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """Table 3 over all results here: sizes and epochs, the published value then ours."""
    header = ["data", "model", "latent: paper", "latent: here", "epochs: paper", "epochs: here"]
    header += ["image: here", "training images", "reconstruction loss of a test image"]
    units = {"lbae": "bits", "vae": "floats"}
    rows: TableRows = []
    for scores in records:
        for model, method in MODELS.items():
            record = _training_record(scores, model)
            shape, results = record["options"]["network"], record["results"]
            column = f"latent_{units[model]}"
            unit = LOSS_UNITS[record["options"]["training"]["loss"]]
            data = scores.counterpart
            rows.append(
                [
                    scores.title,
                    method,
                    _shown(published("table_3", method, data, column)) if data else None,
                    f"{shape['latent_size']} {units[model]}",
                    _shown(published("table_3", method, data, "epochs")) if data else None,
                    results["epochs"],
                    f"{shape['image_size']}×{shape['image_size']}×{shape['channels']}",
                    results["images"]["train"],
                    f"{shown(results['reconstruction_loss']['test'])} {unit}",
                ]
            )
    return header, rows


def compression(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """The supplement's Table 1 over all results here: raw sizes, no coder.

    A VAE's number counts as 32 bits, as in the paper; an image as 8 bits a value.
    """
    header = ["data", "model", "paper: bits", "bits here", "paper: ratio", "ratio here"]
    header += ["measure here", "paper: FID of reconstructions", "distance here"]
    rows: TableRows = []
    for scores in records:
        for model, method in MODELS.items():
            shape = _training_record(scores, model)["options"]["network"]
            bits = shape["latent_size"] * (1 if model == "lbae" else 32)
            image = 8 * shape["channels"] * shape["image_size"] ** 2
            data = scores.counterpart
            paper = [
                _shown(published("supplement_table_1", method, data, column)) if data else None
                for column in ("bits", "ratio", "fid")
            ]
            judge = scores.judges[0]
            cells: list[object] = [scores.title, method, paper[0], bits, paper[1], image / bits]
            cells += [scores.measure(judge, "frechet"), paper[2]]
            cells += [scores.spread(judge, f"{model}_reco", "frechet")]
            rows.append(cells)
    return header, rows


def all_scores(root: Path, profile: str) -> list[ScoreRecord]:
    """Every data set that was scored and belongs beside a profile, the paper's own data first."""
    paths = sorted((root / "results").glob("*/*/05_metrics/record.json"))
    records = [ScoreRecord.load(p) for p in paths if belongs_beside(p.parts[-4], profile)]
    return sorted(records, key=lambda r: (r.dataset not in PAPER_DATASETS, r.dataset, r.profile))


def open_tables(profile: str) -> tuple[AcrossPage, list[ScoreRecord]]:
    """The page across data sets, and the scores it shows.

    Raises:
        LbaeError: if no data set was scored yet.
    """
    root = project_root()
    records = all_scores(root, profile)
    if not records:
        raise LbaeError(f"nothing was scored yet: run `lbae notebook {SCORES} -d DATASET` first")
    folder = root / "results" / profile / TABLES
    folder.mkdir(parents=True, exist_ok=True)
    return AcrossPage(
        name=TABLES, profile=profile, parameters={}, folder=folder, records=records
    ), records


@dataclass(kw_only=True)
class AcrossPage(Page):
    """A page on all data sets.

    Attributes:
        records: the scores it is made of.
    """

    records: list[ScoreRecord]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.made_of |= {
            f"{scores.dataset} ({scores.profile})": sha256_file(scores.folder / RECORD_FILE)
            for scores in self.records
        }

    @property
    def provenance(self) -> str:
        """Data sets and profiles."""
        return "Data: " + "; ".join(scores.title for scores in self.records)

    def curves(self) -> dict[str, dict[str, Tensor]]:
        """The PRD curves of each data set, by title and row; see ``Scoreboard.curves``."""
        return {
            scores.title: read_tensors(scores.folder / "curves.safetensors", "curves")[0]
            for scores in self.records
        }


def _training_record(scores: ScoreRecord, model: str) -> dict[str, Any]:
    path = results_folder(scores.profile, scores.dataset) / model / RECORD_FILE
    return read_record(path)


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number > 1)}"


def _paper(table: str, model: str, dataset: str | None, column: str) -> object:
    if dataset is None:
        return None
    return _shown(published(table, MODELS[model], dataset, column))


def _shown(value: Value | None) -> object:
    """A published value in all its digits."""
    if isinstance(value, tuple):
        return f"{value[0]:.2f} / {value[1]:.2f}"
    return None if value is None else f"{value:.10g}"
