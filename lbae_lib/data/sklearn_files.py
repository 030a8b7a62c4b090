"""The sample data in scikit-learn's package, read without importing it, which takes seconds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbae_lib.errors import DataError, extra

PHOTOGRAPHS = ("china.jpg", "flower.jpg")


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The result of ``sklearn.datasets.load_digits``.

    Returns:
        Images (1797, 8, 8) of whole numbers in [0, 16], and labels (1797,).
    """
    table = np.loadtxt(_file("data/digits.csv.gz"), delimiter=",", dtype=np.float32)
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def photographs() -> list[NDArray[np.uint8]]:
    """The result of ``sklearn.datasets.load_sample_images``: two images (427, 640, 3)."""
    return [np.asarray(Image.open(_file(f"images/{name}")).convert("RGB")) for name in PHOTOGRAPHS]


def _file(name: str) -> Path:
    with extra("data", "scikit-learn", "the embedded digits and photos, which it ships"):
        package = importlib.util.find_spec("sklearn")  # finds, does not import
        if package is None or not package.submodule_search_locations:
            raise ModuleNotFoundError("sklearn")
    path = Path(package.submodule_search_locations[0]) / "datasets" / name
    if not path.exists():
        raise DataError(
            f"scikit-learn's sample data is not at {path}: install the version in constraints.txt"
        )
    return path
