"""The panel with a path between two images."""

import ipywidgets as widgets
import torch

from companion.analysis.inversions import INVERSIONS
from companion.widgets.image_picker import ImagePicker
from companion.widgets.panel import Panel, Picture, choice, row, whole
from companion.widgets.pictures import path_svg, png
from companion.widgets.space import Space
from lbae_lib.latent.interpolation import hamming_path

_STEPS = 11
_FRAME = 250  # milliseconds of a step that is played
_KINDS = ("exact", "restored", "algorithm_1", "authors", "unit_margins")


class InterpolationPanel(Panel):
    """A path between two images, along the great circle between their hyperplanes."""

    title = "Interpolation"

    def __init__(self, space: Space) -> None:
        self.source = ImagePicker(space, "first image")
        self.target = ImagePicker(space, "second image", min(1, len(space.test) - 1))
        self.inversion = choice("inversion", {key: INVERSIONS[key].label for key in _KINDS})
        self.step = whole("step", _STEPS - 1)
        self.play = widgets.Play(
            max=_STEPS - 1, interval=_FRAME, repeat=True, tooltip="play the path"
        )
        widgets.link((self.play, "value"), (self.step, "value"))
        self.picture, self.row, self.path = Picture(), Picture(), widgets.HTML()
        super().__init__(
            space,
            [self.inversion, self.step, self.source, self.target],
            [
                row([self.source, self.target]),
                row([self.inversion, self.step, self.play]),
                row([self.picture, widgets.VBox([self.row, self.path])]),
            ],
            [self.picture, self.row],
        )

    def draw(self) -> None:
        """A new path if an end has changed, else another step of the path."""
        if self.changed(self.source.value, self.target.value, self.inversion.value):
            ends = torch.cat([self.source.bits, self.target.bits])
            self.latents, self._wrong = self.space.path(ends, _STEPS, self.inversion.value)
            self._images = self.space.decode(self.latents)
            away, left = (share.tolist() for share in hamming_path(self.latents[None]))
            # Equal ends have no path: nothing flips.
            self._away, self._left = (s[0] if s else [0.0] * _STEPS for s in (away, left))
            self.row.value = png(self._images, _STEPS, max(1, self.space.scale // 5))
        at = self.step.value
        self.picture.value = png(self._images[at : at + 1], 1, self.space.scale)
        self.path.value = path_svg([("positive", self._away), ("negative", self._left)], at)
        self.describe(
            f"Step {at + 1} of {_STEPS}. Share of the differing bits that have left the first "
            "image (red), and that have not yet reached the second image (blue). "
            f"The inversion gets {self._wrong[0]} and {self._wrong[1]} bits wrong; floor: 0, which "
            "the exact inverse reaches.",
            self.inversion.value,
            "path",
        )
