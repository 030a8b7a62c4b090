"""The files of an image folder, and a count of those left out. Imports neither torch nor numpy."""

import importlib.util
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from lbae_lib.errors import DataError, first_names

IMAGE_SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"),
}
# Suffix -> the module that reads it and, if that is missing, why the file is skipped.
_OPTIONAL_SUFFIXES = {
    **dict.fromkeys(
        (".heic", ".heif", ".hif"),
        ("pillow_heif", "HEIC images, which need `pip install pillow-heif`"),
    ),
    ".avif": ("PIL.AvifImagePlugin", "AVIF images, which need Pillow 11.3 or newer"),
}
TABLES = {  # read beside the images
    "attributes.csv",
    *("list_eval_partition.txt", "list_eval_partition.csv"),
    *("list_attr_celeba.txt", "list_attr_celeba.csv"),
}
# Folders that systems make beside the user's own: macOS, Windows, Linux, Synology, QNAP.
_SYSTEM_FOLDERS = {
    *("__macosx", "$recycle.bin", "system volume information", "lost+found"),
    *("@eadir", "#recycle", "@recycle"),
}
_TABLE_SUFFIXES = {".csv", ".tsv", ".xls", ".xlsx", ".ods", ".jsonl", ".parquet"}
SPLITS = ("train", "validation", "test")
_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}

Parts = tuple[str, ...]  # a path below the folder


@dataclass
class Reading:
    """How a folder of images was read; as a string, one line.

    Attributes:
        folder: that was read.
        read: number of images by split: "train", "validation", "test"; "" before they are split.
        skipped: names of the files that were left out, by reason.
        applied: number of images by what was applied to them, e.g. "turned by EXIF".
        classes: names of the classes, where the images have two or more.
        notes: how the folder was understood, e.g. "the test images are a random tenth".
    """

    folder: Path
    read: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    applied: Counter[str] = field(default_factory=Counter)
    classes: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def skip(self, reason: str, parts: Parts) -> None:
        """Count a file that is left out."""
        self.skipped.setdefault(reason, []).append("/".join(parts))

    @property
    def left_out(self) -> str:
        """What was skipped, why, and the first names; "" if nothing was."""
        total = sum(map(len, self.skipped.values()))
        reasons = [
            f"{len(names):,} {reason} ({first_names(names, 3)})"
            for reason, names in self.skipped.items()
        ]
        return f"skipped {total:,}: {', '.join(reasons)}" if total else ""

    def __str__(self) -> str:
        total = sum(self.read.values())
        splits = ", ".join(f"{name} {count:,}" for name, count in self.read.items() if name)
        shown = f"{self.folder}: read {total:,} image{'s' * (total != 1)}"
        shown += f" ({splits})" if splits else ""
        if self.classes:
            shown += f" of {len(self.classes)} classes ({first_names(self.classes, 6)})"
        applied = ", ".join(f"{count:,} {what}" for what, count in self.applied.items())
        return "; ".join(filter(None, (shown, applied, *self.notes, self.left_out)))

    def for_record(self) -> Mapping[str, Any]:
        """Counts and reasons as JSON values; it names no file and no folder."""
        content = asdict(self) | {"classes": len(self.classes)}
        content["skipped"] = {reason: len(names) for reason, names in self.skipped.items()}
        del content["folder"]
        return content


@dataclass
class Listing:
    """The images, subfolders and tables of a folder, at any depth, in the order of their names."""

    reading: Reading  # what is skipped, and notes
    files: list[Parts] = field(default_factory=list)
    folders: list[Parts] = field(default_factory=list)
    tables: list[Parts] = field(default_factory=list)

    @property
    def wrapper(self) -> Parts:
        """The nested subfolders, from the top, that hold all images and are not splits."""
        if not self.files:
            return ()
        pairs = zip(min(self.files)[:-1], max(self.files)[:-1], strict=False)
        same = takewhile(lambda pair: pair[0] == pair[1] and not split_of(pair[0]), pairs)
        return tuple(name for name, _ in same)

    @property
    def own_tables(self) -> list[Parts]:
        """Tables in the folder itself and in the subfolders that hold all images."""
        above = self.wrapper
        found = [table for table in self.tables if table[:-1] == above[: len(table) - 1]]
        return sorted(found, key=len)


def split_of(name: str) -> str | None:
    """The split that a word means: "train", "validation" or "test"; None for another word."""
    return _WORDS.get(name.strip().lower())


def missing_reader(name: str) -> str | None:
    """Why files of an image's suffix cannot be read here; None if they can."""
    module, reason = _OPTIONAL_SUFFIXES.get(_suffix(name), ("", ""))
    return reason if module and importlib.util.find_spec(module) is None else None


def is_image_name(name: str) -> bool:
    """Whether a file's suffix is an image's, even if the package that reads it is missing."""
    return _suffix(name) in IMAGE_SUFFIXES | _OPTIONAL_SUFFIXES.keys()


def list_folder(folder: Path, sample: bool = False) -> Listing:
    """The files of a folder and its subfolders; links are followed.

    A ``sample`` has one image of each subfolder, which tells the classes of a large folder quickly.

    Raises:
        DataError: if a folder cannot be opened, or a link leads back to a folder above it.
    """
    listing = Listing(Reading(folder))
    _list(listing, folder, (), (), sample)
    return listing


def _suffix(name: str) -> str:
    """In lower case, with its dot; Path's own is ten times as slow."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _list(
    listing: Listing, folder: Path, parts: Parts, above: tuple[tuple[int, int], ...], sample: bool
) -> None:
    """Add the files below a folder to a listing."""
    try:
        state = folder.stat()
        if (state.st_dev, state.st_ino) in above:
            raise DataError(
                f"{folder} is a link to a folder that contains it, so it has no end: remove the "
                "link"
            )
        with os.scandir(folder) as opened:  # files first
            entries = sorted((e.is_dir(), e.name, e.is_file(), e.is_symlink()) for e in opened)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{folder} cannot be opened ({reason}): check permissions") from None
    above = (*above, (state.st_dev, state.st_ino))
    before = len(listing.files)
    if not entries and parts:
        listing.reading.skip("empty folders", parts)
    for is_folder, name, is_file, is_link in entries:
        path, suffix = (*parts, name), _suffix(name)
        if name.startswith("."):
            listing.reading.skip("hidden", path)
        elif is_folder and name.lower() in _SYSTEM_FOLDERS:
            listing.reading.skip("folders of the system", path)
        elif is_folder:
            listing.folders.append(path)
            _list(listing, folder / name, path, above, sample)
        elif not is_file:
            listing.reading.skip("links to nothing" if is_link else "no ordinary files", path)
        elif name.lower() in TABLES:
            listing.tables.append(path)
        elif suffix in IMAGE_SUFFIXES or suffix in _OPTIONAL_SUFFIXES:
            if reason := missing_reader(name):
                listing.reading.skip(reason, path)
            elif not sample or len(listing.files) == before:
                listing.files.append(path)
        elif suffix in _TABLE_SUFFIXES:
            listing.reading.skip("tables of other names than attributes.csv", path)
        else:
            listing.reading.skip("other files", path)
