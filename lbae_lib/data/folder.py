"""Your own images from a folder; :mod:`lbae_lib.data.folder_layout` says what its names mean."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lbae_lib.data import image_files
from lbae_lib.data.attribute_table import Table, find_table, read_table
from lbae_lib.data.folder_layout import Found, arranged
from lbae_lib.data.folder_listing import IMAGE_SUFFIXES, SPLITS, Listing, Reading, list_folder
from lbae_lib.data.image_files import read_image
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.data.table_lines import files_of
from lbae_lib.errors import DataError
from lbae_lib.files import cache_tensors, read_tensors
from lbae_lib.progress import progress_bar

_TEST_SHARE = 10  # one image in ten, where the folder has no test part
_SPLIT_SEED = 10
_WORTH_KEEPING = 5000  # number of images from which their pixels are cached

_log = logging.getLogger(__name__)


def load_folder(
    folder: Path | str,
    image_size: int,
    channels: int,
    title: str | None = None,
    cache: Path | str | None = None,
) -> Dataset:
    """The images of a folder, with their splits, and their classes or attributes.

    :mod:`lbae_lib.data.folder_layout` says what subfolders mean,
    :mod:`lbae_lib.data.attribute_table` what a table does, and :mod:`lbae_lib.data.image_files`
    how a picture becomes pixels. Without a test part, a random tenth of the training images is the
    test set, always the same. What was read, and what was skipped and why, is the data set's
    ``reading`` and one line in the log.

    Args:
        folder: where the images are.
        image_size: 32 or 64.
        channels: 1 (grey) or 3 (colour); the images are converted.
        title: for captions; by default the folder's name.
        cache: a folder that keeps the pixels of large sets, so that they are decoded once. Entries
            are named after a hash of the files' names, sizes and times.

    Raises:
        DataError: if the folder is missing or empty, its names have two meanings, the table does
            not fit, or an image is damaged or smaller than ``image_size``; the message names the
            file.
        CheckpointError: if the cache of pixels is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"no folder at {folder}, which {what}: folder:PATH needs an image folder")
    listing = _listed(folder)
    reading = listing.reading
    path = find_table(listing)
    table = None if path is None else read_table(path, listing)
    for other in listing.tables:
        if path is None or folder.joinpath(*other) not in files_of(path):
            reading.skip("tables that are not read", other)
    images = arranged(listing) if table is None else list(table.rows)
    sets: dict[str, ImageSet] = {}
    for split in SPLITS:
        found = [image for image in images if (image.split or "train") == split]
        if found:
            files = [folder.joinpath(*image.parts) for image in found]
            pixels = _read(files, (image_size, channels), cache, reading)
            sets[split] = _with_labels(pixels, found, reading.classes, table)
    if "test" not in sets:
        count = len(sets["train"])
        if count < _TEST_SHARE:
            raise DataError(
                f"{folder} holds {count} images, but at least {_TEST_SHARE} are needed to cut a "
                "test set: add images, or make train/ and test/ folders"
            )
        sets["train"], sets["test"] = sets["train"].split(count // _TEST_SHARE, _SPLIT_SEED)
        whole = " of the training images" if images[0].split else ""
        reading.notes.append(f"the test images are a random tenth{whole}")
    reading.read = {name: len(part) for name, part in sets.items()}
    _log.info("%s", reading)
    return Dataset(
        f"folder:{folder}",
        title or f"{folder.name} (own images)",
        sets["train"],
        sets["test"],
        reading.classes,
        table.names if table else (),
        sets.get("validation"),
        reading,
    )


def read_images(paths: Sequence[Path | str] | Path | str, image_size: int, channels: int) -> Tensor:
    """Images of files and folders: uint8 (K, channels, image_size, image_size).

    Args:
        paths: files, or folders whose images, at any depth, are taken in the order of their names.
        image_size: height and width; larger images are resized and centre-cropped.
        channels: 1 (grey) or 3 (colour).

    Raises:
        DataError: if there is no image, or one is missing, damaged or too small.
        ValueError: if ``channels`` is not 1 or 3, or ``image_size`` is below 1.
    """
    if isinstance(paths, Path | str):
        paths = [paths]
    files: list[Path] = []
    readings: list[Reading] = []
    for path in map(Path, paths):
        if not path.exists():
            raise DataError(f"there is no file or folder {path}: check the path")
        if path.is_dir():
            listing = _listed(path)
            listing.reading.read[""] = len(listing.files)
            readings.append(listing.reading)
            files += [path.joinpath(*parts) for parts in listing.files]
        else:
            files.append(path)
    if not files:
        raise DataError("no images in an empty list: name files or folders")
    images = torch.stack([read_image(file, image_size, channels, Counter()) for file in files])
    for reading in readings:
        _log.info("%s", reading)
    return images


def _listed(folder: Path) -> Listing:
    """The files of a folder that has images."""
    listing = list_folder(folder)
    if not listing.files:
        left_out = listing.reading.left_out
        raise DataError(
            f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}), nor do its "
            f"subfolders{left_out and '; '}{left_out}: add some, or name another folder"
        )
    return listing


def _with_labels(
    images: Tensor, found: list[Found], classes: tuple[str, ...], table: Table | None
) -> ImageSet:
    labels, attributes = None, None
    if classes:
        numbers = {name: number for number, name in enumerate(classes)}
        labels = torch.tensor([numbers[image.category] for image in found], device="cpu")
    if table is not None and table.names:
        rows = [table.rows[image] for image in found]
        attributes = torch.tensor(rows, dtype=torch.uint8, device="cpu")
    return ImageSet(images, labels, attributes)


def _read(
    files: list[Path], shape: tuple[int, int], cache: Path | str | None, reading: Reading
) -> Tensor:
    """Pixels of images, in a size and with a number of channels."""
    size, channels = shape
    kept = None
    if cache is not None and len(files) >= _WORTH_KEEPING:
        kept = Path(cache) / f"folder-{_fingerprint(files, shape)}.safetensors"
        if kept.exists():
            tensors, about = read_tensors(kept, "cache of pixels", "delete this file")
            reading.applied.update(about.get("applied", {}))
            return tensors["images"]
    images = torch.empty((len(files), channels, size, size), dtype=torch.uint8, device="cpu")
    applied: Counter[str] = Counter()
    name = reading.folder.name
    with progress_bar(len(files), f"reading {name}", "img") as bar:
        for index, file in enumerate(files):
            images[index] = read_image(file, size, channels, applied)
            bar.update()
    if kept is not None:
        cache_tensors(kept, {"images": images}, {"folder": name, "applied": dict(applied)})
    reading.applied.update(applied)
    return images


def _fingerprint(files: list[Path], shape: tuple[int, int]) -> str:
    """Changes with any file's name, size or time of change, and with how files are read."""
    states = [(str(f), (s := f.stat()).st_size, s.st_mtime_ns) for f in files]
    text = json.dumps([states, *shape, image_files.VERSION])
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
