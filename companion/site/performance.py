"""What the benchmarks measured, and what the tests of reliability did to the companion."""

from collections.abc import Mapping
from pathlib import Path

from companion.project import in_force, project_root, results_in_force
from companion.site.results import cell, markdown_table
from lbae_lib.files import read_json

# Scripts in ``benchmarks/``, which write records of one shape; see ``benchmarks/machine.py``.
BENCHMARKS = {
    "training": "Training",
    "precision": "Mixed precision",
    "memory": "Memory of training at 64 pixels",
    "latent": "Moments, samples, paths",
    "metrics": "Metrics",
    "coding": "Files of bits",
    "explorer": "The explorer",
    "devices": "GPU and processor",
}
SCALING = {
    "scaling-bits": "Against the number of bits",
    "scaling-latents": "Against the number of latents",
    "scaling-training": "Against the size of images and networks",
}


def performance_tables(benchmarks: Mapping[str, str] = BENCHMARKS) -> str:
    """A section per benchmark and a part per machine, as Markdown."""
    sections = []
    for name, title in benchmarks.items():
        records = list(results_in_force(f"performance/{name}-*.json"))
        sections += [f"## {title}", *map(_part, records)]
        if not records:
            sections.append("Not measured yet.")
    return "\n\n".join(sections) + "\n"


def _part(path: Path) -> str:
    found = read_json(path, "record")
    rows = [[_shown(value) for value in row] for row in found["rows"]]
    parts = [
        f"### {found['machine']}",
        f"{found['caption']} PyTorch {found['torch']}.",
        markdown_table(found["header"], rows),
    ]
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


def reliability_table() -> str:
    """Each kind of damage and its outcomes, as Markdown."""
    path = in_force("reliability/outcomes.json")
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
