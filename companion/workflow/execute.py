"""Running a notebook with papermill: real types, nothing half-written."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from companion.experiments.profiles import Experiment
from companion.experiments.records import TABLES
from companion.project import project_root
from lbae_lib.data.registry import without_home
from lbae_lib.errors import ConfigError, LbaeError, WriteError
from lbae_lib.locks import locked

_GIVEN = ("profile", "dataset", "data_root")  # set by the run, not by the caller


def notebook_names() -> list[str]:
    """The notebooks in ``notebooks/``, in order."""
    return sorted(path.stem for path in (project_root() / "notebooks").glob("[0-9]*.ipynb"))


def run_notebook(
    name: str,
    experiment: Experiment,
    data_root: Path,
    overrides: Mapping[str, Any] | None = None,
) -> Path:
    """Execute a notebook for an experiment.

    Args:
        name: as in ``notebooks/``, without suffix.
        experiment: gives profile, data set, and parameters that differ from the notebook's own.
        data_root: where torchvision's data sets are.
        overrides: parameters that differ from the experiment's.

    Returns:
        ``results/<profile>/<data set>/<name>.ipynb``.

    Raises:
        ConfigError: if notebook or parameter is unknown, or a value of another type than the
            notebook's default; before anything runs.
        LbaeError: if a cell fails; the notebook so far is kept as ``<name>.log.ipynb``.
    """
    source = notebook_path(name)
    parameters = {**experiment.notebooks.get(name, {}), **(overrides or {})}
    check_parameters(source, parameters)
    parameters |= {
        "profile": experiment.profile,
        "dataset": experiment.dataset.name,
        "data_root": _shown(data_root, project_root()),
    }
    title = experiment.dataset.title
    return _execute(source, experiment.folder, parameters, title, overrides)


def run_tables(profile: str) -> Path:
    """Execute the page across data sets.

    Args:
        profile: whose book it is for.

    Returns:
        ``results/<profile>/06_tables.ipynb``.

    Raises:
        LbaeError: if a cell fails; the notebook so far is kept as ``06_tables.log.ipynb``.
    """
    source = notebook_path(TABLES)
    return _execute(source, project_root() / "results" / profile, {"profile": profile}, "all data")


def _execute(
    source: Path,
    folder: Path,
    parameters: Mapping[str, Any],
    title: str,
    overrides: Mapping[str, Any] | None = None,
) -> Path:
    name = source.stem
    target = folder / f"{name}.ipynb"
    log = target.with_suffix(".log.ipynb")
    scratch = target.with_name(f".{name}.{os.getpid()}.ipynb")
    print(f"{title}: notebook {name} …", file=sys.stderr, flush=True)
    with locked(folder / name):
        try:
            with TemporaryDirectory() as sockets:
                # Through files: two kernels that start at once can be given the same free TCP port.
                connection = {"transport": "ipc", "connection_file": f"{sockets}/kernel.json"}
                papermill.execute_notebook(
                    str(source), str(scratch), parameters=dict(parameters),
                    cwd=str(project_root()), progress_bar=False, log_output=False,
                    kernel_name="python3", config=Config(KernelManager=connection),
                    # It is interrupted when it is stopped, and would say so as an error.
                    extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
                )  # fmt: skip
            _tidy(scratch, name, overrides or {})
            os.replace(scratch, target)
        except PapermillExecutionError as error:
            os.replace(scratch, log)
            raise LbaeError(
                f"cell {error.exec_count} of {name} failed: {error.ename}: {error.evalue}\n"
                f"The notebook up to there is {log}"
            ) from None
        except OSError as error:
            raise WriteError(
                f"{target} cannot be written ({error}): what was there is kept"
            ) from None
        finally:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    return target


def notebook_path(name: str) -> Path:
    """The notebook's file.

    Raises:
        ConfigError: if there is none of that name; names the closest.
    """
    names = notebook_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.3)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"no notebook {name!r}: {hint}There are {', '.join(names)}")
    return project_root() / "notebooks" / f"{name}.ipynb"


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` unless every parameter is the notebook's, with its default's type."""
    known = papermill.inspect_notebook(str(notebook))
    own = [name for name in known if name not in _GIVEN]
    for name, value in parameters.items():
        if name not in own:
            close = difflib.get_close_matches(name, own, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"{notebook.stem} has no parameter {name!r}: {hint}It has {', '.join(own)}"
            )
        default = _literal(known[name]["default"])
        if type(value) is not type(default) and not (
            isinstance(default, float) and type(value) is int
        ):
            raise ConfigError(
                f"parameter {name} of {notebook.stem} is {value!r}, but must be of the type of "
                f"its default {default!r}, {type(default).__name__}"
            )


def _literal(text: str) -> Any:
    import ast

    return ast.literal_eval(text)


def _shown(path: Path, root: Path) -> str:
    """Relative to the project where possible, so that executed notebooks name no home folder."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else without_home(path)


def _tidy(executed: Path, name: str, overrides: Mapping[str, Any]) -> None:
    """Leave in the metadata what the run was, not where and when."""
    notebook = nbformat.read(executed, as_version=4)
    papers = notebook.metadata.get("papermill", {})
    if papers.get("exception"):
        raise LbaeError(f"{name} ended with an error that its cells hid; see {executed}")
    notebook.metadata["papermill"] = {
        "parameters": papers.get("parameters", {}),
        "overrides": dict(overrides),
        "version": papers.get("version"),
    }
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, executed)
