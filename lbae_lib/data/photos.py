"""Crops of two photographs: ``photos``, which stands for CIFAR-10.

scikit-learn ships two sample photographs of 427×640 pixels, a Chinese temple and a dahlia. Each is
reduced to three sizes and cut into squares of 32 pixels. A square of the largest size shows
texture, one of the smallest a roof or a whole petal. Test images come from the third quarter of a
photograph's width, training images from the rest, so that no test pixel is in a training image.
Crops of one region overlap and do not show objects, so no number is comparable with CIFAR-10's.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from lbae_lib.data import sklearn_files
from lbae_lib.data.images import ImageSet

SIZE = 32
SCALES = (1, 2, 4)  # factors by which a photograph is reduced
CLASS_NAMES = tuple(
    f"{name}, {distance}" for name in ("temple", "dahlia") for distance in ("near", "middle", "far")
)
_TEST_BAND = (1 / 2, 3 / 4)  # of the width


def draw_photos(part: str, count: int, seed: int) -> ImageSet:
    """Random crops, each photograph and size with equal probability.

    Args:
        part: "train" (left and right) or "test" (the third quarter).
        count: number of crops; the first crops of a seed are the same for every count.
        seed: of their places.

    Returns:
        Images uint8 (count, 3, 32, 32), and labels that index ``CLASS_NAMES``.
    """
    rng = np.random.default_rng((seed, part == "test"))
    regions = _regions(part)
    images = np.empty((count, SIZE, SIZE, 3), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    for index in range(count):
        labels[index] = rng.integers(len(regions))
        choices = regions[labels[index]]
        images[index] = _crop(choices[rng.integers(len(choices))], rng)
    return ImageSet(
        torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)
    )


def _regions(part: str) -> list[list[NDArray[np.uint8]]]:
    """The regions of each photograph at each size, in the order of the classes."""
    found = []
    for photograph in sklearn_files.photographs():
        start, end = (round(photograph.shape[1] * share) for share in _TEST_BAND)
        # Cut before reducing: a reduced pixel must not mix both parts.
        train = [photograph[:, :start], photograph[:, end:]]
        regions = [photograph[:, start:end]] if part == "test" else train
        for scale in SCALES:
            found.append([np.asarray(Image.fromarray(r).reduce(scale)) for r in regions])
    return found


def _crop(region: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    top, left = (int(rng.integers(side - SIZE + 1)) for side in region.shape[:2])
    return region[top : top + SIZE, left : left + SIZE]
