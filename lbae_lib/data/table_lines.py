"""Lines of tables: of CSV files as programs write them, and of CelebA's own lists."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lbae_lib.data.folder_layout import SPLITS
from lbae_lib.errors import DataError

PARTITION, _CELEBA_ATTRIBUTES = "list_eval_partition", "list_attr_celeba"


@dataclass(frozen=True)
class Line:
    """A line of a table.

    Attributes:
        where: file and line, for errors.
        cells: by column.
    """

    where: str
    cells: dict[str, str]


def csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Rows that are not blank, each with the number of its (last) line in the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip()), "").lower()
        delimiter = next((d for d in ";\t" if d in first and "," not in first), ",")
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        return [(reader.line_num, row) for row in reader if any(c.strip() for c in row)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as a table in UTF-8 ({error}): save it as CSV in UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror}): check permissions") from None


def celeba_lines(path: Path) -> tuple[list[str], list[Line]]:
    """Columns and lines of CelebA's lists: image_id, split, and the attributes if they are there.

    Raises:
        DataError: if a line does not fit.
    """
    attributes: dict[str, list[str]] = {}
    names, other = celeba_attributes(path), _beside(path)
    if names:
        for number, (name, *values) in _celeba_rows(other):
            if len(values) != len(names):
                raise DataError(
                    f"line {number} of {other} has {len(values)} values for {len(names)} attributes"
                )
            attributes[name] = values
    lines = []
    for number, row in _celeba_rows(path):
        where = f"line {number} of {path}"
        if len(row) != 2 or row[1] not in ("0", "1", "2"):
            raise DataError(f"{where} must be a file name, and 0, 1 or 2")
        values = attributes.get(row[0], [])
        if names and not values:
            raise DataError(f"{where}: {row[0]} is not in {other.name}")
        cells = {"image_id": row[0], "split": SPLITS[int(row[1])]}
        lines.append(Line(where, cells | dict(zip(names, values, strict=True))))
    return ["image_id", "split", *names], lines


def celeba_attributes(path: Path) -> list[str]:
    """Names of the attributes in the list beside CelebA's list of splits; none without it."""
    other = _beside(path)
    if not other.is_file():
        return []
    header = (row for _, row in _celeba_all(other) if len(row) > 1)
    return [name for name in next(header, []) if name != "image_id"]


def _beside(path: Path) -> Path:
    return path.with_name(_CELEBA_ATTRIBUTES + path.suffix)


def _celeba_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that begin with a file name."""
    return ((number, row) for number, row in _celeba_all(path) if "." in row[0])


def _celeba_all(path: Path) -> Iterator[tuple[int, list[str]]]:
    if path.suffix == ".csv":
        yield from csv_rows(path)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error})") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.split():
            yield number, line.split()
