"""The shape of a network and the schedule of its training. Imports neither torch nor numpy."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from lbae_lib.errors import ConfigError

Loss = Literal["bce", "mse"]
Model = Literal["lbae", "vae"]
MODELS: tuple[Model, ...] = ("lbae", "vae")
IMAGE_SIZES = (32, 64)
_LARGEST = 2**20  # far beyond any network of this kind
_LONGEST = 2**40 - 1  # far beyond any training; a run multiplies its seed by a million


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of an autoencoder.

    Attributes:
        image_size: side of the square images in pixels, 32 or 64.
        channels: image channels, 1 or 3.
        latent_size: N, the number of bits (LBAE) or real numbers (VAE) in a latent.
        width: w, channels of the first layer; 64 in the paper.
        entry_channels: C, the number of 4×4 maps behind the decoder's linear layer. ``None``
            mirrors the encoder: 2w at 32 pixels, 4w at 64. The published MNIST model has 1.
        kind: "lbae", or "vae" for the paper's VAE (ours), which has the same trunk.

    Raises:
        ConfigError: if a value is out of bounds.
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
            if name == "entry_channels" and value is None:
                continue
            _check_whole(name, value, 1, _LARGEST)
        if self.image_size not in IMAGE_SIZES:
            raise ConfigError(f"image_size is {self.image_size}, but must be 32 or 64")
        if self.channels not in (1, 3):
            raise ConfigError(f"channels is {self.channels}, but must be 1 or 3")
        if self.kind not in MODELS:
            raise ConfigError(f"kind is {self.kind!r}, but must be {' or '.join(MODELS)}")


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; the defaults are the paper's (Section 4) where it gives them.

    Attributes:
        loss: "bce" or "mse", summed over pixels and averaged over the batch.
        epochs: passes over the training images.
        batch_size: images per step, at most all. Images that do not fill a batch are left out of
            the epoch; each epoch has a new random order.
        learning_rate: of Adam.
        cooldown_epochs: number of final epochs over which the learning rate falls linearly to
            zero. 0 keeps the paper's constant rate, and with it the noise of the
            straight-through gradient.
        seed: of the initial weights, the order of the images and a VAE's noise; below 2^40.
        kl_weight: weight of a VAE's KL term, which is then divided by the latent size. The
            authors' code has 10 (MNIST), 128 (CIFAR-10) and 64 (CelebA); the paper gives none. 0,
            the default, trains a VAE without its KL term.
        mirror: whether each training image is mirrored left to right half of the time, at random.
            The paper does not.

    Raises:
        ConfigError: if a value is out of bounds.
    """

    loss: Loss
    epochs: int
    batch_size: int = 512
    learning_rate: float = 1e-3
    cooldown_epochs: int = 0
    seed: int = 0
    kl_weight: float = 0.0
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise ConfigError(f"loss is {self.loss!r}, but must be {' or '.join(get_args(Loss))}")
        for name, low in (("epochs", 1), ("batch_size", 2), ("cooldown_epochs", 0), ("seed", 0)):
            _check_whole(name, getattr(self, name), low, _LONGEST)
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(
                f"learning_rate is {self.learning_rate}, but must be above 0 and finite"
            )
        if not 0 <= self.kl_weight < math.inf:
            raise ConfigError(f"kl_weight is {self.kl_weight}, but must be at least 0 and finite")
        if self.cooldown_epochs > self.epochs:
            raise ConfigError(
                f"cooldown_epochs is {self.cooldown_epochs}, but the run has {self.epochs} epochs: "
                "choose at most as many"
            )


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}, but must be a whole number from {low} to {high:,}")
