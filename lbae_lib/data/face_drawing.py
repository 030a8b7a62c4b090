"""The drawing of one face as Pillow shapes, at four times the final size.

A few dozen random numbers decide what the attributes leave open: pose, proportions, colours, light.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lbae_lib.data import face_colours as colours
from lbae_lib.data.face_colours import BLACK, WHITE, Colour, mix, pick

SIZE = 64
_SCALE = 4
_CANVAS = SIZE * _SCALE
_MARGIN = 24  # around the canvas, so that turning the head uncovers no corner
_SIDES = (-1, 1)  # left and right
_PLACES = np.linspace(0, 1, 13)  # along a curve

Point = tuple[float, float, float]  # x, y, depth
Oval = tuple[float, float, float, float, Colour]  # x, y, two radii in units of the picture
Curve = tuple[float, float, float, float, float, Colour]  # x0, x1, y, sag in its middle, width


def draw_face(has: dict[str, bool], rng: Generator) -> NDArray[np.uint8]:
    """A face with these attributes, uint8 (64, 64, 3); ``rng`` draws everything else."""
    return _Face(has, rng).drawn()


class _Face:
    """A face while it is drawn; lengths are in units of the picture's width."""

    def __init__(self, has: dict[str, bool], rng: Generator) -> None:
        self.has, self.rng = has, rng
        male, normal = has["Male"], rng.normal
        self.centre = (0.5 + normal(0, 0.012), 0.53 + normal(0, 0.012))
        self.yaw = float(np.clip(normal(0, 0.5), -1.2, 1.2))  # -1: looks left, 1: right
        self.roll = normal(0, 3.0)  # degrees
        self.half_width = 0.205 + 0.012 * male + normal(0, 0.009)
        self.half_height = 0.285 + normal(0, 0.012)
        self.jaw = 0.72 + 0.13 * male + normal(0, 0.05)
        tone = rng.uniform(0.0, 0.35) if has["Pale_Skin"] else rng.beta(1.3, 1.6) * 4 + 0.9
        low = min(int(tone), len(colours.SKINS) - 2)
        self.skin = mix(colours.SKINS[low], colours.SKINS[low + 1], tone - low)
        hairs = [name for name in ("Black_Hair", "Blond_Hair", "Gray_Hair") if has[name]]
        kind = hairs[0] if hairs else ("red" if has.get("_red") else "brown")
        self.hair = mix(*colours.HAIRS[kind], rng.random())
        self.iris = pick(colours.EYES, rng)
        self.eye_gap = 0.098 + normal(0, 0.005)
        self.eye_width = 0.043 + 0.004 * (not male) + normal(0, 0.003)
        self.eye_open = 0.42 + normal(0, 0.06)
        self.nose = 0.036 + 0.006 * male + normal(0, 0.004)
        self.mouth = 0.082 + 0.010 * has["Smiling"] + normal(0, 0.006)
        self.smile = (0.042 if has["Smiling"] else 0.004) + normal(0, 0.003)
        background = pick(colours.BACKGROUNDS, rng)
        self.background = (background, mix(background, pick(colours.BACKGROUNDS, rng), 0.5))
        self.clothes = pick(colours.CLOTHES, rng)
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
    # of the head moves with its turn, by its depth.

    def _at(self, x: float, y: float, depth: float) -> tuple[float, float]:
        across = self.centre[0] + self.half_width * x + 0.035 * depth * self.yaw
        down = self.centre[1] + self.half_height * y
        return across * _CANVAS + _MARGIN, down * _CANVAS + _MARGIN

    def _ovals(self, depth: float, *ovals: Oval) -> None:
        for x, y, rx, ry, colour in ovals:
            cx, cy = self._at(x, y, depth)
            rx, ry = rx * _CANVAS, ry * _CANVAS
            self.pen.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=colour)

    def _curves(self, depth: float, *curves: Curve) -> None:
        for x0, x1, y, sag, width, colour in curves:
            places = ((x0 + (x1 - x0) * t, y + sag * 4 * t * (1 - t)) for t in _PLACES)
            points = [self._at(*place, depth) for place in places]
            self.pen.line(points, fill=colour, width=max(1, round(width * _CANVAS)), joint="curve")

    def _area(self, points: Iterable[Point], colour: Colour) -> None:
        self.pen.polygon([self._at(*point) for point in points], fill=colour)

    def _background(self) -> None:
        side = self.picture.width
        for row in range(0, side, 8):
            self.pen.rectangle((0, row, side, row + 8), fill=mix(*self.background, row / side))

    def _long_hair(self) -> None:
        dark = mix(self.hair, BLACK, 0.25)
        wide = self.half_width * (1.32 + 0.1 * self.rng.random())
        length = 0.24 + 0.16 * self.rng.random()
        self._ovals(-0.5, (0, -0.25, wide, self.half_height * 0.95, dark))
        left, top = self._at(-1, -0.2, -0.5)
        right, bottom = self._at(1, 0.55, -0.5)
        pad = (wide - self.half_width) * _CANVAS
        box = (left - pad, top, right + pad, bottom + length * _CANVAS * 0.5)
        self.pen.rounded_rectangle(box, radius=0.09 * _CANVAS, fill=dark)

    def _body(self) -> None:
        shadow = mix(self.skin, (60, 20, 10), 0.25)
        x, y = self._at(0, 0.75, -0.3)
        neck = self.half_width * (0.52 + 0.08 * self.has["Male"]) * _CANVAS
        self.pen.rectangle((x - neck, y, x + neck, y + 0.2 * _CANVAS), fill=shadow)
        wide = (0.33 + 0.05 * self.has["Male"]) * _CANVAS
        top = y + 0.115 * _CANVAS
        self.pen.ellipse((x - wide, top, x + wide, top + 0.8 * _CANVAS), fill=self.clothes)
        collar = (x - neck, top - 0.05 * _CANVAS, x + neck, top + 0.055 * _CANVAS)
        self.pen.ellipse(collar, fill=shadow)

    def _head(self) -> None:
        shadow = mix(self.skin, (70, 25, 10), 0.18)
        blush = mix(self.skin, (226, 110, 100), 0.18)
        for side in _SIDES:  # ears; the one turned away is hidden
            if side * self.yaw < 0.9:
                self._ovals(-0.4, (1.0 * side, 0.0, 0.035, 0.058, shadow))
                if self.has["Wearing_Earrings"]:
                    self._ovals(-0.4, (1.06 * side, 0.27, 0.017, 0.023, (238, 204, 92)))
        outline = []
        for angle in np.linspace(0, 2 * math.pi, 72, endpoint=False):
            x, y = math.cos(angle), math.sin(angle)
            if y > 0:  # towards the chin, by the jaw
                x *= 1 - (1 - self.jaw) * y**1.6
            outline.append((x, y, 0.0))
        self._area(outline, self.skin)
        self._ovals(0.7, *((0.52 * side, 0.24, 0.048, 0.034, blush) for side in _SIDES))
        if not self.has["Young"]:  # wrinkles
            forehead = (-0.5, -0.6)
            self._curves(0.8, *((-0.4, 0.4, y, -0.02, 0.006, shadow) for y in forehead))
            self._curves(1, *((0.30 * s, 0.44 * s, 0.36, 0.12, 0.007, shadow) for s in _SIDES))

    def _eyes(self) -> None:
        lid = mix(self.skin, (60, 20, 10), 0.45)
        brow = (84, 64, 52) if self.has["Bald"] else mix(self.hair, (30, 20, 15), 0.35)
        thick = 0.028 if self.has["Bushy_Eyebrows"] else 0.014
        for side in _SIDES:
            x, y = side * self.eye_gap / self.half_width, -0.1
            rx = self.eye_width * (1 - 0.12 * side * self.yaw)
            ry = rx * self.eye_open
            look = x + 0.05 * self.yaw
            self._ovals(
                1,
                (x, y - 0.012, rx * 1.12, ry * 1.45, lid),
                (x, y, rx, ry, (246, 244, 240)),
                (look, y, ry * 0.98, ry * 0.98, self.iris),
                (look, y, ry * 0.5, ry * 0.5, (16, 14, 14)),
                (look - 0.03, y - 0.025, ry * 0.2, ry * 0.2, WHITE),
            )
            span = rx / self.half_width * 1.2
            self._curves(1, (x - span, x + span, -0.255, -0.045, thick, brow))
            if not self.has["Male"]:  # lashes
                left, right = x - span * 0.85, x + span * 0.85
                self._curves(1, (left, right, y - 0.015, -ry * 3.0, 0.009, (36, 26, 26)))

    def _nose(self) -> None:
        shadow = mix(self.skin, (90, 35, 20), 0.30)
        bright, middle = mix(self.skin, (255, 250, 240), 0.25), mix(self.skin, shadow, 0.45)
        nostril = mix(shadow, (40, 10, 5), 0.5)
        side = 1 if self.light[0] < 0 else -1
        self._curves(1.4, (0.07 * side, 0.10 * side, 0.12, 0.0, 0.02, shadow))
        ridge = (*self._at(0.05 * side, -0.12, 1.2), *self._at(0.10 * side, 0.26, 1.6))
        self.pen.line(ridge, fill=shadow, width=round(0.012 * _CANVAS))
        self._ovals(
            1.6,
            (0, 0.26, self.nose, 0.026, middle),
            (-0.04 * side, 0.235, 0.012, 0.012, bright),
            *((0.085 * where, 0.295, 0.009, 0.006, nostril) for where in _SIDES),
        )

    def _beard(self) -> None:
        colour = (70, 54, 46) if self.has["Bald"] else mix(self.hair, (30, 22, 18), 0.3)
        if self.has["Goatee"]:
            self._ovals(1.1, (0, 0.86, self.mouth * 0.78, 0.070, colour))
            self._curves(1.1, *((0.40 * s, 0.30 * s, 0.66, 0.0, 0.03, colour) for s in _SIDES))
            for side in _SIDES:
                x, y = self._at(0.37 * side, 0.66, 1.1)
                r = 0.018 * _CANVAS
                self.pen.ellipse((x - r, y - 2 * r, x + r, y + 3.4 * r), fill=colour)
        if self.has["Mustache"]:
            span = self.mouth / self.half_width
            self._curves(1.3, (-span, span, 0.455, -0.05, 0.034, colour))

    def _mouth(self) -> None:
        painted = self.has["Wearing_Lipstick"]
        lips = (186, 40, 60) if painted else mix(self.skin, (168, 64, 62), 0.5)
        thick = 0.021 if painted else 0.015
        span = self.mouth / self.half_width
        bend = self.smile / self.half_height * 1.6
        y = 0.56 - bend * 0.5
        if self.has["Mouth_Open"]:

            def edge(sag: float, direction: int) -> list[Point]:
                across = np.linspace(-span * direction, span * direction, 15)
                return [(x, y + sag * (1 - (x / span) ** 2), 1.2) for x in across]

            deep = bend + 0.15
            self._area(edge(bend, 1) + edge(deep, -1), (84, 22, 28))
            self._area(edge(bend, 1) + edge(bend + 0.055, -1), (250, 248, 242))  # teeth
            self._curves(1.2, (-span, span, y, deep, thick, lips))
        self._curves(1.2, (-span, span, y, bend, thick, lips))
        if self.has["Smiling"]:
            crease = mix(self.skin, (70, 25, 10), 0.25)
            ends = (((span + 0.06) * side, (span + 0.10) * side) for side in _SIDES)
            self._curves(1, *((*x, y - 0.03, 0.05, 0.008, crease) for x in ends))

    def _hair(self) -> None:
        if self.has["Bald"]:
            self._ovals(0.5, (-0.25, -0.78, 0.06, 0.022, mix(self.skin, WHITE, 0.35)))
            return
        shine = mix(self.hair, (255, 250, 235), 0.22)
        parting = self.rng.uniform(-0.5, 0.5)
        line = -0.30 if self.has["Bangs"] else -0.58
        points = [
            (1.13 * math.cos(angle), -0.02 + 1.13 * math.sin(angle), -0.1)
            for angle in np.linspace(math.pi * 1.02, math.pi * 1.98, 40)
        ]
        for x in np.linspace(1.0, -1.0, 31):
            y = line - 0.10 * math.cos(3 * (x - parting)) + 0.45 * abs(x) ** 3.2
            points.append((x, min(y, 0.05), 0.4))
        self._area(points, self.hair)
        ends, strands = (parting - 0.55, parting + 0.25), (-0.86, -0.79, -0.72)
        self._curves(0, *((*ends, y, -0.06, 0.010, shine) for y in strands))
        if self.has["Long_Hair"]:
            wide = 0.042 * _CANVAS
            for side in _SIDES:
                x, y = self._at(1.04 * side, -0.45, -0.1)
                box = (x - wide, y, x + wide, y + 0.34 * _CANVAS)
                self.pen.rounded_rectangle(box, radius=wide, fill=self.hair)

    def _glasses(self) -> None:
        frame: Colour = (34, 32, 36) if self.rng.random() < 0.7 else (120, 72, 40)
        rx, ry = 0.074 * _CANVAS, (0.052 + 0.01 * self.rng.random()) * _CANVAS
        wide = round(0.015 * _CANVAS)
        eye = self.eye_gap / self.half_width
        (x0, y), (x1, _) = (self._at(side * eye, -0.09, 1.3) for side in _SIDES)
        for side, x in zip(_SIDES, (x0, x1), strict=True):
            box = (x - rx, y - ry, x + rx, y + ry)
            self.pen.rounded_rectangle(box, radius=0.03 * _CANVAS, outline=frame, width=wide)
            far = self._at(1.02 * side, -0.09 - 0.03, -0.1)
            self.pen.line((x + side * rx, y, *far), fill=frame, width=wide)
        self.pen.line((x0 + rx, y - 4, x1 - rx, y - 4), fill=frame, width=wide)

    def _hat(self) -> None:
        colour = pick(colours.CLOTHES, self.rng)
        left, top = self._at(-1.12, -1.32, 0.0)
        right, brim = self._at(1.12, -0.52, 0.0)
        band = (left, brim - 0.06 * _CANVAS, right, brim)
        pad, thick = 0.055 * _CANVAS, 0.035 * _CANVAS
        self.pen.rounded_rectangle((left, top, right, brim), radius=0.11 * _CANVAS, fill=colour)
        self.pen.rectangle(band, fill=mix(colour, BLACK, 0.4))
        self.pen.ellipse((left - pad, brim - thick, right + pad, brim + thick), fill=colour)
