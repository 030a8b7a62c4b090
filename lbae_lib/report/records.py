"""What was done, with what, from what: one ``record.json`` a run."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from lbae_lib.config import project_root
from lbae_lib.files import sha256_file, write_json

RECORD_FILE = "record.json"
_PACKAGES = (
    "lbae-companion",
    "torch",
    "torchvision",
    "lightning-fabric",
    "numpy",
    "scikit-learn",
    "matplotlib",
)


def environment() -> dict[str, Any]:
    """Commit, versions and machine, as kept in every record.

    The machine is described by what changes results (processor family, threads, accelerator),
    never by its name or its folders.
    """
    import torch

    return {
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def commit() -> dict[str, Any]:
    """The project's commit, and whether files differ from it; None outside a checkout."""
    try:
        head = _git("rev-parse", "HEAD")
        # Results are what a run makes: only what makes them can be dirty.
        changes = _git("status", "--porcelain", "--", ".", ":!results")
    except (OSError, subprocess.CalledProcessError):
        return {"hash": None, "dirty": None}
    return {"hash": head, "dirty": bool(changes)}


def file_hashes(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 by role, of a record's input files."""
    return {role: sha256_file(path) for role, path in files.items()}


def write_record(
    path: Path,
    kind: str,
    options: Mapping[str, Any],
    inputs: Mapping[str, str],
    results: Mapping[str, Any],
    seconds: float,
    made_in: Mapping[str, Any] | None = None,
) -> None:
    """Write a record, whole or not at all.

    Args:
        path: the JSON file.
        kind: what was run, e.g. "train" or "02_latent_distribution".
        options: every option of the run, seeds and device included.
        inputs: SHA-256 by role.
        results: what was found; JSON values only.
        seconds: wall time.
        made_in: :func:`environment` at the start of a long run; by default, as it is now.
    """
    content = {
        "kind": kind,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "options": dict(options),
        "inputs": dict(inputs),
        "results": dict(results),
        "environment": dict(made_in or environment()),
    }
    write_json(path, content)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(project_root()), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
