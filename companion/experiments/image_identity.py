"""Which images a data set's folder has, without loading them: for records and staleness."""

from __future__ import annotations

import hashlib
import os

from companion.experiments.folder_contents import FolderContents, folder_contents
from companion.project import project_root
from lbae_lib.data.registry import FOLDER_PREFIX, DatasetInfo, folder_path

IMAGES = "images"  # the role of a folder's contents among the inputs of a record


def images_identity(info: DatasetInfo, attributes: bool = True) -> dict[str, str]:
    """What a record keeps of a folder of images: its identity by role; {} for other data sets.

    Args:
        info: the data set.
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

    Raises:
        DataError: if the folder is missing, or a file may not be read.
    """
    if not info.name.startswith(FOLDER_PREFIX):
        return None
    folder = folder_path(info.name, project_root()).resolve()
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return folder_contents(folder, project_root() / "build/folders" / f"{name}.json")
