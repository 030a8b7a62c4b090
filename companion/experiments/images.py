"""An experiment's images: loaded and hashed once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from torch import Tensor
from torch.nn.functional import one_hot

from companion.experiments.datasets import load_dataset
from companion.experiments.profiles import Experiment
from companion.project import project_root
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.data.registry import FOLDER_PREFIX, DatasetInfo, folder_path
from lbae_lib.errors import DataError
from lbae_lib.files import sha256_tensor

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Images:
    """A data set as an experiment splits it.

    Attributes:
        dataset: the data set.
        splits: its images by split: "train", "validation" and "test".
    """

    dataset: Dataset
    splits: Mapping[str, ImageSet]

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the images, by split."""
        return {name: sha256_tensor(part.images) for name, part in self.splits.items()}


def load_images(experiment: Experiment, data_root: Path) -> Images:
    """The experiment's images; from memory if they were loaded before and no file has changed.

    Raises:
        DataError: if images are missing, damaged or too few.
    """
    info = experiment.dataset
    return _load(info, experiment.entry.validation_images, data_root, _folder_state(info))


@lru_cache(maxsize=1)
def _load(info: DatasetInfo, validation: int, data_root: Path, _state: int) -> Images:
    dataset = load_dataset(info, data_root)
    train, held_out = dataset.train.split(validation)
    parts = (train, held_out, dataset.test)
    return Images(dataset, dict(zip(SPLITS, parts, strict=True)))


def _folder_state(info: DatasetInfo) -> int:
    """Changes with the names, sizes and times of the files in a folder of images."""
    if not info.name.startswith(FOLDER_PREFIX):
        return 0
    folder = folder_path(info.name, project_root())
    files = (file for level in ("*", "*/*", "*/*/*") for file in folder.glob(level))
    return hash(frozenset((f, s.st_size, s.st_mtime_ns) for f in files if (s := f.lstat())))


def attribute_table(dataset: Dataset, part: ImageSet) -> tuple[tuple[str, ...], Tensor]:
    """The attributes of the images of a part, or else their classes as attributes.

    Returns:
        The names, and bool (K, A).

    Raises:
        DataError: if the data set has neither.
    """
    if part.attributes is not None and dataset.attribute_names:
        return dataset.attribute_names, part.attributes.bool()
    if part.labels is not None and dataset.class_names:
        return dataset.class_names, one_hot(part.labels, len(dataset.class_names)).bool()
    raise DataError(
        f"{dataset.title} has neither attributes nor classes: add an attributes.csv or class "
        "folders"
    )
