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
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from lbae_lib.errors import CheckpointError, ConfigError, LbaeError
from lbae_lib.files import write_text
from lbae_lib.locks import locked
from lbae_lib.models.autoencoders import build_model, reconstruction_loss
from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.encoding import is_out_of_memory, to_unit_range
from lbae_lib.models.hardware import (
    ONE_DEVICE,
    Hardware,
    choose_device,
    choose_precision,
    own_part,
    start_fabric,
)
from lbae_lib.models.interrupts import stop_signals
from lbae_lib.models.model_files import MODEL_FILE, PROGRESS_FILE, save_model
from lbae_lib.models.training_state import Identity, restore_checkpoint, save_checkpoint
from lbae_lib.progress import progress_bar

# Raise it when the same configuration, images and seed give other weights than before: runs that
# an earlier version finished then start over. Moving or rewording code is no reason.
VERSION = 1
CHECKPOINT_SECONDS = 180.0
_REFRESH_SECONDS = 2.0
_STEPS_TO_AGREE = 10  # and an epoch's last: asking other devices costs a synchronisation


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
        first_process: whether this process writes the files; the only one does.
    """

    finished: bool
    epochs: int
    best_epoch: int | None
    best_validation_loss: float | None
    seconds: float
    images_per_second: float
    device: str
    precision: str
    first_process: bool = True

    def for_record(self) -> dict[str, Any]:
        """As JSON values."""
        values = dataclasses.asdict(self)
        del values["first_process"]
        return values


def train(
    network: NetworkConfig,
    training: TrainingConfig,
    train_images: Tensor,
    validation_images: Tensor,
    folder: Path,
    *,
    hardware: Hardware = ONE_DEVICE,
    time_limit: float | None = None,
    show_progress: bool = True,
) -> TrainingResult:
    """Train a model in ``folder``, from its checkpoint if there is one.

    On several devices every process calls this with the same arguments; each takes its part of
    every batch, and the first writes the files.

    Args:
        network: the model's shape.
        training: the schedule.
        train_images: uint8 (K, C, S, S).
        validation_images: uint8, for choosing the epoch to keep; never test images.
        folder: where checkpoint, progress and model are kept.
        hardware: devices and precision.
        time_limit: seconds after which the run stops cleanly, with a checkpoint.
        show_progress: draw a bar, or write lines, on standard error.

    Raises:
        CheckpointError: if the folder's checkpoint is damaged or of another run, or training
            diverges.
        ConfigError: if there are too few images, or the batch cannot be shared by the devices or
            does not fit into their memory.
        WriteError: if the folder cannot be written to, or another run is at work in it.
        LbaeError: if another process of the run has ended.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    if len(train_images) < 2 or len(validation_images) < 1:
        raise ConfigError(
            f"{len(train_images)} training and {len(validation_images)} validation images: at "
            "least 2 and 1 are needed"
        )
    identity = Identity.of(network, training, train_images, validation_images, VERSION)
    fabric = start_fabric(hardware)
    alone = locked(folder) if fabric.is_global_zero else nullcontext()
    with alone, stop_signals() as stop, _explained(fabric, training.batch_size, folder):
        run = _Run(identity, train_images, validation_images, folder, hardware, fabric)
        while run.state.epoch < training.epochs:
            if not run.advance_epoch(stop, deadline, show_progress and run.fabric.is_global_zero):
                run.save()
                return run.result(finished=False)
            if run.agree(run.state.epoch == training.epochs, run.save_is_due()):
                run.save()
        if run.fabric.is_global_zero:
            run.export()
    return run.result(finished=True)


