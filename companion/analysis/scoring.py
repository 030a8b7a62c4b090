"""Scores of many sets of images against one reference: the numbers behind Tables 1, 2, 4 and 5."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from companion.analysis.image_sources import ImageSource
from companion.analysis.spread import Spread, lower
from lbae_lib.metrics.classifier import ClassifierFeatures
from lbae_lib.metrics.evaluate import (
    DEFAULT_PROTOCOL,
    PAPER_PROTOCOL,
    EvaluationProtocol,
    ReferenceStatistics,
    Scores,
    evaluate,
)
from lbae_lib.metrics.features import FeatureExtractor, extract
from lbae_lib.metrics.image_formats import jpeg_round_trip
from lbae_lib.metrics.inception import InceptionFeatures, find_inception_weights
from lbae_lib.metrics.prd import PrecisionRecallCurve
from lbae_lib.progress import progress_bar

# What a score is made of, in the order of the columns.
METRICS = (
    "frechet",
    "kernel",
    "precision_f8",
    "recall_f8",
    "manifold_precision",
    "manifold_recall",
)


@dataclass(frozen=True)
class Judge:
    """A way of scoring: a network's features under a protocol.

    Attributes:
        extractor: the network.
        protocol: how features are compared.
    """

    extractor: FeatureExtractor
    protocol: EvaluationProtocol = DEFAULT_PROTOCOL

    @property
    def is_inception(self) -> bool:
        """Whether Fréchet and kernel distances may be called FID and KID."""
        return isinstance(self.extractor, InceptionFeatures)

    @property
    def key(self) -> str:
        """For files: the network's name, with the protocol unless it is the default."""
        name = self.extractor.name
        is_default = self.protocol.name == DEFAULT_PROTOCOL.name
        return name if is_default else f"{name}, {self.protocol.name}"

    @property
    def slug(self) -> str:
        """The key as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.key.lower())

    def titles(self) -> dict[str, str]:
        """Column titles by metric, which name the network: FID and KID are Inception's alone."""
        name = self.extractor.name
        paper = (
            " (LBAE protocol, re-implemented)" if self.protocol.name == PAPER_PROTOCOL.name else ""
        )
        frechet, kernel, prd = (
            ("FID", "KID ×10³", "PRD")
            if self.is_inception
            else (f"FD[{name}]", f"KD[{name}] ×10³", f"PRD[{name}]")
        )
        return {
            "frechet": frechet + paper,
            "kernel": kernel + paper,
            "precision_f8": f"{prd} precision, F1/8{paper}",
            "recall_f8": f"{prd} recall, F8{paper}",
            "manifold_precision": f"k-NN precision[{name}]{paper}",
            "manifold_recall": f"k-NN recall[{name}]{paper}",
        }


def judges(extractor: ClassifierFeatures, inception: bool, clusterings: int = 10) -> list[Judge]:
    """The ways of scoring, the one that decides first: Inception under both protocols if asked,
    then the in-domain extractor.

    Args:
        extractor: trained in the run.
        inception: whether to score with Inception features too.
        clusterings: whose PRD curves are averaged; 10 in both protocols.

    Raises:
        DataError: if Inception is asked for and its weights are neither found nor downloaded.
    """
    protocols = (DEFAULT_PROTOCOL, PAPER_PROTOCOL)
    default, paper = (replace(protocol, runs=clusterings) for protocol in protocols)
    found = []
    if inception:
        network = InceptionFeatures(find_inception_weights(download=True))
        found = [Judge(network, default), Judge(network, paper)]
    return [*found, Judge(extractor, default)]


@dataclass(frozen=True)
class Row:
    """One row of a table of scores.

    Attributes:
        label: what the images are.
        images: how many a repetition has.
        scores: by judge, one for each seed; a single one if the images do not depend on it.
        sample: the first images of the first seed, uint8 (K, C, S, S).
    """

    label: str
    images: int
    scores: dict[str, list[Scores]]
    sample: Tensor

    def values(self, judge: Judge, metric: str) -> list[float]:
        """A metric's value for each seed; the kernel distance times 1000."""
        return [_metric(score, metric) for score in self.scores[judge.key]]

    def spread(self, judge: Judge, metric: str) -> Spread:
        """Mean and standard deviation over the seeds."""
        return Spread.of(self.values(judge, metric))

    def kernel(self, judge: Judge) -> dict[str, object]:
        """How the kernel distance was estimated: images in a subset, standard errors × 10³."""
        found = [score.kernel for score in self.scores[judge.key]]
        errors = [1000 * kernel.standard_error for kernel in found]
        return {"subset_size": found[0].subset_size, "standard_errors": errors}

    def mean(self, judge: Judge, metric: str) -> float:
        """Mean over the seeds."""
        return self.spread(judge, metric).mean

    def curve(self, judge: Judge) -> PrecisionRecallCurve:
        """The PRD curve of the first seed."""
        return self.scores[judge.key][0].curve


