"""What the names in an image folder tell, without reading an image.

=================================  ===============================================================
layout                             meaning
=================================  ===============================================================
``*.jpg``                          images without classes
``cat/*.jpg``, ``dog/*.jpg``       classes, as torchvision's ``ImageFolder`` has them; images at any
                                   depth belong to the class folder at the top
``train/``, ``validation/``,       splits, in any letter case; each holds images or class folders.
``test/`` at the top               Also ``training``; ``val``, ``valid``, ``dev``; ``testing``,
                                   ``eval``, ``evaluation``: the words of Hugging Face's
                                   ``imagefolder``
one subfolder that holds all       the same as that subfolder
``attributes.csv``                 a table; see :mod:`lbae_lib.data.attribute_table`
``list_eval_partition.txt``        CelebA, as it is published or on Kaggle (``.csv``)
=================================  ===============================================================

Links are followed. Where names have two meanings (``seg_train/`` and ``seg_test/``, images beside
class folders), the folder is refused with the way out. Imports neither torch nor numpy.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from lbae_lib.data.reading import Reading
from lbae_lib.errors import DataError

SPLITS = ("train", "validation", "test")
_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
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
_ARCHIVERS = "__MACOSX"  # what macOS adds to an archive


def split_of(name: str) -> str | None:
    """The split that a word means: "train", "validation" or "test"; None for another word."""
    return _WORDS.get(name.strip().lower())


def missing_reader(name: str) -> str | None:
    """Why files of an image's suffix cannot be read here; None if they can."""
    module, reason = _OPTIONAL_SUFFIXES.get(_suffix(name), ("", ""))
    return reason if module and importlib.util.find_spec(module) is None else None


def _suffix(name: str) -> str:
    """In lower case, with its dot; Path's own is ten times as slow."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


@dataclass(frozen=True)
class Found:
    """An image file.

    Attributes:
        parts: its path below the folder.
        split: "train", "validation", "test", or "" if the folder has no splits.
        category: its class; "" without.
    """

    parts: tuple[str, ...]
    split: str = ""
    category: str = ""

    @property
    def name(self) -> str:
        """Its path below the folder, with slashes."""
        return "/".join(self.parts)


@dataclass
class Listing:
    """The files of a folder.

    Attributes:
        files: paths of the images below the folder, in the order of their names.
        folders: paths of all subfolders.
        reading: what is skipped, and notes.
        depth: number of subfolders within each other that hold all images, and are no splits.
    """

    files: list[tuple[str, ...]]
    folders: list[tuple[str, ...]]
    reading: Reading
    depth: int

    @property
    def places(self) -> list[Path]:
        """The folder, and the subfolders that hold all images."""
        above = self.files[0][: self.depth] if self.files else ()
        return [self.reading.folder.joinpath(*above[:i]) for i in range(self.depth + 1)]


def list_folder(folder: Path, sample: bool = False) -> Listing:
    """The image files of a folder.

    Args:
        folder: where they are.
        sample: take one image of each subfolder, which tells the classes of a large folder quickly.

    Raises:
        DataError: if a folder cannot be opened, or a link leads back to a folder above it.
    """
    reading = Reading(folder)
    files, folders = _files(folder, reading, sample)
    return Listing(files, folders, reading, _wrappers(files))


def arranged(listing: Listing, classes: bool = True) -> list[Found]:
    """The images of a folder by split and class; those outside of all splits are skipped.

    Args:
        listing: the folder's.
        classes: whether subfolders may be classes; they are not where a table lists the images.

    Raises:
        DataError: if names have two meanings.
    """
    depth, reading = listing.depth, listing.reading
    folder = reading.folder
    heads = sorted({parts[depth] for parts in listing.folders if len(parts) == depth + 1})
    with_images = {parts[depth] for parts in listing.files if len(parts) > depth + 1}
    words = {head: split for head in heads if (split := split_of(head))}
    if not _are_splits(words, with_images, folder):
        found = [Found(parts) for parts in listing.files]
        if not classes:
            return found
        for head in words.keys() & with_images:
            reading.notes.append(f"{head}/ is read as a class, as there is no other split")
        return _classified(found, depth, reading)
    _check_splits(words, with_images, folder)
    found = []
    for parts in listing.files:
        head = parts[depth] if len(parts) > depth + 1 else ""
        if head in words:
            found.append(Found(parts, words[head]))
        else:
            shown = ", ".join(f"{word}/" for word in words)
            reading.skip(f"images outside {shown}", "/".join(parts))
    return _classified(found, depth + 1, reading) if classes else found


def _files(
    folder: Path, reading: Reading, sample: bool = False
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Paths of image files and of folders, below the folder."""
    files: list[tuple[str, ...]] = []
    folders: list[tuple[str, ...]] = []
    for parts, kind in _walk(folder, (), (), sample):
        suffix = _suffix(parts[-1])
        if kind == "folder":
            folders.append(parts)
        elif kind != "file":
            reading.skip(kind, "/".join(parts))
        elif suffix in IMAGE_SUFFIXES:
            files.append(parts)
        elif suffix in _OPTIONAL_SUFFIXES:
            reason = missing_reader(parts[-1])
            if reason is None:
                files.append(parts)
            else:
                reading.skip(reason, "/".join(parts))
        elif parts[-1].lower() not in TABLES:
            reading.skip("other files", "/".join(parts))
    return files, folders


