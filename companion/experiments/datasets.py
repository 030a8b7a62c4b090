"""Data sets by name, which images a folder has, and where the results of a folder are.

A relative ``folder:PATH`` begins at the project's folder. Two folders never share results:
``runs/folders.json`` has the path of each, and the identity of its images, which recognises a
folder that was renamed.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.experiments.folder_contents import FolderContents, folder_contents
from companion.experiments.records import RECORD_FILE, read_record
from companion.project import PUBLISHED, RUNS, project_root
from lbae_lib.data import registry
from lbae_lib.data.registry import FOLDER_PREFIX, DatasetInfo, dataset_slug, folder_path, with_home
from lbae_lib.errors import CheckpointError, ConfigError
from lbae_lib.files import read_json, write_json
from lbae_lib.locks import locked

if TYPE_CHECKING:
    from lbae_lib.data.images import Dataset

IMAGES = "images"  # the role of a folder's contents among the inputs of a record
_log = logging.getLogger(__name__)


def dataset_info(name: str, **known: Any) -> DatasetInfo:
    """See :func:`lbae_lib.data.registry.dataset_info`."""
    if name.startswith("folder") and not name.startswith(FOLDER_PREFIX):  # as profiles name it
        raise ConfigError(f"no data set {name!r}: for a folder of images, write folder:PATH")
    return registry.dataset_info(name, project_root(), **known)


def load_dataset(info: DatasetInfo, root: Path) -> Dataset:
    """See :func:`lbae_lib.data.registry.load_dataset`."""
    return registry.load_dataset(info, root, project_root())


def name_in_project(name: str) -> str:
    """A data set's name; the PATH of an existing "folder:PATH" as seen from the project."""
    if name == FOLDER_PREFIX:
        raise ConfigError("no folder is named: write folder:PATH, or folder:. for this one")
    path = with_home(name.removeprefix(FOLDER_PREFIX))
    folder = Path(os.path.abspath(path))  # noqa: PTH100  a link like data/ stays one
    if not name.startswith(FOLDER_PREFIX) or not folder.is_dir():
        return name
    root = project_root()
    shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return FOLDER_PREFIX + shown.as_posix()


def images_identity(info: DatasetInfo, attributes: bool = True) -> dict[str, str]:
    """A folder's images as a record keeps them: their hash by role; {} for other data sets.

    Tables of ``attributes`` may count. Raises ``DataError`` if the folder cannot be read.
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


def results_name(dataset: str) -> str:
    """The folder of a data set's results: "folder:/a/My Cats" gives "folder-my-cats".

    Another folder of that name gets "folder-my-cats-2". What is first asked for is remembered.
    """
    if not dataset.startswith(FOLDER_PREFIX):
        return dataset
    return _of_folder(project_root(), dataset)


@lru_cache(maxsize=64)
def _of_folder(root: Path, dataset: str) -> str:
    base, where = dataset_slug(dataset), folder_path(dataset, root)
    if not where.is_dir():
        return base
    with locked(root / RUNS, wait=True):
        path = root / RUNS / "folders.json"
        known = _list_of_folders(path)
        taken = dict(_recorded(base)) | known
        identity = images_identity(dataset_info(dataset), attributes=False)
        place = _name_among(taken, root, where, identity[IMAGES])
        if place is None:
            names = (base if number == 1 else f"{base}-{number}" for number in range(1, 10**6))
            place = next(name for name in names if name not in taken)
            if place != base:
                _log.warning("%s: results are in %s, as %s is another folder's", where, place, base)
        entry = {"path": dataset.removeprefix(FOLDER_PREFIX)} | identity
        if known.get(place) != entry:
            write_json(path, known | {place: entry})
    return place


def _list_of_folders(path: Path) -> dict[str, Any]:
    known: dict[str, Any] = read_json(path, "list of folders") if path.exists() else {}
    if all(isinstance(own, dict) and isinstance(own.get("path"), str) for own in known.values()):
        return known
    raise CheckpointError(
        f"{path} is not a list of folders: remove it; names are then assigned again"
    )


def _name_among(taken: dict[str, Any], root: Path, where: Path, images: str) -> str | None:
    """The name of this very folder's results, or else of one with these images that is gone."""
    paths = {name: folder_path(FOLDER_PREFIX + own["path"], root) for name, own in taken.items()}
    same = [name for name, path in paths.items() if path.resolve() == where.resolve()]
    gone = (name for name, path in paths.items() if not path.is_dir())
    return next(iter([*same, *(name for name in gone if taken[name].get(IMAGES) == images)]), None)


def _recorded(base: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The folders whose results are there under a name or, with a number, like it."""
    places = (project_root() / place for place in (PUBLISHED, RUNS))
    records = (path for p in places for path in p.glob(f"*/{base}*/lbae/{RECORD_FILE}"))
    for path in records:
        try:
            record = read_record(path, {"options.dataset.name": str})
        except CheckpointError:
            continue
        of = record["options"]["dataset"]["name"].removeprefix(FOLDER_PREFIX)
        images = {IMAGES: record["inputs"][IMAGES]} if IMAGES in record["inputs"] else {}
        yield path.parts[-3], {"path": of, **images}
