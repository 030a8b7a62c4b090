"""A page on a study: it reads the study's record, and neither models nor images."""

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from companion.analysis.paired import Interval, by_seed
from companion.experiments.artifacts import ROLES
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import read_record
from companion.pages.page import Page, check_run, page_folder
from companion.paper.comparisons import schedule_gate
from lbae_lib.files import sha256_file

_SHARES = ("bits_jump", "constant_bits", "entropy", "flips", "jump", "negative", "perplexity",
           "used")  # fmt: skip


@dataclass(kw_only=True)
class StudyPage(Page):
    """A page on one study of one data set."""

    experiment: Experiment  # the data set and its profile
    options: dict[str, Any]  # of the study
    images: dict[str, int]  # number of images by split
    runs: dict[str, list[dict[str, Any]]]  # what each seed found, by variant
    mean_image_loss: float  # of test images, by the mean training image

    @property
    def provenance(self) -> str:
        """Data, profile, network and seeds."""
        return (
            f"{self.experiment.dataset.title}, profile {self.profile}, "
            f"N = {self.options['latent_size']} bits, width {self.options['width']}, "
            f"training seeds 0 to {self.options['seeds'] - 1}"
        )

    def values(self, variant: str, name: str, kind: str = "") -> list[float]:
        """A number of each seed; with ``kind``, that of a path."""
        runs = self.runs[variant]
        return [run["paths"][kind][name] if kind else run[name] for run in runs]

    def curves(self, variant: str, name: str) -> list[list[float]]:
        """A number of each epoch, for each seed."""
        return [run["curves"][name] for run in self.runs[variant]]

    def last(self, variant: str, name: str) -> list[float]:
        """A curve's value after the last epoch, for each seed."""
        return [curve[-1] for curve in self.curves(variant, name)]

    def average(self, variant: str, name: str) -> list[float]:
        """A curve's mean over the epochs, for each seed."""
        return [fmean(curve) for curve in self.curves(variant, name)]

    def shown(self, variant: str, *names: str, kind: str = "") -> list[str | None]:
        """Cells of a table: means with intervals, None where a number was not measured."""
        found = {name: self.values(variant, name, kind) for name in names}
        return [
            None if None in values else interval(name, values) for name, values in found.items()
        ]

    def by_seed(self, variant: str, name: str) -> str:
        """A cell of a table: the number of each seed, as means hide two kinds of trainings."""
        return by_seed(self.values(variant, name))

    def closed_gates(self) -> dict[str, str]:
        """The page's gates, and "schedule" if its models cannot refute a claim."""
        seen = self.images["train"] * self.options["epochs"]
        return super().closed_gates() | schedule_gate(seen, self.experiment.dataset)

    def _options(self) -> dict[str, Any]:
        return {"dataset": self.experiment.dataset.name} | super()._options()


def interval(name: str, values: list[float]) -> str:
    """Mean and interval of a study's number, which is not negative; a share is at most 1."""
    return str(Interval.of(values, 0.0, 1.0 if name in _SHARES else math.inf))


def open_study(name: str, study: str, profile: str, dataset: str, output: str = "") -> StudyPage:
    """Read a study, e.g. "bottlenecks"; see ``open_notebook`` for the parameters."""
    given = {"profile": profile, "dataset": dataset, "output": output}
    check_run(name, given | {"data_root": "data"})
    experiment = load_experiment(profile, dataset)
    path = ROLES[study][0].required(experiment)
    digest = sha256_file(path)  # before it is read
    found = {"options.study": dict, "results.runs": dict, "results.mean_image_test_loss": float}
    record = read_record(path, found)
    return StudyPage(
        name=name,
        profile=profile,
        parameters={},
        folder=page_folder(name, output),
        made_of={study: digest},
        experiment=experiment,
        options=record["options"]["study"],
        images=record["results"]["images"],
        runs=record["results"]["runs"],
        mean_image_loss=record["results"]["mean_image_test_loss"],
    )
