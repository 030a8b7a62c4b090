"""What the book says over all results: the atlas, verdicts at a glance, the picture in front."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from companion.experiments.records import SCORES, VERDICTS, comparable, read_record
from lbae_lib.files import read_json

_PERFORMANCE = "results/performance"
_RELIABILITY = "results/reliability/outcomes.json"
_OVERVIEW = "03_sampling/overview.png"
_CLASSES = dict(zip(VERDICTS.values(), ("lbae-holds", "lbae-fails", "lbae-open"), strict=True))

# Figure or table of the paper -> what it shows, and the notebook that re-makes it.
ATLAS = (
    ("Figure 1", "the bottleneck: tanh, sign, straight-through gradient", "01_training"),
    ("Figure 2", "training latents, direct rounding, random hyperplanes", "02_latent_distribution"),
    ("Figure 3", "bits as unit vectors on a sphere", "02_latent_distribution"),
    ("Figure 4", "a random hyperplane gives them signs", "02_latent_distribution"),
    ("Figure 5", "images from uniform bits", "03_sampling"),
    ("Figure 6", "precision/recall curves", "05_metrics"),
    ("Figure 7", "reconstructions of test images", "01_training"),
    ("Figure 8", "novel samples", "03_sampling"),
    ("Figure 9", "Hamming distance along interpolations", "04_interpolation"),
    ("Figure 10", "interpolations between test images", "04_interpolation"),
    ("Figure 11", "attribute editing", "07_attributes"),
    ("Algorithm 1", "from a latent to a hyperplane", "04_interpolation"),
    ("Table 1", "FID", "05_metrics"),
    ("Table 2", "KID", "05_metrics"),
    ("Table 3", "resolutions, latent sizes, epochs", "05_metrics"),
    ("Table 4", "precision/recall", "05_metrics"),
    ("Table 5", "Gaussian mixtures on latents", "05_metrics"),
    ("Supplement, Figures 1-2", "the network", "01_training"),
    (
        "Supplement, Figures 3-12",
        "more reconstructions, samples, interpolations, edits",
        "11_gallery",
    ),
    ("Supplement, Table 1", "compression", "09_compression"),
)


@dataclass(frozen=True)
class ResultSet:
    """Executed notebooks of one data set in one profile.

    Attributes:
        folder: ``results/<profile>/<data set>``, relative to the project.
        title: for the table of contents.
        notebooks: names, in order.
    """

    folder: Path
    title: str
    notebooks: tuple[str, ...]


def find_results(root: Path, profile: str) -> list[ResultSet]:
    """Every data set with executed notebooks, the paper's own data first."""
    from lbae_lib.data.registry import DATASETS

    found = []
    for folder in sorted((root / "results").glob("*/*")):
        names = tuple(sorted(p.stem for p in folder.glob("[0-9]*.ipynb") if ".log" not in p.name))
        if not names or not comparable(folder.parent.name, profile):
            continue
        info = DATASETS.get(folder.name)
        title = info.title if info else _own_title(folder)
        found.append(
            ResultSet(folder.relative_to(root), f"{title} (profile {folder.parent.name})", names)
        )
    return sorted(found, key=lambda s: ("digits" in s.folder.parts, s.folder.as_posix()))


def _own_title(folder: Path) -> str:
    """Of a folder of images, as its profile has it: the training's record knows."""
    path = folder / "lbae/record.json"
    if not path.exists():
        return folder.name
    record = read_record(path, {"options.dataset.title": str})
    return str(record["options"]["dataset"]["title"])


def atlas_table(root: Path, sets: list[ResultSet], across: str | None) -> str:
    """Figure or table of the paper, the pages that re-make it and what they found, in Markdown.

    Args:
        root: of the project.
        sets: the data sets' pages.
        across: the page on all data sets, which has all tables, if there is one.
    """
    lines = ["| paper | shows | here, and claims of the page that hold |", "| --- | --- | --- |"]
    for item, shows, notebook in ATLAS:
        links = [
            f"[{_plain(result.title)}](/{result.folder.as_posix()}/{notebook})"
            f"{_tally(root, result, notebook)}"
            for result in sets
            if notebook in result.notebooks
        ]
        if across and notebook == SCORES:
            links.insert(0, f"[all data](/{across})")
        lines.append(f"| {item} | {shows} | {', '.join(links) or 'not yet'} |")
    return "\n".join(lines) + "\n"


def _tally(root: Path, result: ResultSet, notebook: str) -> str:
    """How many of a page's claims hold, of those that it measures: " (2 of 3)"."""
    found = Counter(v["verdict"] for v in _verdicts(root, result, notebook))
    holds, fails = (found[VERDICTS[measured]] for measured in (True, False))
    return f" ({holds} of {holds + fails})" if holds + fails else ""


