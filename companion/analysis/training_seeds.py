"""What the study of training seeds found: pairs of values, and their differences with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from companion.analysis.paired import Interval, by_seed
from companion.experiments.records import read_record

# Rows of the LBAE and of the VAE that the paper compares in Tables 1, 2, 4 and 5.
PAIRS: Mapping[str, tuple[str, str]] = {
    "reconstruction": ("lbae_reco", "vae_reco"),
    "samples: hyperplanes, N(0, 1)": ("lbae_clip", "vae_standard"),
    "samples: hyperplanes, mixture": ("lbae_clip", "vae_mixture"),
    "samples: mixture, mixture": ("lbae_mixture", "vae_mixture"),
    "interpolation": ("lbae_interp_authors", "vae_interp"),
}
_POSITIVE, _SHARE = (0.0, math.inf), (0.0, 1.0)
# Metrics and their ranges; the kernel distance is unbiased, and may be negative.
METRICS: Mapping[str, tuple[float, float]] = {
    "frechet": _POSITIVE,
    "kernel": (-math.inf, math.inf),
    "precision_f8": _SHARE,
    "recall_f8": _SHARE,
}
NUMBERS = {
    "test_loss": "reconstruction loss, test",
    "sharpness": "mean gradient of reconstructions, relative to test images",
    "images_per_second": "training images per second",
}
Pair = tuple[list[float], list[float]]


@dataclass(frozen=True)
class TrainingSeeds:
    """Pairs of trainings of an LBAE and a VAE, each pair with one seed."""

    options: Mapping[str, Any]  # see companion.experiments.profiles.SeedStudy
    images: Mapping[str, int]  # number of images by split
    runs: Mapping[str, Sequence[Mapping[str, Any]]]  # of each seed, by model

    @classmethod
    def load(cls, path: Path) -> TrainingSeeds:
        """From the study's record."""
        needed = {"options.study": dict, "results.images": dict, "results.runs": dict}
        record = read_record(path, needed)
        results = record["results"]
        return cls(record["options"]["study"], results["images"], results["runs"])

    @property
    def seen(self) -> int:
        """Images that each training saw: training images times epochs."""
        return int(self.images["train"] * self.options["epochs"])

    @property
    def facts(self) -> str:
        """The models and their schedule, for captions."""
        study = self.options
        bits, numbers = study["latent_size"], study["vae_latent_size"]
        return (
            f"{study['seeds']} pairs of trainings with seeds 0 to {study['seeds'] - 1}: width "
            f"{study['width']}, {bits} bits and {numbers} numbers, {study['epochs']} epochs of "
            f"{self.images['train']:,} images"
        )

    def scored(self, evaluator: str) -> int | None:
        """Number of images that an evaluator scored of each kind; None if it scored none."""
        found = self.runs["lbae"][0]["scored"].get(evaluator)
        return None if found is None else int(found)

    def numbers(self, name: str) -> Pair:
        """A key of :data:`NUMBERS` of the LBAE and of the VAE, by seed."""
        own, other = ([float(run[name]) for run in self.runs[m]] for m in ("lbae", "vae"))
        return own, other

    def scores(self, own: str, other: str, evaluator: str, metric: str) -> Pair:
        """A metric of two rows by seed, e.g. of "lbae_reco" and "vae_reco"."""
        ours, theirs = (
            [float(run["scores"][evaluator][key][metric]) for run in self.runs[_model(key)]]
            for key in (own, other)
        )
        return ours, theirs

    def table(self, evaluator: str, titles: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
        """Header and rows: both models and the paired difference, with 95% intervals."""
        header = ["images", "measure", "LBAE", "VAE (ours)", "LBAE - VAE"]
        rows = [
            [label, titles[metric], *_cells(self.scores(*pair, evaluator, metric), extent)]
            for label, pair in PAIRS.items()
            for metric, extent in METRICS.items()
        ]
        return header, rows

    def number_rows(self) -> list[list[str]]:
        """Rows of a table: loss, sharpness and speed of both models, and the difference.

        The row below the loss has its values by seed.
        """
        rows = [[title, *_cells(self.numbers(name), _POSITIVE)] for name, title in NUMBERS.items()]
        own, other = self.numbers("test_loss")
        differences = [a - b for a, b in zip(own, other, strict=True)]
        each = [f"{NUMBERS['test_loss']}, by seed", *map(by_seed, (own, other, differences))]
        return [rows[0], each, *rows[1:]]

    def difference(self, own: str, other: str, evaluator: str, metric: str) -> str:
        """The paired difference of a metric of two rows, with its interval."""
        return str(Interval.difference(*self.scores(own, other, evaluator, metric)))

    def number_difference(self, name: str) -> str:
        """The paired difference of a key of :data:`NUMBERS`; sharpness in points."""
        scale, unit = (100, " points") if name == "sharpness" else (1, "")
        own, other = ([scale * value for value in values] for values in self.numbers(name))
        return f"{Interval.difference(own, other)}{unit}"


def _model(row: str) -> str:
    """The model whose row it is."""
    return "vae" if row.startswith("vae_") else "lbae"


def _cells(pair: Pair, extent: tuple[float, float]) -> list[str]:
    """The interval of each model in the measure's range, and that of the difference."""
    return [*(str(Interval.of(v, *extent)) for v in pair), str(Interval.difference(*pair))]
