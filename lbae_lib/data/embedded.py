"""Images that come with this library or with scikit-learn: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from lbae_lib.data import faces, photos, sklearn_files
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.files import read_tensors, write_tensors

_TEST_DIGITS = 360  # a fifth
_DIGIT_SPLIT_SEED = 1797
_CROPS = {"train": 20_000, "test": 2_000}
_FACES = {"train": 6_000, "test": 1_000}
_FACE_SEEDS = {"train": 1, "test": 2}


def load_digits(title: str) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, enlarged to 32×32; stands for MNIST.

    The 17 grey levels are enlarged to 28×28 (bicubic) and zero-padded to 32×32, the frame that
    the paper gives MNIST. A seeded fifth, 360 images, is the test set.

    Reference:
        E. Alpaydin and C. Kaynak (1998), *Optical recognition of handwritten digits*, UCI
        Machine Learning Repository.
    """
    greys, classes = sklearn_files.digits()
    small = torch.from_numpy(greys).unsqueeze(1) / 16.0
    large = functional.interpolate(small, size=(28, 28), mode="bicubic", align_corners=False)
    padded = functional.pad(large.clamp(0, 1), (2, 2, 2, 2))
    images = (padded * 255).round().to(torch.uint8)
    labels = torch.from_numpy(classes)
    train, test = ImageSet(images, labels).split(_TEST_DIGITS, _DIGIT_SPLIT_SEED)
    return Dataset("digits", title, train, test, class_names=tuple(str(i) for i in range(10)))


def load_photos(title: str) -> Dataset:
    """20,000 + 2,000 crops of two photographs; see :mod:`lbae_lib.data.photos`."""
    parts = {part: photos.draw_photos(part, count, seed=0) for part, count in _CROPS.items()}
    return Dataset("photos", title, parts["train"], parts["test"], photos.CLASS_NAMES)


def load_faces(root: Path, title: str) -> Dataset:
    """6,000 + 1,000 drawn faces; see :mod:`lbae_lib.data.faces`.

    Drawing them takes half a minute, so they are cached under ``root``, in a file named after
    :data:`lbae_lib.data.faces.VERSION`.

    Args:
        root: where data sets are kept.
        title: for captions.
    """
    kept = root / f"faces-v{faces.VERSION}.safetensors"
    if not kept.exists():
        tensors: dict[str, Tensor] = {}
        for part, count in _FACES.items():
            found = faces.draw_faces(count, _FACE_SEEDS[part], show_progress=True)
            tensors |= {f"{part}.images": found.images, f"{part}.attributes": found.attributes}
        write_tensors(kept, tensors, {"dataset": "faces"})
    tensors, _ = read_tensors(kept, "drawn faces")
    train, test = (
        ImageSet(tensors[f"{part}.images"], attributes=tensors[f"{part}.attributes"])
        for part in ("train", "test")
    )
    return Dataset("faces", title, train, test, attribute_names=faces.ATTRIBUTES)