def verdict_tables(root: Path, sets: list[ResultSet], stale: Collection[str] = ()) -> str:
    """Every claim and what came of it on each data set, a Markdown table a page.

    Args:
        root: of the project.
        sets: the data sets' pages.
        stale: pages older than what they are made of; marked "older".
    """
    parts = []
    for notebook in sorted({name for result in sets for name in result.notebooks}):
        made = [result for result in sets if notebook in result.notebooks]
        found = {result.folder: _verdicts(root, result, notebook) for result in made}
        claims = list(dict.fromkeys(v["claim"] for those in found.values() for v in those))
        if not claims:
            continue
        lines = [f"## {_title(root / made[0].folder / f'{notebook}.ipynb')}", ""]
        lines += [f"| claim of the paper | {' | '.join(_plain(result.title) for result in made)} |"]
        lines += ["| --- |" + " --- |" * len(made)]
        for claim in claims:
            cells = []
            for result in made:
                page = f"/{result.folder.as_posix()}/{notebook}"
                own = [v["verdict"] for v in found[result.folder] if v["claim"] == claim]
                older = " (older)" if own and page[1:] in stale else ""
                links = ", ".join(f"[[{v}]({page})]{{.{_CLASSES[v]}}}" for v in own)
                cells.append(links + older)
            lines.append(f"| {_cell(claim)} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def counts_table(root: Path, sets: list[ResultSet]) -> str:
    """How many claims hold on each data set, as a Markdown table.

    Args:
        root: of the project.
        sets: the data sets' pages.
    """
    lines = [f"| data | {' | '.join(VERDICTS.values())} |", "| --- |" + " --- |" * len(VERDICTS)]
    for result in sets:
        verdicts = [v for name in result.notebooks for v in _verdicts(root, result, name)]
        number = Counter(v["verdict"] for v in verdicts)
        lines.append(
            f"| {_plain(result.title)} | {' | '.join(str(number[v]) for v in VERDICTS.values())} |"
        )
    return "\n".join(lines) + "\n"


def overview_figure(root: Path, sets: list[ResultSet]) -> str:
    """The method in one picture, from the first data set that has it, as Markdown.

    Args:
        root: of the project.
        sets: the data sets' pages.
    """
    for result in sets:
        path = result.folder / _OVERVIEW
        if (root / path).exists():
            return (
                f"```{{figure}} /{path.as_posix()}\n"
                ":alt: Above: an image, its bits, its reconstruction. Below: a sphere cut by a "
                "plane, new bits, a new image.\n:width: 100%\n\n"
                "An image becomes bits and an image again; a random hyperplane draws new bits. "
                f"{_plain(result.title)}; made on [this page](/{path.parent.as_posix()}).\n```\n"
            )
    return ""


def performance_tables(root: Path) -> str:
    """What the benchmarks measured, a section each and a part a machine, as Markdown.

    Args:
        root: of the project.
    """
    folder = root / _PERFORMANCE
    sections = []
    for benchmark, (title, describe) in _BENCHMARKS.items():
        parts = [
            f"### {(found := json.loads(path.read_text(encoding='utf-8')))['machine']}\n\n"
            + describe(found, path.with_suffix(".png").relative_to(root).as_posix())
            for path in sorted(folder.glob(f"{benchmark}-*.json"))
        ]
        sections += [f"## {title}", *(parts or ["Not measured yet."])]
    return "\n\n".join(sections) + "\n"


def reliability_table(root: Path) -> str:
    """What was done to the companion on purpose and what happened, as Markdown.

    Args:
        root: of the project.
    """
    path = root / _RELIABILITY
    if not path.exists():
        return "Not tried yet.\n"
    lines = ["| what was done | to what | times | what happened |", "| --- | --- | --- | --- |"]
    for row in read_json(path, "record")["rows"]:
        found = row["happened"]
        happened = "; ".join(
            text if len(found) == 1 else f"{number:,} {text}" for text, number in found.items()
        )
        lines.append(f"| {row['part']} | {_cell(row['what'])} | {row['tries']:,} | {happened} |")
    return "\n".join(lines) + "\n"


def _training_benchmark(found: dict[str, Any], picture: str) -> str:
    options = found["options"]
    rows = "\n".join(
        f"| {label} | {own['images_per_second']:,.1f} | {own['precision']} | "
        f"{own['peak_MiB']:,.0f} | {own['share_of_products']:.0%} | "
        f"{own['seconds_to_target']:.1f} |"
        for label, own in (("plain", found["plain"]), ("lbae_lib", found["library"]))
    )
    loss = f"a validation loss of {found['target']:.1f}" if "target" in found else "the loss"
    return (
        f"Network of width {options['width']} for {options['channels']} × {options['size']} × "
        f"{options['size']} pixels and {options['latent']} bits, batches of {options['batch']}, "
        f"{options['seconds']:g} s a loop, PyTorch {found['torch']}. Ratio of images a second: "
        f"**{found['ratio']:.2f}**.\n\n"
        "| loop | images/s | precision | peak memory, MiB | share of matrix products | "
        f"to {loss}, s |\n| --- | --- | --- | --- | --- | --- |\n{rows}\n\n"
        f"```{{figure}} /{picture}\n:alt: Roofs of copies and matrix products, and two points "
        "below them.\n:width: 70%\n\nBoth loops under what the machine can do.\n```"
    )


def _function_benchmark(found: dict[str, Any], _picture: str) -> str:
    rows = []
    for row in found["rows"]:
        theirs, ours = row["seconds"]
        memory = " | ".join(f"{value:,.0f}" for value in row["MiB"]) if "MiB" in row else " | "
        rows.append(
            f"| {row['task']} | {row['reference']} | {theirs:.2f} | {ours:.2f} | "
            f"**{theirs / ours:.1f}** | {memory} |"
        )
    text = (
        f"PyTorch {found['torch']}.\n\n"
        "| task | reference | its seconds | lbae_lib, seconds | ratio | its memory, MiB | "
        "lbae_lib, MiB |\n| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows)
    )
    if "repairs" in found:
        negative, size = found["negative"]
        times = "; ".join(
            f"{own['repair']} {own['seconds']:.1f} s ({own['iterations']} "
            f"{'iteration' if own['iterations'] == 1 else 'iterations'}, "
            f"{own['off_H']:.2f} from H)"
            for own in found["repairs"]
        )
        text += (
            f"\n\nRepairs of a matrix H with {negative} of {size:,} eigenvalues negative: {times}."
        )
    return text


def _coding_benchmark(found: dict[str, Any], _picture: str) -> str:
    rows = "\n".join(
        f"| {row['coder']} | {row['bits']:.2f} | {row['entropy']:.2f} | {row['encode']:,.1f} | "
        f"{row['decode']:,.1f} |"
        for row in found["rows"]
    )
    return (
        f"{found['latents']:,} test latents of {found['dataset']} in one stream, PyTorch "
        f"{found['torch']}.\n\n| coder | bits an image, in the file | by the model | "
        f"encode, Mbit/s | decode, Mbit/s |\n| --- | --- | --- | --- | --- |\n{rows}"
    )


def _explorer_benchmark(found: dict[str, Any], _picture: str) -> str:
    rows = "\n".join(
        f"| {row['panel']} | {row['slider']} | {row['median']:.0f} | {row['longest']:.0f} |"
        for row in found["rows"]
    )
    return (
        f"The model of {found['dataset']}, {found['steps']} steps of each slider, PyTorch "
        f"{found['torch']}.\n\n| panel | slider | median, ms | longest, ms |\n"
        f"| --- | --- | --- | --- |\n{rows}"
    )


def _precision_benchmark(found: dict[str, Any], _picture: str) -> str:
    names = list(found["losses"])
    rows = "\n".join(
        f"| {seed} | {' | '.join(f'{loss:.3f}' for loss in losses)} |"
        for seed, losses in enumerate(zip(*found["losses"].values(), strict=True))
    )
    within = "within" if abs(found["difference"]) <= found["spread"] else "more than"
    imitated = "" if found["native"] else " The processor has no units for it and imitates them."
    return (
        f"{found['images']:,} training images of {found['dataset']}, width {found['width']}, "
        f"{found['latent_size']} bits, {found['epochs']} epochs, batches of {found['batch']}, "
        f"PyTorch {found['torch']}; loss of {found['validation_images']:,} validation images. "
        f"In mixed precision the mean is {found['difference']:+.3f}, {within} the standard "
        f"deviation over seeds, {found['spread']:.3f}.{imitated}\n\n"
        f"| seed | {' | '.join(names)} |\n| --- |{' --- |' * len(names)}\n{rows}"
    )


def _memory_benchmark(found: dict[str, Any], _picture: str) -> str:
    rows = "\n".join(
        f"| {row['images']:,} | {row['images_MiB']:,.0f} | {row['peak_MiB']:,.0f} |"
        for row in found["rows"]
    )
    return (
        f"Random images of 3 × 64 × 64 pixels, network of width {found['width']}, batches of "
        f"{found['batch']}, PyTorch {found['torch']}.\n\n| training images | their bytes, MiB | "
        f"peak memory, MiB |\n| --- | --- | --- |\n{rows}"
    )


_BENCHMARKS = {
    "training": ("Training", _training_benchmark),
    "precision": ("Mixed precision", _precision_benchmark),
    "memory": ("Memory of training at 64 pixels", _memory_benchmark),
    "latent": ("Moments, samples, paths", _function_benchmark),
    "metrics": ("Metrics", _function_benchmark),
    "coding": ("Files of bits", _coding_benchmark),
    "explorer": ("The explorer", _explorer_benchmark),
}


def _verdicts(root: Path, result: ResultSet, notebook: str) -> list[dict[str, Any]]:
    record = root / result.folder / notebook / "record.json"
    return list(read_record(record)["results"].get("verdicts", []))


def _title(notebook: Path) -> str:
    """The first heading of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].removeprefix("# ")


def _plain(title: str) -> str:
    """A title as MyST text, on one line: that of a folder of images may hold anything."""
    return re.sub(r"([\\`*_{}\[\]<>&|$~!#])", r"\\\1", " ".join(title.split()))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
