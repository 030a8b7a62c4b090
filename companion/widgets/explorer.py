"""The explorer: five panels on one trained model.

Each panel is an object with its widgets as attributes, so that everything a hand can do in
JupyterLab a program can do too: ``panel.angle.value = 30`` redraws.
"""

from __future__ import annotations

import contextlib
import html
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from companion.experiments.profiles import load_experiment
from companion.experiments.runs import Trained, attribute_table, load_codec, load_trained
from companion.figures.style import LABELS
from companion.project import project_root
from companion.widgets.pictures import bits_png, path_svg, png
from lbae_lib.bits import hamming_distance
from lbae_lib.data.registry import with_home
from lbae_lib.errors import LbaeError
from lbae_lib.latent import inversion
from lbae_lib.latent.attributes import PAPER_THRESHOLD, contrast, expected_bits, set_attribute
from lbae_lib.latent.baselines import DirectRounding, IndependentBits, UniformBits
from lbae_lib.latent.dichotomized import DichotomizedGaussian
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.interpolation import hamming_path, interpolate_bits
from lbae_lib.latent.moments import Moments, moment_errors, moments
from lbae_lib.latent.sampler import Sampler
from lbae_lib.models.encoding import decode

_STEPS = 11  # of an interpolation
_SWEEPS = 3  # of the exact inversion: normals a tenth longer than after 40, and a third of the wait
_DRAWN = 4000  # samples behind the moment errors shown
_BUTTONS = 256  # bits shown as buttons at a time
_WIDE = {"description_width": "8em"}


