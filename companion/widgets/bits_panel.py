"""The panel in which single bits are flipped."""

from typing import Any

import ipywidgets as widgets
import torch

from companion.widgets.image_picker import ImagePicker
from companion.widgets.panel import Panel, Picture, button, row, whole
from companion.widgets.pictures import png
from companion.widgets.space import Space

_BUTTONS = 256  # bits shown as buttons at a time


class BitsPanel(Panel):
    """All bits of an image as buttons: press one, and the decoder redraws the image."""

    title = "Bits"

    def __init__(self, space: Space) -> None:
        size = space.test.shape[1]
        self.image = ImagePicker(space, "image")
        self.page = whole("bits from", (size - 1) // _BUTTONS, tooltip=f"× {_BUTTONS}")
        self.page.layout.display = "none" if size <= _BUTTONS else ""
        self.reset = button("as encoded", "undo all flips", self._as_encoded)
        small = {"width": "1.6em", "height": "1.6em", "padding": "0", "margin": "0"}
        self.buttons = [widgets.ToggleButton(layout=small) for _ in range(min(size, _BUTTONS))]
        for place, made in enumerate(self.buttons):
            made.observe(lambda change, place=place: self._pressed(place, change["new"]), "value")
        self.picture = Picture()
        layout = {"grid_template_columns": "repeat(auto-fill, 1.7em)", "width": "100%",
                  "max_width": "44em"}  # fmt: skip
        grid = widgets.GridBox(self.buttons, layout=layout)
        self._setting = False
        shown = [self.image, self.page, self.picture, grid, row([self.reset])]
        super().__init__(space, [self.image, self.page], shown, [self.picture])

    def draw(self) -> None:
        """The image as encoded, and with the flipped bits."""
        if self.changed(self.image.value):
            self.encoded = self.image.bits[0]
            self.bits = self.encoded.clone()
        self._label_buttons()
        self.latents = torch.stack([self.encoded, self.bits])
        decoded = self.space.decode(self.latents)
        self.picture.value = png(decoded, 2, self.space.scale)
        flipped = int((self.bits != self.encoded).sum())
        change = (decoded[1].double() - decoded[0].double()).square().mean().sqrt()
        self.describe(
            f"Left: as encoded; right: {flipped} of {len(self.bits)} bits flipped, which changes "
            f"the image by {float(change):.1f} grey levels RMS.",
            "sign",
        )

    def state(self) -> tuple[Any, ...]:
        """The flips, too."""
        return *super().state(), self.bits.clone()

    def restore(self, state: tuple[Any, ...]) -> None:
        """Set the flips after the image, whose bits they are."""
        *controls, bits = state
        super().restore(tuple(controls))
        self.redraw()
        self.bits = bits.clone()

    def _label_buttons(self) -> None:
        self._setting = True
        try:
            for place, made in enumerate(self.buttons):
                bit = self.page.value * _BUTTONS + place
                made.layout.visibility = "visible" if bit < len(self.bits) else "hidden"
                if bit < len(self.bits):
                    on, flipped = self.bits[bit] > 0, self.bits[bit] != self.encoded[bit]
                    made.value = bool(on)
                    made.tooltip = (
                        f"bit {bit + 1}: {'+1' if on else '−1'}{', flipped' * bool(flipped)}"
                    )
                    made.button_style = "warning" if flipped else ""
        finally:
            self._setting = False

    def _pressed(self, place: int, on: bool) -> None:
        if not self._setting:
            self.bits[self.page.value * _BUTTONS + place] = 1.0 if on else -1.0
            self.redraw()
            self.remember(self.buttons[place])

    def _as_encoded(self) -> None:
        self.bits = self.encoded.clone()
        self.redraw()
        self.remember(self.reset)
