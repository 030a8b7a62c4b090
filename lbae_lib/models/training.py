"""Training an LBAE or a VAE: one folder, one run, resumable at any step.

A run's folder holds ``checkpoint.safetensors`` (everything needed to go on), ``progress.jsonl``
(a line an epoch) and, once finished, ``model.safetensors`` (the weights of the epoch with the
lowest validation loss, in half precision).

Batches, and a VAE's noise, are functions of the seed and the step alone, so a run
that was stopped and resumed ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from lbae_lib.config import NetworkConfig, TrainingConfig
from lbae_lib.errors import CheckpointError, ConfigError
from lbae_lib.files import read_tensors, sha256_tensor, write_tensors, write_text
from lbae_lib.models.autoencoders import build_model, reconstruction_loss
from lbae_lib.models.checkpoints import MODEL_FILE, PROGRESS_FILE, save_model
from lbae_lib.models.encoding import to_unit_range
from lbae_lib.progress import progress_bar
from lbae_lib.sources import module_sources, sources_hash

_log = logging.getLogger(__name__)

CHECKPOINT_FILE = "checkpoint.safetensors"
CHECKPOINT_SECONDS = 180.0
_REFRESH_SECONDS = 2.0
# A run may go on with more epochs; nothing else of it may change.
_EXTENDABLE = ("epochs", "cooldown_epochs")

PRECISIONS = ("auto", "32-true", "bf16-mixed")


@dataclass(frozen=True)
class TrainingResult:
    """What a call of :func:`train` reached.

    Attributes:
        finished: all epochs done; otherwise call again to go on.
        epochs: whole epochs done.
        best_epoch: the epoch whose weights are kept, counted from 1.
        best_validation_loss: its mean loss per validation image (nats for "bce").
        seconds: wall time of training in all calls.
        images_per_second: training images per second of it, validation included.
        device: e.g. "cpu" or "cuda:0".
        precision: Lightning Fabric's name of it.
    """

    finished: bool
    epochs: int
    best_epoch: int | None
    best_validation_loss: float | None
    seconds: float
    images_per_second: float
    device: str
    precision: str


def automatic_precision(accelerator: str) -> str:
    """bf16 mixed precision where the hardware computes in it, float32 elsewhere."""
    if accelerator == "cuda":
        return (
            "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
        )
    if accelerator == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bf16-mixed"
    return "32-true"


def train(
    network: NetworkConfig,
    training: TrainingConfig,
    train_images: Tensor,
    validation_images: Tensor,
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    time_limit: float | None = None,
    show_progress: bool = True,
) -> TrainingResult:
    """Train a model in ``folder``, from its checkpoint if there is one.

    Args:
        network: the model's shape.
        training: the schedule.
        train_images: uint8 (K, C, S, S).
        validation_images: uint8, for choosing the epoch to keep; never test images.
        folder: where checkpoint, progress and model are kept.
        device: Lightning Fabric's accelerator: "auto", "cpu", "cuda", "mps".
        precision: "auto" takes :func:`automatic_precision`.
        time_limit: seconds after which the run stops cleanly, with a checkpoint.
        show_progress: draw a bar, or write lines, on standard error.

    Raises:
        CheckpointError: if the folder's checkpoint is damaged or of another run.
        ConfigError: if there are too few images.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    run = _Run(network, training, train_images, validation_images, folder, device, precision)
    run.restore()
    with _stop_signals() as stop:
        while run.epoch < training.epochs:
            if not run.advance_epoch(stop, deadline, show_progress):
                run.save()
                return run.result(finished=False)
            if run.epoch == training.epochs or run.since_save() > CHECKPOINT_SECONDS:
                run.save()
    run.export()
    return run.result(finished=True)


