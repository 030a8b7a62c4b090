"""Tables of a folder's images: ``attributes.csv``, and CelebA's own lists.

``attributes.csv`` (in any letter case) lists the images to take. Its column ``image_id`` has file
names: paths below the table's folder, or names anywhere below it, with or without their suffix. An
optional column ``split`` has "train", "validation" or "test"; without it, the subfolders decide.
Each other column is an attribute, with values 0 and 1; also accepted are false and true, 0.0 and
1.0, and CelebA's -1 and 1. Columns are separated by commas, semicolons or tabs. A byte-order mark,
blank lines and the index column that pandas writes are read over.

CelebA's lists are ``list_eval_partition`` and ``list_attr_celeba``, as ``.txt`` (published) or
``.csv`` (Kaggle).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lbae_lib.data.folder_layout import (
    SPLITS,
    Found,
    Listing,
    arranged,
    list_folder,
    missing_reader,
    split_of,
)
from lbae_lib.data.table_lines import PARTITION, Line, celeba_attributes, celeba_lines, csv_rows
from lbae_lib.errors import DataError

ATTRIBUTES_FILE = "attributes.csv"
_VALUES = {
    **dict.fromkeys(("0", "0.0", "false"), 0),
    **dict.fromkeys(("1", "1.0", "true"), 1),
    **dict.fromkeys(("-1", "-1.0"), -1),
}


@dataclass(frozen=True)
class Table:
    """The images that a table lists.

    Attributes:
        names: of the attributes.
        images: those to take, with their splits.
        attributes: of each image, 0 or 1.
    """

    names: tuple[str, ...]
    images: list[Found]
    attributes: list[list[int]]


def find_table(places: Iterable[Path]) -> Path | None:
    """The table in the first of some folders that has one: ``attributes.csv`` or CelebA's.

    Raises:
        DataError: if a folder has two.
    """
    for folder in places:
        with os.scandir(folder) as entries:
            files = sorted(entry.name for entry in entries if entry.is_file())
        for wanted in (ATTRIBUTES_FILE, f"{PARTITION}.txt", f"{PARTITION}.csv"):
            found = [name for name in files if name.lower() == wanted]
            if len(found) > 1:
                raise DataError(f"{folder} holds {' and '.join(found)}: keep one of them")
            if found:
                return folder / found[0]
    return None


def is_named(folder: Path) -> bool:
    """Whether a folder of images has attributes in its table, or, without table, two classes.

    A folder that is missing or cannot be read has neither; reading it says what is wrong.
    """
    try:
        path = find_table([folder])
        if path is not None:
            return bool(attribute_names(path))
        listing = list_folder(folder, sample=True)
        path = find_table(listing.places[1:])
        if path is not None:
            return bool(attribute_names(path))
        arranged(listing)
        return bool(listing.reading.classes)
    except (DataError, OSError):
        return False


def attribute_names(path: Path) -> tuple[str, ...]:
    """The attributes that a table has.

    Raises:
        DataError: if it cannot be read.
    """
    if path.stem == PARTITION:
        return tuple(celeba_attributes(path))
    columns, _ = _lines(path)
    return _attributes(columns)


def read_table(path: Path, listing: Listing) -> Table:
    """The images of a folder that a table lists; those that it does not list are skipped.

    Raises:
        DataError: if the table cannot be read or does not fit the images; names the line.
    """
    celeba = path.stem == PARTITION
    columns, lines = celeba_lines(path) if celeba else _lines(path)
    names = _attributes(columns)
    splits = "split" in columns
    known = [Found(p) for p in listing.files] if splits else arranged(listing, classes=False)
    find = _Finder(known, path.parent, listing.reading.folder)
    images: list[Found] = []
    values: list[list[int]] = []
    listed: dict[Found, str] = {}
    for line in lines:
        name = line.cells["image_id"]
        if not name:
            raise DataError(f"{line.where} has no image_id")
        found = find(name, line.where, optional=celeba)
        if found is None:
            listing.reading.skip(f"listed in {path.name} without a file", name)
            continue
        if found in listed:
            raise DataError(f"{line.where}: {name} is listed before, in {listed[found]}")
        listed[found] = line.where.partition(" of ")[0]
        split = found.split
        if splits:
            given = line.cells["split"]
            split = split_of(given) or ""
            if not split:
                raise DataError(
                    f"{line.where}: split is {given!r}, but must be {', '.join(SPLITS[:2])} or "
                    f"{SPLITS[2]}"
                )
        images.append(Found(found.parts, split))
        values.append([_value(line, key) for key in names])
    _check_splits(path, images)
    for image in known:
        if image not in listed:
            listing.reading.skip(f"not in {path.name}", image.name)
    return Table(names, images, _zero_and_one(values, names, path))


def _check_splits(path: Path, images: list[Found]) -> None:
    splits = {image.split for image in images}
    if not images:
        raise DataError(f"{path} lists no images: add a line for each")
    if splits != {""} and "train" not in splits:
        raise DataError(f"{path} lists no images for train: give some that split")
    if splits == {"train"}:
        raise DataError(f"{path} lists no images for test: give some that split")


def _value(line: Line, key: str) -> int:
    text = line.cells[key]
    found = _VALUES.get(text.lower())
    if found is None:
        raise DataError(f"{line.where}: {key} is {text!r}, but must be 0 or 1")
    return found


def _zero_and_one(values: list[list[int]], names: tuple[str, ...], path: Path) -> list[list[int]]:
    """Values in which -1 stands for 0, where an attribute has no 0."""
    for name, column in zip(names, zip(*values, strict=True), strict=False):
        if -1 in column and 0 in column:
            raise DataError(f"{path}: {name} holds -1 and 0: write 0 or -1 where it is absent")
    return [[max(0, value) for value in row] for row in values]


class _Finder:
    """Finds images by the names in a table."""

    def __init__(self, images: list[Found], folder: Path, root: Path) -> None:
        self._folder = folder
        above = len(folder.relative_to(root).parts)
        self._paths = {i.parts[above:]: i for i in images}
        self._names: dict[str, list[Found]] = {}
        for image in images:
            for name in {image.parts[-1], Path(image.parts[-1]).stem}:
                self._names.setdefault(name, []).append(image)

    def __call__(self, name: str, where: str, optional: bool) -> Found | None:
        """The image; None if it is optional and there is none."""
        parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        if ".." in parts or name.startswith("/"):
            raise DataError(
                f"{where}: {name} leads out of {self._folder}: write paths below that folder"
            )
        found = [self._paths[parts]] if parts in self._paths else []
        if not found and len(parts) == 1:
            found = self._names.get(name, [])
        elif not found:  # a path without suffix
            found = [i for i in self._names.get(parts[-1], []) if self._ends_with(i, parts[:-1])]
        if len(found) > 1:
            shown = ", ".join(image.name for image in found[:3])
            raise DataError(f"{where}: {name} may be {shown}: write its path below {self._folder}")
        if not found and not optional:
            reason = missing_reader(name)
            raise DataError(
                f"{where}: {name} is one of {reason}"
                if reason
                else f"{where}: there is no {name} in {self._folder} or its subfolders"
            )
        return found[0] if found else None

    @staticmethod
    def _ends_with(image: Found, folders: tuple[str, ...]) -> bool:
        return image.parts[: len(image.parts) - 1][-len(folders) :] == folders


def _attributes(columns: list[str]) -> tuple[str, ...]:
    return tuple(column for column in columns if column not in ("image_id", "split"))


def _lines(path: Path) -> tuple[list[str], list[Line]]:
    """Columns and lines of ``attributes.csv``."""
    rows = csv_rows(path)
    if not rows:
        raise DataError(f"{path} is empty: it needs a column image_id")
    header = [cell.strip() for cell in rows[0][1]]
    header = [c.lower() if c.lower() in ("image_id", "split") else c for c in header]
    if "image_id" not in header:
        shown = ", ".join(filter(None, header)) or "none"
        raise DataError(f"{path} has no column image_id: it has {shown}")
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise DataError(
                f"line {number} of {path} has {len(row)} values, but the first line has "
                f"{len(header)} columns"
            )
    kept = [i for i, name in enumerate(header) if not _without_meaning(name, i, rows[1:], path)]
    columns = [header[i] for i in kept]
    if len(set(columns)) < len(columns):
        raise DataError(f"{path} has two columns of one name: {', '.join(columns)}")
    return columns, [
        Line(f"line {number} of {path}", {header[i]: row[i].strip() for i in kept})
        for number, row in rows[1:]
    ]


def _without_meaning(name: str, column: int, rows: list[tuple[int, list[str]]], path: Path) -> bool:
    """Whether a column is the index that pandas writes, or empty."""
    if name and not name.startswith("Unnamed:"):
        return False
    values = [row[column].strip() for _, row in rows]
    if not any(values) or (column == 0 and all(value.isdigit() for value in values)):
        return True
    raise DataError(f"column {column + 1} of {path} has no name: name it in the first line")
