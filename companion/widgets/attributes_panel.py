"""The panel that sets an attribute."""

import torch
from torch import Tensor

from companion.analysis.editing import DIRECTIONS
from companion.experiments.images import attribute_table
from companion.widgets.image_picker import ImagePicker
from companion.widgets.panel import Panel, Picture, choice, real, whole
from companion.widgets.pictures import png
from companion.widgets.space import Space
from lbae_lib.bits import hamming_distance
from lbae_lib.latent.attributes import PAPER_THRESHOLD, contrast, expected_bits, set_attribute

_STEPS = 11


class AttributesPanel(Panel):
    """Bits set by an attribute's mean latent (Eq. 17), or by its contrast."""

    title = "Attributes"

    def __init__(self, space: Space) -> None:
        trained = space.trained
        self._names, self._has = attribute_table(trained.dataset, trained.images["train"])
        self.attribute = choice("attribute", {name: name for name in self._names})
        self.direction = choice("direction", DIRECTIONS, "what decides the bits")
        self.threshold = real("D", 1, 0.01, PAPER_THRESHOLD, 2, "threshold: lower sets more bits")
        self.strength = whole("step of the path", _STEPS - 1, _STEPS - 1)
        self.image = ImagePicker(space, "image")
        self.picture = Picture()
        self._directions: dict[tuple[str, str], Tensor] = {}
        controls = [self.image, self.attribute, self.direction, self.threshold, self.strength]
        super().__init__(space, controls, [*controls, self.picture], [self.picture])

    def draw(self) -> None:
        """The image, its reconstruction, and the edit so far."""
        source, at = self.image.bits, self.strength.value
        name, kind, threshold = self.attribute.value, self.direction.value, self.threshold.value
        if self.changed(self.image.value, name, kind, threshold):
            direction = self._chosen_direction(name, kind)
            edited = set_attribute(source.double(), direction, threshold)
            self._path, _ = self.space.path(torch.cat([source, edited.float()]), _STEPS)
        bits = self._path[at : at + 1]
        self.latents = torch.cat([source, bits])
        decoded = self.space.decode(self.latents)
        self.picture.value = png(torch.cat([self.image.image, decoded]), 3, self.space.scale)
        changed = int(hamming_distance(source, bits))
        self.describe(
            f"The image, its reconstruction, and {at / (_STEPS - 1):.0%} of the edit: "
            f"{changed} of {source.shape[1]} bits changed.",
            *dict.fromkeys(("mean", kind)),
            "path",
        )

    def _chosen_direction(self, name: str, kind: str) -> Tensor:
        if (name, kind) not in self._directions:
            has = self._has[:, list(self._names).index(name)]
            direction = expected_bits if kind == "mean" else contrast
            self._directions[name, kind] = direction(self.space.trained.bits("train"), has)
        return self._directions[name, kind]
