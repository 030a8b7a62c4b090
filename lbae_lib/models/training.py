"""Training an LBAE or a VAE: one folder, one run, resumable at any step.

A run's folder holds ``checkpoint.safetensors`` (everything needed to go on), ``progress.jsonl``
(a line an epoch) and, once finished, ``model.safetensors`` (the weights of the epoch with the
lowest validation loss, in half precision).

Batches, and a VAE's noise, are functions of the seed and the step alone, so a run that was
stopped and resumed ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from lbae_lib.config import NetworkConfig, TrainingConfig
from lbae_lib.errors import CheckpointError, ConfigError
from lbae_lib.files import write_text
from lbae_lib.interrupts import stop_signals
from lbae_lib.models.autoencoders import build_model, reconstruction_loss
from lbae_lib.models.checkpoints import MODEL_FILE, PROGRESS_FILE, save_model
from lbae_lib.models.encoding import to_unit_range
from lbae_lib.models.hardware import choose_device, choose_precision
from lbae_lib.models.resume import Identity, restore_checkpoint, save_checkpoint
from lbae_lib.progress import progress_bar
from lbae_lib.sources import module_sources, sources_hash

CHECKPOINT_SECONDS = 180.0
_REFRESH_SECONDS = 2.0


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
        device: see :func:`lbae_lib.models.hardware.choose_device`.
        precision: see :func:`lbae_lib.models.hardware.choose_precision`.
        time_limit: seconds after which the run stops cleanly, with a checkpoint.
        show_progress: draw a bar, or write lines, on standard error.

    Raises:
        CheckpointError: if the folder's checkpoint is damaged or of another run, or training
            diverges.
        ConfigError: if there are too few images, or device or precision is unknown.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    if len(train_images) < 2 or len(validation_images) < 1:
        raise ConfigError(
            f"{len(train_images)} training and {len(validation_images)} validation images: at "
            "least 2 and 1 are needed"
        )
    code = sources_hash(module_sources(__name__))
    identity = Identity.of(network, training, train_images, validation_images, code)
    run = _Run(identity, train_images, validation_images, folder, device, precision)
    with stop_signals() as stop:
        while run.state.epoch < training.epochs:
            if not run.advance_epoch(stop, deadline, show_progress):
                run.save()
                return run.result(finished=False)
            if run.state.epoch == training.epochs or run.save_is_due():
                run.save()
    run.export()
    return run.result(finished=True)


class _Run:
    """The moving parts of one training run."""

    def __init__(
        self,
        identity: Identity,
        train_images: Tensor,
        validation_images: Tensor,
        folder: Path,
        device: str,
        precision: str,
    ) -> None:
        accelerator = choose_device(device)
        self.precision = choose_precision(precision, accelerator)
        self.fabric = Fabric(accelerator=accelerator, devices=1, precision=self.precision)  # type: ignore[arg-type]
        self.identity, self.folder = identity, folder
        self.network, self.training = identity.network, identity.training
        with torch.random.fork_rng():
            torch.manual_seed(self.training.seed)
            model = build_model(self.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam(
            model.parameters(),
            lr=self.training.learning_rate,
            fused=accelerator in ("cpu", "cuda"),
        )
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.images = train_images.to(self.fabric.device)
        self.validation = validation_images.to(self.fabric.device)
        self.batch = min(self.training.batch_size, len(train_images))
        self.steps = len(train_images) // self.batch  # a whole epoch
        self.generator = torch.Generator(self.fabric.device)
        self.state = restore_checkpoint(
            folder, self.model, self.optimizer, identity, self.fabric.device
        )
        self._mark = self._saved = time.monotonic()

    def advance_epoch(
        self, stop: threading.Event, deadline: float | None, show_progress: bool
    ) -> bool:
        """Train to the end of the current epoch; False if stopped before it."""
        self.model.train()
        state, order = self.state, self._order()
        description = f"epoch {state.epoch + 1}/{self.training.epochs}"
        done, total = state.step * self.batch, self.steps * self.batch
        shown = time.monotonic()
        with progress_bar(total, description, "img", done, show_progress) as bar:
            while state.step < self.steps:
                self._train_step(order[state.step * self.batch :][: self.batch])
                bar.update(self.batch)
                now = time.monotonic()
                if show_progress and now - shown > _REFRESH_SECONDS:
                    bar.set_postfix(loss=f"{self._mean_loss():.2f}", refresh=False)
                    shown = now
                if stop.is_set() or (deadline is not None and now > deadline):
                    return False
                if self.save_is_due():
                    self.save()
            self._finish_epoch(bar)
        return True

    def _order(self) -> Tensor:
        seed = self.training.seed * 1_000_003 + self.state.epoch
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(seed))
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
        self.state.loss_sum += losses.detach().sum()
        self.state.step += 1

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
        step = self.state.epoch * self.steps + self.state.step
        self.generator.manual_seed(self.training.seed * 1_000_003 + step)
        size = (count, self.network.latent_size)
        return torch.randn(size, generator=self.generator, device=self.fabric.device)

    def _learning_rate(self) -> float:
        cooldown = self.training.cooldown_epochs * self.steps
        done = self.state.epoch * self.steps + self.state.step
        left = self.training.epochs * self.steps - done
        share = min(1.0, left / cooldown) if cooldown else 1.0
        return self.training.learning_rate * share

    def _mean_loss(self) -> float:
        return float(self.state.loss_sum) / max(1, self.state.step * self.batch)

    def _finish_epoch(self, bar: Any) -> None:
        state, rate, validation = self.state, self._learning_rate(), self._validation_loss()
        if not math.isfinite(validation):
            raise CheckpointError(
                f"the validation loss is {validation} after epoch {state.epoch + 1}: training "
                "diverged; lower the learning rate and start over in another folder"
            )
        previous = state.history[-1]["seconds"] if state.history else 0.0
        self._count_time()
        line = {
            "epoch": state.epoch + 1,
            "train_loss": self._mean_loss(),
            "validation_loss": validation,
            "learning_rate": rate,
            "seconds": state.seconds,
            "images_per_second": self.steps * self.batch / max(state.seconds - previous, 1e-9),
        }
        state.history.append(line)
        state.epoch, state.step = state.epoch + 1, 0
        state.loss_sum.zero_()
        if state.best_loss is None or validation < state.best_loss:
            state.best_loss, state.best_epoch = validation, state.epoch
            state.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        lines = "".join(json.dumps(h) + "\n" for h in state.history)
        write_text(self.folder / PROGRESS_FILE, lines)
        losses = {"loss": f"{line['train_loss']:.2f}", "validation": f"{validation:.2f}"}
        bar.set_postfix(losses, refresh=False)

    @torch.no_grad()
    def _validation_loss(self) -> float:
        self.model.eval()
        total = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        for chunk in self.validation.split(self.batch):
            total += self._losses(to_unit_range(chunk), None).sum()
        self.model.train()
        return float(total) / len(self.validation)

    def _count_time(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self._mark
        self._mark = now

    def save_is_due(self) -> bool:
        return time.monotonic() - self._saved > CHECKPOINT_SECONDS

    def save(self) -> None:
        self._count_time()
        save_checkpoint(self.folder, self.state, self.model, self.optimizer, self.identity)
        self._saved = time.monotonic()

    def export(self) -> None:
        """Write the kept weights as a model."""
        assert self.state.best is not None  # every finished epoch had a finite validation loss
        about = {
            "training": dataclasses.asdict(self.training),
            "epoch": self.state.best_epoch,
            "validation_loss": self.state.best_loss,
        }
        save_model(self.folder / MODEL_FILE, self.state.best, self.network, about)

    def result(self, finished: bool) -> TrainingResult:
        state = self.state
        images = (state.epoch * self.steps + state.step) * self.batch
        return TrainingResult(
            finished=finished,
            epochs=state.epoch,
            best_epoch=state.best_epoch,
            best_validation_loss=state.best_loss,
            seconds=state.seconds,
            images_per_second=images / max(state.seconds, 1e-9),
            device=str(self.fabric.device),
            precision=self.precision,
        )
