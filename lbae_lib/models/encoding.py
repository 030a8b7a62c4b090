"""Images to latents and back, in eval mode and in batches."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from lbae_lib.bits import check_bits, hamming_distance, pack_bits, unpack_bits
from lbae_lib.checks import check_images
from lbae_lib.errors import LbaeError
from lbae_lib.models.autoencoders import LBAE, VAE, reconstruction_loss
from lbae_lib.models.config import Loss
from lbae_lib.models.hardware import is_out_of_memory
from lbae_lib.progress import progress_bar

BATCH_SIZE = 64  # on a processor, memory for larger activations is mapped again at every use
_GPU_BATCH_SIZE = 1024

_log = logging.getLogger(__name__)


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 images to float32 in [0, 1]; other images are a ``ValueError``."""
    if images.dtype != torch.uint8:
        raise ValueError(f"images are {images.dtype}, but must be uint8")
    return images.float() / 255.0


def to_uint8(images: Tensor) -> Tensor:
    """Images in [0, 1] to uint8, rounded to the nearest level; overshoots are cut off.

    Images that are not real numbers, or NaN, are a ``ValueError``.
    """
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}, but must be real numbers in [0, 1]")
    if bool(images.isnan().any()):
        raise ValueError("images hold NaN, but must be real numbers in [0, 1]")
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


def encode(
    model: LBAE,
    images: Tensor,
    batch_size: int | None = None,
    show_progress: bool = False,
) -> Tensor:
    """Latents of images, packed 8 bits to a byte (Section 3.1).

    Args:
        model: a trained model in eval mode.
        images: uint8 (K, C, S, S), with the model's C and S.
        batch_size: images at a time, at least 1; by default 64, or 1024 on a GPU. Halved where the
            memory does not suffice.
        show_progress: draw a bar.

    Returns:
        uint8 (K, ceil(N / 8)) on the processor; see :func:`lbae_lib.bits.unpack_bits`.

    Raises:
        ValueError: if the images are not uint8 or of another shape, the batch size is below 1, or
            the model is in training mode.
        LbaeError: if the memory does not suffice for a single image.
    """
    check_images(images, "images", model.config.channels, model.config.image_size)

    def packed(part: Tensor) -> Tensor:
        return pack_bits(model.encode(to_unit_range(part)))

    return _in_batches(model, images, packed, batch_size, show_progress)


def encode_posterior(
    model: VAE, images: Tensor, batch_size: int | None = None, show_progress: bool = False
) -> tuple[Tensor, Tensor]:
    """Posterior means and log-variances of images under a VAE, both float32 (K, N).

    Arguments, device and errors are those of :func:`encode`.
    """
    check_images(images, "images", model.config.channels, model.config.image_size)

    def posterior(part: Tensor) -> Tensor:
        return torch.cat(model.posterior(to_unit_range(part)), dim=1)

    both = _in_batches(model, images, posterior, batch_size, show_progress)
    mean, log_variance = both.chunk(2, dim=1)
    return mean.contiguous(), log_variance.contiguous()


def reconstruction_losses(
    model: LBAE | VAE, images: Tensor, loss: Loss, batch_size: int | None = None
) -> Tensor:
    """Reconstruction error of each image, summed over its pixels: float64 (K,).

    A VAE reconstructs from the mean of its posterior. Arguments, units and errors are those of
    :func:`encode` and :func:`lbae_lib.models.autoencoders.reconstruction_loss`.
    """
    check_images(images, "images", model.config.channels, model.config.image_size)

    def losses(part: Tensor) -> Tensor:
        unit = to_unit_range(part)
        return reconstruction_loss(model.decoder.logits(model.encode(unit)), unit, loss).double()

    return _in_batches(model, images, losses, batch_size)


def decode(model: LBAE | VAE, latents: Tensor, batch_size: int | None = None) -> Tensor:
    """Images uint8 (K, C, S, S) of latents, on the processor.

    Args:
        model: a trained model in eval mode.
        latents: (K, N): bits in {-1, +1} for an LBAE, real numbers for a VAE.
        batch_size: see :func:`encode`.

    Raises:
        ValueError: if the latents are of another shape, an LBAE's are not -1 and +1, the batch
            size is below 1, or the model is in training mode.
        LbaeError: if the memory does not suffice for a single image.
    """
    size = model.config.latent_size
    if latents.ndim != 2 or latents.shape[1] != size:
        raise ValueError(f"latents are of shape {tuple(latents.shape)}, but must be (K, {size})")
    if isinstance(model, LBAE):
        check_bits(latents, "latents of an LBAE")
    return _in_batches(
        model, latents.float(), lambda part: to_uint8(model.decode(part)), batch_size
    )


def cycle_loss(model: LBAE, bits: Tensor) -> Tensor:
    """Share of bits that change when latents are decoded and the images encoded again.

    For bits (K, N) in {-1, +1}, on any device, and a model in eval mode: float64 (K,) in [0, 1], on
    the processor. Errors are those of :func:`decode`.
    """
    width = model.config.latent_size
    again = unpack_bits(encode(model, decode(model, bits)), width)
    return hamming_distance(again, bits.float().cpu()).double() / width


def mean_image_loss(train: Tensor, test: Tensor, loss: Loss) -> float:
    """Mean loss if every test image is reconstructed as the mean training image.

    The mean counts one white and one black image in addition (Laplace's rule). A pixel that is
    black in all training images therefore has a finite loss under "bce". Images are uint8,
    (K, C, S, S) and (L, C, S, S); losses are summed over the pixels of an image.

    Raises:
        ValueError: if the images are not uint8, there are none, or the loss is unknown.
    """
    check_images(train, "training images")
    check_images(test, "test images")
    if not len(train) or not len(test) or loss not in ("bce", "mse"):
        raise ValueError(
            f"{len(train)} training and {len(test)} test images, loss {loss!r}: give at least one "
            "of each, and 'bce' or 'mse'"
        )
    mean = (train.sum(0, keepdim=True, dtype=torch.float64) / 255 + 1) / (len(train) + 2)
    found = test.double() / 255
    if loss == "bce":
        pixels = -(torch.xlogy(found, mean) + torch.special.xlog1py(1 - found, -mean))
    else:
        pixels = (found - mean).square()
    return float(pixels.flatten(1).sum(1).mean())


@torch.inference_mode()
def _in_batches(
    model: LBAE | VAE,
    rows: Tensor,
    function: Callable[[Tensor], Tensor],
    batch_size: int | None,
    show_progress: bool = False,
) -> Tensor:
    """A function of rows, batch by batch on the model's device; the result on the processor."""
    if model.training:
        raise ValueError(
            "the model is in training mode, where a latent depends on the batch it is encoded "
            "with: call model.eval() first"
        )
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but must be at least 1")
    device = next(model.parameters()).device
    size = batch_size or (_GPU_BATCH_SIZE if device.type == "cuda" else BATCH_SIZE)
    found: list[Tensor] = []
    done = 0
    with progress_bar(len(rows), "encoding", "img", enabled=show_progress) as bar:
        while done < len(rows) or not found:
            chunk = rows[done : done + size]
            try:
                found.append(function(chunk.to(device)).cpu())
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise LbaeError(
                        f"not even one image fits into the memory of {device}: close other "
                        "programs, or use another device"
                    ) from None
                size //= 2
                _log.warning("the memory of %s does not suffice: batches of %d", device, size)
                continue
            done += len(chunk)
            bar.update(len(chunk))
    return torch.cat(found)
