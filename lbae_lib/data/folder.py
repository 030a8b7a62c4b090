"""Your own images from a folder."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lbae_lib.data.folder_layout import ATTRIBUTES_FILE, IMAGE_SUFFIXES, OTHER_COLUMNS
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import DataError
from lbae_lib.files import read_tensors, write_tensors
from lbae_lib.progress import progress_bar

_TEST_SHARE = 10  # one image in ten, where the folder has no test part
_SPLIT_SEED = 10
_WORTH_KEEPING = 5000  # images, from which on their pixels are kept for the next time


@dataclass(frozen=True)
class _Listing:
    """Files of a folder, not yet read, with the class or the attributes of each."""

    files: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    attributes: list[list[int]] = field(default_factory=list)


def load_folder(
    folder: Path,
    image_size: int,
    channels: int,
    title: str | None = None,
    cache: Path | None = None,
) -> Dataset:
    """An image folder: plain, with ``train/`` and ``test/``, with class folders, or with a table.

    The shorter side is resized to ``image_size`` (antialiased) and the centre cropped. Transparent
    images are laid on white, and 16-bit grey images are scaled to 8 bits. Without ``train/`` and
    ``test/``, a random tenth of the images is the test set, always the same.

    A table ``attributes.csv`` lists the images to take. Its column ``image_id`` has file names in
    the folder or in its ``images/``, an optional column ``split`` has "train" or "test", and each
    other column is an attribute with values 0 and 1.

    Args:
        folder: where the images are; subfolders of a part are classes.
        image_size: 32 or 64.
        channels: 1 (grey) or 3 (colour); the images are converted.
        title: for captions; by default the folder's name.
        cache: a folder that keeps the pixels of large sets, so that they are decoded once. Entries
            are named after a hash of the files' names, sizes and times.

    Raises:
        DataError: if the folder is missing or empty, the table does not fit, a link or a name leads
            out of the folder, or an image is damaged or smaller than ``image_size``; the message
            names the file.
    """
    if not folder.is_dir():
        raise DataError(f"no folder at {folder}: folder:PATH needs an existing image folder")
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    if (folder / ATTRIBUTES_FILE).is_file():
        names, parts = _table(folder)
    elif (folder / "train").is_dir() and (folder / "test").is_dir():
        places = [_inside(folder, folder / part) for part in ("train", "test")]
        classes = _class_names(folder, places)
        parts = {place.name: _listing(folder, place, classes) for place in places}
    else:
        classes = _class_names(folder, [folder])
        parts = {"": _listing(folder, folder, classes)}
    sets = {
        part: _read(listing, folder, image_size, channels, cache) for part, listing in parts.items()
    }
    if "" in sets:
        sets["train"], sets["test"] = _split(sets[""], folder)
    title = title or f"{folder.name} (own images)"
    return Dataset(f"folder:{folder}", title, sets["train"], sets["test"], classes, names)


def read_images(paths: Sequence[Path], image_size: int, channels: int) -> Tensor:
    """Images of files and folders, in the size and colours that a network takes.

    Args:
        paths: files, or folders whose images are taken in the order of their names.
        image_size: height and width; larger images are resized and centre-cropped.
        channels: 1 (grey) or 3 (colour).

    Returns:
        uint8 (K, channels, image_size, image_size).

    Raises:
        DataError: if there is no image, or one is missing, damaged or too small.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"there is no file or folder {path}")
        files += _files(path, path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"no images in {', '.join(map(str, paths)) or 'an empty list'}")
    return torch.stack([_read_image(file, image_size, channels) for file in files])


