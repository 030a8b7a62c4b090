"""Numbers of the reproducibility summary."""

from __future__ import annotations

from typing import Any

from companion.paper.claims import all_claims
from companion.paper.coverage import coverage
from companion.site.results import ResultSet, markdown_table, paper_dataset
from lbae_lib.data.registry import PAPER_DATASETS


def scope(sets: list[ResultSet]) -> str:
    """What was tested on which data, as a sentence in Markdown."""
    own = {paper_dataset(result.place) for result in sets} - {None}
    return (
        f"The book lists {len(all_claims())} claims, and {len(coverage())} figures, tables, "
        "algorithms, equations and passages of the paper and its supplement. It has results of "
        f"{', '.join(result.label for result in sets) or 'no data set yet'}. They cover "
        f"{len(own)} of the paper's {len(PAPER_DATASETS)} data sets.\n"
    )


def trainings_table(sets: list[ResultSet]) -> str:
    """How each model was trained, from its record, as Markdown."""
    rows = [_row(result, record) for result in sets if (record := result.training())]
    header = ("data", "training images", "epochs", "bits", "seed", "time", "device", "commit")
    return markdown_table(header, rows) if rows else "No model was trained yet.\n"


def _row(result: ResultSet, record: dict[str, Any]) -> tuple[str, ...]:
    found, options = record["results"], record["options"]
    bits, made = str(options["network"]["latent_size"]), record["environment"]
    commit = (made["commit"]["hash"] or "–")[:7]
    if "imported" in found:  # weights that were published by others
        return result.label, "–", "imported weights", bits, "–", "–", "–", commit
    device = made.get("device") or found["device"]
    return (
        result.label,
        f"{found['images']['train']:,}",
        str(found["epochs"]),
        bits,
        str(options["training"]["seed"]),
        _time(record["seconds"]),
        f"{made['threads']} CPU threads" if device == "cpu" else device,
        commit,
    )


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
