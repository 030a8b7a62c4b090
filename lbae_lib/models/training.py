"""Training an LBAE or a VAE: one folder, one run, resumable at any step.

A run's folder holds ``checkpoint.safetensors`` (everything needed to resume), ``progress.jsonl``
(one line per epoch) and, once finished, ``model.safetensors`` (the weights of the epoch with the
lowest validation loss, in half precision).

The order of the images, their mirroring and a VAE's noise are functions of the seed and the step
alone, drawn on the processor. A run that was stopped and resumed therefore ends with the same
weights, bit for bit, as an undisturbed run.
"""

import dataclasses
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lbae_lib.checks import check_images
from lbae_lib.errors import ConfigError
from lbae_lib.files import sha256_tensor
from lbae_lib.locks import locked
from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.hardware import (
    ONE_DEVICE,
    Hardware,
    choose_precision,
    explained_failures,
    start_fabric,
)
from lbae_lib.models.training_run import TrainingRun
from lbae_lib.models.training_state import Identity
from lbae_lib.progress import progress_bar

# Raise it when the same configuration, images and seed give other weights than before: runs that
# an earlier version finished then start over. Moving or rewording code is no reason.
VERSION = 1
CHECKPOINT_SECONDS = 180.0
_STEPS_TO_AGREE = 10  # between questions to other processes, which cost a synchronisation


@dataclass(frozen=True)
class TrainingResult:
    """What a call of :func:`train` reached.

    Attributes:
        finished: whether all epochs are done; if not, call again to resume.
        epochs: number of completed epochs.
        best_epoch: the epoch whose weights are kept, counted from 1.
        best_validation_loss: its mean loss per validation image (nats for "bce").
        seconds: wall time of training in all calls.
        images_per_second: training images per second of wall time, validation included.
        device: e.g. "cpu" or "cuda:0".
        precision: its name in Lightning Fabric.
        first_process: whether this is the process that writes the files.
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
    folder: Path | str,
    *,
    hardware: Hardware = ONE_DEVICE,
    time_limit: float | None = None,
    show_progress: bool = True,
) -> TrainingResult:
    """Train a model in ``folder``, from its checkpoint if there is one (Section 4).

    On several devices every process calls this with the same arguments; each takes its part of
    every batch, and the first writes the files. In the main thread, SIGINT and SIGTERM stop the run
    cleanly, as the time limit does: the result is then not ``finished``. On a processor, freed
    memory is kept by this process from then on: see :func:`.hardware.keep_freed_memory`.

    Args:
        train_images: uint8 (K, C, S, S).
        validation_images: uint8 (L, C, S, S), which choose the epoch to keep; never test images.
        folder: where checkpoint, progress and model are kept.
        time_limit: seconds after which the run stops cleanly, with a checkpoint.
        show_progress: draw a bar, or write lines, on standard error.

    Raises:
        ValueError: if images are not uint8, or not of the network's shape.
        CheckpointError: if the folder's checkpoint is damaged or from a different run, or training
            diverges.
        ConfigError: if there are too few images, or the devices cannot share the batch or have too
            little memory for it, or PyTorch's compiler fails.
        WriteError: if the folder cannot be written to, or another run is using it.
        LbaeError: if another process of the run has ended, or Lightning Fabric is not installed.
    """
    folder = Path(folder)
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    for name, images in (("training", train_images), ("validation", validation_images)):
        check_images(images, f"{name} images", network.channels, network.image_size)
    if len(train_images) < 2 or len(validation_images) < 1:
        raise ConfigError(
            f"{len(train_images)} training and {len(validation_images)} validation images: at "
            "least 2 and 1 are needed; give more"
        )
    hashes = sha256_tensor(train_images), sha256_tensor(validation_images)
    identity = Identity(network, training, *hashes, VERSION)
    fabric = start_fabric(hardware)
    first = fabric.is_global_zero
    alone = locked(folder) if first else nullcontext()
    explained = explained_failures(fabric, training.batch_size, folder)
    with alone, _stop_signals() as stop, explained, _explained_compiler(hardware.compile):
        run = TrainingRun(fabric, identity, train_images, validation_images, folder, hardware)
        state, batch, steps = run.state, run.batch, run.steps
        stopped = False
        while state.epoch < training.epochs and not stopped:
            order = run.order()
            name, done = f"epoch {state.epoch + 1}/{training.epochs}", state.step * batch
            run.model.train()
            with progress_bar(steps * batch, name, "img", done, show_progress and first) as bar:
                while state.step < steps and not stopped:
                    for group in run.optimizer.param_groups:
                        group["lr"] = run.learning_rate()
                    losses = run.losses(run.model, run.next_images(order), run.noise())
                    run.optimizer.zero_grad()
                    fabric.backward(losses.mean())
                    run.optimizer.step()
                    state.loss_sum += losses.detach().sum()
                    state.step += 1

                    bar.update(batch)
                    run.show_loss(bar)
                    if run.alone or state.step % _STEPS_TO_AGREE == 0 or state.step == steps:
                        stopped = run.agree(stop.is_set(), time.monotonic() > deadline)
                        if stopped or run.agree(_is_due(run)):
                            run.save()
                if not stopped:
                    run.finish_epoch(bar)
            if not stopped and run.agree(state.epoch == training.epochs, _is_due(run)):
                run.save()
        if first and not stopped:
            run.export()
    return TrainingResult(
        finished=not stopped,
        epochs=state.epoch,
        best_epoch=state.best_epoch,
        best_validation_loss=state.best_loss,
        seconds=state.seconds,
        images_per_second=run.steps_done() * batch / max(state.seconds, 1e-9),
        device=str(fabric.device),
        precision=choose_precision(hardware.precision, fabric.device.type),
        first_process=first,
    )


def _is_due(run: TrainingRun) -> bool:
    """Whether the last checkpoint is too long ago."""
    return time.monotonic() - run.saved > CHECKPOINT_SECONDS


@contextmanager
def _explained_compiler(used: bool) -> Iterator[None]:
    """Turns a failure of PyTorch's compiler into an error with a remedy.

    Compiled code checks the results of the device's own functions by assertions: it may fail where
    the plain network does not.
    """
    try:
        yield
    except (AssertionError, RuntimeError) as error:
        compiler = isinstance(error, AssertionError) or type(error).__module__.startswith("torch._")
        if not (used and compiler):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"PyTorch's compiler fails on this network here ({reason}): leave out --compile"
        ) from error


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that training stops between two steps.

    Outside the main thread, where Python allows no signal handlers, the event is never set.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
