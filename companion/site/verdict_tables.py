"""The verdicts of all pages at a glance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from companion.experiments.records import VERDICTS
from companion.site.results import ResultSet, cell, markdown_table

_CLASSES = dict(zip(VERDICTS.values(), ("lbae-holds", "lbae-fails", "lbae-open"), strict=True))


def verdict_tables(sets: list[ResultSet], stale: Collection[str] = ()) -> str:
    """Every claim and its verdict on each data set, one table per notebook, as Markdown.

    Args:
        sets: the data sets' pages.
        stale: pages that are out of date, and marked so.
    """
    parts = []
    for notebook in sorted({name for result in sets for name in result.notebooks}):
        executed = [result for result in sets if notebook in result.notebooks]
        found = {result: result.verdicts(notebook) for result in executed}
        rows = []
        for claim in dict.fromkeys(v["claim"] for verdicts in found.values() for v in verdicts):
            cells = [cell(claim)]
            for result, verdicts in found.items():
                page = result.page(notebook)
                own = [v["verdict"] for v in verdicts if v["claim"] == claim]
                links = ", ".join(f"[[{v}](/{page})]{{.{_CLASSES[v]}}}" for v in own)
                cells.append(links + " (out of date)" * bool(own and page in stale))
            rows.append(cells)
        if rows:
            title = _title(executed[0].file(notebook))
            header = ("claim of the paper", *(result.label for result in executed))
            parts.append(f"## {title}\n\n{markdown_table(header, rows)}")
    return "\n".join(parts)


def counts_table(sets: list[ResultSet]) -> str:
    """How many claims hold on each data set, as Markdown."""
    rows = []
    for result in sets:
        verdicts = [v for name in result.notebooks for v in result.verdicts(name)]
        number = Counter(v["verdict"] for v in verdicts)
        rows.append((result.label, *(str(number[verdict]) for verdict in VERDICTS.values())))
    return markdown_table(("data", *VERDICTS.values()), rows)


def _title(notebook: Path) -> str:
    """The first heading of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].removeprefix("# ")
