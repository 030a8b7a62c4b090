"""The explorer's panels.

A panel's widgets are its attributes, so that a program can do everything that a user does in
JupyterLab: ``panel.angle.value = 30`` redraws.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from companion.analysis.editing import DIRECTIONS
from companion.analysis.inversions import INVERSIONS
from companion.analysis.samplers import LABELS
from companion.experiments.images import attribute_table
from companion.widgets.pictures import bits_png, path_svg, png
from companion.widgets.space import Space
from lbae_lib.bits import hamming_distance
from lbae_lib.latent.attributes import PAPER_THRESHOLD, contrast, expected_bits, set_attribute
from lbae_lib.latent.interpolation import hamming_path, interpolate_bits
from lbae_lib.latent.moments import moment_errors, moments

_STEPS = 11  # of an interpolation
_DRAWN = 4000  # samples from which moment errors are computed
_BUTTONS = 256  # bits shown as buttons at a time
_WIDE = {"description_width": "8em"}


class Panel:
    """Widgets, a picture, and a line of text that describes it.

    Args:
        space: the latent space shown.
        controls: widgets whose values decide the picture.
        shown: widgets below them, above the text.
    """

    def __init__(self, space: Space, controls: list[Any], shown: list[Any]) -> None:
        self.space = space
        self._last: tuple[object, ...] = ()
        self.text = widgets.HTML()
        for control in controls:
            control.observe(lambda _: self.redraw(), "value")
            control.layout.width = "32em"
        for part in shown:
            if isinstance(part, widgets.Image):
                part.layout.align_self = "flex-start"  # keeps its aspect ratio
        self.view = widgets.VBox([*controls, *shown, self.text])
        self.redraw()

    def redraw(self) -> None:
        """Draw what the controls ask for."""
        raise NotImplementedError

    def changed(self, *values: object) -> bool:
        """Whether these values differ from those of the last call."""
        last, self._last = self._last, values
        return values != last

    def describe(self, text: str, warning: str = "") -> None:
        """Show text below the picture."""
        note = f" <b>{html.escape(warning)}</b>" if warning else ""
        self.text.value = f"<p role='status'>{html.escape(text)}{note}</p>"


def _picture() -> widgets.Image:
    return widgets.Image(format="png")


def _choice(description: str, options: Mapping[str, str]) -> widgets.Dropdown:
    """A choice of keys by their labels."""
    pairs = [(label, key) for key, label in options.items()]
    return widgets.Dropdown(options=pairs, description=description, style=_WIDE)


def _whole(description: str, largest: int, value: int = 0) -> widgets.IntSlider:
    return widgets.IntSlider(value=value, min=0, max=largest, description=description, style=_WIDE)


class HyperplanePanel(Panel):
    """A random hyperplane turns; the bits whose vectors it passes flip."""

    def __init__(self, space: Space) -> None:
        self.seed = _whole("random seed", 999)
        self.angle = widgets.FloatSlider(
            value=0, min=0, max=180, step=1, description="angle, degrees", style=_WIDE
        )
        self.picture, self.bits_picture = _picture(), _picture()
        super().__init__(space, [self.seed, self.angle], [self.picture, self.bits_picture])

    def redraw(self) -> None:
        """Turn the normal towards a second random one, at right angles to it."""
        sampler = self.space.hyperplanes
        if self.changed(self.seed.value):
            generator = torch.Generator().manual_seed(self.seed.value)
            first, second = sampler.normals(2, generator)
            second = second - first * (second @ first) / (first @ first)
            second = second * first.norm() / second.norm()
            self._products = torch.stack([first, second]) @ sampler.vectors.T
        angle = math.radians(self.angle.value)
        turned = math.cos(angle) * self._products[0] + math.sin(angle) * self._products[1]
        start = sampler.bits_of_products(self._products[:1])
        bits = sampler.bits_of_products(turned[None])
        flipped = (bits != start)[0]
        self.picture.value = png(self.space.decode(torch.cat([start, bits])), 2, self.space.scale)
        self.bits_picture.value = bits_png(bits[0], flipped)
        self.describe(
            f"Left: at the start; right: turned by {self.angle.value:g}°. "
            f"{int(flipped.sum())} of {len(flipped)} bits flipped (orange)."
        )


class SamplersPanel(Panel):
    """Samples of a sampler, and the errors of its moments."""

    def __init__(self, space: Space) -> None:
        self.sampler = _choice("sampler", {key: LABELS[key] for key in space.sampler_keys})
        self.seed = _whole("random seed", 999)
        self.picture = _picture()
        self._errors: dict[str, str] = {}
        super().__init__(space, [self.sampler, self.seed], [self.picture])

    def redraw(self) -> None:
        """Draw samples; the moment errors are computed once per sampler."""
        key, samplers = self.sampler.value, self.space.samplers
        if key not in self._errors:
            drawn = samplers.draw(key, _DRAWN, torch.Generator().manual_seed(0))
            errors = moment_errors(moments(drawn), samplers.moments)
            self._errors[key] = (
                f"RMS error of pair moments {errors.pairs:.4f}, of first moments {errors.first:.4f}"
            )
        bits = samplers.draw(key, 16, torch.Generator().manual_seed(self.seed.value))
        self.picture.value = png(self.space.decode(bits), 8, max(1, self.space.scale // 3))
        self.describe(f"16 samples. {self._errors[key]}, from {_DRAWN:,} samples.")


class InterpolationPanel(Panel):
    """A path between two test images, along the great circle between their hyperplanes."""

    def __init__(self, space: Space) -> None:
        last = len(space.test) - 1
        self.source = _whole("first test image", last)
        self.target = _whole("second test image", last, min(1, last))
        kinds = ("exact", "algorithm_1", "unit_margins")
        self.inversion = _choice("inversion", {key: INVERSIONS[key].label for key in kinds})
        self.step = _whole("step", _STEPS - 1)
        self.picture, self.row, self.path = _picture(), _picture(), widgets.HTML()
        super().__init__(
            space,
            [self.source, self.target, self.inversion, self.step],
            [self.picture, self.row, self.path],
        )

    def redraw(self) -> None:
        """A new path if an end has changed, else another step of the path."""
        if self.changed(self.source.value, self.target.value, self.inversion.value):
            self._new_path()
            self.row.value = png(self._images, _STEPS, max(1, self.space.scale // 5))
        at = self.step.value
        self.picture.value = png(self._images[at : at + 1], 1, self.space.scale)
        self.path.value = path_svg([("positive", self._away), ("negative", self._left)], at)
        self.describe(
            f"Step {at + 1} of {_STEPS}. Share of the differing bits that have left the first "
            "image (orange), and that have not yet reached the second image (blue).",
            self._warning,
        )

    def _new_path(self) -> None:
        sampler = self.space.hyperplanes
        chosen = self.space.test[[self.source.value, self.target.value]].double()
        if self.inversion.value == "exact":
            found = self.space.invert(chosen)
        else:
            method = INVERSIONS[self.inversion.value]
            found = method.invert(chosen, sampler, torch.Generator())
        bits = interpolate_bits(sampler, found.normals[:1], found.normals[1:], _STEPS)
        self._images = self.space.decode(bits[0])
        away, left = hamming_path(bits)
        same = len(away) == 0  # equal ends: nothing flips
        self._away = [0.0] * _STEPS if same else away[0].tolist()
        self._left = [0.0] * _STEPS if same else left[0].tolist()
        wrong = found.wrong_bits.tolist()
        text = f"The inversion gets {wrong[0]} and {wrong[1]} bits wrong."
        self._warning = text if any(wrong) else ""


class AttributePanel(Panel):
    """Bits set by an attribute's mean latent (Eq. 17), or by its contrast."""

    def __init__(self, space: Space) -> None:
        trained = space.trained
        self._names, self._has = attribute_table(trained.dataset, trained.images["train"])
        self.attribute = _choice("attribute", {name: name for name in self._names})
        self.direction = _choice("direction", DIRECTIONS)
        self.threshold = widgets.FloatSlider(
            value=PAPER_THRESHOLD, min=0, max=1, step=0.01, description="D", style=_WIDE,
            readout_format=".2f",
        )  # fmt: skip
        self.strength = _whole("step of the path", _STEPS - 1, _STEPS - 1)
        self.image = _whole("test image", len(space.test) - 1)
        self.picture = _picture()
        self._directions: dict[tuple[str, str], Tensor] = {}
        super().__init__(
            space,
            [self.attribute, self.direction, self.threshold, self.strength, self.image],
            [self.picture],
        )

    def redraw(self) -> None:
        """The test image, its reconstruction, and the edit so far."""
        index, at = self.image.value, self.strength.value
        source = self.space.test[index : index + 1].double()
        name, kind, threshold = self.attribute.value, self.direction.value, self.threshold.value
        if self.changed(index, name, kind, threshold):
            edited = set_attribute(source, self._chosen_direction(name, kind), threshold)
            ends = self.space.invert(torch.cat([source, edited])).normals
            path = interpolate_bits(self.space.hyperplanes, ends[:1], ends[1:], _STEPS)
            self._path = path[0].cpu()
        bits = self._path[at : at + 1]
        original = self.space.trained.images["test"].images[index : index + 1]
        decoded = self.space.decode(torch.cat([source.float(), bits]))
        self.picture.value = png(torch.cat([original, decoded]), 3, self.space.scale)
        changed = int(hamming_distance(source.float(), bits))
        self.describe(
            f"Test image, its reconstruction, and {at / (_STEPS - 1):.0%} of the edit: "
            f"{changed} of {source.shape[1]} bits changed."
        )

    def _chosen_direction(self, name: str, kind: str) -> Tensor:
        if (name, kind) not in self._directions:
            has = self._has[:, list(self._names).index(name)]
            direction = expected_bits if kind == "mean" else contrast
            self._directions[name, kind] = direction(self.space.trained.bits("train"), has)
        return self._directions[name, kind]


