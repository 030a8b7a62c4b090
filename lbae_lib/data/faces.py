"""Drawn faces with known attributes: ``faces``, which stands for CelebA.

A seed decides everything about a face. Its attributes depend on each other as they do among people:
only men have a goatee, and grey hair comes late in life. These are drawings; nothing measured on
them is comparable with photographs.
"""

import numpy as np
import torch
from numpy.random import Generator

from lbae_lib.data.face_colours import HAIRS
from lbae_lib.data.face_drawing import SIZE, draw_face
from lbae_lib.data.images import ImageSet
from lbae_lib.progress import progress_bar

VERSION = 1  # raise it when the drawings change: cached ones are then drawn again

ATTRIBUTES = (
    *("Male", "Young", "Smiling", "Mouth_Open", "Eyeglasses", "Goatee", "Mustache"),
    *("Bald", "Bangs", "Long_Hair", "Black_Hair", "Blond_Hair", "Gray_Hair", "Wearing_Hat"),
    *("Wearing_Lipstick", "Wearing_Earrings", "Pale_Skin", "Bushy_Eyebrows"),
)


def draw_faces(count: int, seed: int, show_progress: bool = False) -> ImageSet:
    """Draw faces, uint8 (count, 3, 64, 64), with attributes in the order of ``ATTRIBUTES``.

    The first faces of a seed are the same for every count.
    """
    images = torch.empty(count, 3, SIZE, SIZE, dtype=torch.uint8, device="cpu")
    attributes = torch.empty(count, len(ATTRIBUTES), dtype=torch.uint8, device="cpu")
    with progress_bar(count, "drawing faces", "img", enabled=show_progress) as bar:
        for index in range(count):
            rng = np.random.default_rng((seed, index))
            has = draw_attributes(rng)
            images[index] = torch.from_numpy(draw_face(has, rng)).permute(2, 0, 1)
            attributes[index] = torch.tensor([has[name] for name in ATTRIBUTES], device="cpu")
            bar.update()
    return ImageSet(images, attributes=attributes)


def draw_attributes(rng: Generator) -> dict[str, bool]:
    """Attributes of a random face, with the dependences between them."""

    def chance(probability: float) -> bool:
        return bool(rng.random() < probability)

    male, young, smiling = chance(0.45), chance(0.65), chance(0.5)
    bald = male and chance(0.06 if young else 0.3)
    beard = male and chance(0.3)
    shares = [0.3, 0.22, 0.03, 0.38, 0.07] if young else [0.16, 0.12, 0.44, 0.23, 0.05]
    hair = rng.choice(list(HAIRS), p=shares)
    long_hair = not bald and chance(0.06 if male else 0.7)
    hat = chance(0.07)
    return {
        "Male": male,
        "Young": young,
        "Smiling": smiling,
        "Mouth_Open": chance(0.55 if smiling else 0.12),
        "Eyeglasses": chance(0.12 if young else 0.32),
        "Goatee": beard and chance(0.75),
        "Mustache": beard and chance(0.55),
        "Bald": bald,
        "Bangs": not bald and not hat and chance(0.12 if male else 0.4),
        "Long_Hair": long_hair,
        **{name: hair == name and not bald for name in ("Black_Hair", "Blond_Hair", "Gray_Hair")},
        "Wearing_Hat": hat,
        "Wearing_Lipstick": not male and chance(0.6),
        "Wearing_Earrings": not male and chance(0.35),
        "Pale_Skin": chance(0.12),
        "Bushy_Eyebrows": chance(0.4 if male else 0.1),
        "_red": hair == "red",
    }
