"""Where the results of a folder of images are: two folders never share them.

``runs/folders.json`` has the path of each folder, and the identity of its images. A folder that was
renamed is known by its images.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from companion.experiments.datasets import IMAGES, dataset_info, images_identity
from companion.experiments.records import RECORD_FILE, read_record
from companion.project import PUBLISHED, RUNS, project_root
from lbae_lib.data.registry import FOLDER_PREFIX, dataset_slug, folder_path
from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_json, write_json
from lbae_lib.locks import locked

_log = logging.getLogger(__name__)


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
        known: dict[str, Any] = read_json(path, "list of folders") if path.exists() else {}
        taken = dict(_published(base)) | known
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


def _name_among(taken: dict[str, Any], root: Path, where: Path, images: str) -> str | None:
    """The name of this very folder's results, or else of one with these images that is gone."""
    paths = {name: folder_path(FOLDER_PREFIX + own["path"], root) for name, own in taken.items()}
    same = [name for name, path in paths.items() if path.resolve() == where.resolve()]
    gone = (name for name, path in paths.items() if not path.is_dir())
    return next(iter([*same, *(name for name in gone if taken[name].get(IMAGES) == images)]), None)


def _published(base: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The folder whose results were published under a name, if there are any."""
    for path in (project_root() / PUBLISHED).glob(f"*/{base}/lbae/{RECORD_FILE}"):
        try:
            record = read_record(path, {"options.dataset.name": str})
        except CheckpointError:
            continue
        of = record["options"]["dataset"]["name"].removeprefix(FOLDER_PREFIX)
        images = {IMAGES: record["inputs"][IMAGES]} if IMAGES in record["inputs"] else {}
        yield base, {"path": of, **images}
