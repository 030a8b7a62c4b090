"""Images saved in a file format and read back, in memory."""

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lbae_lib.checks import check_images


def file_round_trip(
    pixels: NDArray[np.uint8], kind: str, **options: object
) -> tuple[int, NDArray[np.uint8]]:
    """The size in bytes of an image, (S, S) or (S, S, 3), as a file, and its pixels when read back.

    ``kind`` is Pillow's name of the format; the options are those of its encoder.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    mode = "L" if pixels.ndim == 2 else "RGB"
    return buffer.tell(), np.array(Image.open(buffer).convert(mode))


def jpeg_round_trip(images: Tensor) -> Tensor:
    """Images saved as JPEG and read back, uint8 (K, 3, S, S) on the processor.

    This is part of the authors' protocol, with Pillow's default quality. Grey images are replicated
    to three channels first.
    """
    check_images(images)
    colour = images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    result = np.empty_like(colour)
    for index, pixels in enumerate(colour):
        _, result[index] = file_round_trip(pixels, "JPEG", quality=75)
    return torch.from_numpy(result).permute(0, 3, 1, 2).contiguous()