class Space:
    """A trained model and what the panels need of its latents, made when first asked for.

    Args:
        trained: the model with its images and latents.
        prior: an autoregressive prior, if one was fitted.
    """

    def __init__(self, trained: Trained, prior: Sampler | None = None) -> None:
        self.trained, self.prior = trained, prior
        self.test = trained.bits("test")
        size = trained.images["test"].images.shape[-1]
        self.scale = max(2, 192 // size)

    @cached_property
    def truth(self) -> Moments:
        """Moments of the training latents."""
        return moments(self.trained.bits("train"))

    @cached_property
    def hyperplanes(self) -> HyperplaneSampler:
        """The sampler whose normals turn, and between whose normals paths run."""
        return inversion.full_rank(hyperplane_sampler(self.truth)[0])

    @cached_property
    def samplers(self) -> Mapping[str, Callable[[], Sampler]]:
        """Makers of samplers, by name."""
        truth = self.truth
        makers: dict[str, Callable[[], Sampler]] = {
            "nearest": lambda: hyperplane_sampler(truth)[0],
            "clip": lambda: hyperplane_sampler(truth, "clip")[0],
            "dichotomized": lambda: DichotomizedGaussian.fit(truth)[0],
            "direct": lambda: DirectRounding.fit(truth),
            "independent": lambda: IndependentBits(truth.first),
            "uniform": lambda: UniformBits(self.test.shape[1]),
        }
        prior = self.prior
        if prior is not None:
            makers["autoregressive"] = lambda: prior
        return makers

    def normals(self, latents: Tensor) -> inversion.Inversion:
        """Random normals that generate the latents (K, N) exactly, always the same."""
        generator = torch.Generator().manual_seed(0)
        return inversion.exact(latents, self.hyperplanes, generator, _SWEEPS)

    def decode(self, bits: Tensor) -> Tensor:
        """uint8 images (K, C, S, S) of bits (K, N)."""
        return decode(self.trained.model, bits)


def open_explorer(profile: str, dataset: str, data_root: str = "data") -> widgets.Widget:
    """The explorer on a data set's model, or what to do where there is none yet.

    Args:
        profile: a file in ``config/``.
        dataset: a registered name or "folder:PATH".
        data_root: where torchvision's data sets are; relative to the project, or from "~" on.
    """
    try:
        experiment = load_experiment(profile, dataset)
        trained = load_trained(experiment, project_root() / with_home(data_root))
    except LbaeError as error:
        return widgets.HTML(f"<p><b>Nothing to explore yet:</b> {html.escape(str(error))}</p>")
    try:
        prior = load_codec(experiment).autoregressive
    except LbaeError:
        prior = None  # the panel offers the other samplers
    return explorer(Space(trained, prior))


def explorer(space: Space) -> widgets.Tab:
    """All panels as tabs."""
    panels: dict[str, Panel] = {
        "Hyperplane": HyperplanePanel(space),
        "Samplers": SamplersPanel(space),
        "Interpolation": InterpolationPanel(space),
        "Bits": BitsPanel(space),
    }
    with contextlib.suppress(LbaeError):  # images without attributes or classes have no such tab
        panels["Attributes"] = AttributePanel(space)
    tab = widgets.Tab([panel.view for panel in panels.values()], titles=list(panels))
    tab.panels = panels
    return tab


class Panel:
    """Widgets, a picture, and a line of text that says what is seen.

    Args:
        space: what it shows.
        controls: widgets whose values decide the picture.
        shown: widgets below them, before the text.
    """

    def __init__(self, space: Space, controls: list[Any], shown: list[Any]) -> None:
        self.space = space
        self.text = widgets.HTML()
        for control in controls:
            control.observe(self._changed, "value")
            control.layout.width = "32em"
        for part in shown:  # a picture keeps its shape
            if isinstance(part, widgets.Image):
                part.layout.align_self = "flex-start"
        self.view = widgets.VBox([*controls, *shown, self.text])
        self.redraw()

    def redraw(self) -> None:
        """Draw what the controls say."""
        raise NotImplementedError

    def _changed(self, _: object) -> None:
        self.redraw()

    def say(self, text: str, warning: str = "") -> None:
        """Text below the picture."""
        note = f" <b>{html.escape(warning)}</b>" if warning else ""
        self.text.value = f"<p role='status'>{html.escape(text)}{note}</p>"


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
        self.picture = widgets.Image(format="png")
        self.bits_picture = widgets.Image(format="png")
        self._drawn = -1
        super().__init__(
            space,
            [self.seed, self.angle],
            [self.picture, self.bits_picture],
        )

    def redraw(self) -> None:
        """Turn the normal towards a second one, drawn at right angles."""
        sampler = self.space.hyperplanes
        if self._drawn != self.seed.value:
            self._drawn = self.seed.value
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
        self.say(
            f"Left: at the start; right: turned by {self.angle.value:g}°. "
            f"{int(flipped.sum())} of {len(flipped)} bits flipped (orange)."
        )


class SamplersPanel(Panel):
    """Samples of a sampler, and how far its moments are off."""

    def __init__(self, space: Space) -> None:
        self.sampler = _choice("sampler", {key: LABELS[key] for key in space.samplers})
        self.seed = _whole("random seed", 999)
        self.picture = widgets.Image(format="png")
        self._made: dict[str, tuple[Sampler, str]] = {}
        super().__init__(space, [self.sampler, self.seed], [self.picture])

    def redraw(self) -> None:
        """Draw samples; the moment errors are measured once a sampler."""
        key = self.sampler.value
        if key not in self._made:
            made = self.space.samplers[key]()
            drawn = made.sample(_DRAWN, torch.Generator().manual_seed(0))
            errors = moment_errors(moments(drawn), self.space.truth)
            words = f"RMS error of pair moments {errors.pairs:.4f}, of first {errors.first:.4f}"
            self._made[key] = made, words
        sampler, words = self._made[key]
        bits = sampler.sample(16, torch.Generator().manual_seed(self.seed.value))
        self.picture.value = png(self.space.decode(bits), 8, max(1, self.space.scale // 3))
        self.say(f"16 samples. {words}, over {_DRAWN:,} samples.")


class InterpolationPanel(Panel):
    """Between two test images, along the great circle of their hyperplanes."""

    def __init__(self, space: Space) -> None:
        last = len(space.test) - 1
        self.source = _whole("first test image", last)
        self.target = _whole("second test image", last, min(1, last))
        kinds = {"exact": LABELS["exact"], "algorithm_1": LABELS["algorithm_1"],
                 "unit_margins": LABELS["unit_margins"]}  # fmt: skip
        self.inversion = _choice("inversion", kinds)
        self.step = _whole("step", _STEPS - 1)
        self.picture = widgets.Image(format="png")
        self.row = widgets.Image(format="png")
        self.path = widgets.HTML()
        self._ends: tuple[object, ...] = ()
        super().__init__(
            space,
            [self.source, self.target, self.inversion, self.step],
            [self.picture, self.row, self.path],
        )

    def redraw(self) -> None:
        """A new path if an end has changed, else another step of it."""
        ends = (self.source.value, self.target.value, self.inversion.value)
        if ends != self._ends:
            self._ends = ends
            self._new_path()
            self.row.value = png(self._images, _STEPS, max(1, self.space.scale // 5))
        at = self.step.value
        self.picture.value = png(self._images[at : at + 1], 1, self.space.scale)
        self.path.value = path_svg([("positive", self._away), ("negative", self._left)], at)
        self.say(
            f"Step {at + 1} of {_STEPS}. Orange: share of the differing bits that have left the "
            "first image's; blue: that have not yet reached the second's.",
            self._warning,
        )

    def _new_path(self) -> None:
        sampler = self.space.hyperplanes
        chosen = self.space.test[[self.source.value, self.target.value]].double()
        found = {
            "exact": lambda: self.space.normals(chosen),
            "unit_margins": lambda: inversion.exact(chosen, sampler, None),
            "algorithm_1": lambda: inversion.algorithm_1(chosen, sampler),
        }[self.inversion.value]()
        bits = interpolate_bits(sampler, found.normals[:1], found.normals[1:], _STEPS)
        self._images = self.space.decode(bits[0])
        away, left = hamming_path(bits)
        same = len(away) == 0  # both ends alike: nothing flips
        self._away = [0.0] * _STEPS if same else away[0].tolist()
        self._left = [0.0] * _STEPS if same else left[0].tolist()
        wrong = found.wrong_bits.tolist()
        words = f"The inversion gets {wrong[0]} and {wrong[1]} bits wrong."
        self._warning = words if any(wrong) else ""


class AttributePanel(Panel):
    """Bits set by an attribute's mean latent, or by its contrast (Eq. 17)."""

    def __init__(self, space: Space) -> None:
        trained = space.trained
        self._names, self._has = attribute_table(trained.dataset, trained.images["train"])
        self.attribute = _choice("attribute", {name: name for name in self._names})
        self.direction = _choice("direction", {"mean": "mean (Eq. 17)", "contrast": "contrast"})
        self.threshold = widgets.FloatSlider(
            value=PAPER_THRESHOLD,
            min=0,
            max=1,
            step=0.01,
            description="D",
            style=_WIDE,
            readout_format=".2f",
        )
        self.strength = _whole("step of the way", _STEPS - 1, _STEPS - 1)
        self.image = _whole("test image", len(space.test) - 1)
        self.picture = widgets.Image(format="png")
        self._way: tuple[object, ...] = ()
        super().__init__(
            space,
            [self.attribute, self.direction, self.threshold, self.strength, self.image],
            [self.picture],
        )

    def redraw(self) -> None:
        """The test image, its reconstruction, and the edit so far."""
        index, at = self.image.value, self.strength.value
        source = self.space.test[index : index + 1].double()
        way = (index, self.attribute.value, self.direction.value, self.threshold.value)
        if way != self._way:
            edited = set_attribute(source, self._direction(), self.threshold.value)
            ends = self.space.normals(torch.cat([source, edited])).normals
            self._path = interpolate_bits(self.space.hyperplanes, ends[:1], ends[1:], _STEPS)[0]
            self._way = way
        bits = self._path[at : at + 1]
        original = self.space.trained.images["test"].images[index : index + 1]
        decoded = self.space.decode(torch.cat([source.float(), bits]))
        self.picture.value = png(torch.cat([original, decoded]), 3, self.space.scale)
        changed = int(hamming_distance(source.float(), bits))
        self.say(
            f"Test image, its reconstruction, and the edit at {at / (_STEPS - 1):.0%} of the way: "
            f"{changed} of {source.shape[1]} bits changed."
        )

    def _direction(self) -> Tensor:
        key = (self.attribute.value, self.direction.value)
        kept = self.__dict__.setdefault("_directions", {})
        if key not in kept:
            has = self._has[:, list(self._names).index(key[0])]
            latents = self.space.trained.bits("train")
            kept[key] = (expected_bits if key[1] == "mean" else contrast)(latents, has)
        return kept[key]


class BitsPanel(Panel):
    """All bits of a test image as buttons: press one, and the decoder answers."""

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
        self.picture = widgets.Image(format="png")
        layout = {"grid_template_columns": "repeat(auto-fill, 1.7em)", "max_width": "44em"}
        grid = widgets.GridBox(self.buttons, layout=layout)
        self._shown, self._setting = -1, False
        super().__init__(space, [self.image, self.page], [self.picture, grid, self.reset])

    def redraw(self) -> None:
        """The image as encoded, and with its bits flipped."""
        if self._shown != self.image.value:
            self._shown = self.image.value
            self.encoded = self.space.test[self._shown].clone()
            self.bits = self.encoded.clone()
        self._label_buttons()
        decoded = self.space.decode(torch.stack([self.encoded, self.bits]))
        self.picture.value = png(decoded, 2, self.space.scale)
        flipped = int((self.bits != self.encoded).sum())
        change = (decoded[1].double() - decoded[0].double()).square().mean().sqrt()
        self.say(
            f"Left: as encoded; right: {flipped} of {len(self.bits)} bits flipped, the picture "
            f"changed by {float(change):.1f} grey levels RMS."
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
        if self._setting:
            return
        self.bits[self.page.value * _BUTTONS + place] = 1.0 if on else -1.0
        self.redraw()

    def _restore(self) -> None:
        self.bits = self.encoded.clone()
        self.redraw()
