"""What the names in an image folder tell, without reading an image.

Imports neither torch nor numpy.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

ATTRIBUTES_FILE = "attributes.csv"
OTHER_COLUMNS = {"image_id", "split"}  # of that table; the rest are attributes
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}


def is_named(folder: Path) -> bool:
    """Whether a folder of images has attributes in its table, or, without table, two classes.

    A missing folder has neither.
    """
    table = folder / ATTRIBUTES_FILE
    if table.is_file():
        with table.open(newline="", encoding="utf-8", errors="replace") as handle:
            try:
                return bool(set(next(csv.reader(handle), [])) - OTHER_COLUMNS)
            except csv.Error:
                return True  # load_folder says what is wrong
    parts = [folder / part for part in ("train", "test")]
    places = parts if all(part.is_dir() for part in parts) else [folder]
    return len({name for place in places for name in _class_folders(place)}) > 1


def _class_folders(place: Path) -> list[str]:
    """Subfolders that hold images."""
    if not place.is_dir():
        return []
    with os.scandir(place) as entries:  # which knows folders without asking the system for each
        folders = [Path(e) for e in entries if not e.name.startswith(".") and e.is_dir()]
    return [
        folder.name
        for folder in folders
        if any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
    ]
