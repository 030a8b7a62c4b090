"""What the book's pages include: tables over all results, and the reference."""

from typing import Any

from companion.paper.claims import all_claims
from companion.paper.coverage import coverage
from companion.project import project_root
from companion.site.atlas import atlas_table
from companion.site.contents import PACKAGES, across_page
from companion.site.findings import findings_table
from companion.site.page_explorer import explorer_page
from companion.site.performance import SCALING, performance_tables, reliability_table
from companion.site.result_pages import badges
from companion.site.results import (
    ResultSet,
    dataset_title,
    find_results,
    markdown_table,
    paper_dataset,
)
from companion.site.verdict_tables import counts_table, limits_table, verdict_tables
from lbae_lib.data.registry import PAPER_DATASETS
from lbae_lib.files import write_text


def write_generated(
    profile: str, stale: dict[str, list[str]], repository: str, branch: str
) -> None:
    """Write what the book's pages include to ``build/generated/``."""
    sets = find_results(profile)
    generated = {
        "atlas": atlas_table(sets, across_page(profile)),
        "badges": badges(repository, branch),
        "counts": counts_table(sets),
        "explorer": explorer_page(sets),
        "findings": findings_table(sets),
        "front_figures": front_figures(sets),
        "limits": limits_table(),
        "performance": performance_tables(),
        "reliability": reliability_table(),
        "scaling": performance_tables(SCALING),
        "scope": scope(sets),
        "trainings": trainings_table(sets),
        "verdicts": verdict_tables(sets, stale),
    }
    generated |= {f"api_{package}": reference(package) for package in PACKAGES}
    for name, text in generated.items():
        write_text(project_root() / f"build/generated/{name}.md", text)


def reference(package: str) -> str:
    """The source of a package's reference for Sphinx: one section per module, in Markdown."""
    place = "lbae_lib" if package == "base" else f"lbae_lib.{package}"
    folder = project_root().joinpath(*place.split("."))
    about = f"```{{eval-rst}}\n.. automodule:: {place}\n```\n"
    return "\n".join(
        [about]
        + [
            f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {place}.{name}\n"
            "   :members:\n   :member-order: bysource\n```\n"
            for name in sorted(path.stem for path in folder.glob("[a-z]*.py"))
        ]
    )


def front_figures(sets: list[ResultSet]) -> str:
    """The first page's figures, as Markdown: the method, and images with their reconstructions.

    The method is that of the first data set, and the images are from the last one of the paper's;
    a figure that no page has is left out.
    """
    method = _front_figure(
        sets,
        "03_sampling",
        "overview.png",
        "Above: an image, its bits, its reconstruction. Below: a sphere cut by a plane, new bits, "
        "a new image.",
        "Above, an image is encoded as bits and decoded. Below, a random hyperplane samples new "
        "bits, which are decoded.",
    )
    images = _front_figure(
        [result for result in sets if paper_dataset(result.place)][::-1] or sets[::-1],
        "01_training",
        "fig7_reconstructions.png",
        "Pairs of images: a test image, and beside it what the decoder makes of its bits.",
        "Test images, and beside each what the decoder makes of its bits.",
    )
    return method + images


def _front_figure(
    sets: list[ResultSet], page: str, file: str, alternative: str, caption: str
) -> str:
    """A page's figure of the first data set that has it; else ""."""
    for result in sets:
        if (result.file(page).with_suffix("") / file).exists():
            link = result.page(page)
            return (
                f"```{{figure}} /{link}/{file}\n:alt: {alternative}\n:width: 100%\n\n"
                f"{caption} {result.label}, from [this page](/{link}).\n```\n\n"
            )
    return ""


def scope(sets: list[ResultSet]) -> str:
    """What was tested on which data, as a sentence in Markdown."""
    titles = [
        (own, dataset_title(result.place))
        for result in sets
        if (own := paper_dataset(result.place))
    ]
    covered = {theirs for theirs, _ in titles}
    part = " and ".join(sorted(covered - {theirs for theirs, ours in titles if theirs == ours}))
    return (
        f"The book lists {len(all_claims())} claims, and {len(coverage())} figures, tables, "
        "algorithms, equations and passages of the paper and its supplement. It has results of "
        f"{', '.join(result.label for result in sets) or 'no data set yet'}. They cover "
        f"{len(covered)} of the paper's {len(PAPER_DATASETS)} data sets"
        f"{f', {part} in part' if part else ''}.\n"
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
        f"{made['threads']} CPU thread{'s' * (made['threads'] > 1)}" if device == "cpu" else device,
        commit,
    )


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
