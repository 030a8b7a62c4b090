"""The shape of a network and the schedule of its training. Imports neither torch nor numpy."""

from dataclasses import dataclass
from typing import Literal

from lbae_lib.errors import ConfigError

Loss = Literal["bce", "mse"]
Model = Literal["lbae", "vae"]
MODELS: tuple[Model, ...] = ("lbae", "vae")
IMAGE_SIZES = (32, 64)
_LARGEST = 2**20  # far beyond any network of this kind


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
            if type(value) is not int or not 1 <= value <= _LARGEST:
                raise ConfigError(
                    f"{name} is {value!r}, but must be a whole number from 1 to {_LARGEST:,}"
                )
        if self.image_size not in IMAGE_SIZES:
            raise ConfigError(f"image_size is {self.image_size}, but must be 32 or 64")
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
        seed: of the initial weights, the order of the images and a VAE's noise.
        kl_weight: weight of a VAE's KL term, which is then divided by the latent size. The
            authors' code has 10 (MNIST), 128 (CIFAR-10) and 64 (CelebA); the paper gives none.
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
        for name, low in (("epochs", 1), ("batch_size", 2), ("cooldown_epochs", 0)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least {low}")
        if not 0 < self.learning_rate < float("inf"):
            raise ConfigError(f"learning_rate is {self.learning_rate}, but must be above 0")
        if self.cooldown_epochs > self.epochs:
            raise ConfigError(
                f"cooldown_epochs is {self.cooldown_epochs}, but the run has {self.epochs} epochs"
            )
