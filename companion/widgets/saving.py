"""Pictures and bits of the explorer as files in ``runs/explorer/``."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from companion.project import RUNS, project_root
from lbae_lib.files import replacing

FOLDER = f"{RUNS}/explorer"


def save(name: str, pictures: Sequence[bytes], bits: Tensor, shown: str) -> tuple[str, str]:
    """Write pictures below each other and their bits, under a name that is not taken: both files.

    The text of ``shown``, HTML that describes the picture, is kept in the picture's "Description".
    """
    folder = project_root() / FOLDER
    names = (f"{name.lower()}-{number:03}" for number in range(1, 10**6))
    free = next(found for found in names if not (folder / f"{found}.png").exists())
    about = PngInfo()
    about.add_itxt("Description", html.unescape(re.sub("<[^>]*>", "", shown)))
    with replacing(folder / f"{free}.npy") as scratch:
        np.save(scratch, bits.cpu().numpy().astype(np.int8))
    with replacing(folder / f"{free}.png") as scratch:
        _stacked(pictures).save(scratch, pnginfo=about)
    return f"{FOLDER}/{free}.png", f"{FOLDER}/{free}.npy"


def _stacked(pictures: Sequence[bytes]) -> Image.Image:
    """Pictures below each other, on white."""
    parts = [Image.open(io.BytesIO(content)) for content in pictures]
    size = max(part.width for part in parts), sum(part.height + 8 for part in parts) - 8
    canvas, top = Image.new("RGB", size, "white"), 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height + 8
    return canvas
