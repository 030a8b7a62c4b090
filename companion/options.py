"""Options that several commands of the command line share."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated

from typer import Exit, Option, echo

from companion.experiments.datasets import name_in_project
from companion.project import project_root

Dataset = Annotated[
    str,
    Option(
        "--dataset",
        "-d",
        callback=name_in_project,
        help="digits, photos, faces, mnist, cifar10, celeba or folder:PATH, relative to the "
        "working folder or to the project's.",
    ),
]
Profile = Annotated[
    str, Option("--profile", "-p", help="A file in config/: smoke, quick, laptop, paper.")
]
Data = Annotated[
    Path | None, Option("--data", help="Folder of torchvision's data sets [default: data/].")
]
Model = Annotated[str, Option("--model", "-m", help="lbae, vae (the baseline) or lbae-N.")]
Device = Annotated[
    str, Option("--device", envvar="LBAE_DEVICE", help="auto (a GPU if there is one), cpu or cuda.")
]
Force = Annotated[bool, Option("--force", help="Replace existing files that lbae did not write.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        echo(f"lbae {metadata.version('lbae-companion')}")
        raise Exit


def version(
    show: Annotated[
        bool,
        Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The options of ``lbae`` itself."""


def data_root(data: Path | None) -> Path:
    """The folder of downloaded data sets: ``data/`` of the project unless named."""
    return (project_root() / "data") if data is None else data.expanduser().resolve()
