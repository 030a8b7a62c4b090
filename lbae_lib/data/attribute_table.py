"""Tables of a folder's images: ``attributes.csv``, and CelebA's own lists.

``attributes.csv`` (in any letter case) lists the images to take. Its column ``image_id`` has file
names: paths below the table's folder, or names anywhere below it, with or without their suffix. An
optional column ``split`` has "train", "validation" or "test"; without it, the subfolders decide.
Each other column is an attribute, with values 0 and 1; also accepted are false and true, 0.0 and
1.0, and CelebA's -1 and 1. Columns are separated by commas, semicolons or tabs. A byte-order mark,
blank lines and the index column that pandas writes are ignored.

CelebA's lists are ``list_eval_partition`` and ``list_attr_celeba``, as ``.txt`` (published) or
``.csv`` (Kaggle).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lbae_lib.data.folder_layout import Found, arranged
from lbae_lib.data.folder_listing import Listing, list_folder, missing_reader, split_of
from lbae_lib.data.table_lines import PARTITION, attribute_names, table_lines
from lbae_lib.errors import DataError

_VALUES = {
    **dict.fromkeys(("0", "0.0", "false"), 0),
    **dict.fromkeys(("1", "1.0", "true"), 1),
    **dict.fromkeys(("-1", "-1.0"), -1),
}


class Table(NamedTuple):
    """Names of the attributes; the images to take, with their splits -> attributes, 0 or 1."""

    names: tuple[str, ...]
    rows: dict[Found, list[int]]


def find_table(listing: Listing) -> Path | None:
    """A folder's table, ``attributes.csv`` or CelebA's; None if it has none.

    Raises:
        DataError: if a folder has it twice, in different letter case.
    """
    tables = listing.own_tables
    for place in dict.fromkeys(table[:-1] for table in tables):
        names = [table[-1] for table in tables if table[:-1] == place]
        folder = listing.reading.folder.joinpath(*place)
        for wanted in ("attributes.csv", f"{PARTITION}.txt", f"{PARTITION}.csv"):
            found = [name for name in names if name.lower() == wanted]
            if len(found) > 1:
                raise DataError(f"{folder} holds {' and '.join(found)}: keep one of them")
            if found:
                return folder / found[0]
    return None


def is_named(folder: Path) -> bool:
    """Whether a folder of images has attributes in its table or, without a table, classes.

    A folder that is missing or cannot be read has neither; reading it says what is wrong.
    """
    try:
        listing = list_folder(folder, sample=True)
        path = find_table(listing)
        if path is not None:
            return bool(attribute_names(path))
        arranged(listing)
        return bool(listing.reading.classes)
    except (DataError, OSError):
        return False


def read_table(path: Path, listing: Listing) -> Table:
    """The images of a folder that a table lists; those that it does not list are skipped.

    Raises:
        DataError: if the table cannot be read or does not fit the images; names the line.
    """
    celeba = path.stem.lower() == PARTITION
    columns, lines = table_lines(path)
    names = tuple(column for column in columns if column not in ("image_id", "split"))
    own_splits = "split" in columns
    known = [Found(p) for p in listing.files] if own_splits else arranged(listing, classes=False)
    find = _finder(known, path, listing.reading.folder)
    rows: dict[Found, list[int]] = {}
    listed: dict[tuple[str, ...], int] = {}
    for number, cells in lines:
        where, name = f"line {number} of {path}", cells["image_id"]
        if not name:
            raise DataError(f"{where} has no image_id: fill it in")
        image = find(name, where)
        if image is None and celeba:
            listing.reading.skip(f"listed in {path.name} without a file", (name,))
            continue
        if image is None:
            if reason := missing_reader(name):
                raise DataError(f"{where}: {name} is one of {reason}")
            raise DataError(
                f"{where}: there is no {name} in {path.parent} or its subfolders: correct the "
                "name, or add the file"
            )
        if image.parts in listed:
            raise DataError(
                f"{where}: {name} is listed before, in line {listed[image.parts]}: remove one line"
            )
        listed[image.parts] = number
        if own_splits:
            image = Found(image.parts, split_of(cells["split"]) or "")
            if not image.split:
                raise DataError(
                    f"{where}: split is {cells['split']!r}, but must be train, validation or test"
                )
        rows[image] = [_value(cells[key], f"{where}: {key}") for key in names]
    _check(rows, names, path)
    for image in known:
        if image.parts not in listed:
            listing.reading.skip(f"not in {path.name}", image.parts)
    return Table(names, {image: [max(0, v) for v in values] for image, values in rows.items()})


def _value(text: str, what: str) -> int:
    if (found := _VALUES.get(text.lower())) is None:
        raise DataError(f"{what} is {text!r}, but must be 0 or 1")
    return found


def _check(rows: dict[Found, list[int]], names: tuple[str, ...], path: Path) -> None:
    splits = {image.split for image in rows}
    if not rows:
        raise DataError(f"{path} lists no images: add a line for each")
    if splits != {""} and "train" not in splits:
        raise DataError(f"{path} lists no images for train: assign some to it")
    if splits == {"train"}:
        raise DataError(f"{path} lists no images for test: assign some to it")
    for name, column in zip(names, zip(*rows.values(), strict=True), strict=False):
        if -1 in column and 0 in column:  # -1 stands for 0 where there is no 0
            raise DataError(f"{path}: {name} holds -1 and 0: write 0 or -1 where it is absent")


def _finder(images: list[Found], path: Path, root: Path) -> Callable[[str, str], Found | None]:
    """A function that finds a name of a table among images; it also takes its line, for errors."""
    folder, above = path.parent, len(path.parent.relative_to(root).parts)
    paths = {image.parts[above:]: image for image in images}
    names: dict[str, list[Found]] = {}
    for image in images:
        for name in {image.parts[-1], Path(image.parts[-1]).stem}:
            names.setdefault(name, []).append(image)

    def find(name: str, where: str) -> Found | None:
        parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        if Path(name).is_absolute() and Path(name).is_relative_to(folder.absolute()):
            parts = Path(name).relative_to(folder.absolute()).parts
        elif ".." in parts or name.startswith("/"):
            raise DataError(f"{where}: {name} leads out of {folder}: write paths below that folder")
        if parts in paths:
            return paths[parts]
        alike = names.get(parts[-1], []) if parts else []
        found = [i for i in alike if i.parts[-len(parts) : -1] == parts[:-1]]
        if len(found) > 1:
            shown = ", ".join("/".join(image.parts) for image in found[:3])
            raise DataError(f"{where}: {name} may be {shown}: write its path below {folder}")
        return found[0] if found else None

    return find
