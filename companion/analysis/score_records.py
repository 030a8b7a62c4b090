"""The scores of a data set, read from the record of its metrics page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from companion.analysis.spread import Spread
from companion.experiments.artifacts import MODEL
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import RECORD_FILE, SCORES, comparable, read_record
from companion.experiments.sources import code_hash
from companion.project import in_force, project_root, results_in_force
from lbae_lib.data.registry import PAPER_DATASETS, paper_counterpart

T = TypeVar("T")

# Names in records of earlier versions: of entries, and of rows.
_EARLIER = {
    "judges": "evaluators",
    "lbae_n01": "lbae_uniform",
    "lbae_gmm": "lbae_mixture",
    "lbae_interp": "lbae_interp_algorithm_1",
    "lbae_interp_eq14": "lbae_interp_centroids",
    "lbae_interp_halves": "lbae_interp_both_halves",
    "vae_n01": "vae_standard",
    "vae_gmm": "vae_mixture",
}


def with_current_names(entries: Mapping[str, T]) -> dict[str, T]:
    """The same entries under the names of this version."""
    return {_EARLIER.get(key, key): value for key, value in entries.items()}


@dataclass(frozen=True)
class ScoreRecord:
    """The scores of one data set in one profile, as its metrics page recorded them."""

    dataset: str  # name, or "folder:PATH"
    profile: str  # of the run
    content: Mapping[str, Any]  # from :meth:`companion.analysis.scoring.Scoreboard.results`
    verdicts: tuple[Mapping[str, Any], ...] = ()  # of the page
    second: tuple[str, ...] = ()  # keys of the evaluators that had to agree
    # By metric, whether it passed its controls
    trusted: Mapping[str, bool] = field(default_factory=dict)
    out_of_date: bool = False  # whether an earlier version of the code made the record

    @classmethod
    def load(cls, path: Path) -> ScoreRecord:
        """From the ``record.json`` of a metrics page."""
        text = {"options.dataset": str, "options.profile": str}
        found = {"scores": dict, "scores.rows": dict, "verdicts": list, "controls_in_order": dict}
        record = read_record(path, text | {f"results.{k}": kind for k, kind in found.items()})
        options, results = record["options"], record["results"]
        scores = with_current_names(results["scores"])
        return cls(
            options["dataset"],
            options["profile"],
            scores | {"rows": with_current_names(scores["rows"])},
            tuple(results["verdicts"]),
            tuple(results.get("second_scores", {}).get("evaluators", ())),
            results["controls_in_order"],
            record["inputs"].get("code") != code_hash(project_root() / f"notebooks/{SCORES}.ipynb"),
        )

    @property
    def experiment(self) -> Experiment:
        """The data set and profile."""
        return load_experiment(self.profile, self.dataset)

    @property
    def title(self) -> str:
        """Data set and profile, for tables."""
        info = self.experiment.dataset
        other = info.stands_for not in (None, info.title)
        stand_in = f", standing for {info.stands_for}" if other else ""
        return f"{info.title} ({self.profile}{stand_in})"

    @property
    def folder(self) -> Path:
        """The folder of the metrics page."""
        return in_force(self.experiment.place / SCORES / RECORD_FILE).parent

    @property
    def counterpart(self) -> str | None:
        """The paper's data set that this is or stands for: "mnist", "cifar10" or "celeba"."""
        return paper_counterpart(self.experiment.dataset)

    @property
    def evaluators(self) -> list[str]:
        """Keys of the evaluators; the first decided the verdicts."""
        return list(self.content["evaluators"])

    @property
    def decided_by(self) -> str:
        """The evaluators that decided the verdicts, if there are any, for titles."""
        deciding = [*self.evaluators[:1], *self.second]
        return f", by {' and '.join(deciding)}" if deciding else ""

    @property
    def curve_facts(self) -> str:
        """How the PRD curves were computed, for captions."""
        first = self.content["evaluators"][self.evaluators[0]]
        count, runs = self.content["reference_images"], first["protocol"]["runs"]
        name = first["extractor"] + self._failed(self.evaluators[0], "precision_f8")
        return f"{self.title}: {count:,} images, {runs} clusterings, features of {name}"

    def column_title(self, evaluator: str, metric: str) -> str:
        """A metric's name, with the network's name unless that is Inception."""
        return str(self.content["evaluators"][evaluator]["titles"][metric])

    def measure(self, evaluator: str, metric: str) -> str:
        """A metric's name, and whether it failed its control checks."""
        title = self.column_title(evaluator, metric)
        title = title.replace(" precision, F1/8", " precision / recall (F1/8 / F8)")
        return title + self._failed(evaluator, metric)

    def _failed(self, evaluator: str, metric: str) -> str:
        """After a name, that the metric failed its control checks; "" if not."""
        in_order = self.trusted.get(metric, self.trusted.get("frechet", True))
        failed = evaluator == self.evaluators[0] and not in_order
        return ", which failed its control checks" if failed else ""

    def replication(self, evaluator: str, metric: str) -> str:
        """How often a metric was measured: seeds, and subsets or clusterings."""
        protocol = self.content["evaluators"][evaluator]["protocol"]
        seeds = _counted(len(self.content["seeds"]), "seed")
        if metric == "kernel":
            row = next(iter(self.content["rows"].values()))
            size = row["kernel"][evaluator]["subset_size"]
            return f"{seeds}, {protocol['kernel_subsets']} subsets of {size:,}"
        if metric == "frechet":
            return seeds
        return f"{seeds}, {_counted(protocol['runs'], 'clustering')}"

    def spread(self, evaluator: str, key: str, metric: str) -> Spread | None:
        """A metric of a row over the seeds; None if there is no such row."""
        row = self.content["rows"].get(key)
        return None if row is None else Spread.of(row["values"][evaluator][metric])


def all_scores(profile: str) -> list[ScoreRecord]:
    """Scores of all data sets that belong beside a profile: the paper's in its order, then ours."""
    paths = results_in_force(f"*/*/{SCORES}/{RECORD_FILE}")
    records = [ScoreRecord.load(p) for p in paths if comparable(p.parts[-4], profile)]
    order = [*PAPER_DATASETS, None]
    return sorted(
        records,
        key=lambda r: (
            r.experiment.dataset.embedded, order.index(r.counterpart), r.dataset, r.profile
        ),
    )  # fmt: skip


def training_record(scores: ScoreRecord, model: str) -> dict[str, Any]:
    """The training record of a model that was scored."""
    return read_record(MODEL.record(scores.experiment, model))


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number > 1)}"