@dataclass
class Scoreboard:
    """Scores sets of images against the test images.

    Attributes:
        judges: ways of scoring; the first decides verdicts.
        reference: uint8 (K, C, S, S); as many images are drawn from each source.
        seeds: of the draws.
        cache: folder for features, keyed by content; None for none.
        rows: what was scored, by key.
    """

    judges: Sequence[Judge]
    reference: Tensor
    seeds: Sequence[int]
    cache: Path | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    _references: dict[str, ReferenceStatistics] = field(default_factory=dict)

    def score(self, sources: Mapping[str, ImageSource], group: str = "") -> None:
        """Score sources, each under its key with the group before it: "vae_reco"."""
        prefix = f"{group}_" if group else ""
        total = sum(len(self.seeds) if source.random else 1 for source in sources.values())
        with progress_bar(total, f"scoring {group or 'images'}", "set") as bar:
            for number, (key, source) in enumerate(sources.items()):
                scores: dict[str, list[Scores]] = {judge.key: [] for judge in self.judges}
                drawn = []
                for seed in self.seeds if source.random else self.seeds[:1]:
                    generator = torch.Generator().manual_seed(1000 * seed + number)
                    images = source.draw(len(self.reference), generator)
                    drawn.append(images)
                    for judge in self.judges:
                        scores[judge.key].append(self._judged(judge, images, seed))
                    bar.update()
                self.rows[prefix + key] = Row(
                    source.label, len(drawn[0]), scores, drawn[0][:1000].clone()
                )

    def results(self) -> dict[str, object]:
        """Everything scored as JSON values, for a record."""
        return {
            "reference_images": len(self.reference),
            "seeds": list(self.seeds),
            "judges": {
                judge.key: {
                    "extractor": judge.extractor.name,
                    "weights_sha256": judge.extractor.weights_sha256,
                    "protocol": vars(judge.protocol),
                    "inception": judge.is_inception,
                    "titles": judge.titles(),
                }
                for judge in self.judges
            },
            "rows": {
                key: {
                    "label": row.label,
                    "images": row.images,
                    "values": {
                        judge.key: {metric: row.values(judge, metric) for metric in METRICS}
                        for judge in self.judges
                    },
                    "kernel": {judge.key: row.kernel(judge) for judge in self.judges},
                }
                for key, row in self.rows.items()
            },
        }

    def curves(self) -> dict[str, Tensor]:
        """The PRD curve of each row under the first judge, float32 (2, angles)."""
        found = {}
        for key, row in self.rows.items():
            curve = row.curve(self.judges[0])
            both = [torch.from_numpy(part) for part in (curve.precision, curve.recall)]
            found[key] = torch.stack(both).float()
        return found

    def table(self, keys: Sequence[str], judge: Judge) -> tuple[list[str], list[list[object]]]:
        """Header and rows of a table of scores under one judge."""
        titles = judge.titles()
        header = ["images", "number", *titles.values()]
        header.insert(header.index(titles["kernel"]) + 1, f"standard error of {titles['kernel']}")
        rows: list[list[object]] = []
        for key in keys:
            row = self.rows[key]
            cells: list[object] = [row.label, row.images]
            cells += [row.spread(judge, metric) for metric in METRICS]
            errors = [1000 * score.kernel.standard_error for score in row.scores[judge.key]]
            cells.insert(2 + METRICS.index("kernel") + 1, fmean(errors))
            rows.append(cells)
        return header, rows

    def controls_in_order(self, judge: Judge, metric: str) -> bool:
        """Whether a distance knows spoilt images from training images.

        None of them is nearer, and the stronger blur neither nearer than the weaker, by more than
        noise; and the stronger blur is farther by more than that. Of a single seed, means decide.

        Args:
            judge: whose distance.
            metric: "frechet" or "kernel".
        """
        keys = [key for key in self.rows if key.startswith("control_")]
        found = {key: self.rows[key].spread(judge, metric) for key in keys}
        floor = found.pop("control_train")
        del found["control_validation"]
        weak, strong = found["control_blur_0.7"], found["control_blur_1.5"]
        if len(self.seeds) == 1:
            return floor.mean < weak.mean < strong.mean
        nearer = any(lower(spoilt, floor) for spoilt in found.values())
        return not nearer and not lower(strong, weak) and lower(floor, strong) is True

    def caption(self, judge: Judge) -> str:
        """What the numbers of a table under one judge are made of."""
        rows = self.rows.values()
        size = max(row.scores[judge.key][0].kernel.subset_size for row in rows)
        if len(self.seeds) > 1:
            seeds = (
                f"mean ± standard deviation over sampling seeds {', '.join(map(str, self.seeds))}"
            )
        else:
            seeds = f"sampling seed {self.seeds[0]}"
        return (
            f"Against {len(self.reference):,} test images, features of {judge.extractor.name}, "
            f"protocol {judge.protocol.name}: {seeds}; kernel distance over "
            f"{judge.protocol.kernel_subsets} subsets of at most {size:,}; clusterings of PRD: "
            f"{judge.protocol.runs}."
        )

    def _judged(self, judge: Judge, images: Tensor, seed: int) -> Scores:
        known = self._references
        if judge.key not in known:
            known[judge.key] = ReferenceStatistics(_features(judge, self.reference, self.cache))
        return evaluate(_features(judge, images), known[judge.key], judge.protocol, seed)


def _features(judge: Judge, images: Tensor, cache: Path | None = None) -> Tensor:
    if not judge.protocol.jpeg:
        return extract(judge.extractor, images, cache=cache)
    images = jpeg_round_trip(images)
    return extract(judge.extractor, images, preprocessing="JPEG, quality 75", cache=cache)


def _metric(score: Scores, metric: str) -> float:
    values = {
        "frechet": score.frechet,
        "kernel": 1000 * score.kernel.mean,
        "precision_f8": score.curve.precision_f8,
        "recall_f8": score.curve.recall_f8,
        "manifold_precision": score.manifold.precision,
        "manifold_recall": score.manifold.recall,
    }
    return values[metric]
