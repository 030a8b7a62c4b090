"""Scores of many sets of images against one reference: the numbers behind Tables 1, 2, 4 and 5."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from companion.analysis.controls import in_order, warning
from companion.analysis.evaluators import Evaluator
from companion.analysis.image_source import ImageSource
from companion.analysis.spread import Spread
from lbae_lib.metrics.evaluate import ReferenceStatistics, Scores, evaluate
from lbae_lib.progress import progress_bar

# How each metric is read from a score, in the order of the columns.
_READ: Mapping[str, Callable[[Scores], float]] = {
    "frechet": lambda score: score.frechet,
    "kernel": lambda score: 1000 * score.kernel.mean,
    "precision_f8": lambda score: score.curve.precision_f8,
    "recall_f8": lambda score: score.curve.recall_f8,
    "manifold_precision": lambda score: score.manifold.precision,
    "manifold_recall": lambda score: score.manifold.recall,
}
METRICS = tuple(_READ)
_SAMPLE = 1000  # images of a row that are kept
_CONTROLS = "control_"  # before the keys of controls


@dataclass(frozen=True)
class Row:
    """One row of a table of scores."""

    label: str  # what the images are
    images: int  # number of images for each seed
    scores: dict[str, list[Scores]]  # by evaluator, one for each seed, or a single one
    sample: Tensor  # the first images of the first seed, uint8 (K, C, S, S)

    def values(self, evaluator: Evaluator, metric: str) -> list[float]:
        """A metric's value for each seed; the kernel distance times 1000."""
        return [_READ[metric](score) for score in self.scores[evaluator.key]]

    def spread(self, evaluator: Evaluator, metric: str) -> Spread:
        """Mean and standard deviation over the seeds."""
        return Spread.of(self.values(evaluator, metric))

    def kernel_errors(self, evaluator: Evaluator) -> list[float]:
        """Errors of the kernel distance × 10³ by the choice of its subsets, for each seed."""
        return [1000 * score.kernel.subset_error for score in self.scores[evaluator.key]]

    def subset_size(self, evaluator: Evaluator) -> int:
        """Images in a subset of the kernel distance."""
        return self.scores[evaluator.key][0].kernel.subset_size


