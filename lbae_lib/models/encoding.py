"""Images to latents and back, in eval mode and in batches."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lbae_lib.bits import hamming_distance, pack_bits, unpack_bits
from lbae_lib.config import Loss
from lbae_lib.models.autoencoders import LBAE, VAE, reconstruction_loss
from lbae_lib.progress import progress_bar

BATCH_SIZE = 64  # on a processor larger activations leave the heap, and pages are mapped anew


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 images to float32 in [0, 1]."""
    return images.float() / 255.0


def to_uint8(images: Tensor) -> Tensor:
    """Images in [0, 1] to uint8, rounded to the nearest level."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


@torch.inference_mode()
def encode(
    model: LBAE,
    images: Tensor,
    batch_size: int = BATCH_SIZE,
    show_progress: bool = False,
) -> Tensor:
    """Latents of images, packed 8 bits to a byte.

    Args:
        model: a trained model.
        images: uint8 (K, C, S, S).
        batch_size: images at a time.
        show_progress: draw a bar.

    Returns:
        uint8 (K, ceil(N / 8)) on the processor; see :func:`lbae_lib.bits.unpack_bits`.
    """
    _check_eval(model)
    device = _device(model)
    packed = []
    with progress_bar(len(images), "encoding", "img", enabled=show_progress) as bar:
        for chunk in images.split(batch_size):
            packed.append(pack_bits(model.encode(to_unit_range(chunk.to(device)))).cpu())
            bar.update(len(chunk))
    return torch.cat(packed)


@torch.inference_mode()
def encode_posterior(
    model: VAE, images: Tensor, batch_size: int = BATCH_SIZE, show_progress: bool = False
) -> tuple[Tensor, Tensor]:
    """Posterior means and log-variances of images under a VAE.

    Args:
        model: a trained model.
        images: uint8 (K, C, S, S).
        batch_size: images at a time.
        show_progress: draw a bar.

    Returns:
        Two float32 tensors (K, N) on the processor.
    """
    _check_eval(model)
    device = _device(model)
    means, log_variances = [], []
    with progress_bar(len(images), "encoding", "img", enabled=show_progress) as bar:
        for chunk in images.split(batch_size):
            mean, log_variance = model.posterior(to_unit_range(chunk.to(device)))
            means.append(mean.cpu())
            log_variances.append(log_variance.cpu())
            bar.update(len(chunk))
    return torch.cat(means), torch.cat(log_variances)


@torch.inference_mode()
def decode(model: LBAE | VAE, latents: Tensor, batch_size: int = BATCH_SIZE) -> Tensor:
    """Images of latents.

    Args:
        model: a trained model.
        latents: (K, N): bits in {-1, +1} for an LBAE, real numbers for a VAE.
        batch_size: images at a time.

    Returns:
        uint8 (K, C, S, S) on the processor.
    """
    _check_eval(model)
    device = _device(model)
    chunks = latents.float().split(batch_size)
    return torch.cat([to_uint8(model.decode(chunk.to(device))).cpu() for chunk in chunks])


@torch.inference_mode()
def reconstruction_losses(
    model: LBAE | VAE, images: Tensor, loss: Loss, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Reconstruction loss of each image, summed over its pixels: float64 (K,).

    A VAE reconstructs from the mean of its posterior.
    """
    _check_eval(model)
    device = _device(model)
    losses: Iterable[Tensor] = (
        reconstruction_loss(model.decoder.logits(model.encode(unit)), unit, loss).double().cpu()
        for unit in (to_unit_range(chunk.to(device)) for chunk in images.split(batch_size))
    )
    return torch.cat(list(losses))


def cycle_loss(model: LBAE, bits: Tensor) -> Tensor:
    """Share of bits that change when latents are decoded and their images encoded again.

    Args:
        model: a trained model.
        bits: (K, N) in {-1, +1}.

    Returns:
        float64 (K,) in [0, 1].
    """
    width = bits.shape[1]
    again = unpack_bits(encode(model, decode(model, bits)), width)
    return hamming_distance(again, bits.float()).double() / width


def mean_image_loss(train: Tensor, test: Tensor, loss: Loss) -> float:
    """Mean loss of a decoder that knows nothing: the mean training image for every test image.

    The mean counts one white and one black image more than there are (Laplace's rule), so that a
    pixel that no training image lights does not cost infinitely much under "bce".

    Args:
        train: uint8 (K, C, S, S).
        test: uint8 (L, C, S, S).
        loss: "bce" or "mse", summed over the pixels of an image.
    """
    mean = (train.double().sum(0, keepdim=True) / 255 + 1) / (len(train) + 2)
    found = test.double() / 255
    if loss == "bce":
        pixels = -(torch.xlogy(found, mean) + torch.special.xlog1py(1 - found, -mean))
    else:
        pixels = (found - mean).square()
    return float(pixels.flatten(1).sum(1).mean())


def _device(model: LBAE | VAE) -> torch.device:
    return next(model.parameters()).device


def _check_eval(model: LBAE | VAE) -> None:
    if model.training:
        raise ValueError(
            "the model is in training mode, where a latent depends on the batch it is encoded "
            "with: call model.eval() first"
        )
