"""Options that several commands of the command line share."""

import re
import shlex
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from typer import Exit, Option, echo

from companion.experiments.datasets import name_in_project
from companion.project import project_root
from lbae_lib.data.registry import FOLDER_PREFIX, folder_path
from lbae_lib.errors import ConfigError

Dataset = Annotated[
    str,
    Option(
        "--dataset",
        "-d",
        callback=name_in_project,
        help="digits, photos, faces, mnist, cifar10, celeba or, for your own images, folder:PATH "
        "(relative to the current folder or to the project).",
    ),
]
Datasets = Annotated[str, Option("--datasets", "-d", help="Data sets, separated by spaces.")]
Profile = Annotated[
    str,
    Option("--profile", "-p", help="A file in config/: smoke, quick, laptop, accelerator, paper."),
]
Data = Annotated[
    Path | None,
    Option("--data", help="Folder for downloaded data sets and caches of images [default: data/]."),
]
Model = Annotated[
    str,
    Option(
        "--model",
        "-m",
        help="lbae, vae (the baseline), or lbae-N: an LBAE of N bits, one of the profile's "
        "latent_sizes.",
    ),
]
Device = Annotated[
    str, Option("--device", envvar="LBAE_DEVICE", help="auto (a GPU if there is one), cpu or cuda.")
]
Force = Annotated[bool, Option("--force", help="Replace existing files that lbae did not write.")]


def _path(text: str) -> Path:
    if not text:  # which pathlib takes for the current folder
        raise ConfigError("a path is empty: name a file or a folder")
    return Path(text)


def named(kind: Any, *names: str, **options: Any) -> Any:
    """An ``Option`` or ``Argument`` that is a path; "" is an error."""
    return kind(*names, parser=_path, metavar="PATH", **options)


def _show_version(wanted: bool) -> None:
    if wanted:
        echo(f"lbae {metadata.version('lbae-companion')}")
        raise Exit


def version(
    show: Annotated[
        bool, Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """The options of ``lbae`` itself."""


def data_root(data: Path | None) -> Path:
    """The folder of downloaded data sets: ``data/`` of the project unless named."""
    return (project_root() / "data") if data is None else data.expanduser().resolve()


def as_typed(message: str) -> str:
    """An error that begins with a field of ``Hardware``, with the option's name instead.

    Example:
        >>> as_typed("nodes is 0, but must be at least 1")
        '--num-nodes is 0, but must be at least 1'
    """
    fields = "device|devices|(?:num_)?nodes|precision|strategy|sync_batch_norm|compile"
    field = re.match(f"({fields}) (is|needs) ", message)
    if field is None:
        return message
    option = field[1].replace("_", "-")
    return f"--{'num-nodes' if option == 'nodes' else option}{message[field.end(1) :]}"


def dataset_names(datasets: str) -> list[str]:
    """The data sets that an option names; a folder is one, whatever its name."""
    if datasets.startswith(FOLDER_PREFIX):
        places = folder_path(datasets), folder_path(datasets, project_root())
        if any(place.is_dir() for place in places):
            return [name_in_project(datasets)]
    try:
        names = shlex.split(datasets)
    except ValueError:
        raise ConfigError(
            f"a quotation mark in {datasets!r} is not closed: write names with spaces or quotes "
            "in quotation marks"
        ) from None
    if not names:
        raise ConfigError('no data set is named: write, for example, -d "digits mnist"')
    return [name_in_project(name) for name in names]
