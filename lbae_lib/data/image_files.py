"""Image files as pixels; what a file declares about its pixels is applied.

- An image is turned as its EXIF orientation says, and converted to sRGB from its colour profile
  (ICC) or, without one, from the gamma that a PNG declares.
- Transparent pixels are laid on white.
- More than 8 bits are scaled to 8. The range is the declared one: 16 bits of PNG, PGM and JPEG
  2000; the bits per sample and ``SMinSampleValue``, ``SMaxSampleValue`` of TIFF. A TIFF that
  declares nothing has the smallest of 0..1 (floats alone), 0..255, 0..4095 and 0..65535 that holds
  its values, or else its own smallest to largest value.
- Of several frames or pages the first is taken.
- The shorter side is resized (bicubic, antialiased), and the centre cropped.
"""

import importlib.util
import io
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps
from torch import Tensor

from lbae_lib.data.folder_listing import missing_reader
from lbae_lib.errors import DataError

VERSION = 3  # raise it when the same file gives other pixels: cached ones are then read again
# Tags of TIFF, and values of one of them.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT, _LEAST, _LARGEST = 258, 262, 339, 340, 341
_UNSIGNED = 1
_GAMMA = 1 / 2.2  # of sRGB, as PNG declares it
_RANGES = (255, 4095, 65535)  # of values without a declared range


if importlib.util.find_spec("pillow_heif") is not None:  # lets Pillow read HEIC
    import pillow_heif

    pillow_heif.register_heif_opener()


def read_image(file: Path, size: int, channels: int, applied: Counter[str]) -> Tensor:
    """An image in the size and colours that a network takes: uint8 (channels, size, size).

    ``channels`` is 1 (grey) or 3 (colour). ``applied`` counts what is done to images.

    Raises:
        DataError: if the file cannot be read, is not an image, or is too small.
        ValueError: if ``channels`` is not 1 or 3, or the size is below 1.
    """
    if channels not in (1, 3) or size < 1:
        raise ValueError(
            f"images of {size}×{size} pixels in {channels} channels: choose at least one pixel, "
            "and 1 or 3 channels"
        )
    if reason := missing_reader(file.name):
        raise DataError(f"{file} is one of {reason}")
    try:
        with Image.open(file) as opened:
            if min(opened.width, opened.height) < size:
                raise DataError(
                    f"{file} has {opened.width}×{opened.height} pixels, but {size}×{size} are "
                    "needed: remove it, or choose a smaller image_size"
                )
            image = _eight_bits(opened, file, applied).convert("L" if channels == 1 else "RGB")
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise DataError(
            f"{file} cannot be opened ({error.strerror}): check the path and permissions"
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(_unreadable(file, error)) from None
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = np.array(image.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels).reshape(size, size, channels).permute(2, 0, 1)


def _unreadable(file: Path, error: Exception) -> str:
    """Why a file cannot be read as an image, and what to do: not every such file is damaged."""
    with open(file, "rb") as opened:
        begin = opened.read(64).lstrip()
    if not begin:
        return f"{file} is empty: download or copy it again"
    if begin.startswith(b"version https://git-lfs"):
        return f"{file} is a pointer of Git LFS, not the image itself: run `git lfs pull`"
    if begin[:5].lower() in (b"<html", b"<!doc"):
        return f"{file} is a web page, not an image: download it again"
    return f"{file} cannot be read as an image ({error}): remove or replace it"


def _eight_bits(image: Image.Image, file: Path, applied: Counter[str]) -> Image.Image:
    """An image upright, in 8 bits, in sRGB, on white."""
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation) in range(2, 9):
        applied["turned by EXIF"] += 1
    mode, is_tiff = image.mode, image.format == "TIFF"
    tags = dict(getattr(image, "tag_v2", {}))
    profile = image.info.get("icc_profile")
    transparent = image.has_transparency_data
    ImageOps.exif_transpose(image, in_place=True)
    if mode.startswith("I") or mode == "F":
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError(f"{file} holds values that are not finite: remove or replace it")
        applied["scaled to 8 bits"] += 1
        return Image.fromarray(_scaled(values, mode, is_tiff, tags))
    if mode == "LAB":
        return _to_srgb(None, "LAB").apply(image)
    gamma = image.info.get("gamma") or _GAMMA
    if not profile and "srgb" not in image.info and abs(gamma - _GAMMA) > 0.01:
        applied["converted from a declared gamma"] += 1
        image = image.convert("RGBA" if transparent else _OPAQUE.get(mode, mode))
        levels = [round(255 * (level / 255) ** (_GAMMA / gamma)) for level in range(256)]
        colour_bands = len(image.getbands()) - transparent
        image = image.point(levels * colour_bands + [*range(256)] * transparent)
    colours = None
    if profile and not _is_srgb(profile):
        try:
            opaque = image.convert(_OPAQUE.get(mode, mode))
            colours = _to_srgb(profile, opaque.mode).apply(opaque)
            applied["converted from a colour profile"] += 1
        except (ImageCms.PyCMSError, OSError, ValueError):
            applied["read as sRGB despite an unusable colour profile"] += 1
    if not transparent:
        return colours or image
    alpha = image.convert("RGBA").getchannel("A")
    if alpha.getextrema() != (255, 255):
        applied["laid on white"] += 1
    layer = (colours or image).convert("RGBA")
    layer.putalpha(alpha)
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layer)