class BitsPanel(Panel):
    """All bits of a test image as buttons: press one, and the decoder redraws the image."""

    def __init__(self, space: Space) -> None:
        size = space.test.shape[1]
        self.image = _whole("test image", len(space.test) - 1)
        self.page = _whole("bits from", (size - 1) // _BUTTONS)
        self.page.layout.display = "none" if size <= _BUTTONS else ""
        self.reset = widgets.Button(description="as encoded", tooltip="undo all flips")
        self.reset.on_click(lambda _: self._restore())
        small = {"width": "1.6em", "height": "1.6em", "padding": "0", "margin": "0"}
        self.buttons = [widgets.ToggleButton(layout=small) for _ in range(min(size, _BUTTONS))]
        for place, button in enumerate(self.buttons):
            button.observe(lambda change, place=place: self._pressed(place, change["new"]), "value")
        self.picture = _picture()
        layout = {"grid_template_columns": "repeat(auto-fill, 1.7em)", "max_width": "44em"}
        grid = widgets.GridBox(self.buttons, layout=layout)
        self._setting = False
        super().__init__(space, [self.image, self.page], [self.picture, grid, self.reset])

    def redraw(self) -> None:
        """The image as encoded, and with the flipped bits."""
        if self.changed(self.image.value):
            self.encoded = self.space.test[self.image.value].clone()
            self.bits = self.encoded.clone()
        self._label_buttons()
        decoded = self.space.decode(torch.stack([self.encoded, self.bits]))
        self.picture.value = png(decoded, 2, self.space.scale)
        flipped = int((self.bits != self.encoded).sum())
        change = (decoded[1].double() - decoded[0].double()).square().mean().sqrt()
        self.describe(
            f"Left: as encoded; right: {flipped} of {len(self.bits)} bits flipped, which changes "
            f"the image by {float(change):.1f} grey levels RMS."
        )

    def _label_buttons(self) -> None:
        self._setting = True
        try:
            for place, button in enumerate(self.buttons):
                bit = self.page.value * _BUTTONS + place
                button.layout.visibility = "visible" if bit < len(self.bits) else "hidden"
                if bit < len(self.bits):
                    button.value = bool(self.bits[bit] > 0)
                    button.tooltip = f"bit {bit}"
                    flipped = bool(self.bits[bit] != self.encoded[bit])
                    button.button_style = "warning" if flipped else ""
        finally:
            self._setting = False

    def _pressed(self, place: int, on: bool) -> None:
        if not self._setting:
            self.bits[self.page.value * _BUTTONS + place] = 1.0 if on else -1.0
            self.redraw()

    def _restore(self) -> None:
        self.bits = self.encoded.clone()
        self.redraw()