def _walk(
    folder: Path, parts: tuple[str, ...], above: tuple[tuple[int, int], ...], sample: bool
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Everything below a folder: its path, and "file", "folder", or why it is skipped."""
    try:
        state = folder.stat()
        own = (state.st_dev, state.st_ino)
        if own in above:
            raise DataError(
                f"{folder} is a link to a folder that contains it, so it has no end: remove the "
                "link"
            )
        with os.scandir(folder) as opened:
            entries = list(opened)
        if sample:
            entries = [e for e in entries if not e.name.startswith(".")]
            files = (e for e in entries if _suffix(e.name) in IMAGE_SUFFIXES and e.is_file())
            entries = [e for e in entries if e.is_dir()] + [*islice(files, 1)]
        found = sorted((e.is_dir(), e.name, e.is_file()) for e in entries)  # files first
    except OSError as error:
        raise DataError(
            f"{folder} cannot be opened ({error.strerror}): check permissions"
        ) from None
    for is_folder, name, is_file in found:
        if name.startswith(".") or name == _ARCHIVERS:
            yield (*parts, name), "hidden"
        elif is_folder:
            yield (*parts, name), "folder"
            yield from _walk(folder / name, (*parts, name), (*above, own), sample)
        else:
            yield (*parts, name), "file" if is_file else "links to nothing"


def _wrappers(files: list[tuple[str, ...]]) -> int:
    """Number of subfolders within each other that hold all images, and are no splits."""
    depth = 0
    while (
        files
        and all(len(parts) > depth + 1 for parts in files)
        and len({parts[depth] for parts in files}) == 1
        and split_of(files[0][depth]) is None
    ):
        depth += 1
    return depth


def _are_splits(words: dict[str, str], with_images: set[str], folder: Path) -> bool:
    """Whether the subfolders are splits rather than classes.

    Args:
        words: subfolders whose names are words for splits -> the split.
        with_images: subfolders that hold images.
        folder: for the error.
    """
    if words and (len(set(words.values())) > 1 or with_images <= words.keys()):
        return True
    # seg_train/ and seg_test/ are splits for their author, and two classes for ImageFolder.
    alike = {
        head: {split for word in re.split("[^a-z]+", head.lower()) if (split := split_of(word))}
        for head in sorted(with_images - words.keys())
    }
    meant = set().union(*alike.values(), words.values())
    if "train" in meant and len(meant) > 1:
        shown = [f"{head}/" for head in sorted({*words, *(h for h, s in alike.items() if s)})]
        raise DataError(
            f"{folder} holds {', '.join(shown)}, which may be splits or classes: rename them to "
            "train/, validation/ and test/ if they are splits"
        )
    return False


def _check_splits(words: dict[str, str], with_images: set[str], folder: Path) -> None:
    for split in SPLITS:
        same = [f"{word}/" for word, meant in words.items() if meant == split]
        if len(same) > 1:
            raise DataError(f"{folder} holds {' and '.join(same)} for one split: merge them")
    if "train" not in words.values():
        shown = ", ".join(f"{word}/" for word in words)
        raise DataError(f"{folder} holds {shown}, but no train/: add it, or rename the subfolder")
    for word in words.keys() - with_images:
        raise DataError(f"{folder / word} holds no images: add some, or remove it")


def _classified(found: list[Found], depth: int, reading: Reading) -> list[Found]:
    """Images with their classes: the subfolders at a depth, if there are two or more."""
    below = [image for image in found if len(image.parts) > depth + 1]
    heads = {split: {i.parts[depth] for i in below if i.split == split} for split in SPLITS}
    wrapped = all(len(image.parts) > depth + 2 for image in found)
    if found and found[0].split and wrapped and all(len(names) < 2 for names in heads.values()):
        return _classified(found, depth + 1, reading)  # train/images/cat/, test/images/cat/
    for split in dict.fromkeys(image.split for image in below):
        beside = next((i for i in found if i.split == split and len(i.parts) == depth + 1), None)
        if beside is not None:
            inside = next(i for i in below if i.split == split)
            place = reading.folder.joinpath(*beside.parts[:-1])
            raise DataError(
                f"{place} holds images both beside and inside class folders ("
                f"{beside.parts[-1]} and {inside.parts[depth]}/): move them all into "
                "class folders, or all out of them"
            )
    names = tuple(sorted({image.parts[depth] for image in below}))
    if len(names) < 2:  # one class tells nothing apart
        return found
    bare = {image.split for image in found} - {image.split for image in below}
    if bare:
        raise DataError(
            f"{reading.folder} has class folders in one split and none in another "
            f"({', '.join(sorted(bare))}): make them in all, or in none"
        )
    reading.classes = names
    return [replace(image, category=image.parts[depth]) for image in found]
