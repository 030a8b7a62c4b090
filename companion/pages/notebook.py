"""What a notebook on one data set needs: its models, images and latents.

A notebook starts with :func:`open_notebook`, shows figures and tables, states verdicts, and ends
with ``nb.finish()``, which writes ``record.json`` beside the figures.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from companion.analysis.training_seeds import TrainingSeeds
from companion.experiments.artifacts import EXTRACTOR, MODEL, ROLES, SEEDS
from companion.experiments.datasets import images_identity
from companion.experiments.encoding import ensure_latents
from companion.experiments.extractor import load_extractor
from companion.experiments.prior import load_codec
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import is_imported, read_record
from companion.experiments.trained import Baseline, Trained, load_baseline, load_trained
from companion.pages.page import Page, check_run, page_folder
from companion.paper.comparisons import schedule_gate
from companion.paper.decisions import COLLAPSED
from companion.project import project_root
from lbae_lib.coding.codec import Codec
from lbae_lib.data.registry import with_home
from lbae_lib.files import sha256_file
from lbae_lib.metrics.classifier import ClassifierFeatures
from lbae_lib.metrics.evaluate import DEFAULT_PROTOCOL
from lbae_lib.models.hardware import choose_device
from lbae_lib.models.model_files import PROGRESS_FILE

_ALL_EQUAL = "all training latents are equal: train longer, or add images that differ"


@dataclass(kw_only=True)
class Notebook(Page):
    """A page on one data set."""

    experiment: Experiment  # the data set and its profile
    trained: Trained  # model, images and latents
    data_root: Path  # where torchvision's data sets are
    device: str  # "cpu" or "cuda". Models are on it, and the page computes there.
    _bits: dict[str, Tensor] = field(default_factory=dict)

    @property
    def provenance(self) -> str:
        """Data, profile and seeds."""
        imported = is_imported(MODEL.path(self.experiment).parent)
        trained = f"training seed {self.experiment.training.seed}"
        return (
            f"{self.trained.dataset.title}, profile {self.profile}, "
            f"{self.experiment.network.latent_size} bits, "
            f"{'imported weights' if imported else trained}, "
            f"seed {self.parameters.get('seed', 0)}"
        )

    def bits(self, split: str) -> Tensor:
        """Latents of a split on the device, float32 (K, N) in {-1, +1}; unpacked once."""
        if split not in self._bits:
            self._bits[split] = self.trained.bits(split).to(self.device)
        return self._bits[split]

    @cached_property
    def baseline(self) -> Baseline:
        """The VAE of the same data set and profile."""
        ensure_latents(self.baseline_experiment, self.data_root, self.device)
        self.made_of |= _hashes(self.experiment, "baseline")
        return load_baseline(self.baseline_experiment, self.data_root, self.device)

    @cached_property
    def baseline_experiment(self) -> Experiment:
        """The VAE's experiment."""
        return load_experiment(self.profile, self.experiment.dataset.name, "vae")

    @cached_property
    def extractor(self) -> ClassifierFeatures:
        """The in-domain feature extractor that stands in for Inception."""
        self.made_of |= _hashes(self.experiment, "extractor")
        extractor = load_extractor(self.experiment)
        extractor.model.to(self.device)
        return extractor

    @cached_property
    def training_seeds(self) -> TrainingSeeds | None:
        """The study of training seeds; None if the profile has none, or it was not run."""
        path = SEEDS.path(self.experiment)
        if self.experiment.entry.studies.seeds is None or not path.exists():
            return None
        self.made_of |= _hashes(self.experiment, "seeds")
        return TrainingSeeds.load(path)

    @cached_property
    def codec(self) -> Codec:
        """The distributions of the latents, and the hashes that files of them carry."""
        self.made_of |= _hashes(self.experiment, "prior")
        return load_codec(self.experiment)

    @cached_property
    def collapsed(self) -> bool:
        """Whether all training latents are equal, so that there is nothing to model."""
        latents = self.trained.bits("train")
        return bool((latents == latents[:1]).all())

    def has_paths(self, ends: Tensor, *claims: str) -> bool:
        """Whether there are paths between latents (2K, N), sources then targets; if not, say so."""
        source, target = ends[: len(ends) // 2], ends[len(ends) // 2 :]
        differ = len(ends) > 1 and bool((source != target[: len(source)]).any())
        return self.needs(
            differ and not self.collapsed,
            "Paths between test images are left out: they need two test images with different "
            "latents, and training latents that are not all equal. Add images, or train longer.",
            *claims,
        )

    def has_scores(self, reference: Tensor, *claims: str) -> bool:
        """Whether there are test images (K, C, S, S) enough to score others; if not, say so."""
        fewest = DEFAULT_PROTOCOL.clusters  # of PRD
        return self.needs(
            len(reference) >= fewest,
            f"Scores are left out: they need {fewest} test images, and there are "
            f"{len(reference)}. Add images to the test set.",
            *claims,
        )

    def closed_gates(self) -> dict[str, str]:
        """The page's gates, and those that the model closes."""
        run = self.training_results()
        seen = None if "imported" in run else run["epochs"] * run["images"]["train"]
        collapsed = {COLLAPSED: _ALL_EQUAL} if self.collapsed else {}
        return self.closed | schedule_gate(seen, self.experiment.dataset) | collapsed

    def generator(self, offset: int = 0) -> torch.Generator:
        """A generator seeded by the notebook's ``seed`` and ``offset``."""
        return torch.Generator().manual_seed(1000 * int(self.parameters["seed"]) + offset)

    def history(self, model: str = "lbae") -> list[dict[str, Any]]:
        """A training's ``progress.jsonl`` by epoch; [] for imported weights or an untrained VAE."""
        record = MODEL.record(self.experiment, model)
        if not record.exists() or "imported" in self.training_results(model):
            return []
        if model == "vae":
            self.made_of |= _hashes(self.experiment, "baseline")
        progress = MODEL.path(self.experiment, model).with_name(PROGRESS_FILE)
        return [json.loads(line) for line in progress.read_text(encoding="utf-8").splitlines()]

    def training_results(self, model: str = "lbae") -> dict[str, Any]:
        """The results in the record of a model's training."""
        return dict(read_record(MODEL.record(self.experiment, model))["results"])

    def extractor_results(self) -> dict[str, Any]:
        """The results in the record of the feature extractor's training."""
        return dict(read_record(EXTRACTOR.record(self.experiment))["results"])

    def _options(self) -> dict[str, Any]:
        own = {"dataset": self.experiment.dataset.name, "device": self.device}
        return own | super()._options()


def open_notebook(
    name: str,
    profile: str,
    dataset: str,
    data_root: str,
    device: str = "auto",
    output: str = "",
    **parameters: Any,
) -> Notebook:
    """Load what a notebook needs; ``LbaeError`` if the model, images or device are missing.

    Args:
        dataset: a registered name or "folder:PATH".
        data_root: of torchvision's data sets; relative to the project, or to the home by "~".
        device: "auto", "cpu" or "cuda".
        output: folder of figures, tables and record; see :func:`~companion.pages.page.page_folder`.
        **parameters: the notebook's own, kept in its record.
    """
    given = {"profile": profile, "dataset": dataset, "data_root": data_root, "device": device}
    check_run(name, given | {"output": output} | parameters)
    experiment = load_experiment(profile, dataset)
    root = project_root() / with_home(data_root)
    device = choose_device(device)
    ensure_latents(experiment, root, device)
    inputs = _hashes(experiment, "model", "latents") | images_identity(experiment.dataset)
    trained = load_trained(experiment, root, device)
    return Notebook(
        name=name,
        profile=profile,
        parameters=parameters,
        folder=page_folder(name, output),
        experiment=experiment,
        trained=trained,
        data_root=root,
        device=device,
        made_of=inputs,
    )


def _hashes(experiment: Experiment, *roles: str) -> dict[str, str]:
    """Hash files before they are loaded, as another run may replace them; skip missing ones."""
    paths = {role: artifact.path(experiment, model) for role, (artifact, model) in ROLES.items()}
    return {role: sha256_file(paths[role]) for role in roles if paths[role].exists()}
