"""The scores of a data set, read from the record of its metrics page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from companion.analysis.spread import Spread
from companion.experiments.profiles import load_experiment, results_folder
from companion.experiments.records import RECORD_FILE, SCORES, comparable, read_record
from lbae_lib.data.registry import PAPER_DATASETS, paper_counterpart


@dataclass(frozen=True)
class ScoreRecord:
    """The scores of one data set in one profile, as its metrics page recorded them.

    Attributes:
        dataset: name, or "folder:PATH".
        profile: of the run.
        content: what :meth:`companion.analysis.scoring.Scoreboard.results` gave.
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


def all_scores(root: Path, profile: str) -> list[ScoreRecord]:
    """Every data set that was scored and belongs beside a profile, the paper's own data first."""
    paths = sorted((root / "results").glob("*/*/05_metrics/record.json"))
    records = [ScoreRecord.load(p) for p in paths if comparable(p.parts[-4], profile)]
    return sorted(records, key=lambda r: (r.dataset not in PAPER_DATASETS, r.dataset, r.profile))


def training_record(scores: ScoreRecord, model: str) -> dict[str, Any]:
    """The record of a model's training, of the data set and profile that were scored."""
    path = results_folder(scores.profile, scores.dataset) / model / RECORD_FILE
    return read_record(path)


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number > 1)}"
