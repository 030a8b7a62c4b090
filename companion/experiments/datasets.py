"""Data sets by name; a relative ``folder:PATH`` begins at the project's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.project import project_root
from lbae_lib.data import registry
from lbae_lib.data.registry import FOLDER_PREFIX, with_home

if TYPE_CHECKING:
    from lbae_lib.data.images import Dataset


def dataset_info(name: str, **known: Any) -> registry.DatasetInfo:
    """See :func:`lbae_lib.data.registry.dataset_info`."""
    return registry.dataset_info(name, project_root(), **known)


def load_dataset(info: registry.DatasetInfo, root: Path) -> Dataset:
    """See :func:`lbae_lib.data.registry.load_dataset`."""
    return registry.load_dataset(info, root, project_root())


def name_in_project(name: str) -> str:
    """A data set's name; the PATH of an existing "folder:PATH" as seen from the project."""
    path = with_home(name.removeprefix(FOLDER_PREFIX))
    folder = Path(os.path.abspath(path))  # noqa: PTH100  a link like data/ stays one
    if not name.startswith(FOLDER_PREFIX) or not folder.is_dir():
        return name
    root = project_root()
    shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return FOLDER_PREFIX + shown.as_posix()
