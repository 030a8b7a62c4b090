"""Checking results: hashes against records, and notebooks run again beside the recorded ones."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageOps, ImageStat

from companion.experiments.datasets import load_dataset
from companion.experiments.profiles import Experiment
from companion.experiments.records import RECORD_FILE, read_record
from companion.experiments.runs import split_images
from companion.project import project_root
from companion.workflow.plan import notebook_needs
from companion.workflow.staleness import stale_reasons
from lbae_lib.errors import ConfigError, LbaeError
from lbae_lib.files import sha256_file, sha256_tensor
from lbae_lib.locks import locked
from lbae_lib.models.model_files import MODEL_FILE

# Results that tell of the machine, not of the method.
_MEASURED = ("seconds", "images_per_second", "MiB", "evidence", "device")
_TINY = 1e-6  # below it, two numbers count as equal
_FIGURE_TOLERANCE = 0.1  # mean difference of a drawn pixel, as a share of black to white
_KEPT = (MODEL_FILE, RECORD_FILE, "progress.jsonl")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: e.g. "03_sampling, run again".
        found: in words.
        passed: whether it is as recorded.
    """

    what: str
    found: str
    passed: bool


@dataclass(frozen=True)
class Difference:
    """How two records' results compare.

    Attributes:
        numbers: how many were compared.
        equal: how many are the same to the last bit.
        largest: relative difference, 0 if all are equal.
        where: the path of the largest.
        other: paths where something else than a number differs.
    """

    numbers: int
    equal: int
    largest: float
    where: str
    other: tuple[str, ...]


def compare_results(recorded: Any, found: Any) -> Difference:
    """Compare two records' "results", number by number; times and evidence do not count."""
    left, right = dict(_leaves(recorded)), dict(_leaves(found))
    other = sorted(left.keys() ^ right.keys())
    numbers = equal = 0
    largest, where = 0.0, ""
    for path in left.keys() & right.keys():
        a, b = left[path], right[path]
        if not (_is_number(a) and _is_number(b)):
            other += [path] if a != b else []
            continue
        numbers += 1
        equal += a == b
        scale = max(abs(a), abs(b))
        difference = 0.0 if scale < _TINY else abs(a - b) / scale
        if difference > largest:
            largest, where = difference, path
    return Difference(numbers, equal, largest, where, tuple(sorted(other)))


def check_hashes(experiment: Experiment, data_root: Path) -> list[Check]:
    """Models, images and notebooks of a data set against the hashes in its records.

    Raises:
        LbaeError: if there is no record, or the images cannot be read.
    """
    folder = experiment.folder
    records = {p.parent.name: read_record(p) for p in sorted(folder.glob(f"*/{RECORD_FILE}"))}
    if not records:
        raise LbaeError(f"no records in {folder}: nothing to verify; run `lbae report` first")
    splits = split_images(load_dataset(experiment.dataset, data_root), experiment)
    images = {name: sha256_tensor(part.images) for name, part in splits.items()}
    checks = []
    for name, record in records.items():
        recorded, model = record["results"].get("model_sha256"), folder / name / MODEL_FILE
        if recorded and not model.exists():
            checks.append(Check(f"{name}, model", f"there is none at {model}", False))
        elif recorded:
            same = sha256_file(model) == recorded
            checks.append(_check(f"{name}, model", same, "the recorded one", "another one"))
        if record["inputs"].keys() == images.keys():
            same = record["inputs"] == images
            checks.append(_check(f"{name}, images", same, "the recorded ones", "other ones"))
        if (folder / f"{name}.ipynb").exists():
            reasons = stale_reasons(folder / f"{name}.ipynb")
            text = "; ".join(reasons)
            checks.append(_check(f"{name}, page", not reasons, "up to date", f"older: {text}"))
    return checks


def rerun(
    experiment: Experiment, data_root: Path, notebooks: Sequence[str], tolerance: float
) -> Iterator[Check]:
    """Encode anew and run notebooks again in a folder apart, and compare with the records.

    Args:
        experiment: the data set and profile.
        data_root: where torchvision's data sets are.
        notebooks: names; each needs a record.
        tolerance: largest relative difference of a number.

    Raises:
        ConfigError: if a notebook has no record.
        LbaeError: if a step fails.
    """
    folder = experiment.folder
    for name in notebooks:
        if not (folder / name / RECORD_FILE).exists():
            raise ConfigError(f"{name} has no record in {folder}: run it first, or name another")
    with locked(project_root() / "build/verify"):
        yield from _rerun(experiment, data_root, notebooks, tolerance)


