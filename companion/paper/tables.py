"""The paper's numbers, read from ``paper.yaml`` and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

Value = float | tuple[float, float]

_DATASETS = ("mnist", "cifar10", "celeba")


@dataclass(frozen=True)
class Cell:
    """One number of one table.

    Attributes:
        table: "table_1" to "table_5", or "supplement_table_1".
        method: the row, e.g. "LBAE (ours)".
        dataset: "mnist", "cifar10" or "celeba".
        column: e.g. "reco"; see the head of ``paper.yaml``.
        value: a number, or (precision, recall).
        source: whose number it is, if not the paper's own.
    """

    table: str
    method: str
    dataset: str
    column: str
    value: Value
    source: str | None


@lru_cache(maxsize=1)
def published_cells() -> tuple[Cell, ...]:
    """Every cell of the paper's tables, in the paper's order."""
    return tuple(
        Cell(table, method, dataset, column, _value(value), row.get("source"))
        for table, content in _content().items()
        for method, row in content["rows"].items()
        for dataset in _DATASETS
        for column, value in row.get(dataset, {}).items()
    )


def published(table: str, method: str, dataset: str, column: str) -> Value | None:
    """One published number, or None where the paper leaves the cell empty.

    Raises:
        KeyError: if there is no such table or method in it.
    """
    row = _content()[table]["rows"][method]
    value = row.get(dataset, {}).get(column)
    return None if value is None else _value(value)


def table_rows(table: str) -> list[tuple[str, str | None]]:
    """The methods of a table in the paper's order, with the source of rows that are others'.

    Raises:
        KeyError: if there is no such table.
    """
    rows = _content()[table]["rows"]
    return [(method, row.get("source")) for method, row in rows.items()]


def table_title(table: str) -> str:
    """The table's caption in a few words.

    Raises:
        KeyError: if there is no such table.
    """
    return str(_content()[table]["title"])


def _value(value: Any) -> Value:
    if isinstance(value, list):
        precision, recall = value
        return (float(precision), float(recall))
    return float(value)


@lru_cache(maxsize=1)
def _content() -> dict[str, Any]:
    text = resources.files("companion.paper").joinpath("tables.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