@dataclass
class Scoreboard:
    """Scores sets of images against a reference."""

    evaluators: Sequence[Evaluator]  # the first decides verdicts
    reference: Tensor  # uint8 (K, C, S, S); as many images are drawn from each source
    seeds: Sequence[int]  # of the draws
    cache: Path | None = None  # folder for features of the reference; None for none
    rows: dict[str, Row] = field(default_factory=dict)  # scores by key
    _references: dict[str, ReferenceStatistics] = field(default_factory=dict)

    def score(self, sources: Mapping[str, ImageSource], group: str = "") -> None:
        """Score sources, each under its key with the group before it: "vae_reco"."""
        prefix = f"{group}_" if group else ""
        total = sum(len(self.seeds) if source.random else 1 for source in sources.values())
        with progress_bar(total, f"scoring {group or 'images'}", "set") as bar:
            for number, (key, source) in enumerate(sources.items()):
                scores: dict[str, list[Scores]] = {e.key: [] for e in self.evaluators}
                samples, size = [], 0
                for seed in self.seeds if source.random else self.seeds[:1]:
                    generator = torch.Generator().manual_seed(1000 * seed + number)
                    images = source.draw(len(self.reference), generator)
                    samples.append(images[:_SAMPLE].clone())
                    size = len(images)
                    for evaluator in self.evaluators:
                        scores[evaluator.key].append(self._evaluate(evaluator, images, seed))
                    bar.update()
                self.rows[prefix + key] = Row(source.label, size, scores, samples[0])

    def results(self) -> dict[str, object]:
        """All scores as JSON values, for a record."""
        return {
            "reference_images": len(self.reference),
            "seeds": list(self.seeds),
            "evaluators": {
                evaluator.key: {
                    "extractor": evaluator.extractor.name,
                    "weights_sha256": evaluator.extractor.weights_sha256,
                    "protocol": vars(evaluator.protocol),
                    "inception": evaluator.is_inception,
                    "titles": evaluator.titles(),
                }
                for evaluator in self.evaluators
            },
            "rows": {
                key: {
                    "label": row.label,
                    "images": row.images,
                    "values": {
                        e.key: {m: row.values(e, m) for m in METRICS} for e in self.evaluators
                    },
                    "kernel": {
                        e.key: {
                            "subset_size": row.subset_size(e),
                            "subset_errors": row.kernel_errors(e),
                        }
                        for e in self.evaluators
                    },
                }
                for key, row in self.rows.items()
            },
        }

    def curves(self) -> dict[str, Tensor]:
        """The PRD curve of each row: first evaluator, first seed, float32 (2, angles)."""
        first = self.evaluators[0].key
        curves = {key: row.scores[first][0].curve for key, row in self.rows.items()}
        return {
            key: torch.from_numpy(np.stack([curve.precision, curve.recall])).float()
            for key, curve in curves.items()
        }

    def table(
        self, keys: Sequence[str], evaluator: Evaluator
    ) -> tuple[list[str], list[list[object]]]:
        """Header and rows of a table of scores under one evaluator."""
        titles = evaluator.titles()
        header = ["images", "number", *titles.values()]
        after = header.index(titles["kernel"]) + 1
        header.insert(after, f"{titles['kernel']}: error by subsets")
        rows: list[list[object]] = []
        for row in (self.rows[key] for key in keys):
            rows.append([row.label, row.images, *(row.spread(evaluator, m) for m in METRICS)])
            rows[-1].insert(after, fmean(row.kernel_errors(evaluator)))
        return header, rows

    def nearer(self, keys: Sequence[str], than: str, evaluator: Evaluator) -> list[str]:
        """Labels of the rows with a lower mean Fréchet distance than another row."""
        limit = self.rows[than].spread(evaluator, "frechet").mean
        rows = (self.rows[key] for key in keys)
        return [row.label for row in rows if row.spread(evaluator, "frechet").mean < limit]

    def controls_in_order(self, evaluator: Evaluator, metric: str) -> bool:
        """Whether a distance, "frechet" or "kernel", passes its control checks: `in_order`."""
        return in_order(
            {
                key.removeprefix(_CONTROLS): row.spread(evaluator, metric)
                for key, row in self.rows.items()
                if key.startswith(_CONTROLS)
            }
        )

    def warning(self, evaluator: Evaluator) -> str:
        """For captions, that the Fréchet distance fails its control checks; "" without any."""
        if f"{_CONTROLS}blur_1.5" not in self.rows or self.controls_in_order(evaluator, "frechet"):
            return ""
        return warning(evaluator)

    def caption(self, evaluator: Evaluator) -> str:
        """How the numbers of a table under one evaluator were computed."""
        size = max(row.subset_size(evaluator) for row in self.rows.values())
        seeds = f"sampling seed {self.seeds[0]}"
        if len(self.seeds) > 1:
            listed = ", ".join(map(str, self.seeds))
            seeds = f"mean ± standard deviation over sampling seeds {listed}"
        return (
            f"Against {len(self.reference):,} test images, features of {evaluator.extractor.name}, "
            f"protocol {evaluator.protocol.name}: {seeds}; kernel distance over "
            f"{evaluator.protocol.kernel_subsets} subsets of at most {size:,} images; PRD over "
            f"{evaluator.protocol.runs} clusterings.{self.warning(evaluator)}"
        )

    def _evaluate(self, evaluator: Evaluator, images: Tensor, seed: int) -> Scores:
        if evaluator.key not in self._references:
            features = evaluator.features(self.reference, self.cache)
            self._references[evaluator.key] = ReferenceStatistics(features)
        reference = self._references[evaluator.key]
        return evaluate(evaluator.features(images), reference, evaluator.protocol, seed)
