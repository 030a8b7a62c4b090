"""The parameters of the notebooks: types and bounds, by name."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from companion.experiments.bounds import mistake
from lbae_lib.errors import ConfigError, unknown

_Count = Annotated[int, Field(ge=1, le=10**7)]
_Few = Annotated[int, Field(ge=1, le=100)]


class Parameters(BaseModel):
    """What a notebook may be run with; its own parameter cell says what a name means there."""

    model_config = ConfigDict(strict=True, extra="forbid")

    profile: str = "quick"
    dataset: str = "digits"
    data_root: str = "data"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    output: str = ""
    seed: Annotated[int, Field(ge=0, le=10**6)] = 0
    seeds: _Few = 1
    images: Annotated[int, Field(ge=2, le=10**7)] = 2
    samples: Annotated[int, Field(ge=2, le=10**7)] = 2
    second_images: Annotated[int, Field(ge=0, le=10**7)] = 0
    neighbours: Annotated[int, Field(ge=2, le=10**7)] = 2
    decoded: Annotated[int, Field(ge=2, le=10**7)] = 2
    scored: Annotated[int, Field(ge=2, le=10**7)] = 2
    pairs: _Count = 1
    rows: _Few = 1
    steps: Annotated[int, Field(ge=3, le=1000)] = 3
    inversions: _Count = 1
    rank: _Count = 1
    clusterings: _Few = 1
    estimated: _Few = 1
    inception: bool = False
    method: Literal["nearest", "clip"] = "nearest"
    attributes: str = ""


def check_values(notebook: str, values: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` unless every parameter is of its type and within its bounds."""
    try:
        Parameters.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise ConfigError(
                f"{notebook}: {unknown('parameter', name, Parameters.model_fields)}"
            ) from None
        raise ConfigError(mistake(f"parameter {name} of {notebook}", first)) from None


def check_given(notebook: str, cells: list[str], known: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` if papermill was given a parameter that the notebook does not have.

    Papermill itself runs such a notebook with the default, after a warning. ``cells`` is the code
    that was run before.
    """
    for cell in cells:
        if cell.startswith("# Parameters\n"):  # papermill's
            for line in cell.splitlines()[1:]:
                name = line.partition(" = ")[0]
                if name.isidentifier() and name not in known:
                    raise ConfigError(f"{notebook}: {unknown('parameter', name, known)}")