@contextmanager
def _explained(fabric: Fabric, batch: int, folder: Path) -> Iterator[None]:
    """Says what to do when memory is short or another process of the run has ended."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise ConfigError(
                f"batch_size is {batch}, but images, network and activations do not fit into the "
                f"memory of {fabric.device}: choose a smaller one, or share it by --devices"
            ) from None
        if fabric.world_size == 1:
            raise
        raise LbaeError(
            f"another process of this run has ended, or cannot be reached ({error}): what was "
            f"saved in {folder} is whole; the same command goes on from there"
        ) from None


class _Run:
    """The moving parts of one training run."""

    def __init__(
        self,
        identity: Identity,
        train_images: Tensor,
        validation_images: Tensor,
        folder: Path,
        hardware: Hardware,
        fabric: Fabric,
    ) -> None:
        self.fabric = fabric
        self.precision = choose_precision(hardware.precision, choose_device(hardware.device))
        self.identity, self.folder = identity, folder
        self.network, self.training = identity.network, identity.training
        with torch.random.fork_rng():
            torch.manual_seed(self.training.seed)
            model = build_model(self.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if hardware.sync_batch_norm:
            model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
        self.plain = model  # without the wrapper that shares gradients
        optimizer = torch.optim.Adam(
            model.parameters(),
            lr=self.training.learning_rate,
            fused=True,
        )
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.images = train_images.to(self.fabric.device)
        self.validation = validation_images.to(self.fabric.device)
        self.batch = min(self.training.batch_size, len(train_images))
        self.steps = len(train_images) // self.batch  # a whole epoch
        self.part = own_part(self.batch, self.fabric.global_rank, self.fabric.world_size)
        self.generator = torch.Generator(self.fabric.device)
        self.state = restore_checkpoint(
            folder, self.model, self.optimizer, identity, self.fabric.device
        )
        self.state.loss_sum /= self.fabric.world_size  # the checkpoint's is everybody's
        self._mark = self._saved = time.monotonic()

    def agree(self, *wishes: bool) -> bool:
        """Whether any process wants any of this; all must ask together."""
        if self.fabric.world_size == 1:  # asked at every step: nothing waits for the device
            return any(wishes)
        wanted = torch.tensor(float(any(wishes)), device=self.fabric.device)
        return bool(self.fabric.all_reduce(wanted, reduce_op="max"))

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
                self._train_step(order[state.step * self.batch :][: self.batch][self.part])
                bar.update(self.batch)
                now = time.monotonic()
                if show_progress and now - shown > _REFRESH_SECONDS:
                    bar.set_postfix(loss=f"{self._mean_loss():.2f}", refresh=False)
                    shown = now
                between = state.step % _STEPS_TO_AGREE and state.step < self.steps
                if self.fabric.world_size > 1 and between:
                    continue
                late = deadline is not None and now > deadline
                if self.agree(stop.is_set(), late):
                    return False
                if self.agree(self.save_is_due()):
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
        losses = self._losses(self.model, images, self._noise())
        self.optimizer.zero_grad()
        self.fabric.backward(losses.mean())
        self.optimizer.step()
        self.state.loss_sum += losses.detach().sum()
        self.state.step += 1

    def _losses(self, model: nn.Module, images: Tensor, noise: Tensor | None) -> Tensor:
        """Loss of each image: its reconstruction, and for a VAE the weighted KL term."""
        if self.network.kind == "lbae":
            return reconstruction_loss(model(images), images, self.training.loss)
        logits, kl = model(images, noise)
        weight = self.training.kl_weight / self.network.latent_size
        return reconstruction_loss(logits, images, self.training.loss) + weight * kl

    def _noise(self) -> Tensor | None:
        if self.network.kind == "lbae":
            return None
        step = self.state.epoch * self.steps + self.state.step
        self.generator.manual_seed(self.training.seed * 1_000_003 + step)
        size = (self.batch, self.network.latent_size)
        noise = torch.randn(size, generator=self.generator, device=self.fabric.device)
        return noise[self.part]

    def _learning_rate(self) -> float:
        cooldown = self.training.cooldown_epochs * self.steps
        done = self.state.epoch * self.steps + self.state.step
        left = self.training.epochs * self.steps - done
        share = min(1.0, left / cooldown) if cooldown else 1.0
        return self.training.learning_rate * share

    def _mean_loss(self) -> float:
        """Of the epoch so far; on several devices, of this process's images."""
        seen = self.state.step * self.batch / self.fabric.world_size
        return float(self.state.loss_sum) / max(1.0, seen)

    def _total_loss(self) -> Tensor:
        """Of the epoch so far, over all processes."""
        total = self.fabric.all_reduce(self.state.loss_sum.clone(), reduce_op="sum")
        return torch.as_tensor(total)

    def _finish_epoch(self, bar: Any) -> None:
        state, rate, validation = self.state, self._learning_rate(), self._validation_loss()
        if not math.isfinite(validation):
            raise CheckpointError(
                f"the validation loss is {validation} after epoch {state.epoch + 1}: training "
                "diverged; lower the learning rate and start over in another folder"
            )
        loss = float(self._total_loss()) / (self.steps * self.batch)
        previous = state.history[-1]["seconds"] if state.history else 0.0
        self._count_time()
        line = {
            "epoch": state.epoch + 1,
            "train_loss": loss,
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
            state.best = {k: v.detach().clone() for k, v in self.plain.state_dict().items()}
        if self.fabric.is_global_zero:
            lines = "".join(json.dumps(h) + "\n" for h in state.history)
            write_text(self.folder / PROGRESS_FILE, lines)
        losses = {"loss": f"{line['train_loss']:.2f}", "validation": f"{validation:.2f}"}
        bar.set_postfix(losses, refresh=False)

    @torch.no_grad()
    def _validation_loss(self) -> float:
        self.plain.eval()
        if self.fabric.world_size > 1:  # running statistics are each process's own while it trains
            for buffer in self.plain.buffers():
                torch.distributed.broadcast(buffer, src=0)
        total = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        chunks = self.validation.split(self.batch)
        with self.fabric.autocast():
            for chunk in chunks[self.fabric.global_rank :: self.fabric.world_size]:
                total += self._losses(self.plain, to_unit_range(chunk), None).sum()
        self.plain.train()
        everybody = torch.as_tensor(self.fabric.all_reduce(total, reduce_op="sum"))
        return float(everybody) / len(self.validation)

    def _count_time(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self._mark
        self._mark = now

    def save_is_due(self) -> bool:
        return time.monotonic() - self._saved > CHECKPOINT_SECONDS

    def save(self) -> None:
        self._count_time()
        state = dataclasses.replace(self.state, loss_sum=self._total_loss())
        if self.fabric.is_global_zero:
            save_checkpoint(self.folder, state, self.plain, self.optimizer, self.identity)
        self.fabric.barrier()
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
            first_process=self.fabric.is_global_zero,
        )
