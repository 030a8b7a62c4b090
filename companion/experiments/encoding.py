"""Encoding an experiment's images into one file of latents."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from companion.experiments.artifacts import LATENTS, MODEL
from companion.experiments.images import changed_images, load_images
from companion.experiments.profiles import Experiment
from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_description, sha256_file, write_tensors
from lbae_lib.locks import locked
from lbae_lib.models.autoencoders import VAE
from lbae_lib.models.encoding import encode, encode_posterior
from lbae_lib.models.hardware import choose_device
from lbae_lib.models.model_files import load_autoencoder


def encode_experiment(experiment: Experiment, data_root: Path, device: str = "auto") -> Path:
    """Encode all splits with the experiment's model into one file.

    The file holds packed bits by split for an LBAE, "SPLIT.mean" and "SPLIT.log_variance" for a
    VAE. A folder's images must be those that the model was trained on.
    """
    with locked(experiment.model_folder):
        return _encode(experiment, data_root, choose_device(device))


def ensure_latents(experiment: Experiment, data_root: Path, device: str = "auto") -> Path:
    """The file of latents; encodes first if there are none of this model and these images.

    Latents are not published: a clone has only models. It waits for another process that encodes.
    """
    if not _current(experiment, data_root):
        with locked(experiment.model_folder, wait=True):
            if not _current(experiment, data_root):
                about = f"no latents of this {experiment.model.upper()}"
                print(f"{experiment.dataset.title}: {about} yet: encoding …", file=sys.stderr)
                return _encode(experiment, data_root, choose_device(device))
    return LATENTS.path(experiment)


def are_current(about: Mapping[str, Any], experiment: Experiment, data_root: Path) -> bool:
    """Whether latents are of the experiment's model and images, by what their file says."""
    model = sha256_file(MODEL.required(experiment))
    images = load_images(experiment, data_root).hashes
    return about["model_sha256"] == model and about["images_sha256"] == images


def _current(experiment: Experiment, data_root: Path) -> bool:
    """Whether there are latents, of this model and these images."""
    MODEL.required(experiment)
    try:
        about = read_description(LATENTS.path(experiment), "latents")
    except CheckpointError:
        return False
    return are_current(about, experiment, data_root)


def _encode(experiment: Experiment, data_root: Path, device: str) -> Path:
    if changes := changed_images(experiment):
        raise CheckpointError(
            f"{changes} since the model in {experiment.model_folder} was trained: put the "
            "earlier ones back, or remove that folder and train again"
        )
    path = LATENTS.target(experiment)
    digest = sha256_file(MODEL.required(experiment))  # before it is read
    model, _ = load_autoencoder(MODEL.path(experiment), device)
    images = load_images(experiment, data_root)
    latents: dict[str, Tensor] = {}
    for name, part in images.splits.items():
        if isinstance(model, VAE):
            mean, log_variance = encode_posterior(model, part.images, show_progress=True)
            latents |= {f"{name}.mean": mean, f"{name}.log_variance": log_variance}
        else:
            latents[name] = encode(model, part.images, show_progress=True)
    about = {
        "version": LATENTS.version,
        "latent_size": experiment.network.latent_size,
        "model_sha256": digest,
        "images_sha256": images.hashes,
    }
    write_tensors(path, latents, about)
    return path
