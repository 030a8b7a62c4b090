"""Encoding an experiment's images into one file of latents."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from companion.experiments.artifacts import LATENTS, MODEL
from companion.experiments.images import load_images
from companion.experiments.profiles import Experiment
from lbae_lib.files import sha256_file, write_tensors
from lbae_lib.locks import locked
from lbae_lib.models.autoencoders import VAE
from lbae_lib.models.encoding import encode, encode_posterior
from lbae_lib.models.hardware import choose_device
from lbae_lib.models.model_files import load_autoencoder


def encode_experiment(experiment: Experiment, data_root: Path, device: str = "auto") -> Path:
    """Encode all splits with the experiment's model into one file.

    The file holds packed bits by split for an LBAE, "SPLIT.mean" and "SPLIT.log_variance" for a
    VAE.

    Raises:
        CheckpointError: if there is no model.
        ConfigError: if the machine has no such device.
        WriteError: if another run is using the model's folder.
    """
    device = choose_device(device)
    path = LATENTS.path(experiment)
    with locked(experiment.model_folder):
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
            "latent_size": experiment.network.latent_size,
            "model_sha256": digest,
            "images_sha256": images.hashes,
        }
        write_tensors(path, latents, about)
    return path
