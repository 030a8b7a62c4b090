"""The shape of a network and the schedule of its training; imports neither torch nor numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lbae_lib.errors import ConfigError

Loss = Literal["bce", "mse"]
Model = Literal["lbae", "vae"]
MODELS: tuple[Model, ...] = ("lbae", "vae")
_LARGEST = 2**20  # far beyond any network of this kind


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of an autoencoder.

    Attributes:
        image_size: side of the square images in pixels, 32 or 64.
        channels: image channels, 1 or 3.
        latent_size: N, bits of an LBAE's latent or real numbers of a VAE's.
        width: channels of the first layer; 64 in the paper.
        entry_channels: 4×4 maps at the decoder's entrance; ``None`` for the mirror of the
            encoder, 1 for the published MNIST model.
        kind: "lbae", or "vae" for the paper's VAE(ours) of the same trunk.
    """

    image_size: int
    channels: int
    latent_size: int
    width: int = 64
    entry_channels: int | None = None
    kind: Model = "lbae"

    def __post_init__(self) -> None:
        for name in ("image_size", "channels", "latent_size", "width", "entry_channels"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole and 1 <= value <= _LARGEST) and (name, value) != ("entry_channels", None):
                raise ConfigError(
                    f"{name} is {value!r}, but must be a whole number from 1 to {_LARGEST:,}"
                )
        if self.kind not in MODELS:
            raise ConfigError(f"kind is {self.kind!r}, but must be {' or '.join(MODELS)}")


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; the defaults are the paper's (Section 4) where it gives them.

    Attributes:
        loss: "bce" or "mse", summed over pixels and averaged over the batch.
        epochs: passes over the training images.
        batch_size: images a step; the images left over after the last whole batch of an
            epoch wait for the next one, which is shuffled anew.
        learning_rate: of Adam.
        cooldown_epochs: over the last so many epochs the learning rate falls linearly to
            zero; 0, the paper's constant rate, leaves the straight-through noise in.
        seed: of the initial weights, the order of the images and a VAE's noise.
        kl_weight: of a VAE's KL term, divided by the latent size as in the authors' code, where
            it is 10 (MNIST), 128 (CIFAR-10) and 64 (CelebA); the paper does not give it.
    """

    loss: Loss
    epochs: int
    batch_size: int = 512
    learning_rate: float = 1e-3
    cooldown_epochs: int = 0
    seed: int = 0
    kl_weight: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch_size", 2), ("cooldown_epochs", 0)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least {low}")
        if not 0 < self.learning_rate < float("inf"):
            raise ConfigError(f"learning_rate is {self.learning_rate}, but must be above 0")
        if self.cooldown_epochs > self.epochs:
            raise ConfigError(
                f"cooldown_epochs is {self.cooldown_epochs}, but the run has {self.epochs} epochs"
            )
