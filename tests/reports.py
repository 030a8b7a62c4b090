"""A smoke report made once for all tests, and what they ask of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import PROJECT

INDEX = "build/_build/html/index.html"
PARTS = (
    "lbae_lib",
    "companion",
    "notebooks",
    "config",
    "profiles",
    "book",
    "Snakefile",
    "_config.yml",
)


def lbae(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # The copy's library, not the installed one.
    environment = os.environ | {"PYTHONPATH": str(project), "LBAE_ROOT": str(project)}
    return subprocess.run(
        [sys.executable, "-m", "companion.cli", *words],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def results(project: Path) -> Path:
    """The digits' own runs."""
    return project / "runs/smoke/digits"


def outdated(project: Path) -> set[str]:
    """Steps that a report would run, e.g. "notebook 03_sampling"."""
    done = lbae(project, "report", "-p", "smoke", "-d", "digits", "--dry-run")
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("digits: ") for line in done.stdout.splitlines()]
    return {line.partition(": ")[0] for line in lines} - {"Nothing to be done."}


def make_report(folder: Path) -> None:
    """Copy the project to a new folder and run `lbae report -p smoke -d digits` there."""
    folder.mkdir()
    for part in PARTS:
        source = PROJECT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / part)
    done = lbae(folder, "report", "-p", "smoke", "-d", "digits")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1].endswith(INDEX)
