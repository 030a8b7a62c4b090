"""Data sets by name, and which images a folder has; a relative ``folder:PATH`` is the project's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.project import project_root
from lbae_lib.data import registry
from lbae_lib.data.folder_contents import FolderContents, folder_contents
from lbae_lib.data.registry import FOLDER_PREFIX, DatasetInfo, folder_path, with_home

if TYPE_CHECKING:
    from lbae_lib.data.images import Dataset

IMAGES = "images"  # the role of a folder's contents among the inputs of a record


def dataset_info(name: str, **known: Any) -> DatasetInfo:
    """See :func:`lbae_lib.data.registry.dataset_info`."""
    return registry.dataset_info(name, project_root(), **known)


def load_dataset(info: DatasetInfo, root: Path) -> Dataset:
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


def images_identity(info: DatasetInfo, attributes: bool = True) -> dict[str, str]:
    """What a record keeps of a folder of images: its identity by role; {} for other data sets.

    Args:
        attributes: whether tables of attributes count.

    Raises:
        DataError: if the folder is missing, or a file may not be read.
    """
    contents = image_contents(info)
    if contents is None:
        return {}
    return {IMAGES: (contents if attributes else contents.without_attributes()).sha256}


def image_contents(info: DatasetInfo) -> FolderContents | None:
    """The files of a folder of images, hashed once while they do not change; None for other sets.

    Neither this nor the identity loads an image.
    """
    if not info.name.startswith(FOLDER_PREFIX):
        return None
    folder = folder_path(info.name, project_root()).resolve()
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return folder_contents(folder, project_root() / "build/folders" / f"{name}.json")
