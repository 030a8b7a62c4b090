"""The panel that compares two samplers."""

import ipywidgets as widgets
import torch
from torch import Tensor

from companion.analysis.samplers import LABELS
from companion.widgets.panel import Panel, Picture, choice, row, whole
from companion.widgets.pictures import png
from companion.widgets.space import Space
from lbae_lib.latent.moments import moment_errors, moments, sampling_noise

_DRAWN = 4000  # samples from which moment errors are computed
_SHOWN, _COLUMNS = 16, 4


class SamplersPanel(Panel):
    """Samples of two samplers side by side, the errors of their moments, and nearest images."""

    title = "Samplers"

    def __init__(self, space: Space) -> None:
        labels = {key: LABELS[key] for key in space.sampler_keys}
        self.sampler = choice("left sampler", labels)
        self.other = choice("right sampler", labels)
        self.other.value = "independent"
        self.seed = whole("random seed", 999, tooltip="seed of all samples")
        self.sample = whole("sample", _SHOWN - 1, tooltip="beside its nearest training image")
        self.picture, self.other_picture = Picture(), Picture()
        self.near, self.other_near = Picture(), Picture()
        self._errors: dict[str, str] = {}
        for chosen in (self.sampler, self.other):
            chosen.style.description_width, chosen.layout.width = "initial", "27em"
        columns = [
            widgets.VBox([self.sampler, self.picture, self.near]),
            widgets.VBox([self.other, self.other_picture, self.other_near]),
        ]
        super().__init__(
            space,
            [self.sampler, self.other, self.seed, self.sample],
            [self.seed, self.sample, row(columns)],
            [self.picture, self.near, self.other_picture, self.other_near],
        )

    def draw(self) -> None:
        """Draw samples of both with the same seed."""
        if self.changed(self.sampler.value, self.other.value, self.seed.value):
            self.latents = torch.cat([self._draw(c.value) for c in (self.sampler, self.other)])
            self._images = self.space.decode(self.latents)
        own, other = self.latents.split(_SHOWN)
        own_images, other_images = self._images.split(_SHOWN)
        scale = max(1, self.space.scale // 3)
        self.picture.value = png(own_images, _COLUMNS, scale)
        self.other_picture.value = png(other_images, _COLUMNS, scale)
        at = self.sample.value
        left = self._beside_nearest(self.near, own[at], own_images[at])
        right = self._beside_nearest(self.other_near, other[at], other_images[at])
        noise = sampling_noise(self.space.samplers.moments, _DRAWN)
        self.describe(
            f"{_SHOWN} samples each. Left: {self._error(self.sampler.value)}. "
            f"Right: {self._error(self.other.value)}. Floor, which {_DRAWN:,} samples of the true "
            f"distribution have: {noise.pairs:.4f} and {noise.first:.4f}. Below: sample {at} and "
            f"the training image with the nearest latent, which is {left} bits away (left), "
            f"{right} (right), of {own.shape[1]}.",
            self.sampler.value,
            self.other.value,
        )

    def _draw(self, key: str) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed.value)
        return self.space.samplers.draw(key, _SHOWN, generator).cpu()

    def _beside_nearest(self, shown: Picture, bits: Tensor, image: Tensor) -> int:
        at, distance = self.space.nearest_training(bits)
        nearest = self.space.trained.images["train"].images[at]
        shown.value = png(torch.stack([image, nearest]), 2, max(1, self.space.scale // 2))
        return distance

    def _error(self, key: str) -> str:
        """The moment errors of a sampler, computed once."""
        if key not in self._errors:
            samplers = self.space.samplers
            drawn = samplers.draw(key, _DRAWN, torch.Generator().manual_seed(0))
            errors = moment_errors(moments(drawn), samplers.moments)
            self._errors[key] = (
                f"RMS error of pair moments {errors.pairs:.4f}, of first moments {errors.first:.4f}"
            )
        return self._errors[key]
