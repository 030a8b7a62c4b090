"""What the benchmarks measured."""

from __future__ import annotations

import json
from pathlib import Path

from companion.project import project_root, results_in_force
from companion.site.results import markdown_table

# Scripts in ``benchmarks/``, which write records of one shape; see ``benchmarks/machine.py``.
BENCHMARKS = {
    "training": "Training",
    "precision": "Mixed precision",
    "memory": "Memory of training at 64 pixels",
    "latent": "Moments, samples, paths",
    "metrics": "Metrics",
    "coding": "Files of bits",
    "explorer": "The explorer",
}


def performance_tables() -> str:
    """A section per benchmark and a part per machine, as Markdown."""
    sections = []
    for name, title in BENCHMARKS.items():
        records = list(results_in_force(f"performance/{name}-*.json"))
        sections += [f"## {title}", *(_part(path, name) for path in records)]
        if not records:
            sections.append("Not measured yet.")
    return "\n\n".join(sections) + "\n"


def _part(path: Path, name: str) -> str:
    found = json.loads(path.read_text(encoding="utf-8"))
    parts = [f"### {found['machine']}"]
    if "header" not in found:
        return f"{parts[0]}\n\nMeasured by an earlier version: run `python benchmarks/{name}.py`."
    rows = [[_shown(value) for value in row] for row in found["rows"]]
    parts += [f"{found['caption']} PyTorch {found['torch']}."]
    parts += [markdown_table(found["header"], rows)]
    if "figure" in found:
        figure = path.relative_to(project_root()).with_suffix(".png").as_posix()
        text = found["figure"]
        parts.append(
            f"```{{figure}} /{figure}\n:alt: {text['alt']}\n:width: 70%\n\n{text['caption']}\n```"
        )
    return "\n\n".join(parts)


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
