"""The project's folder, and where results are: the user's own runs, and what is published."""

import os
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from lbae_lib.errors import ConfigError

RUNS = "runs"  # the user's own, which git ignores
PUBLISHED = "results"  # tracked; only `lbae publish` writes there
_places = [RUNS, PUBLISHED]  # where results are looked for


@lru_cache(maxsize=1)
def project_root() -> Path:
    """The folder with ``config/`` and ``notebooks/``; ``ConfigError`` if there is none.

    It is the working folder or the nearest one above it, or else the folder of the installed
    package; the environment variable ``LBAE_ROOT`` overrides both.
    """
    override = os.environ.get("LBAE_ROOT")
    here = Path.cwd()
    package = Path(__file__).resolve().parent.parent
    candidates = [Path(override)] if override else [here, *here.parents, package]
    for folder in candidates:
        if (folder / "config").is_dir() and (folder / "notebooks").is_dir():
            return folder.resolve()
    raise ConfigError(
        f"no project at {override or here}, which needs the folders config/ and notebooks/: work "
        "inside a clone, or name one in the environment variable LBAE_ROOT"
    )


def in_force(path: str | Path) -> Path:
    """A result, by its path below ``runs/`` and ``results/``: the user's own, or the published one.

    Without either, its place in ``runs/``.
    """
    candidates = [project_root() / place / path for place in _places]
    return next((file for file in candidates if file.exists()), candidates[0])


def results_in_force(pattern: str) -> Iterator[Path]:
    """All results that match a pattern below ``runs/`` and ``results/``; see :func:`in_force`."""
    places = [project_root() / place for place in _places]
    found = {file.relative_to(place) for place in places for file in place.glob(pattern)}
    return map(in_force, sorted(found))


def ignore_own_runs() -> None:
    """From now on, look for published results alone; for the published book."""
    _places[:] = [PUBLISHED]


def replace_folder(new: Path, old: Path) -> None:
    """Put a folder of results in the place of another, which may be missing."""
    aside = new.with_name(f"{new.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


def is_published(path: Path) -> bool:
    """Whether a result is a published one."""
    return path.is_relative_to(project_root() / PUBLISHED)
