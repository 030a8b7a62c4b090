"""The project's folder."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from lbae_lib.errors import ConfigError


@lru_cache(maxsize=1)
def project_root() -> Path:
    """The folder with ``config/`` and ``notebooks/``.

    It is the working folder or the nearest one above it, or else the folder of the installed
    package; the environment variable ``LBAE_ROOT`` overrides both.

    Raises:
        ConfigError: if there is none.
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
