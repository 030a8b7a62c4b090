"""The steps of an experiment that are not notebooks: training and encoding, with records."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from lbae_lib.bits import unpack_bits
from lbae_lib.config import Experiment
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.data.registry import load_dataset
from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_tensors, sha256_file, sha256_tensor, write_tensors
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.checkpoints import MODEL_FILE, load_autoencoder, load_model
from lbae_lib.models.encoding import encode, encode_posterior, reconstruction_losses
from lbae_lib.report.records import RECORD_FILE, environment, write_record

if TYPE_CHECKING:
    from lbae_lib.models.training import TrainingResult

LATENTS_FILE = "latents.safetensors"
SPLITS = ("train", "validation", "test")


def train_experiment(
    experiment: Experiment,
    data_root: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    time_limit: float | None = None,
) -> TrainingResult:
    """Train the experiment's model; once finished, score it on all splits and write the record.

    Raises:
        LbaeError: see :func:`lbae_lib.models.training.train` and ``load_dataset``.
    """
    from lbae_lib.models.training import train  # Lightning takes seconds to import

    began_in = environment()  # the commit may move on while a long run is under way
    dataset = load_dataset(experiment.dataset, data_root)
    splits = split_images(dataset, experiment)
    folder = experiment.model_folder
    result = train(
        experiment.network,
        experiment.training,
        splits["train"].images,
        splits["validation"].images,
        folder,
        device=device,
        precision=precision,
        time_limit=time_limit,
    )
    if result.finished:
        model, _ = load_autoencoder(folder / MODEL_FILE, result.device)
        loss = experiment.training.loss
        losses = {
            name: float(reconstruction_losses(model, part.images, loss).mean())
            for name, part in splits.items()
        }
        write_record(
            folder / RECORD_FILE,
            kind="train",
            options=experiment_options(experiment) | {"device": device, "precision": precision},
            inputs={name: sha256_tensor(part.images) for name, part in splits.items()},
            results={
                **dataclasses.asdict(result),
                "reconstruction_loss": losses,
                "images": {name: len(part) for name, part in splits.items()},
                "model_sha256": sha256_file(folder / MODEL_FILE),
            },
            seconds=result.seconds,
            made_in=began_in,
        )
    return result


def split_images(dataset: Dataset, experiment: Experiment) -> dict[str, ImageSet]:
    """The images behind "train", "validation" and "test"."""
    train_part, validation = dataset.train.split(experiment.validation_images)
    return {"train": train_part, "validation": validation, "test": dataset.test}


def experiment_options(experiment: Experiment) -> dict[str, Any]:
    """The experiment as JSON values, for records."""
    return {
        "profile": experiment.profile,
        "dataset": dataclasses.asdict(experiment.dataset),
        "network": dataclasses.asdict(experiment.network),
        "training": dataclasses.asdict(experiment.training),
        "validation_images": experiment.validation_images,
    }


@dataclass(frozen=True)
class Trained:
    """A trained model with its images and latents.

    Attributes:
        model: in eval mode.
        images: by split.
        packed: uint8 (K, ceil(N/8)), by split.
        dataset: the data set the images are of.
    """

    model: LBAE
    images: dict[str, ImageSet]
    packed: dict[str, Tensor]
    dataset: Dataset

    def bits(self, split: str) -> Tensor:
        """Latents of a split, float32 (K, N) in {-1, +1}."""
        return unpack_bits(self.packed[split], self.model.config.latent_size)


def encode_experiment(experiment: Experiment, data_root: Path, device: str = "cpu") -> Path:
    """Encode all splits with the experiment's model into one file.

    Of an LBAE it holds packed bits by split; of a VAE, "SPLIT.mean" and "SPLIT.log_variance".
    """
    started = time.monotonic()
    folder = experiment.model_folder
    model, _ = load_autoencoder(folder / MODEL_FILE, device)
    splits = split_images(load_dataset(experiment.dataset, data_root), experiment)
    latents: dict[str, Tensor] = {}
    for name, part in splits.items():
        if isinstance(model, VAE):
            mean, log_variance = encode_posterior(model, part.images, show_progress=True)
            latents |= {f"{name}.mean": mean, f"{name}.log_variance": log_variance}
        else:
            latents[name] = encode(model, part.images, show_progress=True)
    path = folder / LATENTS_FILE
    write_tensors(
        path,
        latents,
        {
            "latent_size": experiment.network.latent_size,
            "model_sha256": sha256_file(folder / MODEL_FILE),
            "images_sha256": {name: sha256_tensor(part.images) for name, part in splits.items()},
            "seconds": round(time.monotonic() - started, 3),
        },
    )
    return path


def load_trained(experiment: Experiment, data_root: Path, device: str = "cpu") -> Trained:
    """The experiment's model, images and latents.

    Raises:
        CheckpointError: if model or latents are missing, or the latents are of another model.
    """
    folder = experiment.model_folder
    name, profile = experiment.dataset.name, experiment.profile
    for file, command in ((MODEL_FILE, "train"), (LATENTS_FILE, "encode")):
        if not (folder / file).exists():
            raise CheckpointError(
                f"no {file} in {folder}: make it with `lbae {command} -d {name} -p {profile}`"
            )
    model, _ = load_model(folder / MODEL_FILE, device)
    packed, about = read_tensors(folder / LATENTS_FILE, "latents")
    dataset = load_dataset(experiment.dataset, data_root)
    images = split_images(dataset, experiment)
    found = {name: sha256_tensor(part.images) for name, part in images.items()}
    if about["model_sha256"] != sha256_file(folder / MODEL_FILE) or about["images_sha256"] != found:
        raise CheckpointError(
            f"{folder / LATENTS_FILE} was encoded by another model or from other images: "
            f"run `lbae encode -d {name} -p {profile}` again"
        )
    return Trained(model, images, packed, dataset)
