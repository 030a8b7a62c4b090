"""Training of a study's small autoencoders: one trunk, decoder and schedule for all bottlenecks.

It is a plain loop, for networks that train in seconds: no checkpoint, one device. The order of the
images depends on seed and epoch alone, and so do the initial weights of trunk and decoder, so that
two bottlenecks with one seed can be compared as a pair.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from companion.experiments.bottlenecks import BinaryBottleneck
from companion.experiments.profiles import Study
from lbae_lib.latent.moments import marginal_entropy
from lbae_lib.models.autoencoders import reconstruction_loss
from lbae_lib.models.config import Loss, NetworkConfig
from lbae_lib.models.encoding import to_uint8, to_unit_range
from lbae_lib.models.networks import Decoder, EncoderTrunk

PROBE_EVERY = 5  # steps between measurements of bits and gradients
PROBED = ("flips", "gradient", "incoming_gradient")
_BATCH = 256  # images at a time where nothing is trained


class StudyAutoencoder(nn.Module):
    """The paper's trunk and decoder around any bottleneck."""

    bottleneck: BinaryBottleneck  # or a quantiser with its interface

    def __init__(self, config: NetworkConfig, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.trunk = EncoderTrunk(config)
        self.add_module("bottleneck", make())
        self.decoder = Decoder(dataclasses.replace(config, latent_size=self.bottleneck.outputs))
        self.head = nn.Linear(self.trunk.features, self.bottleneck.inputs)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, S, S) in [0, 1] to what the bottleneck gets, (B, inputs)."""
        return self.head(self.trunk(images))

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """uint8 images (K, C, S, S) to bits, float32 (K, N) on the processor; in eval mode."""
        device = self.head.weight.device
        parts = (to_unit_range(part.to(device)) for part in images.split(_BATCH))
        return torch.cat([self.bottleneck.code(self(part)).float().cpu() for part in parts])

    @torch.no_grad()
    def decode(self, bits: Tensor) -> Tensor:
        """Bits (K, N) to uint8 images (K, C, S, S) on the processor; in eval mode."""
        device = self.head.weight.device
        parts = (self.bottleneck.values(part.to(device)) for part in bits.split(_BATCH))
        return torch.cat([to_uint8(self.decoder(part)).cpu() for part in parts])

    @torch.no_grad()
    def losses(self, images: Tensor, loss: Loss) -> Tensor:
        """Reconstruction error of each uint8 image, float64 (K,) on the processor."""
        device, found = self.head.weight.device, []
        for part in images.split(_BATCH):
            unit = to_unit_range(part.to(device))
            logits = self.decoder.logits(self.bottleneck.values(self.bottleneck.code(self(unit))))
            found.append(reconstruction_loss(logits, unit, loss).double().cpu())
        return torch.cat(found)


@dataclasses.dataclass(frozen=True)
class Task:
    """What one model of a study is trained on, and how.

    The images are uint8; the seed is that of weights, order of images, and noise; ``rate`` is a
    factor of the schedule's learning rate.
    """

    network: NetworkConfig
    study: Study
    loss: Loss
    train: Tensor
    validation: Tensor
    seed: int
    device: str
    rate: float = 1.0


def train_study(
    task: Task, make: Callable[[], nn.Module]
) -> tuple[StudyAutoencoder, dict[str, list[float]]]:
    """Train one model: it, in eval mode, and its curves by epoch.

    The curves are train_loss and validation_loss per image; constant_bits, entropy (in bits) and
    flips, shares of the bits; gradient, which reaches the encoder, and incoming_gradient, which
    leaves the decoder.

    The bits of an epoch are those that the weights of each step give to its images. A bit is
    constant if it is the same for all images of the epoch. Every fifth step measures the share of
    bits of its images that the step flips, and the norm of the gradient of an image's loss before
    and behind the bottleneck.
    """
    with torch.random.fork_rng():  # gives the global generator back
        torch.manual_seed(task.seed)
        model = StudyAutoencoder(task.network, make).to(
            task.device, memory_format=torch.channels_last
        )  # type: ignore[call-overload]
        return model.eval(), _train(task, model)


def _train(task: Task, model: StudyAutoencoder) -> dict[str, list[float]]:
    study, images = task.study, task.train.to(task.device)
    rate = study.learning_rate * task.rate
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    noise = torch.Generator().manual_seed(task.seed)
    size = min(study.batch_size, len(images))
    steps = len(images) // size
    total, cooldown = study.epochs * steps, study.cooldown_epochs * steps
    curves: dict[str, list[float]] = {}
    for epoch in range(study.epochs):
        order = torch.Generator().manual_seed(task.seed * 1_000_003 + epoch)
        shuffled = torch.randperm(len(images), generator=order).to(task.device)
        sums: dict[str, float] = defaultdict(float)
        positive: Tensor | int = 0
        model.train()
        for step in range(steps):
            done = epoch * steps + step
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (total - done) / cooldown if cooldown else 1.0)
            batch = to_unit_range(images[shuffled[step * size :][:size]])
            # Each epoch has a probe, however few its steps.
            probe = done % PROBE_EVERY == 0 or (step == 0 and steps < PROBE_EVERY)
            measured, code = _step(task, model, optimizer, batch, done / total, noise, probe)
            positive = positive + (code > 0).sum(0).cpu()
            for name, value in measured.items():
                sums[name] += value
        model.eval()
        mean = 2 * torch.as_tensor(positive).double() / sums["images"] - 1
        found = {
            "train_loss": sums["loss"] / sums["images"],
            "validation_loss": float(model.losses(task.validation, task.loss).mean()),
            "constant_bits": float((mean.abs() == 1).double().mean()),
            "entropy": float(marginal_entropy(mean).mean()),
            **{name: sums[name] / sums["probes"] for name in PROBED},
        }
        for name, value in found.items():
            curves.setdefault(name, []).append(value)
    return curves


def _step(
    task: Task,
    model: StudyAutoencoder,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    progress: float,
    noise: torch.Generator,
    probe: bool,
) -> tuple[dict[str, float], Tensor]:
    """One step of the optimizer: what is summed over the steps of an epoch, and the bits."""
    numbers = model(batch)
    values, additional = model.bottleneck(numbers, progress, noise)
    losses = reconstruction_loss(model.decoder.logits(values), batch, task.loss)
    if probe:
        numbers.retain_grad()
        values.retain_grad()
    optimizer.zero_grad()
    # The additional losses were published beside errors that are averaged over pixels.
    (losses.mean() + batch[0].numel() * additional).backward()
    optimizer.step()
    with torch.no_grad():
        code = model.bottleneck.code(numbers)
        measured = {"images": len(batch), "loss": float(losses.sum())}
        if probe:
            # With buffers of its own: the running statistics of the model are not touched.
            state = {name: b.clone() for name, b in model.trunk.named_buffers()}
            again = model.head(functional_call(model.trunk, state, (batch,)))
            flips = float((model.bottleneck.code(again) != code).double().mean())
            norms = (_norm(part.grad) * len(batch) for part in (numbers, values))
            measured |= {"probes": 1, **dict(zip(PROBED, (flips, *norms), strict=True))}
    return measured, code


def _norm(gradient: Tensor | None) -> float:
    """Mean over the batch of the gradient's norm; 0 without one."""
    return 0.0 if gradient is None else float(gradient.norm(dim=1).mean())
