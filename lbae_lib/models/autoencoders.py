"""The Latent Bernoulli Autoencoder of Section 3.1, the VAE beside it, and their losses."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.models.binarization import bernoulli_bottleneck
from lbae_lib.models.config import Loss, NetworkConfig
from lbae_lib.models.networks import Decoder, EncoderTrunk


class LBAE(nn.Module):
    """Latent Bernoulli Autoencoder: encoder, tanh, sign, decoder (Figure 1).

    Example:
        >>> import torch
        >>> model = LBAE(NetworkConfig(image_size=32, channels=1, latent_size=16, width=4)).eval()
        >>> bits = model.encode(torch.rand(2, 1, 32, 32))
        >>> tuple(bits.shape), tuple(model.decode(bits).shape)
        ((2, 16), (2, 1, 32, 32))
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = EncoderTrunk(config.image_size, config.channels, config.width)
        self.head = nn.Linear(self.trunk.features, config.latent_size)
        self.decoder = Decoder(
            config.latent_size,
            config.image_size,
            config.channels,
            config.width,
            config.entry_channels,
        )

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, S, S) in [0, 1] to bits (B, N) in {-1, +1}."""
        return bernoulli_bottleneck(self.head(self.trunk(images)))

    def decode(self, bits: Tensor) -> Tensor:
        """Bits (B, N) in {-1, +1} to images (B, C, S, S) in [0, 1]."""
        return self.decoder(bits)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, S, S) in [0, 1] to the logits of their reconstructions."""
        return self.decoder.logits(self.encode(images))


class VAE(nn.Module):
    """The paper's VAE(ours): the LBAE's trunk and decoder around a Gaussian latent (Section 4).

    Args:
        config: its shape; ``latent_size`` counts real numbers.

    Reference:
        D. P. Kingma and M. Welling (2014), *Auto-encoding variational Bayes*.
    """

    # In training only, as in the authors' code; it keeps exp(log-variance) finite.
    CLAMP = 10.0

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = EncoderTrunk(config.image_size, config.channels, config.width)
        self.mean = nn.Linear(self.trunk.features, config.latent_size)
        self.log_variance = nn.Linear(self.trunk.features, config.latent_size)
        self.decoder = Decoder(
            config.latent_size,
            config.image_size,
            config.channels,
            config.width,
            config.entry_channels,
        )

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (B, N), of images (B, C, S, S) in [0, 1]."""
        features = self.trunk(images)
        mean, log_variance = self.mean(features), self.log_variance(features)
        if self.training:
            mean = mean.clamp(-self.CLAMP, self.CLAMP)
            log_variance = log_variance.clamp(-self.CLAMP, self.CLAMP)
        return mean, log_variance

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, S, S) in [0, 1] to posterior means (B, N)."""
        return self.posterior(images)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, N) to images (B, C, S, S) in [0, 1]."""
        return self.decoder(latents)

    def forward(self, images: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of the reconstructions, and KL(q(z|x) ‖ N(0, I)) of each image in nats.

        Args:
            images: (B, C, S, S) in [0, 1].
            noise: ε ~ N(0, I), (B, N), for z = μ + σε; None decodes the mean.
        """
        mean, log_variance = self.posterior(images)
        mean, log_variance = mean.float(), log_variance.float()
        latents = mean if noise is None else mean + (log_variance / 2).exp() * noise
        kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return self.decoder.logits(latents), kl


def build_model(config: NetworkConfig) -> LBAE | VAE:
    """A model of the configured kind, freshly initialised from the global generator."""
    return VAE(config) if config.kind == "vae" else LBAE(config)


# Of a loss, for tables and figures.
LOSS_UNITS = {"bce": "nats", "mse": "squared error"}


def reconstruction_loss(logits: Tensor, images: Tensor, loss: Loss) -> Tensor:
    """Sum over the pixels, per image: shape (B,), in nats for "bce", squared units for "mse".

    Args:
        logits: decoder outputs before the sigmoid, (B, C, S, S).
        images: targets in [0, 1], same shape.
        loss: "bce" (grey digits) or "mse" (everything else), as in Section 4.
    """
    logits = logits.float()
    if loss == "bce":
        pixels = functional.binary_cross_entropy_with_logits(logits, images, reduction="none")
    elif loss == "mse":
        pixels = (logits.sigmoid() - images).square()
    else:
        raise ValueError(f"loss is {loss!r}, but must be 'bce' or 'mse'")
    return pixels.flatten(1).sum(1)
