"""The paper's numbers, read from ``tables.yaml`` and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from lbae_lib.data.registry import PAPER_DATASETS

Value = float | tuple[float, float]


@dataclass(frozen=True)
class PublishedRow:
    """What a table says of one method.

    Attributes:
        source: whose numbers these are, if not the paper's own.
        cells: by data set ("mnist", "cifar10", "celeba") and column (see ``tables.yaml``), a
            number or (precision, recall); a cell that the paper leaves empty is absent.
    """

    source: str | None
    cells: Mapping[tuple[str, str], Value]


@cache
def published_rows(table: str) -> dict[str, PublishedRow]:
    """A table's rows by method, e.g. "LBAE (ours)", in the paper's order.

    Args:
        table: "table_1" to "table_5", or "supplement_table_1".

    Raises:
        KeyError: if there is no such table.
    """
    text = resources.files("companion.paper").joinpath("tables.yaml").read_text(encoding="utf-8")
    return {
        method: PublishedRow(
            row.get("source"),
            {
                (dataset, column): _value(value)
                for dataset in PAPER_DATASETS
                for column, value in row.get(dataset, {}).items()
            },
        )
        for method, row in yaml.safe_load(text)[table].items()
    }


def published(table: str, method: str, dataset: str, column: str) -> Value | None:
    """One published number, or None where the paper leaves the cell empty.

    Raises:
        KeyError: if there is no such table or method in it.
    """
    return published_rows(table)[method].cells.get((dataset, column))


def _value(value: Any) -> Value:
    if isinstance(value, list):
        precision, recall = value
        return (float(precision), float(recall))
    return float(value)
