"""The Latent Bernoulli Autoencoder of Section 3.1, the VAE beside it, and their losses."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.bits import check_bits
from lbae_lib.checks import check_unit_range
from lbae_lib.models.binarization import bernoulli_bottleneck
from lbae_lib.models.config import Loss, NetworkConfig
from lbae_lib.models.networks import Decoder, EncoderTrunk


class Autoencoder(nn.Module):
    """What LBAE and VAE share: a trunk, linear heads and a decoder (supplement, Figs 1-2)."""

    HEADS: tuple[str, ...]  # names of the linear layers from the features to N numbers

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = EncoderTrunk(config)
        for name in self.HEADS:
            self.add_module(name, nn.Linear(self.trunk.features, config.latent_size))
        self.decoder = Decoder(config)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, S, S) in [0, 1] to latents (B, N): bits in {-1, +1}, or a VAE's means.

        Images are real numbers of any precision.

        Raises:
            ValueError: in eval mode, if the images are of another type, shape or range.
        """
        if self._checks(images):
            check_unit_range(images, self.config.channels, self.config.image_size)
        dtype = self.trunk.stem.weight.dtype
        return self._latents(images.to(dtype) if images.is_floating_point() else images)

    def _latents(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, N), of any real dtype, to images (B, C, S, S) in [0, 1].

        Raises:
            ValueError: in eval mode, if the latents are of another shape.
        """
        shape, size = tuple(latents.shape), self.config.latent_size
        if self._checks(latents) and (len(shape) != 2 or shape[1] != size):
            raise ValueError(f"latents are of shape {shape}, but must be (B, {size})")
        return self.decoder(latents.to(self.decoder.linear.weight.dtype))

    def _checks(self, given: Tensor) -> bool:
        """Whether to check values: not in training, where a GPU would have to wait."""
        meta = getattr(given, "is_meta", False)
        return not (self.training or meta or torch.compiler.is_compiling())


class LBAE(Autoencoder):
    """Latent Bernoulli Autoencoder: encoder, tanh, sign, decoder (Figure 1).

    Example:
        >>> import torch
        >>> model = LBAE(NetworkConfig(image_size=32, channels=1, latent_size=16, width=4)).eval()
        >>> bits = model.encode(torch.rand(2, 1, 32, 32))
        >>> tuple(bits.shape), tuple(model.decode(bits).shape)
        ((2, 16), (2, 1, 32, 32))
    """

    HEADS = ("head",)
    head: nn.Linear

    def _latents(self, images: Tensor) -> Tensor:
        return bernoulli_bottleneck(self.head(self.trunk(images)))

    def decode(self, latents: Tensor) -> Tensor:
        """Bits (B, N) in {-1, +1}, of any real dtype, to images (B, C, S, S) in [0, 1].

        Raises:
            ValueError: in eval mode, if the latents are not -1 and +1.
        """
        if self._checks(latents):
            check_bits(latents, "latents of an LBAE")
        return super().decode(latents)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, S, S) in [0, 1] to the logits of their reconstructions, same shape."""
        return self.decoder.logits(self.encode(images))


class VAE(Autoencoder):
    """The paper's VAE (ours): the LBAE's trunk and decoder around a Gaussian latent (Section 4).

    Reference:
        D. P. Kingma and M. Welling (2014), *Auto-encoding variational Bayes*.
    """

    HEADS = ("mean", "log_variance")
    mean: nn.Linear
    log_variance: nn.Linear

    # In training only, as in the authors' code; it keeps exp(log-variance) finite.
    CLAMP = 10.0

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (B, N), for images (B, C, S, S) in [0, 1]."""
        features = self.trunk(images)
        mean, log_variance = self.mean(features), self.log_variance(features)
        if self.training:
            mean = mean.clamp(-self.CLAMP, self.CLAMP)
            log_variance = log_variance.clamp(-self.CLAMP, self.CLAMP)
        return mean, log_variance

    def _latents(self, images: Tensor) -> Tensor:
        return self.posterior(images)[0]

    def forward(self, images: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of the reconstructions, and KL(q(z|x) ‖ N(0, I)) of each image in nats, (B,).

        Images and logits are (B, C, S, S), images in [0, 1]. The noise is ε ~ N(0, I), (B, N), for
        z = μ + σε; without it the mean is decoded.
        """
        mean, log_variance = self.posterior(images)
        mean, log_variance = mean.float(), log_variance.float()
        latents = mean if noise is None else mean + (log_variance / 2).exp() * noise
        kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return self.decoder.logits(latents), kl


def build_model(config: NetworkConfig, device: torch.device | str | None = None) -> LBAE | VAE:
    """A model with random initial weights, drawn from PyTorch's global generator.

    Its weights are created on ``device``: "meta" for shapes alone, None for PyTorch's default.
    """
    with nullcontext() if device is None else torch.device(device):
        return VAE(config) if config.kind == "vae" else LBAE(config)


# The unit of each loss, for tables and figures.
LOSS_UNITS = {"bce": "nats", "mse": "squared error"}


def reconstruction_loss(logits: Tensor, images: Tensor, loss: Loss) -> Tensor:
    """The reconstruction error of each image, summed over its pixels (Section 4): (B,).

    The paper says *mean* squared error. The sum is that mean times the number of values, C·S²;
    beside a KL term this factor matters.

    Args:
        logits: decoder outputs before the sigmoid, (B, C, S, S).
        images: targets in [0, 1], same shape.
        loss: "bce" for grey digits, in nats; "mse" for everything else, as in the paper, in squared
            intensities; another one is a ``ValueError``.
    """
    logits = logits.float()
    if loss == "bce":
        pixels = functional.binary_cross_entropy_with_logits(logits, images, reduction="none")
    elif loss == "mse":
        pixels = (logits.sigmoid() - images).square()
    else:
        raise ValueError(f"loss is {loss!r}, but must be 'bce' or 'mse'")
    return pixels.flatten(1).sum(1)