def _rerun(
    experiment: Experiment, data_root: Path, notebooks: Sequence[str], tolerance: float
) -> Iterator[Check]:
    folder, root = experiment.folder, project_root()
    scratch = root / "build/verify/project"
    shutil.rmtree(scratch, ignore_errors=True)
    apart = scratch / folder.relative_to(root)
    scratch.mkdir(parents=True)
    for part in ("config", "notebooks"):
        (scratch / part).symlink_to(root / part)
    encoders = _encoders(experiment, notebooks)
    for model in sorted(folder.glob(f"*/{MODEL_FILE}")):
        (apart / model.parent.name).mkdir(parents=True)
        for file in _KEPT:
            if (model.parent / file).exists():
                shutil.copy2(model.parent / file, apart / model.parent.name / file)
        if model.parent.name in encoders:
            _lbae(scratch, experiment, data_root, "encode", "-m", model.parent.name)
    for name in notebooks:
        recorded = read_record(folder / name / RECORD_FILE, {"options.parameters": dict})
        words = [f"-P{k}={_yaml(v)}" for k, v in recorded["options"]["parameters"].items()]
        _lbae(scratch, experiment, data_root, "notebook", name, *words)
        found = read_record(apart / name / RECORD_FILE)
        difference = compare_results(recorded["results"], found["results"])
        yield Check(f"{name}, run again", _described(difference), _within(difference, tolerance))
        yield compare_figures(folder / name, apart / name, root / "build/verify/differences" / name)


def compare_figures(recorded: Path, found: Path, differences: Path) -> Check:
    """Compare the PNG figures of two runs; where they differ, write both and their difference.

    Args:
        recorded: folder of the kept figures.
        found: folder of the new ones.
        differences: where pictures of kept, new and difference go, side by side.
    """
    names = sorted({p.name for folder in (recorded, found) for p in folder.glob("*.png")})
    equal, largest, missing = 0, 0.0, []
    for name in names:
        try:
            pictures = [Image.open(folder / name).convert("RGB") for folder in (recorded, found)]
        except OSError:  # not there, or damaged
            missing.append(name)
            continue
        size = (max(p.width for p in pictures), max(p.height for p in pictures))
        old, new = (_on_white(picture, size) for picture in pictures)
        difference = ImageChops.difference(old, new)
        # Where either picture has ink: most of a plot is white in both.
        ink = ImageChops.invert(ImageChops.darker(old, new)).convert("L")
        drawn = ink.point(lambda level: 255 if level else 0)
        share = sum(ImageStat.Stat(difference, drawn).mean) / (3 * 255) if drawn.getbbox() else 0.0
        equal += share == 0
        largest = max(largest, share)
        if share:
            differences.mkdir(parents=True, exist_ok=True)
            both = Image.new("RGB", (3 * size[0], size[1]))
            for index, picture in enumerate((old, new, ImageOps.invert(difference))):
                both.paste(picture, (index * size[0], 0))
            both.save(differences / name)
    text = f"{equal} of {len(names)} figures equal"
    if largest:
        text += f", largest mean difference of a drawn pixel {largest:.2%}; see {differences}"
    if missing:
        text += f"; only one of the runs has a readable {', '.join(missing)}"
    return Check(f"{recorded.name}, figures", text, not missing and largest <= _FIGURE_TOLERANCE)


def _on_white(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    page = Image.new("RGB", size, "white")
    page.paste(picture)
    return page


def _yaml(value: object) -> str:
    """A value as YAML reads it, whose small numbers need a point: 1.0e-05."""
    return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))


def _encoders(experiment: Experiment, notebooks: Sequence[str]) -> set[str]:
    """The models whose latents the notebooks read."""
    paths = (project_root() / "notebooks" / f"{name}.ipynb" for name in notebooks)
    needs = {"lbae"}.union(*(notebook_needs(path) for path in paths))
    sizes = experiment.rates if "rates" in needs else ()
    return (needs & {"lbae", "vae"}) | {f"lbae-{size}" for size in sizes}


def _within(difference: Difference, tolerance: float) -> bool:
    return not difference.other and difference.largest <= tolerance


def _described(difference: Difference) -> str:
    text = f"{difference.equal} of {difference.numbers} numbers equal"
    if difference.largest:
        text += f", largest relative difference {difference.largest:.2g} ({difference.where})"
    if difference.other:
        text += f"; other than recorded: {', '.join(difference.other[:5])}"
        text += f" and {len(difference.other) - 5} more" if len(difference.other) > 5 else ""
    return text


def _check(what: str, passed: bool, good: str, bad: str) -> Check:
    return Check(what, good if passed else bad, passed)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text with where it stands, but for what the machine decides."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not any(key == word or key.endswith(f"_{word}") for word in _MEASURED):
                yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _lbae(root: Path, experiment: Experiment, data_root: Path, step: str, *words: str) -> None:
    """Run a step in another project folder, its progress shown."""
    command = [sys.executable, "-m", "companion.cli", step, *words]
    command += ["-d", experiment.dataset.name, "-p", experiment.profile, "--data", str(data_root)]
    done = subprocess.run(
        command, cwd=project_root(), env=os.environ | {"LBAE_ROOT": str(root)}, text=True,
        stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LbaeError(f"`lbae {step} {' '.join(words)}` failed in {root}; the reason is above")
