"""Pixels as a PNG file in memory."""

import io
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor


def png_bytes(pixels: np.ndarray[Any, np.dtype[np.uint8]], quick: bool = False) -> bytes:
    """A PNG file of uint8 pixels (H, W), (H, W, 1) or (H, W, 3): written quickly, or else small."""
    plain = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)
    buffer = io.BytesIO()
    options: dict[str, Any] = {"compress_level": 1} if quick else {"optimize": True}
    Image.fromarray(plain).save(buffer, format="png", **options)
    return buffer.getvalue()


def png_of_rows(rows: Tensor) -> bytes:
    """Rows of images side by side, uint8 (R, K, C, S, S), as a PNG file."""
    pixels = rows.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (R·S, K·S, C)
    return png_bytes(pixels.numpy())