def _split(everything: ImageSet, folder: Path) -> tuple[ImageSet, ImageSet]:
    if len(everything) < _TEST_SHARE:
        raise DataError(
            f"{folder} holds {len(everything)} images, but at least {_TEST_SHARE} are needed to "
            "cut a test set: add images, or make train/ and test/ folders"
        )
    return everything.split(len(everything) // _TEST_SHARE, _SPLIT_SEED)


def _table(folder: Path) -> tuple[tuple[str, ...], dict[str, _Listing]]:
    """Attribute names, and the images of each part, from ``attributes.csv``."""
    path = folder / ATTRIBUTES_FILE
    if (folder / "images").is_dir():
        _inside(folder, folder / "images")
    parts: dict[str, _Listing] = {}
    listed: set[str] = set()
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = csv.DictReader(handle)
            columns = list(rows.fieldnames or [])
            names = tuple(c for c in columns if c not in OTHER_COLUMNS)
            _check_columns(columns, path)
            for line, row in enumerate(rows, start=2):
                where, name, part = f"line {line} of {path}", row["image_id"], row.get("split", "")
                if not name:
                    raise DataError(f"{where} has no image_id")
                if name in listed:
                    raise DataError(f"{where}: {name} is listed before")
                if "split" in columns and part not in ("train", "test"):
                    raise DataError(f"{where}: split is {part!r}, but must be train or test")
                for key in names:
                    if row[key] not in ("0", "1"):
                        raise DataError(f"{where}: {key} is {row[key]!r}, but must be 0 or 1")
                listed.add(name)
                listing = parts.setdefault(part, _Listing())
                listing.files.append(_located(folder, name, where))
                listing.attributes.append([int(row[key]) for key in names])
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a table in UTF-8 ({error})") from None
    if not parts or ("" not in parts and len(parts) < 2):
        raise DataError(f"{path} lists no images for {'test' if 'train' in parts else 'train'}")
    return names, parts


def _check_columns(columns: list[str], path: Path) -> None:
    if "image_id" not in columns:
        raise DataError(f"{path} has no column image_id: it has {', '.join(columns) or 'none'}")
    if len(set(columns)) < len(columns):
        raise DataError(f"{path} has two columns of one name: {', '.join(columns)}")


def _located(folder: Path, name: str, where: str) -> Path:
    with suppress(OSError, ValueError):  # not a possible file name
        for path in (folder / name, folder / "images" / name):
            if path.is_file():
                direct = path.parent in (folder, folder / "images") and not path.is_symlink()
                return path if direct else _inside(folder, path)
    raise DataError(f"{where}: there is no {name} in {folder} or in its images/")


def _inside(folder: Path, path: Path) -> Path:
    """The path, unless it is a link or has ".." in it and leads out of the folder."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(
            f"{path} leads out of {folder}, to {path.resolve()}: copy the images into the folder"
        )
    return path


def _class_names(root: Path, parts: Sequence[Path]) -> tuple[str, ...]:
    """Subfolders that hold images, over all parts, sorted; none leads out of the root."""
    names = {
        child.name
        for part in parts
        for child in part.iterdir()
        if child.is_dir() and not child.name.startswith(".") and _files(root, _inside(root, child))
    }
    return tuple(sorted(names))


def _files(root: Path, folder: Path) -> list[Path]:
    """Images of a folder; none leads out of the root."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    return sorted(_inside(root, p) if p.is_symlink() else p for p in found)


def _listing(root: Path, folder: Path, classes: tuple[str, ...]) -> _Listing:
    listing = _Listing(_files(root, folder))
    if listing.files and classes:
        raise DataError(
            f"{folder} holds images both beside and inside class folders "
            f"({listing.files[0].name} and {classes[0]}/): move them all into class folders, or "
            "all out of them"
        )
    for index, name in enumerate(classes):
        found = _files(root, folder / name) if (folder / name).is_dir() else []
        listing.files.extend(found)
        listing.labels.extend([index] * len(found))
    if not listing.files:
        raise DataError(
            f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}), nor do its subfolders"
        )
    return listing


def _read(
    listing: _Listing, folder: Path, image_size: int, channels: int, cache: Path | None
) -> ImageSet:
    count = len(listing.files)
    kept = None
    if cache is not None and count >= _WORTH_KEEPING:
        kept = cache / f"folder-{_fingerprint(listing.files, image_size, channels)}.safetensors"
    if kept is not None and kept.exists():
        images = read_tensors(kept, "kept pixels")[0]["images"]
    else:
        shape = (count, channels, image_size, image_size)
        images = torch.empty(shape, dtype=torch.uint8, device="cpu")
        with progress_bar(count, f"reading {folder.name}", "img") as bar:
            for index, file in enumerate(listing.files):
                images[index] = _read_image(file, image_size, channels)
                bar.update()
        if kept is not None:
            write_tensors(kept, {"images": images}, {"folder": folder.name})
    labels, attributes = None, None
    if listing.labels:
        labels = torch.tensor(listing.labels, device="cpu")
    if listing.attributes:
        attributes = torch.tensor(listing.attributes, dtype=torch.uint8, device="cpu")
        attributes = attributes.reshape(count, -1)
    return ImageSet(images, labels, attributes)


def _fingerprint(files: list[Path], image_size: int, channels: int) -> str:
    """Changes with any file's name, size or time of change."""
    states = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    text = json.dumps([states, image_size, channels])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_image(file: Path, size: int, channels: int) -> Tensor:
    try:
        with Image.open(file) as opened:
            if min(opened.size) < size:
                raise DataError(
                    f"{file} has {opened.width}×{opened.height} pixels, but {size}×{size} are "
                    "needed: remove it, or choose a smaller image_size"
                )
            image = _eight_bits(opened).convert("L" if channels == 1 else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{file} cannot be read as an image ({error}): remove or replace it"
        ) from None
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = np.array(image.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels).reshape(size, size, channels).permute(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Transparent images on white, and 16-bit grey ones scaled: Pillow would drop and clip."""
    if image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.float64)
        return Image.fromarray((values / 257).round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer)
    return image
