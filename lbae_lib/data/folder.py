"""Your own images from a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import DataError
from lbae_lib.progress import progress_bar

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_GREY_MODES = {"1", "L", "I", "I;16", "F"}
_TEST_SHARE = 10  # one image in ten, where the folder has no test part
_SPLIT_SEED = 10


def load_folder(folder: Path, image_size: int, channels: int) -> Dataset:
    """An image folder, with or without ``train/`` and ``test/`` parts and class folders.

    The shorter side is resized to ``image_size`` (antialiased) and the centre cropped. Without
    ``train/`` and ``test/`` a seeded tenth of the images is the test set.

    Args:
        folder: where the images are; subfolders of a part are classes.
        image_size: 32 or 64.
        channels: 1 (grey) or 3 (colour); the images are converted.

    Raises:
        DataError: if the folder is missing or empty, or an image is damaged or smaller than
            ``image_size``; the message names the file.
    """
    if not folder.is_dir():
        raise DataError(f"no folder at {folder}: folder:PATH needs an existing image folder")
    title = f"{folder.name} (own images)"
    name = f"folder:{folder}"
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        classes = _class_names(folder / "train", folder / "test")
        train, test = (
            _read(folder / part, classes, image_size, channels) for part in ("train", "test")
        )
        return Dataset(name, title, train, test, classes)
    classes = _class_names(folder)
    everything = _read(folder, classes, image_size, channels)
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(_SPLIT_SEED))
    count = len(everything) // _TEST_SHARE
    if count < 1:
        raise DataError(
            f"{folder} holds {len(everything)} images, but at least {_TEST_SHARE} are needed to "
            "cut a test set: add images, or make train/ and test/ folders"
        )
    train, test = (everything.select(part.sort().values) for part in (order[count:], order[:count]))
    return Dataset(name, title, train, test, classes)


def _class_names(*parts: Path) -> tuple[str, ...]:
    """Subfolders that hold images, over all parts, sorted."""
    names = {
        child.name
        for part in parts
        for child in part.iterdir()
        if child.is_dir() and not child.name.startswith(".") and _files(child)
    }
    return tuple(sorted(names))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())


def _read(folder: Path, classes: tuple[str, ...], image_size: int, channels: int) -> ImageSet:
    files: list[Path] = _files(folder)
    if files and classes:
        raise DataError(
            f"{folder} holds images both beside and inside class folders ({files[0].name} and "
            f"{classes[0]}/): move them all into class folders, or all out of them"
        )
    labels: list[int] = []
    for index, name in enumerate(classes):
        found = _files(folder / name) if (folder / name).is_dir() else []
        files += found
        labels += [index] * len(found)
    if not files:
        raise DataError(
            f"{folder} holds no images ({', '.join(sorted(_SUFFIXES))}), nor do its subfolders"
        )
    images = torch.empty(len(files), channels, image_size, image_size, dtype=torch.uint8)
    with progress_bar(len(files), f"reading {folder.name}", "img") as bar:
        for index, file in enumerate(files):
            images[index] = _read_image(file, image_size, channels)
            bar.update()
    return ImageSet(images, torch.tensor(labels) if classes else None)


def _read_image(file: Path, size: int, channels: int) -> torch.Tensor:
    try:
        with Image.open(file) as opened:
            if min(opened.size) < size:
                raise DataError(
                    f"{file} has {opened.width}×{opened.height} pixels, but {size}×{size} are "
                    "needed: remove it, or choose a smaller image_size"
                )
            image = opened.convert("L" if channels == 1 else "RGB")
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(f"{file} cannot be read as an image ({error}): remove or mend it") from None
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = np.array(image.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels).reshape(size, size, channels).permute(2, 0, 1)
