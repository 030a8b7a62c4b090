"""Drawn faces with known attributes: ``faces``, which stands for CelebA.

Each face is a short programme of Pillow shapes at four times the final size, from a few dozen
numbers that a seed draws: pose, proportions, colours, light, and the attributes below, which
depend on each other as they do among people (no goatee without a beard's age, grey hair rather
late in life). They are drawings; nothing measured on them is comparable with photographs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from lbae_lib.progress import progress_bar

VERSION = 1  # raise it when the drawings change: cached ones are then drawn again
SIZE = 64
_SCALE = 4
_CANVAS = SIZE * _SCALE
_MARGIN = 24  # around the canvas, so that turning the head uncovers no corner

ATTRIBUTES = (
    "Male",
    "Young",
    "Smiling",
    "Mouth_Open",
    "Eyeglasses",
    "Goatee",
    "Mustache",
    "Bald",
    "Bangs",
    "Long_Hair",
    "Black_Hair",
    "Blond_Hair",
    "Gray_Hair",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Earrings",
    "Pale_Skin",
    "Bushy_Eyebrows",
)

Colour = tuple[int, int, int]

_SKINS = (
    (250, 226, 208),
    (241, 199, 170),
    (224, 172, 136),
    (190, 132, 96),
    (140, 90, 62),
    (96, 62, 46),
)
_HAIRS = {
    "Black_Hair": ((28, 24, 26), (48, 38, 36)),
    "Blond_Hair": ((214, 176, 104), (236, 206, 142)),
    "Gray_Hair": ((150, 150, 154), (204, 204, 206)),
    "brown": ((76, 48, 32), (132, 82, 50)),
    "red": ((140, 62, 34), (176, 88, 48)),
}
_EYES = ((70, 46, 32), (96, 68, 44), (66, 104, 140), (76, 116, 84), (104, 112, 120))
_CLOTHES = (
    (52, 78, 118),
    (120, 52, 60),
    (60, 96, 78),
    (84, 84, 92),
    (196, 180, 152),
    (108, 82, 128),
)
_BACKGROUNDS = (
    (118, 150, 172),
    (164, 150, 132),
    (128, 146, 124),
    (92, 100, 118),
    (186, 176, 168),
    (150, 118, 112),
    (70, 84, 96),
)


@dataclass(frozen=True)
class Faces:
    """Drawn faces.

    Attributes:
        images: uint8 (K, 3, 64, 64).
        attributes: uint8 (K, 18) of 0 and 1, in the order of ``ATTRIBUTES``.
    """

    images: Tensor
    attributes: Tensor


def draw_faces(count: int, seed: int, show_progress: bool = False) -> Faces:
    """Draw faces; the same seed gives the same faces, however many are asked for.

    Args:
        count: number of faces.
        seed: of all of them.
        show_progress: draw a bar.
    """
    images = torch.empty(count, 3, SIZE, SIZE, dtype=torch.uint8)
    attributes = torch.empty(count, len(ATTRIBUTES), dtype=torch.uint8)
    with progress_bar(count, "drawing faces", "img", enabled=show_progress) as bar:
        for index in range(count):
            rng = np.random.default_rng((seed, index))
            has = draw_attributes(rng)
            pixels = draw_face(has, rng)
            images[index] = torch.from_numpy(pixels).permute(2, 0, 1)
            attributes[index] = torch.tensor([has[name] for name in ATTRIBUTES])
            bar.update()
    return Faces(images, attributes)


def draw_attributes(rng: Generator) -> dict[str, bool]:
    """Attributes of a random face, with the dependences between them."""

    def chance(probability: float) -> bool:
        return bool(rng.random() < probability)

    male, young, smiling = chance(0.45), chance(0.65), chance(0.5)
    bald = male and chance(0.06 if young else 0.3)
    beard = male and chance(0.3)
    hair = rng.choice(
        ["Black_Hair", "Blond_Hair", "Gray_Hair", "brown", "red"],
        p=[0.3, 0.22, 0.03, 0.38, 0.07] if young else [0.16, 0.12, 0.44, 0.23, 0.05],
    )
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
    }  # fmt: skip


def draw_face(has: dict[str, bool], rng: Generator) -> NDArray[np.uint8]:
    """One face.

    Args:
        has: its attributes; what is not among them is drawn from ``rng``.
        rng: of pose, proportions, colours and light.

    Returns:
        uint8 (64, 64, 3).
    """
    return _Face(has, rng).drawn()


class _Face:
    """A face while it is drawn; lengths are in units of the picture's width."""

    def __init__(self, has: dict[str, bool], rng: Generator) -> None:
        self.has = has
        self.rng = rng
        male, young = has["Male"], has["Young"]
        normal = rng.normal
        self.centre = (0.5 + normal(0, 0.012), 0.53 + normal(0, 0.012))
        self.yaw = float(np.clip(normal(0, 0.5), -1.2, 1.2))  # -1: looks left, 1: right
        self.roll = normal(0, 3.0)  # degrees
        self.half_width = 0.205 + 0.012 * male + normal(0, 0.009)
        self.half_height = 0.285 + normal(0, 0.012)
        self.jaw = 0.72 + 0.13 * male + normal(0, 0.05)
        tone = rng.uniform(0.0, 0.35) if has["Pale_Skin"] else rng.beta(1.3, 1.6) * 4 + 0.9
        low = min(int(tone), len(_SKINS) - 2)
        self.skin = _mix(_SKINS[low], _SKINS[low + 1], tone - low)
        kinds = [name for name in ("Black_Hair", "Blond_Hair", "Gray_Hair") if has[name]]
        kind = kinds[0] if kinds else ("red" if has.get("_red") else "brown")
        self.hair = _mix(*_HAIRS[kind], rng.random())
        self.iris = _pick(_EYES, rng)
        self.eye_gap = 0.098 + normal(0, 0.005)
        self.eye_width = 0.043 + 0.004 * (not male) + normal(0, 0.003)
        self.eye_open = 0.42 + normal(0, 0.06)
        self.nose = 0.036 + 0.006 * male + normal(0, 0.004)
        self.mouth = 0.082 + 0.010 * has["Smiling"] + normal(0, 0.006)
        self.smile = (0.042 if has["Smiling"] else 0.004) + normal(0, 0.003)
        self.wrinkled = not young
        background = _pick(_BACKGROUNDS, rng)
        self.background = (background, _mix(background, _pick(_BACKGROUNDS, rng), 0.5))
        self.clothes = _pick(_CLOTHES, rng)
        self.light = (normal(0, 0.16), normal(-0.05, 0.08))
        self.picture = Image.new("RGB", (_CANVAS + 2 * _MARGIN,) * 2)
        self.pen = ImageDraw.Draw(self.picture)

    def drawn(self) -> NDArray[np.uint8]:
        """Draw from back to front, turn, reduce, light."""
        self._background()
        if self.has["Long_Hair"]:
            self._long_hair()
        self._body()
        self._head()
        self._eyes()
        self._nose()
        self._beard()
        self._mouth()
        self._hair()
        if self.has["Eyeglasses"]:
            self._glasses()
        if self.has["Wearing_Hat"]:
            self._hat()
        turned = self.picture.rotate(self.roll, Image.Resampling.BILINEAR)
        end = _MARGIN + _CANVAS
        reduced = turned.reduce(_SCALE, (_MARGIN, _MARGIN, end, end))
        pixels = np.asarray(reduced, dtype=np.float32)
        y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j].astype(np.float32)
        shade = 1 + self.light[0] * x + self.light[1] * y - 0.10 * (x**2 + y**2)
        return np.clip(pixels * shade[..., None], 0, 255).round().astype(np.uint8)

    # Places on the face: x from -1 to 1 across, y from -1 (top) to 1 (chin). What lies in front
    # of the head moves with its turn.

    def _at(self, x: float, y: float, depth: float = 0.0) -> tuple[float, float]:
        across = self.centre[0] + self.half_width * x + 0.035 * depth * self.yaw
        down = self.centre[1] + self.half_height * y
        return across * _CANVAS + _MARGIN, down * _CANVAS + _MARGIN

    def _oval(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, depth: float = 0.0
    ) -> None:
        """An ellipse with radii in units of the picture."""
        cx, cy = self._at(x, y, depth)
        rx, ry = rx * _CANVAS, ry * _CANVAS
        self.pen.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=colour)

    def _curve(
        self,
        x0: float,
        x1: float,
        y: float,
        bend: float,
        width: float,
        colour: Colour,
        depth: float = 1.0,
    ) -> None:
        """A stroke from x0 to x1 that sags by ``bend`` in its middle."""
        points = [
            self._at(x0 + (x1 - x0) * t, y + bend * 4 * t * (1 - t), depth)
            for t in np.linspace(0, 1, 13)
        ]
        self.pen.line(points, fill=colour, width=max(1, round(width * _CANVAS)), joint="curve")

    def _background(self) -> None:
        top, bottom = self.background
        side = self.picture.width
        for row in range(0, side, 8):
            self.pen.rectangle((0, row, side, row + 8), fill=_mix(top, bottom, row / side))

    def _long_hair(self) -> None:
        dark = _mix(self.hair, (0, 0, 0), 0.25)
        wide = self.half_width * (1.32 + 0.1 * self.rng.random())
        length = 0.24 + 0.16 * self.rng.random()
        self._oval(0, -0.25, wide, self.half_height * 0.95, dark, -0.5)
        left, top = self._at(-1, -0.2, -0.5)
        right, bottom = self._at(1, 0.55, -0.5)
        pad = (wide - self.half_width) * _CANVAS
        self.pen.rounded_rectangle(
            (left - pad, top, right + pad, bottom + length * _CANVAS * 0.5),
            radius=0.09 * _CANVAS,
            fill=dark,
        )

    def _body(self) -> None:
        shadow = _mix(self.skin, (60, 20, 10), 0.25)
        x, y = self._at(0, 0.75, -0.3)
        neck = self.half_width * (0.52 + 0.08 * self.has["Male"]) * _CANVAS
        self.pen.rectangle((x - neck, y, x + neck, y + 0.2 * _CANVAS), fill=shadow)
        wide = (0.33 + 0.05 * self.has["Male"]) * _CANVAS
        top = y + 0.115 * _CANVAS
        self.pen.ellipse((x - wide, top, x + wide, top + 0.8 * _CANVAS), fill=self.clothes)
        self.pen.ellipse(
            (x - neck, top - 0.05 * _CANVAS, x + neck, top + 0.055 * _CANVAS), fill=shadow
        )

    def _head(self) -> None:
        shadow = _mix(self.skin, (70, 25, 10), 0.18)
        for side in (-1, 1):  # ears; the one turned away is hidden
            if side * self.yaw < 0.9:
                self._oval(1.0 * side, 0.0, 0.035, 0.058, shadow, -0.4)
                if self.has["Wearing_Earrings"]:
                    self._oval(1.06 * side, 0.27, 0.017, 0.023, (238, 204, 92), -0.4)
        outline = []
        for angle in np.linspace(0, 2 * math.pi, 72, endpoint=False):
            x, y = math.cos(angle), math.sin(angle)
            if y > 0:  # towards the chin, by the jaw
                x *= 1 - (1 - self.jaw) * y**1.6
            outline.append(self._at(x, y))
        self.pen.polygon(outline, fill=self.skin)
        blush = _mix(self.skin, (226, 110, 100), 0.18)
        for side in (-1, 1):
            self._oval(0.52 * side, 0.24, 0.048, 0.034, blush, 0.7)
        if self.wrinkled:
            for line in range(2):
                self._curve(-0.4, 0.4, -0.5 - 0.1 * line, -0.02, 0.006, shadow, 0.8)
            for side in (-1, 1):
                self._curve(0.30 * side, 0.44 * side, 0.36, 0.12, 0.007, shadow)

    def _eyes(self) -> None:
        lid = _mix(self.skin, (60, 20, 10), 0.45)
        brow = _mix(self.hair, (30, 20, 15), 0.35)
        if self.has["Bald"]:
            brow = (84, 64, 52)
        thick = 0.028 if self.has["Bushy_Eyebrows"] else 0.014
        for side in (-1, 1):
            x, y = side * self.eye_gap / self.half_width, -0.1
            rx = self.eye_width * (1 - 0.12 * side * self.yaw)
            ry = rx * self.eye_open
            self._oval(x, y - 0.012, rx * 1.12, ry * 1.45, lid, 1)
            self._oval(x, y, rx, ry, (246, 244, 240), 1)
            look = x + 0.05 * self.yaw
            self._oval(look, y, ry * 0.98, ry * 0.98, self.iris, 1)
            self._oval(look, y, ry * 0.5, ry * 0.5, (16, 14, 14), 1)
            self._oval(look - 0.03, y - 0.025, ry * 0.2, ry * 0.2, (255, 255, 255), 1)
            span = rx / self.half_width * 1.2
            self._curve(x - span, x + span, -0.255, -0.045, thick, brow)
            if not self.has["Male"]:
                self._curve(
                    x - span * 0.85, x + span * 0.85, y - 0.015, -ry * 3.0, 0.009, (36, 26, 26)
                )

    def _nose(self) -> None:
        shadow = _mix(self.skin, (90, 35, 20), 0.30)
        bright = _mix(self.skin, (255, 250, 240), 0.25)
        side = 1 if self.light[0] < 0 else -1
        self._curve(0.07 * side, 0.10 * side, 0.12, 0.0, 0.02, shadow, 1.4)
        x0, y0 = self._at(0.05 * side, -0.12, 1.2)
        x1, y1 = self._at(0.10 * side, 0.26, 1.6)
        self.pen.line((x0, y0, x1, y1), fill=shadow, width=round(0.012 * _CANVAS))
        self._oval(0, 0.26, self.nose, 0.026, _mix(self.skin, shadow, 0.45), 1.6)
        self._oval(-0.04 * side, 0.235, 0.012, 0.012, bright, 1.6)
        for nostril in (-1, 1):
            self._oval(0.085 * nostril, 0.295, 0.009, 0.006, _mix(shadow, (40, 10, 5), 0.5), 1.6)

    def _beard(self) -> None:
        colour = _mix(self.hair, (30, 22, 18), 0.3)
        if self.has["Bald"]:
            colour = (70, 54, 46)
        if self.has["Goatee"]:
            self._oval(0, 0.86, self.mouth * 0.78, 0.070, colour, 1.1)
            for side in (-1, 1):
                self._curve(0.40 * side, 0.30 * side, 0.66, 0.0, 0.03, colour, 1.1)
                x, y = self._at(0.37 * side, 0.66, 1.1)
                r = 0.018 * _CANVAS
                self.pen.ellipse((x - r, y - 2 * r, x + r, y + 3.4 * r), fill=colour)
        if self.has["Mustache"]:
            span = self.mouth / self.half_width
            self._curve(-span, span, 0.455, -0.05, 0.034, colour, 1.3)

    def _mouth(self) -> None:
        lips = (
            (186, 40, 60) if self.has["Wearing_Lipstick"] else _mix(self.skin, (168, 64, 62), 0.5)
        )
        span = self.mouth / self.half_width
        bend = self.smile / self.half_height * 1.6
        y = 0.56 - bend * 0.5
        thick = 0.021 if self.has["Wearing_Lipstick"] else 0.015
        if self.has["Mouth_Open"]:
            deep = bend + 0.15
            upper = [(x, y + bend * (1 - (x / span) ** 2)) for x in np.linspace(-span, span, 15)]
            lower = [(x, y + deep * (1 - (x / span) ** 2)) for x in np.linspace(span, -span, 15)]
            self.pen.polygon([self._at(*p, 1.2) for p in upper + lower], fill=(84, 22, 28))
            teeth = [
                (x, y + (bend + 0.055) * (1 - (x / span) ** 2))
                for x in np.linspace(span, -span, 15)
            ]
            self.pen.polygon([self._at(*p, 1.2) for p in upper + teeth], fill=(250, 248, 242))
            self._curve(-span, span, y, deep, thick, lips, 1.2)
        self._curve(-span, span, y, bend, thick, lips, 1.2)
        if self.has["Smiling"]:
            crease = _mix(self.skin, (70, 25, 10), 0.25)
            for side in (-1, 1):
                self._curve(
                    (span + 0.06) * side, (span + 0.10) * side, y - 0.03, 0.05, 0.008, crease
                )

    def _hair(self) -> None:
        if self.has["Bald"]:
            self._oval(-0.25, -0.78, 0.06, 0.022, _mix(self.skin, (255, 255, 255), 0.35), 0.5)
            return
        shine = _mix(self.hair, (255, 250, 235), 0.22)
        parting = self.rng.uniform(-0.5, 0.5)
        line = -0.30 if self.has["Bangs"] else -0.58
        top = []
        for angle in np.linspace(math.pi * 1.02, math.pi * 1.98, 40):
            top.append(self._at(1.13 * math.cos(angle), -0.02 + 1.13 * math.sin(angle), -0.1))
        edge = []
        for x in np.linspace(1.0, -1.0, 31):
            y = line - 0.10 * math.cos(3 * (x - parting)) + 0.45 * abs(x) ** 3.2
            edge.append(self._at(x * 1.0, min(y, 0.05), 0.4))
        self.pen.polygon(top + edge, fill=self.hair)
        for offset in (0.0, 0.10, 0.2):
            self._curve(
                parting - 0.55, parting + 0.25, -0.86 + offset * 0.7, -0.06, 0.010, shine, 0.0
            )
        if self.has["Long_Hair"]:
            for side in (-1, 1):
                x, y = self._at(1.04 * side, -0.45, -0.1)
                wide = 0.042 * _CANVAS
                self.pen.rounded_rectangle(
                    (x - wide, y, x + wide, y + 0.34 * _CANVAS), radius=wide, fill=self.hair
                )

    def _glasses(self) -> None:
        frame: Colour = (34, 32, 36) if self.rng.random() < 0.7 else (120, 72, 40)
        y = -0.09
        rx, ry = 0.074 * _CANVAS, (0.052 + 0.01 * self.rng.random()) * _CANVAS
        wide = round(0.015 * _CANVAS)
        for side in (-1, 1):
            x, cy = self._at(side * self.eye_gap / self.half_width, y, 1.3)
            box = (x - rx, cy - ry, x + rx, cy + ry)
            self.pen.rounded_rectangle(box, radius=0.03 * _CANVAS, outline=frame, width=wide)
            far = self._at(1.02 * side, y - 0.03, -0.1)
            self.pen.line((x + side * rx, cy, *far), fill=frame, width=wide)
        bridge = [self._at(side * (self.eye_gap / self.half_width), y, 1.3) for side in (-1, 1)]
        (x0, cy), (x1, _) = bridge
        self.pen.line((x0 + rx, cy - 4, x1 - rx, cy - 4), fill=frame, width=wide)

    def _hat(self) -> None:
        colour = _pick(_CLOTHES, self.rng)
        band = _mix(colour, (0, 0, 0), 0.4)
        left, top = self._at(-1.12, -1.32, 0.0)
        right, brim = self._at(1.12, -0.52, 0.0)
        self.pen.rounded_rectangle((left, top, right, brim), radius=0.11 * _CANVAS, fill=colour)
        self.pen.rectangle((left, brim - 0.06 * _CANVAS, right, brim), fill=band)
        pad = 0.055 * _CANVAS
        self.pen.ellipse(
            (left - pad, brim - 0.035 * _CANVAS, right + pad, brim + 0.035 * _CANVAS), fill=colour
        )


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    """``share`` of b, the rest of a."""
    red, green, blue = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue


def _pick(colours: tuple[Colour, ...], rng: Generator) -> Colour:
    """A colour between two neighbours of a palette."""
    first, second = rng.choice(len(colours), 2)
    return _mix(colours[first], colours[second], 0.3 * rng.random())
