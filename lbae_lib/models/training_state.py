"""The state of a training run, and the checkpoint that holds all of it."""

import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lbae_lib.errors import CheckpointError, ConfigError
from lbae_lib.files import read_tensors, write_tensors
from lbae_lib.models.config import NetworkConfig, TrainingConfig

CHECKPOINT_FILE = "checkpoint.safetensors"
# A run may be resumed with more epochs; nothing else may change.
_EXTENDABLE = ("epochs", "cooldown_epochs")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """What distinguishes a run from others; the checkpoint of a different run is refused.

    Images are given by their SHA-256. An unfinished run resumes under a newer version of the
    training code; a finished one starts over.
    """

    network: NetworkConfig
    training: TrainingConfig
    train_images: str
    validation_images: str
    version: int

    def check(self, path: Path, other: dict[str, Any]) -> None:
        """Raise ``CheckpointError`` unless the checkpoint at ``path`` is from this run."""
        try:  # an option that the checkpoint does not know yet had its default
            network = NetworkConfig(**other["network"])
            training = TrainingConfig(**other["training"])
        except (KeyError, TypeError, ConfigError) as error:
            raise CheckpointError(
                f"the checkpoint at {path} does not describe a run that this version knows "
                f"({error}): update lbae_lib, or remove the file to start over"
            ) from None
        extended = {name: getattr(self.training, name) for name in _EXTENDABLE}
        training = dataclasses.replace(training, **extended)
        for part in ("train", "validation"):
            if getattr(self, f"{part}_images") != other.get(f"{part}_images"):
                raise CheckpointError(
                    f"the checkpoint at {path} is from a different run, with other {part} images: "
                    "put them back, remove the file to start over, or use another folder"
                )
        for part, theirs in (("network", network), ("training", training)):
            mine = getattr(self, part)
            if mine != theirs:
                raise CheckpointError(
                    f"the checkpoint at {path} is from a different run: its {part} is "
                    f"{dataclasses.asdict(theirs)}, but this run has {dataclasses.asdict(mine)}; "
                    "remove the file to start over, or use another folder"
                )


@dataclass
class RunState:
    """How far a run is, without the state of model and optimizer.

    Attributes:
        loss_sum: float64 (), summed over the images of the current epoch, on the run's device.
        epoch: number of completed epochs.
        step: number of completed steps of the current epoch.
        history: one line per epoch, as in ``progress.jsonl``.
        best: weights of the epoch with the lowest validation loss.
        best_epoch: that epoch, counted from 1.
        best_loss: its validation loss.
        seconds: wall time so far.
    """

    loss_sum: Tensor
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_epoch: int | None = None
    best_loss: float | None = None
    seconds: float = 0.0

    def finish_epoch(self, line: dict[str, float], model: nn.Module) -> None:
        """Add an epoch's line; keep the model's weights if its validation loss is the lowest."""
        self.history.append(line)
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum.zero_()
        if self.best_loss is None or line["validation_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = line["validation_loss"], self.epoch
            self.best = {k: v.detach().clone() for k, v in model.state_dict().items()}


_SCALARS = ("epoch", "step", "history", "best_epoch", "best_loss", "seconds")


def save_checkpoint(
    folder: Path, state: RunState, model: nn.Module, optimizer: Optimizer, identity: Identity
) -> None:
    """Write everything that a run needs to resume; errors are those of ``write_tensors``."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in (state.best or {}).items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v for k, v in moments.items()}
    tensors["loss_sum"] = state.loss_sum
    parts = dataclasses.asdict(identity)
    metadata = {"version": parts.pop("version"), "identity": parts}
    metadata |= {name: getattr(state, name) for name in _SCALARS}
    write_tensors(folder / CHECKPOINT_FILE, tensors, metadata)


def restore_checkpoint(
    folder: Path, model: nn.Module, optimizer: Optimizer, identity: Identity, device: torch.device
) -> RunState:
    """Read a run's state, and put its weights and Adam's moments in place.

    Returns:
        The state; a fresh one if the folder has no checkpoint.

    Raises:
        CheckpointError: if the checkpoint is damaged, from a different run, or has more epochs
            than this run wants.
    """
    fresh = RunState(loss_sum=torch.zeros((), dtype=torch.float64, device=device))
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return fresh
    tensors, metadata = read_tensors(
        path, "checkpoint", "remove it to start over, or copy it again"
    )
    identity.check(path, metadata.get("identity", {}))
    done, wanted = metadata["epoch"], identity.training.epochs
    version = metadata.get("version", 1)  # the first checkpoints had none
    if version != identity.version:
        then = f"training version {version}, now {identity.version}"
        if done == wanted:
            _log.warning("%s was finished by %s: training starts over", path, then)
            return fresh
        _log.warning("%s was begun by %s: training resumes with the new version", path, then)
    if done > wanted:
        raise CheckpointError(
            f"{path} has completed {done} epochs, but the run has {wanted}: choose at least as "
            "many, or remove the file to start over"
        )
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        group, _, key = name.partition(".")
        if key:
            groups[group][key] = tensor
    model.load_state_dict(groups["model"])
    _restore_optimizer(optimizer, model, groups["optimizer"])
    return RunState(
        loss_sum=tensors["loss_sum"].to(device),
        best={k: v.to(device) for k, v in groups["best"].items()} or None,
        **{name: metadata[name] for name in _SCALARS},
    )


def _restore_optimizer(optimizer: Optimizer, model: nn.Module, flat: dict[str, Tensor]) -> None:
    """From {"3.exp_avg": tensor, …}: the number counts the model's parameters.

    Moments must have the memory format of their parameters. Files hold them row-major, and fused
    Adam on channels_last weights would pair the wrong elements without an error.
    """
    parameters = list(model.parameters())
    nested: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        number, _, key = name.partition(".")
        parameter = parameters[int(number)]
        moment = tensor.shape == parameter.shape  # the other values are numbers of steps
        nested.setdefault(int(number), {})[key] = (
            torch.empty_like(parameter).copy_(tensor) if moment else tensor
        )
    optimizer.load_state_dict(optimizer.state_dict() | {"state": nested})
