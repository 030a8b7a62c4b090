"""An experiment's images: loaded and hashed once per process."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from torch import Tensor
from torch.nn.functional import one_hot

from companion.experiments.datasets import image_contents, load_dataset
from companion.experiments.profiles import Experiment
from companion.experiments.records import RECORD_FILE, has_inputs, kept_record
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.data.registry import FOLDER_PREFIX, DatasetInfo
from lbae_lib.errors import CheckpointError, DataError
from lbae_lib.files import read_json, sha256_tensor, write_json

SPLITS = ("train", "validation", "test")
IMAGES_FILE = "images.json"  # beside a model of a folder's images: which files they were


@dataclass(frozen=True)
class Images:
    """A data set as an experiment splits it, into "train", "validation" and "test"."""

    dataset: Dataset
    splits: Mapping[str, ImageSet]

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the images, by split."""
        return {name: sha256_tensor(part.images) for name, part in self.splits.items()}


def load_images(experiment: Experiment, data_root: Path) -> Images:
    """The experiment's images; from memory if they were loaded before and no file has changed."""
    info = experiment.dataset
    contents = image_contents(info)
    state = "" if contents is None else contents.sha256  # of images and tables in a folder
    return _load(info, experiment.entry.validation_images, data_root, state)


@lru_cache(maxsize=1)
def _load(info: DatasetInfo, validation: int, data_root: Path, _state: str) -> Images:
    dataset = load_dataset(info, data_root)
    train, held_out = dataset.train, dataset.validation
    if held_out is None:
        train, held_out = train.split(validation)
    parts = (train, held_out, dataset.test)
    return Images(dataset, dict(zip(SPLITS, parts, strict=True)))


def remember_images(experiment: Experiment, images: Images, kept: Collection[Path]) -> None:
    """Keep in a model's folder which files its images are; refuse others for the same model.

    ``kept`` are the model and its checkpoint: while one of them exists, the images must not change.
    Files may be renamed or compressed again as long as the pixels stay those of the model's record.
    """
    contents = image_contents(experiment.dataset)
    if contents is None:
        return
    contents = contents.without_attributes()
    path = experiment.model_folder / IMAGES_FILE
    changes = changed_images(experiment) if any(p.exists() for p in kept) else ""
    if changes and not has_inputs(kept_record(path.with_name(RECORD_FILE)), images.hashes):
        raise CheckpointError(
            f"{changes} since the model in {experiment.model_folder} was trained: remove that "
            "folder to train on the images as they are now, or put the earlier ones back"
        )
    write_json(path, {"files": dict(contents.files)})


def changed_images(experiment: Experiment) -> str:
    """How a folder's images differ from those that the model was trained on; "" if they do not.

    Example: "12 images were added to data/pics (a.png, b.png, c.png, …)".
    """
    contents = image_contents(experiment.dataset)
    path = experiment.model_folder / IMAGES_FILE
    if contents is None or not path.exists():  # of an earlier version, or imported
        return ""
    files = read_json(path, "list of images").get("files")
    contents = contents.without_attributes()
    changes = contents.changes_since(files if isinstance(files, dict) else {})
    return f"in {experiment.dataset.name.removeprefix(FOLDER_PREFIX)}, {changes}" if changes else ""


def attribute_table(dataset: Dataset, part: ImageSet) -> tuple[tuple[str, ...], Tensor]:
    """The attributes of a part's images, or else their classes: names, and bool (K, A).

    A data set with neither raises ``DataError``.
    """
    if part.attributes is not None and dataset.attribute_names:
        return dataset.attribute_names, part.attributes.bool()
    if part.labels is not None and dataset.class_names:
        return dataset.class_names, one_hot(part.labels, len(dataset.class_names)).bool()
    raise DataError(
        f"{dataset.title} has neither attributes nor classes: add an attributes.csv or class "
        "folders"
    )
