"""Records: what was done, with which options, from which inputs; a ``record.json`` for each run.

Quick to import: the command line and the workflow read records at every call.
"""

import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from companion.project import project_root
from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_json, write_json
from lbae_lib.locks import locked

RECORD_FILE = "record.json"
# Kinds of records; a page's is its name.
IMPORTED = "import"  # weights that were not trained here
SCORES = "05_metrics"
TABLES = "06_tables"
# Words of verdicts: those of companion.paper.decisions.Outcome, and one of earlier versions.
VERDICT_WORDS = (
    "holds", "does not hold", "undecided", "not tested here", "not applicable",
    "not measurable here",
)  # fmt: skip
_DIGEST_KEY = "content_sha256"
_KEYS = {"kind", "finished", "seconds", "options", "inputs", "results", "environment"}
_PACKAGES = (
    "lbae-companion", "torch", "torchvision", "lightning-fabric", "numpy", "scikit-learn",
    "matplotlib",
)  # fmt: skip


def environment(device: str = "cpu") -> dict[str, Any]:
    """Commit, versions and machine, as kept in every record; a GPU is recorded by its model.

    The machine is described by what changes results (processor family, threads, device), never by
    its name or its folders.
    """
    import torch

    return {
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": "cpu" if device == "cpu" else torch.cuda.get_device_name(device),
    }


def commit() -> dict[str, Any]:
    """The project's commit, and whether files differ from it; None outside a checkout.

    A project that lies unpacked inside another repository has no commit.
    """
    with suppress(OSError, subprocess.CalledProcessError):
        if Path(_git("rev-parse", "--show-toplevel")).resolve() == project_root():
            # Results are the product of a run: only what makes them can be dirty.
            changes = _git("status", "--porcelain", "--", ".", ":!results")
            return {"hash": _git("rev-parse", "HEAD"), "dirty": bool(changes)}
    return {"hash": None, "dirty": None}


def write_record(
    path: Path,
    kind: str,
    options: Mapping[str, Any],
    inputs: Mapping[str, str],
    results: Mapping[str, Any],
    seconds: float,
    made_in: Mapping[str, Any] | None = None,
) -> None:
    """Write a record, whole or not at all, with a SHA-256 that :func:`read_record` checks.

    Args:
        kind: what was run, e.g. "train" or "02_latent_distribution".
        inputs: SHA-256 by role.
        results: what was found; JSON values only.
        made_in: :func:`environment` at the start of the run; by default, as it is now.
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
    content = json.loads(json.dumps(content, allow_nan=False))  # as it will be read
    write_json(path, content | {_DIGEST_KEY: _content_digest(content)})


@contextmanager
def recorded_run(kind: str, folder: Path, device: str = "cpu") -> Iterator[Callable[..., None]]:
    """Lock a folder for a run; yields what writes its record, of options, inputs and results.

    The environment is that of the start; the seconds are those since then unless they are given. A
    record that says the same already stays as it is: it knows when and by which commit that was
    found.
    """
    started, made_in = time.monotonic(), environment(device)
    path = folder / RECORD_FILE

    def write(
        options: Mapping[str, Any],
        inputs: Mapping[str, str],
        results: Mapping[str, Any],
        seconds: float | None = None,
    ) -> None:
        found = {"options": options, "inputs": inputs, "results": results}
        own, record = json.loads(json.dumps({"kind": kind, **found})), kept_record(path)
        if {key: record.get(key) for key in own} != own:
            took = time.monotonic() - started if seconds is None else seconds
            write_record(path, kind, **found, seconds=took, made_in=made_in)

    with locked(folder):
        yield write


def kept_record(path: Path) -> dict[str, Any]:
    """The record at a path; {} if there is none, or it is damaged."""
    try:
        return read_record(path)
    except CheckpointError:
        return {}


def has_inputs(record: Mapping[str, Any], inputs: Mapping[str, str]) -> bool:
    """Whether a record, or {}, is of these inputs, among others."""
    return inputs.items() <= record.get("inputs", {}).items()


def add_inputs(path: Path, inputs: Mapping[str, str]) -> None:
    """Set inputs of a record, e.g. the files of the same images; all else stays as it is."""
    record = read_record(path)
    if not has_inputs(record, inputs):
        record["inputs"] |= inputs
        write_json(path, record | {_DIGEST_KEY: _content_digest(record)})


def read_record(path: Path, needed: Mapping[str, type] | None = None) -> dict[str, Any]:
    """Read what :func:`write_record` wrote; options, inputs and results are objects.

    ``needed`` entries have their types: {"options.profile": str}. A record that is missing or
    damaged, or lacks one of them, raises ``CheckpointError``.
    """
    record = read_json(path, "record")
    digest = record.pop(_DIGEST_KEY, None)
    # The first records had no checksum; they had these keys alone, so no damaged one passes for it.
    whole = record.keys() <= _KEYS if digest is None else digest == _content_digest(record)
    if not whole:
        raise CheckpointError(
            f"the record at {path} is damaged (checksum mismatch): remove it and regenerate it"
        )
    objects: dict[str, type] = dict.fromkeys(("options", "inputs", "results"), dict)
    for entry, kind in (objects | dict(needed or {})).items():
        value: Any = record
        for key in entry.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise CheckpointError(f"the record at {path} has no usable {entry}: regenerate it")
    verdicts = record["results"].get("verdicts", [])
    if not isinstance(verdicts, list) or not all(
        isinstance(v, dict)
        and isinstance(v.get("claim"), str)
        and v.get("verdict") in VERDICT_WORDS
        for v in verdicts
    ):
        raise CheckpointError(
            f"a verdict in the record at {path} has no claim, or is none of "
            f"{', '.join(VERDICT_WORDS)}: regenerate it"
        )
    return record


def is_imported(folder: Path) -> bool:
    """Whether a model's weights were imported, by the record in its folder."""
    path = folder / RECORD_FILE
    return path.exists() and read_record(path).get("kind") == IMPORTED


def comparable(profile: str, own: str) -> bool:
    """Whether results of a profile may stand on the pages across profiles of another.

    Results of the profile ``smoke`` are meaningless: they stand on its own pages only.
    """
    return profile != "smoke" or own == "smoke"


def _content_digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(project_root()), *arguments]
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=own)
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