_OPAQUE = {
    "1": "L",
    **dict.fromkeys(("LA", "La"), "L"),
    **dict.fromkeys(("P", "PA", "RGBA", "RGBa", "RGBX"), "RGB"),
}


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform:
    """From the colours of a profile; None for the device-independent ones of LAB."""
    source = (
        ImageCms.createProfile("LAB")
        if profile is None
        else ImageCms.ImageCmsProfile(io.BytesIO(profile))
    )
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Whether a profile is sRGB by its name: nothing is to be converted, nor rounded again."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return "srgb" in ImageCms.getProfileDescription(opened).lower()
    except (ImageCms.PyCMSError, OSError):
        return False


def _scaled(
    values: NDArray[np.float64], mode: str, is_tiff: bool, tags: dict[int, object]
) -> NDArray[np.uint8]:
    """Values of more than 8 bits (height, width) as uint8; the mode is Pillow's: "I;16", "F", …"""
    if mode == "I" and tags and _first(tags.get(_SAMPLE_FORMAT), _UNSIGNED) == _UNSIGNED:
        values = values % 2.0**32  # Pillow has them as signed
    low, high = 0.0, 65535.0
    if mode == "F" or is_tiff:
        low, high = _range(values, mode, tags)
    levels = ((values - low) / max(high - low, 1e-300) * 255).round().clip(0, 255)
    found = levels.astype(np.uint8)
    return 255 - found if _first(tags.get(_PHOTOMETRIC), 1) == 0 else found


def _range(values: NDArray[np.float64], mode: str, tags: dict[int, object]) -> tuple[float, float]:
    """The values of black and white."""
    if _LARGEST in tags:
        low, high = _first(tags.get(_LEAST), 0.0), _first(tags[_LARGEST], 1.0)
        if low < high:
            return low, high
    bits = _first(tags.get(_BITS), 16.0)
    if 8 < bits < 16:
        return 0.0, 2.0**bits - 1
    least, largest = float(values.min()), float(values.max())
    if least >= 0:
        for top in (1, *_RANGES) if mode == "F" else _RANGES:
            if largest <= top:
                return 0.0, float(top)
    return least, largest


def _first(value: object, default: float) -> float:
    """A tag's number, or its first."""
    if isinstance(value, tuple):
        value = value[0] if value else None
    return default if value is None else float(value)  # type: ignore[arg-type]
