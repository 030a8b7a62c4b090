"""Images that come with this library or with scikit-learn: nothing is downloaded.

``digits`` stands for MNIST. ``photos`` stands for CIFAR-10: crops of two sample photographs of
427×640 pixels, a Chinese temple and a dahlia. Each photograph is reduced to three sizes and cut
into squares of 32 pixels. A square of the largest size shows texture, one of the smallest a roof
or a whole petal. Test images come from the third quarter of a photograph's width, training images
from the rest, so that no test pixel is in a training image. That part shows other things, so a
model scores worse on test images than on validation images. Crops overlap and do not show objects,
so no number is comparable with CIFAR-10's. ``faces`` stands for CelebA: drawings of faces.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from lbae_lib.data import faces
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import DataError, extra
from lbae_lib.files import cache_tensors, read_tensors

_TEST_DIGITS = 360  # a fifth
_DIGIT_SPLIT_SEED = 1797
_PHOTOGRAPHS = ("china.jpg", "flower.jpg")
_CROP = 32  # pixels
_CROPS = {"train": 20_000, "test": 2_000}
_REDUCTIONS = (1, 2, 4)  # of a photograph's size
_TEST_BAND = (1 / 2, 3 / 4)  # of a photograph's width
_FACES = {"train": 6_000, "test": 1_000}
_FACE_SEEDS = {"train": 1, "test": 2}


def load_digits(title: str) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, enlarged to 32×32.

    The 17 grey levels are enlarged to 28×28 (bicubic) and zero-padded to 32×32, the frame that
    the paper gives MNIST. A seeded fifth, 360 images, is the test set.

    Raises:
        LbaeError: if scikit-learn is not installed.

    Reference:
        E. Alpaydin and C. Kaynak (1998), *Optical recognition of handwritten digits*, UCI
        Machine Learning Repository.
    """
    greys, classes = _read_digits()
    small = torch.from_numpy(greys).unsqueeze(1) / 16.0
    large = functional.interpolate(small, size=(28, 28), mode="bicubic", align_corners=False)
    padded = functional.pad(large.clamp(0, 1), (2, 2, 2, 2))
    images = (padded * 255).round().to(torch.uint8)
    everything = ImageSet(images, torch.from_numpy(classes))
    train, test = everything.split(_TEST_DIGITS, _DIGIT_SPLIT_SEED)
    return Dataset("digits", title, train, test, class_names=tuple("0123456789"))


def load_photos(title: str) -> Dataset:
    """20,000 + 2,000 crops of two photographs; the classes are photograph and size.

    The photographs are scikit-learn's; a missing scikit-learn is an ``LbaeError``.
    """
    train, test = (draw_photos(part, count, seed=0) for part, count in _CROPS.items())
    sizes = ("near", "middle", "far")
    names = tuple(f"{name}, {size}" for name in ("temple", "dahlia") for size in sizes)
    return Dataset("photos", title, train, test, names)


def load_faces(root: Path, title: str) -> Dataset:
    """6,000 + 1,000 drawn faces; see :mod:`lbae_lib.data.faces`.

    Drawing them takes half a minute, so they are cached under ``root``, the folder of data sets, in
    a file named after :data:`lbae_lib.data.faces.VERSION`; a damaged one is a ``CheckpointError``.
    """
    kept = root / f"faces-v{faces.VERSION}.safetensors"
    if kept.exists():
        tensors, _ = read_tensors(kept, "cache of faces", "delete this file; they are drawn again")
    else:
        tensors = {}
        for part, count in _FACES.items():
            found = faces.draw_faces(count, _FACE_SEEDS[part], show_progress=True)
            assert found.attributes is not None
            tensors |= {f"{part}.images": found.images, f"{part}.attributes": found.attributes}
        cache_tensors(kept, tensors, {"dataset": "faces"})
    train, test = (
        ImageSet(tensors[f"{part}.images"], attributes=tensors[f"{part}.attributes"])
        for part in _FACES
    )
    return Dataset("faces", title, train, test, attribute_names=faces.ATTRIBUTES)


def draw_photos(part: str, count: int, seed: int) -> ImageSet:
    """Random crops uint8 (count, 3, 32, 32), each photograph and size with equal probability.

    The labels count photographs and sizes; ``part`` is "train" (left and right) or "test" (the
    third quarter). The first crops of a seed are the same for every count.
    """
    rng = np.random.default_rng((seed, part == "test"))
    regions = _regions(part)
    images = np.empty((count, _CROP, _CROP, 3), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    for index in range(count):
        labels[index] = rng.integers(len(regions))
        choices = regions[labels[index]]
        region = choices[rng.integers(len(choices))]
        top, left = (int(rng.integers(side - _CROP + 1)) for side in region.shape[:2])
        images[index] = region[top : top + _CROP, left : left + _CROP]
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return ImageSet(pixels, torch.from_numpy(labels))


def _regions(part: str) -> list[list[NDArray[np.uint8]]]:
    """The regions of each photograph at each size, in the order of the classes."""
    found = []
    for photograph in _read_photographs():
        start, end = (round(photograph.shape[1] * share) for share in _TEST_BAND)
        # Cut before reducing: a reduced pixel must not mix both parts.
        train = [photograph[:, :start], photograph[:, end:]]
        regions = [photograph[:, start:end]] if part == "test" else train
        for scale in _REDUCTIONS:
            found.append([np.asarray(Image.fromarray(r).reduce(scale)) for r in regions])
    return found


def _read_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images (1797, 8, 8) of whole numbers in [0, 16], and labels (1797,)."""
    table = np.loadtxt(_sample("data/digits.csv.gz"), delimiter=",", dtype=np.float32)
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def _read_photographs() -> list[NDArray[np.uint8]]:
    """Two images (427, 640, 3)."""
    files = (_sample(f"images/{name}") for name in _PHOTOGRAPHS)
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


def _sample(name: str) -> Path:
    """A file in scikit-learn's package, found without importing it, which takes seconds."""
    with extra("data", "scikit-learn", "the embedded digits and photos, which it ships"):
        package = importlib.util.find_spec("sklearn")
        if package is None or not package.submodule_search_locations:
            raise ModuleNotFoundError("sklearn")
    path = Path(package.submodule_search_locations[0]) / "datasets" / name
    if not path.exists():
        raise DataError(
            f"scikit-learn's sample data is not at {path}: install the version in constraints.txt"
        )
    return path
