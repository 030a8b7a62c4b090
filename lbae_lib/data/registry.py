"""Which data sets there are, and what the paper does with them (Table 3)."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lbae_lib.data.attribute_table import is_named
from lbae_lib.errors import ConfigError, unknown

if TYPE_CHECKING:
    from lbae_lib.data.images import Dataset

FOLDER_PREFIX = "folder:"
_LONGEST_SLUG = 150  # bytes
PAPER_DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR-10", "celeba": "CelebA"}


@dataclass(frozen=True)
class DatasetInfo:
    """A data set known by name.

    Attributes:
        name: as given on the command line.
        title: for captions and tables.
        image_size: side in pixels after preprocessing.
        channels: 1 or 3.
        loss: the paper's reconstruction loss for it, "bce" or "mse" (Section 4).
        embedded: whether it needs no download.
        source: one sentence for the book: what the images are.
        stands_for: the paper's data set that an embedded one stands for.
        named: whether the images have classes or attributes.
    """

    name: str
    title: str
    image_size: int
    channels: int
    loss: Literal["bce", "mse"]
    embedded: bool
    source: str
    stands_for: str | None = None
    named: bool = True

    @property
    def shift(self) -> str:
        """How test images differ from training images by construction, a sentence; "" if not."""
        return _SHIFTS.get(self.name, "")


_SHAPES: dict[str, tuple[int, int, Literal["bce", "mse"]]] = {
    "MNIST": (32, 1, "bce"),
    "CIFAR-10": (32, 3, "mse"),
    "CelebA": (64, 3, "mse"),
}
_OWN_SHAPE = _SHAPES["CelebA"]  # of a folder, unless another one is given
_SOURCES = {
    "digits": "scikit-learn's 1,797 handwritten digits (8×8, 17 grey levels), enlarged to 28×28 "
    "and padded to 32×32; 1,437 for training, 360 for testing",
    "photos": "crops of scikit-learn's two sample photographs at three sizes, 20,000 for training "
    "and 2,000 for testing, from separate parts of the photographs",
    "faces": "drawn faces with 18 attributes, 6,000 for training and 1,000 for testing, made by "
    "this library from a seed",
    "mnist": "MNIST, 60,000 + 10,000 handwritten digits, zero-padded from 28×28 to 32×32",
    "cifar10": "CIFAR-10, 50,000 + 10,000 colour photographs of 32×32",
    "celeba": "CelebA, 162,770 + 19,962 aligned faces, resized to 64 and centre-cropped",
}
_SHIFTS = {
    "photos": "Test crops come from another part of each photograph than training crops, so that "
    "test images are shifted against training images in content and colour."
}
_STAND_INS = {"digits": "MNIST", "photos": "CIFAR-10", "faces": "CelebA"}
DATASETS = {
    name: DatasetInfo(name, name.title(), *_SHAPES[title], True, _SOURCES[name], title)
    for name, title in _STAND_INS.items()
} | {
    name: DatasetInfo(name, title, *_SHAPES[title], False, _SOURCES[name])
    for name, title in PAPER_DATASETS.items()
}


def dataset_info(name: str, base: Path = Path(), **known: Any) -> DatasetInfo:
    """What is known of a data set by name, or of ``folder:PATH``.

    Args:
        name: a registered name, or "folder:PATH".
        base: the folder at which a relative PATH begins; by default the working folder.
        **known: for folders, any attribute of :class:`DatasetInfo` but the name. The defaults are
            64×64 colour images with squared error as loss, and ``named`` if the folder has a table
            of attributes or class folders.

    Raises:
        ConfigError: if there is no such data set or attribute, naming the closest, or attributes
            are given for a registered name.
    """
    attributes = [field.name for field in fields(DatasetInfo)][1:]
    for key in known:
        if key not in attributes:
            raise ConfigError(unknown("attribute of a data set", key, attributes))
    if name.startswith(FOLDER_PREFIX):
        folder, shown = folder_path(name, base), FOLDER_PREFIX + without_home(folder_path(name))
        title, source = f"{folder.name} (own images)", f"images from the folder {folder.name}"
        found = DatasetInfo(shown, title, *_OWN_SHAPE, False, source, named=is_named(folder))
        return replace(found, **known)
    if name not in DATASETS:
        raise ConfigError(unknown("data set", name, [*DATASETS, "folder:PATH"]))
    if known:
        raise ConfigError(
            f"{', '.join(known)} of {name} cannot be changed: leave it out; only folder:PATH has "
            "options of its own"
        )
    return DATASETS[name]


def dataset_slug(name: str) -> str:
    """The data set's name as a file name: "folder:/a/My Cats" gives "folder-my-cats".

    Letters of all scripts are kept; a long name is cut, as file names have at most 255 bytes.
    """
    if not name.startswith(FOLDER_PREFIX):
        return name
    base = unicodedata.normalize("NFC", folder_path(name).name.lower())
    kept = re.sub(r"[\W_]+", "-", base).encode(errors="ignore")[:_LONGEST_SLUG]
    return "folder-" + (kept.decode(errors="ignore").strip("-") or "images")


def folder_path(name: str, base: Path = Path()) -> Path:
    """Where the images of "folder:PATH" are; a relative PATH begins at ``base``."""
    return base / with_home(name.removeprefix(FOLDER_PREFIX))


def with_home(path: str) -> Path:
    """A path whose "~" is the home folder; unchanged where there is no such home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path's own ends in a RuntimeError


def without_home(path: Path) -> str:
    """A path with "~" for the home folder, so that what is published names no user."""
    home = with_home("~")
    for own in (home, home.resolve()):
        if path.is_relative_to(own):
            return (Path("~") / path.relative_to(own)).as_posix()
    return path.as_posix()


def paper_counterpart(info: DatasetInfo) -> str | None:
    """The paper's data set that one is or stands for: a key of ``PAPER_DATASETS``, or None."""
    keys = {title: key for key, title in PAPER_DATASETS.items()}
    return info.name if info.name in PAPER_DATASETS else keys.get(info.stands_for or "")


def load_dataset(info: DatasetInfo, root: Path | str, base: Path = Path()) -> Dataset:
    """Load a data set's images into memory.

    Args:
        info: from :func:`dataset_info`.
        root: where torchvision's data sets are read, or downloaded to, and others are cached.
        base: the folder at which a folder's relative path begins.

    Raises:
        DataError: if images are missing, damaged or of the wrong size.
        CheckpointError: if a cache under ``root`` is damaged.
        WriteError: if torchvision's files are not complete and ``root`` is not writable.
        LbaeError: if a package that the data set needs is not installed.
    """
    from lbae_lib.data import embedded, folder, torchvision_sets

    root = Path(root)
    if info.name.startswith(FOLDER_PREFIX):
        path = folder_path(info.name, base)
        return folder.load_folder(path, info.image_size, info.channels, info.title, cache=root)
    if info.name == "digits":
        return embedded.load_digits(info.title)
    if info.name == "photos":
        return embedded.load_photos(info.title)
    load = {
        "faces": embedded.load_faces,
        "mnist": torchvision_sets.load_mnist,
        "cifar10": torchvision_sets.load_cifar10,
        "celeba": torchvision_sets.load_celeba,
    }[info.name]
    return load(root, info.title)
