"""What the training loop works with, in each of its processes."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_tensors, write_text
from lbae_lib.models.autoencoders import build_model, reconstruction_loss
from lbae_lib.models.encoding import to_unit_range
from lbae_lib.models.hardware import Hardware, own_part
from lbae_lib.models.model_files import MODEL_FILE, PROGRESS_FILE, save_model
from lbae_lib.models.training_state import Identity, restore_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_REFRESH_SECONDS = 2.0


class TrainingRun:
    """What one process of a training works with.

    Attributes:
        plain: the autoencoder.
        model: the same, wrapped by Fabric so that the processes share gradients.
        optimizer: Adam, wrapped by Fabric.
        images: uint8 (K, C, S, S), all training images, on the process's device.
        batch: images per step, of all processes.
        steps: steps per epoch.
        part: this process's images of each batch.
        state: how far the run is.
        saved: when the last checkpoint was written, by ``time.monotonic``.
    """

    def __init__(
        self,
        fabric: Fabric,
        identity: Identity,
        train_images: Tensor,
        validation_images: Tensor,
        folder: Path,
        hardware: Hardware,
    ) -> None:
        self.fabric, self.identity, self.folder = fabric, identity, folder
        self.network, self.training = identity.network, identity.training
        self.device, self.alone = fabric.device, fabric.world_size == 1
        self.images = train_images.to(self.device)
        self.validation = validation_images.to(self.device)
        self.batch = min(self.training.batch_size, len(train_images))
        self.steps = len(train_images) // self.batch  # per epoch
        self.part = own_part(self.batch, fabric.global_rank, fabric.world_size)
        with torch.random.fork_rng():  # restores the global generator
            torch.manual_seed(self.training.seed)
            plain = build_model(self.network, "cpu")
        if hardware.sync_batch_norm:
            plain = torch.nn.SyncBatchNorm.convert_sync_batchnorm(plain)
        self.plain = plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        rate = self.training.learning_rate
        adam = torch.optim.Adam(self.plain.parameters(), lr=rate, fused=True)
        model: nn.Module = self.plain
        if hardware.compile:
            model = torch.compile(model)  # type: ignore[assignment]
        self.model, self.optimizer = fabric.setup(model, adam)  # shares gradients
        self.state = restore_checkpoint(folder, self.plain, self.optimizer, identity, self.device)
        self.state.loss_sum /= fabric.world_size  # the checkpoint's is the sum of all processes
        self.saved = self._shown = time.monotonic()
        self._began = self.saved - self.state.seconds  # as if it had never been interrupted

    def steps_done(self) -> int:
        """Number of completed steps since the beginning of the training."""
        return self.state.epoch * self.steps + self.state.step

    def agree(self, *wishes: bool) -> bool:
        """Whether any process has any of these wishes; all must ask together."""
        if self.alone:  # asked at every step: nothing waits for the device
            return any(wishes)
        wanted = torch.tensor(float(any(wishes)), device=self.device)
        return bool(self.fabric.all_reduce(wanted, reduce_op="max"))

    def learning_rate(self) -> float:
        """Of the next step: constant, then falling linearly to zero over the cooldown."""
        cooldown = self.training.cooldown_epochs * self.steps
        left = self.training.epochs * self.steps - self.steps_done()
        share = min(1.0, left / cooldown) if cooldown else 1.0
        return self.training.learning_rate * share

    def order(self) -> Tensor:
        """The random order of the training images in the current epoch: int64 (K,)."""
        generator = self._generator(self.state.epoch)
        count = len(self.images)
        return torch.randperm(count, generator=generator, device="cpu").to(self.device)

    def next_images(self, order: Tensor) -> Tensor:
        """This process's images of the next step, uint8; mirrored half of the time if asked for."""
        images = self.images[order[self.state.step * self.batch :][: self.batch][self.part]]
        if not self.training.mirror:
            return images
        generator = self._generator(-1 - self.steps_done())
        chosen = torch.rand(self.batch, generator=generator, device="cpu")[self.part] < 0.5
        return torch.where(chosen.to(self.device)[:, None, None, None], images.flip(3), images)

    def noise(self) -> Tensor | None:
        """ε ~ N(0, I) of a VAE for this process's images of the next step; None for an LBAE."""
        if self.network.kind == "lbae":
            return None
        generator = self._generator(self.steps_done())
        size = (self.batch, self.network.latent_size)
        noise = torch.randn(size, generator=generator, device="cpu")
        return noise[self.part].to(self.device)

    def _generator(self, number: int) -> torch.Generator:
        """Of an epoch or a step; on the processor, so that a seed means the same everywhere."""
        return torch.Generator().manual_seed(self.training.seed * 1_000_003 + number)

    def losses(self, model: nn.Module, images: Tensor, noise: Tensor | None) -> Tensor:
        """Loss of each uint8 image (B,): its reconstruction error, and a VAE's weighted KL term."""
        images = to_unit_range(images)
        if self.network.kind == "lbae":
            return reconstruction_loss(model(images), images, self.training.loss)
        logits, kl = model(images, noise)
        weight = self.training.kl_weight / self.network.latent_size
        return reconstruction_loss(logits, images, self.training.loss) + weight * kl

    def show_loss(self, bar: Any) -> None:
        """The mean loss of the epoch so far; on several devices, of this process's images."""
        if not bar.disable and time.monotonic() - self._shown > _REFRESH_SECONDS:
            seen = self.state.step * self.batch / self.fabric.world_size
            bar.set_postfix(loss=f"{float(self.state.loss_sum) / seen:.2f}", refresh=False)
            self._shown = time.monotonic()

    def finish_epoch(self, bar: Any) -> None:
        """Validate, and write what the epoch gave to ``progress.jsonl``."""
        state, images = self.state, self.steps * self.batch
        validation = self._validation_loss()
        if not math.isfinite(validation):
            raise CheckpointError(
                f"the validation loss is {validation} after epoch {state.epoch + 1}: training "
                "diverged; lower the learning rate and start over in another folder"
            )
        loss = float(self._sum(state.loss_sum)) / images
        before = state.history[-1]["seconds"] if state.history else 0.0
        state.seconds = time.monotonic() - self._began
        line = {
            "epoch": state.epoch + 1,
            "train_loss": loss,
            "validation_loss": validation,
            "learning_rate": self.learning_rate(),
            "seconds": state.seconds,
            "images_per_second": images / max(state.seconds - before, 1e-9),
        }
        state.finish_epoch(line, self.plain)
        if self.fabric.is_global_zero:
            lines = "".join(json.dumps(h) + "\n" for h in state.history)
            write_text(self.folder / PROGRESS_FILE, lines)
        bar.set_postfix(loss=f"{loss:.2f}", validation=f"{validation:.2f}", refresh=False)

    @torch.no_grad()
    def _validation_loss(self) -> float:
        """Per image; the processes share the validation images."""
        self.plain.eval()
        if not self.alone:  # running statistics are each process's own while it trains
            for buffer in self.plain.buffers():
                torch.distributed.broadcast(buffer, src=0)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        chunks = self.validation.split(self.batch)
        with self.fabric.autocast():
            for chunk in chunks[self.fabric.global_rank :: self.fabric.world_size]:
                total += self.losses(self.plain, chunk, None).sum()
        return float(self._sum(total)) / len(self.validation)

    def _sum(self, value: Tensor) -> Tensor:
        """Over all processes; ``value`` keeps this process's part."""
        return torch.as_tensor(self.fabric.all_reduce(value.clone(), reduce_op="sum"))

    def save(self) -> None:
        """Write a checkpoint; all processes must ask together."""
        self.state.seconds = time.monotonic() - self._began
        whole = dataclasses.replace(self.state, loss_sum=self._sum(self.state.loss_sum))
        if self.fabric.is_global_zero:
            save_checkpoint(self.folder, whole, self.plain, self.optimizer, self.identity)
        self.fabric.barrier()
        self.saved = time.monotonic()

    def export(self) -> None:
        """Write the kept weights as a model; a file that has them already stays as it is."""
        assert self.state.best is not None  # every finished epoch had a finite validation loss
        path = self.folder / MODEL_FILE
        about = {
            "training": dataclasses.asdict(self.training),
            "epoch": self.state.best_epoch,
            "validation_loss": self.state.best_loss,
        }
        known: dict[str, Any] = {}
        with suppress(CheckpointError):  # there is none, or it is damaged
            known = read_tensors(path, "model")[1].get("about", {})
        # An option that the file does not know yet had its default.
        if {**known, "training": about["training"] | known.get("training", {})} != about:
            save_model(path, self.state.best, self.network, about)
