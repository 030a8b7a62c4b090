"""The command ``lbae verify``: hashes against records, and notebooks run again and compared."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from companion.experiments.artifacts import LATENTS, MODEL, needed_artifacts
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import RECORD_FILE, has_inputs, read_record
from companion.options import Data, Dataset, Device, Profile, data_root
from companion.project import RUNS, project_root, results_in_force
from companion.workflow.comparison import Check, compare_figures, compare_results
from companion.workflow.notebooks import GIVEN, executed_notebooks, notebook_needs, notebook_path
from companion.workflow.staleness import page_reasons
from lbae_lib.errors import ConfigError, LbaeError
from lbae_lib.files import sha256_file
from lbae_lib.locks import locked

_SCRATCH = "build/verify"
_REMADE = {"latents.safetensors", "checkpoint.safetensors"}  # encoded again, or of no use to a page


def verify(
    dataset: Dataset,
    profile: Profile = "quick",
    data: Data = None,
    device: Device = "auto",
    rerun: Annotated[
        list[str] | None,
        Option("--rerun", "-r", help="A notebook to run again, or all; repeatable."),
    ] = None,
    tolerance: Annotated[
        float, Option(min=0.0, help="Largest relative difference of a number that passes.")
    ] = 0.05,
) -> None:
    """Check hashes of results, run notebooks again and compare.

    Your own runs are checked where there are any, else the published results. With --rerun the
    images are encoded again and the notebooks run on the same models in build/verify/.
    On the machine that made them, results are equal to the last bit; elsewhere a few latent bits
    differ, and numbers within the tolerance pass. Exit status 1: something is not as recorded.

    Example: lbae verify -d digits --rerun 02_latent_distribution
    """
    experiment, root = load_experiment(profile, dataset), data_root(data)
    names = list(rerun or [])
    if "all" in names:
        names = list(_pages(experiment))
    for name in names:
        notebook_path(name)  # an error if there is none
    hashes = check_hashes(experiment, root)
    again = run_again(experiment, root, names, tolerance, device) if names else ()
    passed = True
    for check in chain(hashes, again):
        passed &= check.passed
        typer.echo(f"{'ok  ' if check.passed else 'FAIL'}  {check.what}: {check.found}")
    if not passed:
        raise typer.Exit(1)


def check_hashes(experiment: Experiment, data: Path) -> Iterator[Check]:
    """Compare models, images and notebooks of a data set with the hashes in its records."""
    from companion.experiments.images import load_images  # imports torch

    found = results_in_force(f"{experiment.place}/*/{RECORD_FILE}")
    records = {path.parent.name: read_record(path) for path in found}
    if not records:
        raise LbaeError(f"no records of {experiment.place} to verify: run `lbae report` first")
    pages = _pages(experiment)
    images = load_images(experiment, data).hashes
    for name, record in records.items():
        recorded, model = record["results"].get("model_sha256"), MODEL.path(experiment, name)
        if recorded and not model.exists():
            yield Check(f"{name}, model", f"there is none at {model}", False)
        elif recorded:
            same = sha256_file(model) == recorded
            yield Check(
                f"{name}, model", "the recorded one" if same else "not the recorded one", same
            )
        if images.keys() <= record["inputs"].keys():
            same = has_inputs(record, images)
            yield Check(
                f"{name}, images", "the recorded ones" if same else "not the recorded ones", same
            )
        if name in pages:
            reasons = "; ".join(page_reasons(pages[name]))
            state = f"out of date: {reasons}" if reasons else "up to date"
            yield Check(f"{name}, page", state, not reasons)


def run_again(
    experiment: Experiment, data: Path, notebooks: Sequence[str], tolerance: float, device: str
) -> Iterator[Check]:
    """Encode and run notebooks again in a scratch project, and compare them with the records."""
    root, pages = project_root(), _pages(experiment)
    for name in notebooks:
        if name not in pages:
            raise ConfigError(f"{name} has no results to compare with: run it, or name another")
    scratch = root / _SCRATCH / "project"
    target = scratch / RUNS / experiment.place

    def lbae(*words: str) -> None:
        command = [sys.executable, "-m", "companion.cli", *words, "--device", device]
        command += ["-d", experiment.dataset.name, "-p", experiment.profile, "--data", str(data)]
        environment = os.environ | {"LBAE_ROOT": str(scratch)}
        done = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise LbaeError(f"`lbae {' '.join(words)}` failed in {scratch}; the reason is above")

    with locked(root / _SCRATCH):
        _copy_products(experiment, target, scratch)
        needs = {need for name in notebooks for need in notebook_needs(notebook_path(name))}
        for artifact, model in needed_artifacts(experiment, needs):
            if artifact is LATENTS and MODEL.path(experiment, model).exists():
                lbae(artifact.command, "-m", model)
        for name in notebooks:
            before = pages[name].with_suffix("")
            recorded = read_record(before / RECORD_FILE, {"options.parameters": dict})
            parameters = recorded["options"]["parameters"].items()
            lbae("notebook", name, *(f"-P{k}={_yaml(v)}" for k, v in parameters if k not in GIVEN))
            found = read_record(target / name / RECORD_FILE)
            difference = compare_results(recorded["results"], found["results"])
            yield Check(f"{name}, run again", str(difference), difference.within(tolerance))
            differences = root / _SCRATCH / "differences" / name
            yield compare_figures(before, target / name, differences)


def _pages(experiment: Experiment) -> dict[str, Path]:
    """The executed notebooks on a data set, by name."""
    return {page.stem: page for page in executed_notebooks(experiment.place)}


def _copy_products(experiment: Experiment, target: Path, scratch: Path) -> None:
    """Make the scratch project, with all that notebooks are made of: models, priors, studies."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for part in ("config", "notebooks"):
        (scratch / part).symlink_to(project_root() / part)
    pages = _pages(experiment)
    for record in results_in_force(f"{experiment.place}/*/{RECORD_FILE}"):
        if record.parent.name in pages:
            continue
        folder = target / record.parent.name
        folder.mkdir(parents=True)
        for file in record.parent.iterdir():
            if file.is_file() and file.name not in _REMADE:
                shutil.copy2(file, folder / file.name)


def _yaml(value: object) -> str:
    """A value as YAML reads it, whose small numbers need a point: 1.0e-05."""
    return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))
