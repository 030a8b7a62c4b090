"""The paper's numbers, read from ``tables.yaml`` and nowhere else."""

from functools import cache
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from lbae_lib.data.registry import PAPER_DATASETS

Value = float | tuple[float, float]


def published(table: str, method: str, dataset: str, column: str) -> Value | None:
    """One published number or pair (precision, recall); None where the paper has an empty cell.

    Args:
        table: "table_1" to "table_5", or "supplement_table_1".
        method: the row, e.g. "LBAE (ours)".
        dataset: "mnist", "cifar10" or "celeba".
        column: see the head of ``tables.yaml``.
    """
    value = _content()[table][method].get(dataset, {}).get(column)
    if isinstance(value, list):
        precision, recall = value
        return float(precision), float(recall)
    return None if value is None else float(value)


@cache
def published_cells(table: str) -> pd.DataFrame:
    """The cells of a table in the paper's order: method, source, dataset, column, value.

    ``source`` says whose numbers a row has, if not the paper's own; else it is None. ``value`` is
    that of :func:`published`.
    """
    cells = [
        (method, row.get("source"), dataset, column, published(table, method, dataset, column))
        for method, row in _content()[table].items()
        for dataset in PAPER_DATASETS
        for column in row.get(dataset, {})
    ]
    return pd.DataFrame(
        cells, columns=["method", "source", "dataset", "column", "value"], dtype=object
    )


@cache
def _content() -> dict[str, Any]:
    text = resources.files("companion.paper").joinpath("tables.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
