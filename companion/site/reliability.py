"""What was done to the companion on purpose, and what happened."""

from __future__ import annotations

from companion.project import in_force
from companion.site.results import cell, markdown_table
from lbae_lib.files import read_json

_OUTCOMES = "reliability/outcomes.json"


def reliability_table() -> str:
    """Each kind of damage and its outcomes, as Markdown."""
    path = in_force(_OUTCOMES)
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
