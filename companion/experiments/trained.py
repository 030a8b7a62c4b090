"""Trained models with their images and latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from companion.experiments.artifacts import LATENTS, MODEL
from companion.experiments.encoding import are_current, ensure_latents
from companion.experiments.images import SPLITS, Images, changed_images, load_images
from companion.experiments.profiles import Experiment
from lbae_lib.bits import unpack_bits
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_tensors
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.model_files import load_model, load_vae


@dataclass(frozen=True)
class Trained:
    """A trained LBAE in eval mode, its images, and its latents packed as uint8 (K, ceil(N/8))."""

    model: LBAE
    images: Mapping[str, ImageSet]
    packed: Mapping[str, Tensor]
    dataset: Dataset
    _unpacked: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def bits(self, split: str) -> Tensor:
        """Latents of a split, float32 (K, N) in {-1, +1}; the same tensor each time."""
        if split not in self._unpacked:
            width = self.model.config.latent_size
            self._unpacked[split] = unpack_bits(self.packed[split], width)
        return self._unpacked[split]

    def with_test(self, chosen: Tensor) -> Trained:
        """The same model with only the chosen test images, by their indices."""
        images = {**self.images, "test": self.images["test"].select(chosen)}
        return replace(self, images=images, packed=_with_test(self.packed, chosen))


@dataclass(frozen=True)
class Baseline:
    """A trained VAE in eval mode with its images, and its posteriors, float32 (K, N), by split."""

    model: VAE
    images: Mapping[str, ImageSet]
    means: Mapping[str, Tensor]
    log_variances: Mapping[str, Tensor]

    def with_test(self, chosen: Tensor) -> Baseline:
        """The same model with only the chosen test images, by their indices."""
        images = {**self.images, "test": self.images["test"].select(chosen)}
        means, log_variances = (
            _with_test(values, chosen) for values in (self.means, self.log_variances)
        )
        return replace(self, images=images, means=means, log_variances=log_variances)


def load_trained(experiment: Experiment, data_root: Path, device: str = "cpu") -> Trained:
    """The experiment's LBAE on a device, with its images and latents.

    A folder's images are in the order of their classes. Here the test images are in a random one,
    the same for both models, so that the first of them are a sample.

    Latents that are missing, or of another model or of other images, are encoded first.
    """
    packed, images = _load_latents(experiment, data_root, device)
    model, _ = load_model(MODEL.path(experiment), device)
    found = Trained(model, images.splits, packed, images.dataset)
    return found.with_test(_random_order(images))


def load_baseline(experiment: Experiment, data_root: Path, device: str = "cpu") -> Baseline:
    """The VAE of an experiment (of ``load_experiment(profile, dataset, "vae")``) on a device.

    Test images are in the order of :func:`load_trained`.
    """
    latents, images = _load_latents(experiment, data_root, device)
    model, _ = load_vae(MODEL.path(experiment), device)
    means, log_variances = (
        {name: latents[f"{name}.{kind}"] for name in SPLITS} for kind in ("mean", "log_variance")
    )
    found = Baseline(model, images.splits, means, log_variances)
    return found.with_test(_random_order(images))


def _random_order(images: Images) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(len(images.splits["test"]), generator=generator)


def _load_latents(
    experiment: Experiment, data_root: Path, device: str
) -> tuple[dict[str, Tensor], Images]:
    """Latents of the experiment's model, encoded first if there are none, and their images."""
    path = ensure_latents(experiment, data_root, device)
    latents, about = read_tensors(path, "latents")
    if not are_current(about, experiment, data_root):  # another run replaced them meanwhile
        changes = changed_images(experiment)
        raise CheckpointError(
            f"{path} was encoded by another model or from other images"
            f"{f' ({changes})' if changes else ''}: run "
            f"`{LATENTS.command_line(experiment)}` again"
        )
    return latents, load_images(experiment, data_root)


def _with_test(values: Mapping[str, Tensor], chosen: Tensor) -> dict[str, Tensor]:
    return {**values, "test": values["test"][chosen]}