class _Run:
    """The moving parts of one training run."""

    def __init__(
        self,
        network: NetworkConfig,
        training: TrainingConfig,
        train_images: Tensor,
        validation_images: Tensor,
        folder: Path,
        device: str,
        precision: str,
    ) -> None:
        if len(train_images) < 2 or len(validation_images) < 1:
            raise ConfigError(
                f"{len(train_images)} training and {len(validation_images)} validation images: "
                "at least 2 and 1 are needed"
            )
        if precision not in PRECISIONS:
            raise ConfigError(f"precision is {precision!r}, but must be one of {PRECISIONS}")
        accelerator = _accelerator(device)
        chosen = automatic_precision(accelerator) if precision == "auto" else precision
        self.fabric = Fabric(accelerator=accelerator, devices=1, precision=chosen)  # type: ignore[arg-type]
        self.network, self.training, self.folder = network, training, folder
        self.precision = chosen
        self.identity = {
            "network": dataclasses.asdict(network),
            "training": dataclasses.asdict(training),
            "train_images": sha256_tensor(train_images),
            "validation_images": sha256_tensor(validation_images),
        }
        with torch.random.fork_rng():
            torch.manual_seed(training.seed)
            model = build_model(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam(
            model.parameters(),
            lr=training.learning_rate,
            fused=accelerator in ("cpu", "cuda"),
        )
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.images = train_images.to(self.fabric.device)
        self.validation = validation_images.to(self.fabric.device)
        self.batch = min(training.batch_size, len(train_images))
        self.steps = len(train_images) // self.batch  # a whole epoch
        self.epoch, self.step = 0, 0  # whole epochs done; steps done in the next one
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        self.generator = torch.Generator(self.fabric.device)
        self.code = sources_hash(module_sources(__name__))
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] | None = None
        self.best_epoch: int | None = None
        self.best_loss: float | None = None
        self.seconds = 0.0  # wall time up to the last mark
        self._mark = self._saved = time.monotonic()

    # -- one epoch ---------------------------------------------------------------------

    def advance_epoch(
        self, stop: threading.Event, deadline: float | None, show_progress: bool
    ) -> bool:
        """Train to the end of the current epoch; False if stopped before it."""
        self.model.train()
        order = self._order()
        description = f"epoch {self.epoch + 1}/{self.training.epochs}"
        done, total = self.step * self.batch, self.steps * self.batch
        shown = time.monotonic()
        with progress_bar(total, description, "img", done, show_progress) as bar:
            while self.step < self.steps:
                self._train_step(order[self.step * self.batch :][: self.batch])
                bar.update(self.batch)
                now = time.monotonic()
                if show_progress and now - shown > _REFRESH_SECONDS:
                    bar.set_postfix(loss=f"{self._mean_loss():.2f}", refresh=False)
                    shown = now
                if stop.is_set() or (deadline is not None and now > deadline):
                    return False
                if self.since_save() > CHECKPOINT_SECONDS:
                    self.save()
            self._finish_epoch(bar)
        return True

    def _order(self) -> Tensor:
        generator = torch.Generator().manual_seed(self.training.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.images), generator=generator)
        return order.to(self.fabric.device)

    def _train_step(self, indices: Tensor) -> None:
        rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = to_unit_range(self.images[indices])
        losses = self._losses(images, self._noise(len(images)))
        self.optimizer.zero_grad()
        self.fabric.backward(losses.mean())
        self.optimizer.step()
        self.loss_sum += losses.detach().sum()
        self.step += 1

    def _losses(self, images: Tensor, noise: Tensor | None) -> Tensor:
        """Loss of each image: its reconstruction, and for a VAE the weighted KL term."""
        if self.network.kind == "lbae":
            return reconstruction_loss(self.model(images), images, self.training.loss)
        logits, kl = self.model(images, noise)
        weight = self.training.kl_weight / self.network.latent_size
        return reconstruction_loss(logits, images, self.training.loss) + weight * kl

    def _noise(self, count: int) -> Tensor | None:
        if self.network.kind == "lbae":
            return None
        step = self.epoch * self.steps + self.step
        self.generator.manual_seed(self.training.seed * 1_000_003 + step)
        size = (count, self.network.latent_size)
        return torch.randn(size, generator=self.generator, device=self.fabric.device)

    def _learning_rate(self) -> float:
        cooldown = self.training.cooldown_epochs * self.steps
        left = self.training.epochs * self.steps - (self.epoch * self.steps + self.step)
        share = min(1.0, left / cooldown) if cooldown else 1.0
        return self.training.learning_rate * share

    def _mean_loss(self) -> float:
        return float(self.loss_sum) / max(1, self.step * self.batch)

    def _finish_epoch(self, bar: Any) -> None:
        rate = self._learning_rate()
        validation = self._validation_loss()
        if not math.isfinite(validation):
            raise CheckpointError(
                f"the validation loss is {validation} after epoch {self.epoch + 1}: training "
                "diverged; lower the learning rate and start over in another folder"
            )
        seconds = self._elapsed()
        previous = self.history[-1]["seconds"] if self.history else 0.0
        line = {
            "epoch": self.epoch + 1,
            "train_loss": self._mean_loss(),
            "validation_loss": validation,
            "learning_rate": rate,
            "seconds": seconds,
            "images_per_second": self.steps * self.batch / max(seconds - previous, 1e-9),
        }
        self.history.append(line)
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum.zero_()
        if self.best_loss is None or validation < self.best_loss:
            self.best_loss, self.best_epoch = validation, self.epoch
            self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        write_text(
            self.folder / PROGRESS_FILE,
            "".join(json.dumps(h) + "\n" for h in self.history),
        )
        bar.set_postfix(
            loss=f"{line['train_loss']:.2f}",
            validation=f"{validation:.2f}",
            refresh=False,
        )

    @torch.no_grad()
    def _validation_loss(self) -> float:
        self.model.eval()
        total = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        for chunk in self.validation.split(self.batch):
            images = to_unit_range(chunk)
            total += self._losses(images, None).sum()
        self.model.train()
        return float(total) / len(self.validation)

    # -- time --------------------------------------------------------------------------

    def _elapsed(self) -> float:
        now = time.monotonic()
        self.seconds += now - self._mark
        self._mark = now
        return self.seconds

    def since_save(self) -> float:
        return time.monotonic() - self._saved

    # -- keeping -----------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in (self.best or {}).items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
        tensors["loss_sum"] = self.loss_sum
        metadata = {
            "identity": self.identity,
            "code": self.code,
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "seconds": self._elapsed(),
        }
        write_tensors(self.folder / CHECKPOINT_FILE, tensors, metadata)
        self._saved = time.monotonic()

    def restore(self) -> None:
        """Go on from the folder's checkpoint, if there is one."""
        path = self.folder / CHECKPOINT_FILE
        if not path.exists():
            return
        tensors, metadata = read_tensors(path, "checkpoint")
        self._check_identity(path, metadata["identity"])
        finished = metadata["epoch"] == self.training.epochs
        if metadata.get("code") != self.code:
            if finished:
                _log.warning("%s was finished by other code: training starts over", path)
                return
            _log.warning("%s was begun by other code: training goes on with this one", path)
        if metadata["epoch"] > self.training.epochs:
            raise CheckpointError(
                f"{path} has {metadata['epoch']} epochs behind it, but {self.training.epochs} "
                "were asked for: ask for at least as many, or remove it to start over"
            )
        groups: dict[str, dict[str, Tensor]] = {
            "model": {},
            "best": {},
            "optimizer": {},
        }
        for name, tensor in tensors.items():
            group, _, key = name.partition(".")
            if key:
                groups[group][key] = tensor
        self.model.load_state_dict(groups["model"])
        self.best = {k: v.to(self.fabric.device) for k, v in groups["best"].items()} or None
        self._restore_optimizer(groups["optimizer"])
        self.loss_sum = tensors["loss_sum"].to(self.fabric.device)
        self.epoch, self.step = metadata["epoch"], metadata["step"]
        self.history = metadata["history"]
        self.best_epoch, self.best_loss = metadata["best_epoch"], metadata["best_loss"]
        self.seconds = metadata["seconds"]

    def _restore_optimizer(self, flat: dict[str, Tensor]) -> None:
        """From {"3.exp_avg": tensor, …}.

        Moments must lie in memory as their parameters do: files hold them row-major, and fused
        Adam on channels_last weights would pair the wrong elements without an error.
        """
        nested: dict[int, dict[str, Tensor]] = {}
        for name, tensor in flat.items():
            number, _, key = name.partition(".")
            nested.setdefault(int(number), {})[key] = tensor
        for index, parameter in enumerate(self.model.parameters()):
            for key, tensor in nested.get(index, {}).items():
                if tensor.shape == parameter.shape:
                    nested[index][key] = torch.empty_like(parameter).copy_(tensor)
        state = self.optimizer.state_dict()
        state["state"] = nested
        self.optimizer.load_state_dict(state)

    def _check_identity(self, path: Path, other: dict[str, Any]) -> None:
        for part, mine in self.identity.items():
            theirs = other[part]
            if isinstance(mine, dict):
                # Options that came later had their defaults then.
                kind = {"network": NetworkConfig, "training": TrainingConfig}[part]
                theirs = dataclasses.asdict(kind(**theirs))
                mine = {k: v for k, v in mine.items() if k not in _EXTENDABLE}
                theirs = {k: v for k, v in theirs.items() if k not in _EXTENDABLE}
            if mine != theirs:
                raise CheckpointError(
                    f"the checkpoint at {path} is of another run: its {part} is {theirs}, but "
                    f"{mine} was asked for; remove it to start over, or use another folder"
                )

    def export(self) -> None:
        """Write the kept weights as a model."""
        assert self.best is not None  # every finished epoch had a finite validation loss
        about = {
            "training": dataclasses.asdict(self.training),
            "epoch": self.best_epoch,
            "validation_loss": self.best_loss,
        }
        save_model(self.folder / MODEL_FILE, self.best, self.network, about)

    def result(self, finished: bool) -> TrainingResult:
        images = (self.epoch * self.steps + self.step) * self.batch
        return TrainingResult(
            finished=finished,
            epochs=self.epoch,
            best_epoch=self.best_epoch,
            best_validation_loss=self.best_loss,
            seconds=self.seconds,
            images_per_second=images / max(self.seconds, 1e-9),
            device=str(self.fabric.device),
            precision=self.precision,
        )


def _accelerator(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    known = ("cpu", "cuda", "mps")
    if device not in known:
        raise ConfigError(f"device is {device!r}, but must be 'auto' or one of {known}")
    return device


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event set by SIGINT or SIGTERM, so that a run stops between two steps."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in previous:
            signal.signal(number, lambda *_: stop.set())
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
