"""Lines of tables: of CSV files as programs write them, and of CelebA's own lists."""

import csv
import io
from pathlib import Path

from lbae_lib.data.folder_listing import SPLITS
from lbae_lib.errors import DataError

PARTITION = "list_eval_partition"
Rows = list[tuple[int, list[str]]]  # each with the number of its (last) line
Lines = list[tuple[int, dict[str, str]]]  # the same, by column


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a table is read from: CelebA's has its attributes in a second one."""
    return (path, _beside(path)) if path.stem.lower() == PARTITION else (path,)


def table_lines(path: Path) -> tuple[list[str], Lines]:
    """Columns of a table, ``attributes.csv`` or CelebA's, and its lines.

    Raises:
        DataError: if it cannot be read, or a line does not fit.
    """
    return _celeba_lines(path) if path.stem.lower() == PARTITION else _own_lines(path)


def attribute_names(path: Path) -> list[str]:
    """The attributes that a table has.

    Raises:
        DataError: if it cannot be read.
    """
    columns = _celeba_attributes(path) if path.stem.lower() == PARTITION else _own_lines(path)[0]
    return [column for column in columns if column not in ("image_id", "split")]


def _own_lines(path: Path) -> tuple[list[str], Lines]:
    """Columns and lines of ``attributes.csv``."""
    rows = _csv_rows(path)
    if not rows:
        raise DataError(f"{path} is empty: it needs a column image_id")
    header = [cell.strip() for cell in rows.pop(0)[1]]
    header = [c.lower() if c.lower() in ("image_id", "split") else c for c in header]
    if "image_id" not in header:
        shown = ", ".join(filter(None, header)) or "none"
        raise DataError(f"{path} has no column image_id: it has {shown}; add it")
    for number, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"line {number} of {path} has {len(row)} values, but the first line has "
                f"{len(header)} columns: correct the line"
            )
    kept = {i: name for i, name in enumerate(header) if not _is_index(name, i, rows, path)}
    columns = list(kept.values())
    if len(set(columns)) < len(columns):
        raise DataError(f"{path} has two columns of one name ({', '.join(columns)}): rename one")
    return columns, [(n, {name: row[i].strip() for i, name in kept.items()}) for n, row in rows]


def _is_index(name: str, column: int, rows: Rows, path: Path) -> bool:
    """Whether a column is the index that pandas writes, or empty."""
    if name and not name.startswith("Unnamed:"):
        return False
    values = [row[column].strip() for _, row in rows]
    if not any(values) or (column == 0 and all(value.isdigit() for value in values)):
        return True
    raise DataError(f"column {column + 1} of {path} has no name: name it in the first line")


def _celeba_lines(path: Path) -> tuple[list[str], Lines]:
    """Columns and lines of CelebA's lists: image_id, split, and the attributes if they are there.

    The published list of attributes has two lines before those of images.
    """
    names, other = _celeba_attributes(path), _beside(path)
    attributes: dict[str, list[str]] = {}
    for number, (name, *values) in _celeba_rows(other) if names else ():
        if "." in name and len(values) != len(names):
            raise DataError(
                f"line {number} of {other} has {len(values)} values for {len(names)} "
                "attributes: correct the line"
            )
        attributes[name] = values
    lines = []
    for number, row in _celeba_rows(path):
        if row[0] == "image_id":  # the header on Kaggle
            continue
        if len(row) != 2 or "." not in row[0] or row[1] not in ("0", "1", "2"):
            raise DataError(f"line {number} of {path} must be a file name, and 0, 1 or 2")
        if names and row[0] not in attributes:
            raise DataError(f"line {number} of {path}: {row[0]} is not in {other.name}: add it")
        cells = {"image_id": row[0], "split": SPLITS[int(row[1])]}
        lines.append((number, cells | dict(zip(names, attributes.get(row[0], []), strict=True))))
    return ["image_id", "split", *names], lines


def _celeba_attributes(path: Path) -> list[str]:
    """Names of the attributes in the list beside CelebA's list of splits; none without it."""
    other = _beside(path)
    header = (row for _, row in _celeba_rows(other) if len(row) > 1) if other.is_file() else ()
    return [name for name in next(iter(header), []) if name != "image_id"]


def _beside(path: Path) -> Path:
    return path.with_name("list_attr_celeba" + path.suffix)


def _celeba_rows(path: Path) -> Rows:
    if path.suffix == ".csv":
        return _csv_rows(path)
    lines = enumerate(_text(path).splitlines(), start=1)
    return [(number, line.split()) for number, line in lines if line.strip()]


def _csv_rows(path: Path) -> Rows:
    """Rows that are not blank; Excel's first line "sep=;" is none."""
    text = _text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    declares = bool(lines) and lines[0].lower().startswith(("sep=", '"sep='))
    header = lines[declares:][:1]
    try:
        delimiter = next((d for d in ",;\t" if "image_id" in _columns(header, d)), ",")
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        return [(reader.line_num, row) for row in reader if any(c.strip() for c in row)][declares:]
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table ({error}): save it as CSV") from None


def _columns(header: list[str], delimiter: str) -> list[str]:
    return [c.strip().lower() for c in next(csv.reader(header, delimiter=delimiter), [])]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} cannot be read as a table in UTF-8 ({error}): save it as CSV in UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror}): check permissions") from None
