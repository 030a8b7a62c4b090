"""Running a notebook with papermill: parameters have real types, and no page is half-written."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from companion.experiments.parameters import check_values
from companion.experiments.profiles import Experiment
from companion.experiments.records import TABLES
from companion.project import RUNS, project_root, replace_folder
from companion.workflow.notebooks import GIVEN, notebook_parameters, notebook_path
from companion.workflow.stored_once import refer_to_files
from lbae_lib.data.registry import without_home
from lbae_lib.errors import ConfigError, LbaeError, unknown
from lbae_lib.files import replacing
from lbae_lib.locks import locked

# Set by a user for other programs, or by JupyterLab, where a report may be started, for its own
# kernels: figures and text do not depend on these.
_IGNORED = ("MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP", "JPY_SESSION_NAME")
_LONGEST_SOCKET_FOLDER = 60  # characters: the system allows 107 for a socket's path


class OwnKernel(AsyncKernelManager):
    """Starts a kernel of this Python: one named "python3" may belong to another."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How this Python starts a kernel."""
        launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=launch, display_name="Python 3", language="python")

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """Start it in an environment without the user's settings for other programs."""
        kept = {key: value for key, value in os.environ.items() if key not in _IGNORED}
        own = {"PYTHONUTF8": "1", "IPYTHONDIR": str(Path(self.connection_file).parent / "ipython")}
        await super().start_kernel(env=kept | own, **options)


def run_notebook(
    name: str,
    experiment: Experiment,
    data_root: Path,
    overrides: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Path:
    """Execute a notebook for an experiment; returns ``runs/<profile>/<data set>/<name>.ipynb``.

    Parameters are checked before anything runs; ``overrides`` replace those of the profile. If a
    cell fails, the notebook up to there is kept as ``<name>.log.ipynb``.
    """
    source = notebook_path(name)
    parameters = {**experiment.entry.notebooks.get(name, {}), **(overrides or {})}
    check_parameters(source, parameters)
    parameters |= {
        "profile": experiment.profile,
        "dataset": experiment.dataset.name,
        "data_root": _shown(data_root, project_root()),
    }
    if "device" in notebook_parameters(source):
        parameters["device"] = device
    title = experiment.dataset.title
    return _execute(source, experiment.folder, parameters, title, overrides or {})


def run_tables(profile: str) -> Path:
    """Execute the page across data sets for the book of a profile, as :func:`run_notebook` does."""
    folder = project_root() / RUNS / profile
    return _execute(notebook_path(TABLES), folder, {"profile": profile}, "all data", {})


def _execute(
    source: Path,
    folder: Path,
    parameters: Mapping[str, Any],
    title: str,
    overrides: Mapping[str, Any],
) -> Path:
    """Run a notebook; its page replaces the one before, figures and all, if no cell fails."""
    name, target = source.stem, folder / source.name
    log = target.with_suffix(".log.ipynb")
    # For sockets, the system's folder of temporary files, unless its name is too long for them.
    short = "/tmp" if len(gettempdir()) > _LONGEST_SOCKET_FOLDER else None
    print(f"{title}: notebook {name} …", file=sys.stderr, flush=True)
    with locked(folder / f".{name}"), TemporaryDirectory(dir=folder / f".{name}") as place:
        output = Path(place, name)
        with replacing(target) as scratch, TemporaryDirectory(dir=short) as sockets:
            # Through files: two kernels that start at once can be given the same free TCP port.
            connection = {"transport": "ipc", "connection_file": f"{sockets}/kernel.json"}
            try:
                papermill.execute_notebook(
                    _literal(source), _literal(scratch),
                    parameters={**parameters, "output": str(output)},
                    cwd=str(project_root()), progress_bar=False, log_output=False,
                    kernel_name="python3", kernel_manager_class=OwnKernel,
                    config=Config(KernelManager=connection),
                    # It is interrupted when it is stopped, and would report that as an error.
                    extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
                )  # fmt: skip
            except PapermillExecutionError as error:
                os.replace(scratch, log)
                raise LbaeError(
                    f"cell {error.exec_count} of {name} failed: {error.ename}: {error.evalue}\n"
                    f"The notebook up to there is {log}"
                ) from None
            except RuntimeError as error:
                raise LbaeError(
                    f"the kernel of {name} ended early ({error}), most often for lack of memory: "
                    "close other programs, or run `lbae report --cores 1`"
                ) from None
            _tidy(scratch, name, output, overrides)
            replace_folder(output, folder / name)
        log.unlink(missing_ok=True)
    return target


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` unless every parameter is the notebook's, of its type and in bounds."""
    known = {k: v for k, v in notebook_parameters(notebook).items() if k not in GIVEN}
    for name in parameters:
        if name not in known:
            raise ConfigError(f"{notebook.stem}: {unknown('parameter', name, known)}")
    check_values(notebook.stem, parameters)


def _shown(path: Path, root: Path) -> str:
    """Relative to the project where possible, so that executed notebooks name no home folder."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else without_home(path)


def _literal(path: Path) -> str:
    """A path for papermill, which takes braces for parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def without_progress(output: dict[str, Any]) -> dict[str, Any] | None:
    """An output without lines of progress bars, which say nothing when the run has ended."""
    if output.get("name") != "stderr":
        return output
    lines = re.split(r"(?<=[\r\n])", output["text"])
    output["text"] = "".join(line for line in lines if "%|" not in line)
    return output if output["text"].strip() else None


def _tidy(executed: Path, name: str, output: Path, overrides: Mapping[str, Any]) -> None:
    """Keep parameters in the metadata, not times and places, and figures in their files alone."""
    notebook = nbformat.read(executed, as_version=4)
    papers = notebook.metadata.get("papermill", {})
    if papers.get("exception"):
        raise LbaeError(f"{name} ended with an error that its cells hid: run it in JupyterLab")
    parameters = papers.get("parameters", {})
    parameters.pop("output", None)
    notebook.metadata["papermill"] = {
        "parameters": parameters,
        "overrides": dict(overrides),
        "version": papers.get("version"),
    }
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = f"{name[:2]}-given"  # papermill draws one at random
            lines = cell.source.splitlines()
            cell.source = "\n".join(line for line in lines if not line.startswith("output = "))
        elif cell.cell_type == "code":
            cell.outputs = [kept for out in cell.outputs if (kept := without_progress(out))]
    refer_to_files(notebook, output)
    nbformat.write(notebook, executed)
