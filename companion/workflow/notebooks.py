"""The notebooks: their names, needs and parameters, and their executed copies.

This module imports neither torch nor numpy.
"""

import ast
import re
from pathlib import Path
from typing import Any

import yaml

from companion.experiments.artifacts import NEEDS
from companion.experiments.parameters import Parameters
from companion.project import project_root, results_in_force
from lbae_lib.errors import ConfigError, LbaeError, unknown
from lbae_lib.files import read_json

# Options of `lbae`, and the folder of a run.
GIVEN = ("profile", "dataset", "data_root", "device", "output")


def notebook_names() -> list[str]:
    """The notebooks in ``notebooks/``, in order."""
    return sorted(path.stem for path in (project_root() / "notebooks").glob("[0-9]*.ipynb"))


def notebook_path(name: str) -> Path:
    """The notebook's file; an unknown name is a ``ConfigError`` that suggests the nearest."""
    if name not in notebook_names():
        raise ConfigError(unknown("notebook", name, notebook_names()))
    return project_root() / "notebooks" / f"{name}.ipynb"


def notebook_metadata(notebook: Path) -> dict[str, Any]:
    """A notebook's own metadata: "needs", "threads" and "interactive", where it has them."""
    return dict(read_json(notebook, "notebook")["metadata"].get("lbae", {}))


def notebook_needs(notebook: Path) -> list[str]:
    """What a notebook needs beside the LBAE's latents, by its metadata.

    A need that ends with "?" is optional: see :data:`companion.experiments.artifacts.NEEDS`.
    """
    needs = list(notebook_metadata(notebook).get("needs", []))
    for need in needs:
        if need.removesuffix("?") not in NEEDS:
            raise ConfigError(f"{notebook}: {unknown('need', need, NEEDS)}")
    return needs


def notebook_parameters(notebook: Path) -> dict[str, Any]:
    """The parameters of a notebook, with their defaults."""
    return {
        statement.target.id: ast.literal_eval(statement.value)
        for statement in ast.parse(_parameter_cell(notebook)).body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.value is not None
    }


def parameter_help(notebook: Path) -> list[tuple[str, str]]:
    """What `lbae notebook` lists of a notebook's own parameters.

    Each has its name, type and default, and its meaning and bounds.
    """
    lines = [line.partition("  # ") for line in _parameter_cell(notebook).splitlines()]
    bounds = Parameters.model_json_schema()["properties"]
    found = []
    for declared, _, text in lines:
        name = declared.partition(":")[0]
        if name and name not in GIVEN:
            own = bounds[name]
            known = f" ({own['minimum']} to {own['maximum']})" if "minimum" in own else ""
            found.append((declared, text + known))
    return found


def parse_parameter(text: str) -> tuple[str, object]:
    """ "samples=100" as ("samples", 100); the value is read as YAML, so it has a real type."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise LbaeError(f"{text!r} is not a parameter: write NAME=VALUE, e.g. samples=1000")
    try:
        if re.fullmatch(r"[\d:]+:[\d:]+", value):  # a number of base 60 in YAML 1.1
            return name, value
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise LbaeError(f"the value of {name} cannot be read as YAML: {reason}") from None


def executed_notebooks(place: str | Path) -> list[Path]:
    """Executed notebooks in a folder, or a pattern of folders, below ``runs/`` and ``results/``.

    Logs of runs that failed do not count.
    """
    found = results_in_force(f"{place}/[0-9]*.ipynb")
    return [path for path in found if not path.name.endswith(".log.ipynb")]


def _parameter_cell(notebook: Path) -> str:
    """The code of the cell with the tag "parameters"; "" without one."""
    cells = read_json(notebook, "notebook")["cells"]
    tagged = (c["source"] for c in cells if "parameters" in c["metadata"].get("tags", []))
    return "".join(next(tagged, ""))
