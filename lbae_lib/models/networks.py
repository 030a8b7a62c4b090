"""The paper's residual encoder and decoder for 32 and 64 pixel images (supplement, Figs 1-2).

``w`` is the width, the channels of the first layer; 64 as published:

==========  =========================================================================
encoder     3×3 conv w → block w ↓ → block 2w ↓ → [64 px: block 4w ↓] → 4×4 conv 4w ↓
            → flatten 4w·4·4 → linear N
decoder     linear N → C·4·4 → [64 px: block 4w ↑] → block 2w ↑ → block w ↑
            → 4×4 transposed conv w ↑ → 3×3 transposed conv to the image → sigmoid
==========  =========================================================================

``C`` is the number of 4×4 maps at the decoder's entrance: 2w at 32 px, 4w at 64 px, and 1 for
the published MNIST model, whose 200 bits therefore pass through 16 real numbers.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.models.config import NetworkConfig

LEAKY_SLOPE = 0.02
_GRID = 4  # side of the innermost feature maps


def _activation(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, LEAKY_SLOPE)


class ResidualBlock(nn.Module):
    """A strided 4×4 convolution, then two 3×3 convolutions with the strided output as skip.

    It halves the side of the maps (encoder); ``transposed``, it doubles it (decoder).
    """

    def __init__(self, in_channels: int, out_channels: int, transposed: bool) -> None:
        super().__init__()
        conv = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.resize = conv(in_channels, out_channels, 4, stride=2, padding=1, bias=False)
        self.resize_norm = nn.BatchNorm2d(out_channels)
        self.conv1 = conv(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, in, S, S) to (B, out, S/2, S/2), or (B, out, 2S, 2S) if transposed."""
        skip = self.resize_norm(self.resize(x))
        y = self.norm1(self.conv1(_activation(skip)))
        y = self.norm2(self.conv2(_activation(y)))
        return _activation(y + skip)


class EncoderTrunk(nn.Module):
    """Images to a flat feature vector of length 4w·4·4; the autoencoder adds the heads."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.stem = nn.Conv2d(config.channels, width, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        widths = [width, 2 * width] + ([4 * width] if config.image_size == 64 else [])
        self.blocks = _blocks([width, *widths], transposed=False)
        self.final = nn.Conv2d(widths[-1], 4 * width, 4, stride=2, padding=1, bias=False)
        self.features = 4 * width * _GRID * _GRID
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, S, S) in [0, 1] to features (B, 4w·16)."""
        x = _activation(self.stem_norm(self.stem(images)))  # (B, w, S, S)
        x = self.blocks(x)  # (B, 2w, 8, 8) at 32 px, (B, 4w, 8, 8) at 64 px
        return self.final(x).flatten(1)  # (B, 4w, 4, 4) -> (B, 4w·16)


class Decoder(nn.Module):
    """Latents to images; mirrors the encoder with transposed convolutions."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        widths = ([4 * width] if config.image_size == 64 else []) + [2 * width, width]
        entry = widths[0] if config.entry_channels is None else config.entry_channels
        self.entry_channels = entry
        self.linear = nn.Linear(config.latent_size, entry * _GRID * _GRID)
        self.blocks = _blocks([entry, *widths], transposed=True)
        self.enlarge = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False)
        self.enlarge_norm = nn.BatchNorm2d(width)
        self.final = nn.ConvTranspose2d(width, config.channels, 3, padding=1, bias=False)
        self.apply(_initialise)

    def logits(self, latents: Tensor) -> Tensor:
        """Latents (B, N) to image logits (B, channels, S, S), before the sigmoid."""
        x = self.linear(latents).unflatten(1, (self.entry_channels, _GRID, _GRID))
        x = self.blocks(x)  # (B, w, S/2, S/2)
        x = _activation(self.enlarge_norm(self.enlarge(x)))  # (B, w, S, S)
        return self.final(x)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents (B, N) to images (B, channels, S, S) in [0, 1]."""
        return torch.sigmoid(self.logits(latents))


def _blocks(widths: list[int], transposed: bool) -> nn.Sequential:
    """Residual blocks from each width to the next."""
    return nn.Sequential(*(ResidualBlock(i, o, transposed) for i, o in pairwise(widths)))


def _initialise(module: nn.Module) -> None:
    """Convolutions from N(0, 0.02²), as published; other layers keep PyTorch's defaults."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not module.weight.is_meta:
        nn.init.normal_(module.weight, std=0.02)  # on "meta" it would import PyTorch's compiler


def parameter_count(module: nn.Module) -> int:
    """Number of parameters of ``module``, frozen ones included."""
    return sum(p.numel() for p in module.parameters())
