"""The panel in which a hyperplane turns."""

import math

import torch

from companion.widgets.panel import Panel, Picture, real, whole
from companion.widgets.pictures import bits_png, png
from companion.widgets.space import Space


class HyperplanePanel(Panel):
    """A random hyperplane turns; the bits whose vectors it passes flip."""

    title = "Hyperplane"

    def __init__(self, space: Space) -> None:
        self.seed = whole("random seed", 999, tooltip="seed of the random hyperplane")
        self.angle = real("angle, degrees", 180, 1, tooltip="by which the hyperplane is turned")
        self.picture, self.bits_picture = Picture(), Picture()
        controls, pictures = [self.seed, self.angle], [self.picture, self.bits_picture]
        super().__init__(space, controls, [*controls, *pictures], pictures)

    def draw(self) -> None:
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
        self.latents = torch.cat([start, bits])
        self.picture.value = png(self.space.decode(self.latents), 2, self.space.scale)
        self.bits_picture.value = bits_png(bits[0], flipped)
        self.describe(
            f"Left: at the start; right: turned by {self.angle.value:g}°. "
            f"{int(flipped.sum())} of {len(flipped)} bits flipped (orange).",
            "hyperplane",
        )
