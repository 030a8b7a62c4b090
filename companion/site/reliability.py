"""What was done to the companion on purpose, and what happened."""

from __future__ import annotations

from pathlib import Path

from companion.site.results import cell, markdown_table
from lbae_lib.files import read_json

_OUTCOMES = "results/reliability/outcomes.json"


def reliability_table(root: Path) -> str:
    """Each kind of damage and its outcomes, as Markdown; ``root`` is the project's."""
    path = root / _OUTCOMES
    if not path.exists():
        return "Not tried yet.\n"
    rows = []
    for row in read_json(path, "record")["rows"]:
        outcomes = row["happened"]
        happened = "; ".join(
            text if len(outcomes) == 1 else f"{number:,} {text}"
            for text, number in outcomes.items()
        )
        rows.append((row["part"], cell(row["what"]), f"{row['tries']:,}", happened))
    return markdown_table(("what was done", "to what", "times", "what happened"), rows)
