"""A user's own image, as the network takes it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from companion.widgets.space import Space
from lbae_lib.data.image_files import read_image
from lbae_lib.errors import DataError


@dataclass(frozen=True, eq=False)
class OwnImage:
    """An uploaded image, uint8 (1, C, S, S), its latent (1, N), and what was done to it as text."""

    name: str
    applied: str
    image: Tensor
    bits: Tensor


def read_upload(upload: Mapping[str, Any], space: Space) -> OwnImage:
    """Convert an entry of ``ipywidgets.FileUpload`` as an image of a folder, and encode it.

    Raises:
        DataError: if it is no image, or too small.
    """
    name, applied = Path(upload["name"]).name, Counter[str]()
    size, channels = space.test_images.shape[-1], space.test_images.shape[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"image{Path(name).suffix}")
        file.write_bytes(upload["content"])
        try:
            image = read_image(file, size, channels, applied)[None]
        except DataError as error:
            raise DataError(str(error).replace(str(file), name)) from None
    return OwnImage(name, ", ".join(applied), image, space.encode(image))
