"""Trained models as one safetensors file each."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from lbae_lib.errors import CheckpointError, ConfigError
from lbae_lib.files import REMEDY, check_format, read_tensors, write_tensors
from lbae_lib.models.autoencoders import LBAE, VAE, build_model
from lbae_lib.models.config import NetworkConfig

# What a training run leaves in its folder.
MODEL_FILE = "model.safetensors"
PROGRESS_FILE = "progress.jsonl"

Kind = TypeVar("Kind", LBAE, VAE)

FORMAT = "lbae-model"
VERSION = 1


def save_model(
    path: Path | str,
    state: Mapping[str, Tensor],
    network: NetworkConfig,
    about: Mapping[str, Any],
    halve: bool = True,
) -> None:
    """Write a model whole or not at all; matrices and kernels in float16, vectors in float32.

    Vectors (biases, batch-norm parameters and statistics) are few, and running variances may leave
    float16's range.

    Args:
        path: the file to write.
        state: the model's ``state_dict()``.
        network: its shape.
        about: what else to store, e.g. data set, epoch and losses; JSON values only.
        halve: whether to round to float16; False for weights that were published in float32.

    Raises:
        CheckpointError: if a weight is not finite, before or after rounding.
        WriteError: if the file cannot be written; see :func:`lbae_lib.files.write_tensors`.
    """
    stored = {}
    for name, tensor in state.items():
        large = halve and tensor.is_floating_point() and tensor.ndim > 1
        stored[name] = tensor.half() if large else tensor
        if tensor.is_floating_point() and not bool(stored[name].isfinite().all()):
            raise CheckpointError(
                f"{name} holds values that are not finite in {stored[name].dtype}: training "
                "diverged and the model is not saved; lower the learning rate"
            )
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "network": dataclasses.asdict(network),
        "about": dict(about),
    }
    write_tensors(Path(path), stored, metadata)


def load_autoencoder(
    path: Path | str, device: torch.device | str = "cpu"
) -> tuple[LBAE | VAE, dict[str, Any]]:
    """Read a model for evaluation: eval mode, float32, no gradients.

    Returns the model, and what :func:`save_model` stored ``about`` it.

    Raises:
        CheckpointError: if the file is missing, damaged, of another format or a newer version,
            or does not fit its own description.
    """
    tensors, metadata = read_tensors(Path(path), "model")
    check_format(metadata, Path(path), "a model", FORMAT, VERSION)
    try:
        # Shapes alone: a wrong description costs no memory.
        model = build_model(NetworkConfig(**metadata["network"]), "meta")
        about = dict(metadata["about"])
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise CheckpointError(f"{path} does not describe a network ({error}): {REMEDY}") from None
    expected = model.state_dict()
    for name, tensor in tensors.items():
        wanted = expected[name].dtype if name in expected else tensor.dtype
        if tensor.is_floating_point() != wanted.is_floating_point:
            raise CheckpointError(
                f"{name} in {path} has type {tensor.dtype}, but the network needs {wanted}: "
                f"{REMEDY}"
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{name} in {path} holds values that are not finite: {REMEDY}")
        tensors[name] = tensor.to(wanted)
    try:
        model.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit its own description ({error}): {REMEDY}"
        ) from None
    # Faster, on a processor too.
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval().requires_grad_(False), about


def load_model(path: Path | str, device: torch.device | str = "cpu") -> tuple[LBAE, dict[str, Any]]:
    """:func:`load_autoencoder` for an LBAE; another kind of model is a ``CheckpointError``."""
    return _load_kind(LBAE, path, device)


def load_vae(path: Path | str, device: torch.device | str = "cpu") -> tuple[VAE, dict[str, Any]]:
    """:func:`load_autoencoder` for a VAE; another kind of model is a ``CheckpointError``."""
    return _load_kind(VAE, path, device)


def _load_kind(
    kind: type[Kind], path: Path | str, device: torch.device | str
) -> tuple[Kind, dict[str, Any]]:
    model, about = load_autoencoder(path, device)
    if not isinstance(model, kind):
        wanted = "an lbae" if kind is LBAE else "a vae"
        raise CheckpointError(
            f"{path} holds a {model.config.kind}, but {wanted} is needed here: name another file"
        )
    return model, about
