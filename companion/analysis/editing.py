"""Attribute editing, measured: does the attribute appear, and do the others stay?"""

import math
import re
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.analysis.attribute_evaluator import AttributeEvaluator
from companion.analysis.inversions import paths_between
from companion.experiments.images import attribute_table
from companion.experiments.trained import Trained
from lbae_lib.bits import unpack_bits
from lbae_lib.errors import ConfigError, unknown
from lbae_lib.latent.attributes import (
    CODE_THRESHOLD,
    PAPER_THRESHOLD,
    bits_set,
    contrast,
    expected_bits,
    set_attribute,
    threshold_changing,
    threshold_for,
)
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.inversion import exact
from lbae_lib.models.encoding import decode, encode

DIRECTIONS = {"mean": "Eq. 17", "contrast": "contrast"}
SHOWN_SHARE = 0.2  # of the bits, which edits beside the paper's change in Figure 11
_OF_THE_PAPER = ("Eyeglasses", "Goatee")
# Labels of what is compared.
UNTOUCHED = "untouched reconstruction"
PAPER_EDIT = f"Eq. 17, D = {PAPER_THRESHOLD} (paper)"
CONTRAST_EDIT = f"contrast, D = {PAPER_THRESHOLD}"
REENCODED = "re-encoded reconstruction"
OTHER_IMAGE = "another image"


@dataclass(frozen=True)
class EditScore:
    """The effect of an edit, as means over the subject's images."""

    threshold: float  # D
    bits_set: int  # number of bits that the threshold decides
    bits_changed: float  # share of an image's bits that the edit changes
    found: float  # share of images in which the attribute is found
    kept: float | None  # share of the other measurable attributes found as before; None for classes
    distance: float  # root-mean-square difference of the pixels, in grey levels
    recognised: float  # share of images to which their own reconstruction is the nearest of all


class Subject:
    """An attribute, and random test images without it that are to be given it.

    Attributes:
        index: the attribute's number among those of the data set.
        directions: what decides the bits, (N,), by key of :data:`DIRECTIONS`.
        trained_on: number of training images with the attribute.
        images: at most ``count`` test images, uint8 (K, C, S, S).
        latents: of these images, (K, N) in {-1, +1}.
        reconstructions: of these images, uint8 (K, C, S, S).
    """

    def __init__(self, trained: Trained, name: str, count: int, generator: torch.Generator) -> None:
        self.model, self.name = trained.model, name
        names, has = attribute_table(trained.dataset, trained.images["train"])
        _, test_has = attribute_table(trained.dataset, trained.images["test"])
        self.index = list(names).index(name)
        own, latents = has[:, self.index], trained.bits("train")
        self.directions = {"mean": expected_bits(latents, own), "contrast": contrast(latents, own)}
        self.trained_on = int(own.sum())
        (without,) = torch.nonzero(~test_has[:, self.index], as_tuple=True)
        chosen = without[torch.randperm(len(without), generator=generator)[:count]]
        self.images = trained.images["test"].images[chosen]
        self.latents = trained.bits("test")[chosen]
        self.reconstructions = decode(self.model, self.latents)

    def variants(self) -> dict[str, tuple[str, float]]:
        """The edits compared: label -> key of the direction, and threshold."""
        bits = bits_set(self.directions["mean"], PAPER_THRESHOLD)
        as_many = threshold_for(self.directions["contrast"], bits)
        return {
            PAPER_EDIT: ("mean", PAPER_THRESHOLD),
            f"Eq. 17, D = {CODE_THRESHOLD} (authors' code)": ("mean", CODE_THRESHOLD),
            CONTRAST_EDIT: ("contrast", PAPER_THRESHOLD),
            f"contrast, as many bits (D = {as_many:.3f})": ("contrast", as_many),
        }

    def shown_edits(self) -> dict[str, tuple[str, float]]:
        """The edits of Figure 11: label -> key of the direction, and threshold.

        After the paper's, the mean and the contrast with thresholds at which both change, on
        average, ``SHOWN_SHARE`` of an image's bits.
        """
        edits = {f"paper: Eq. 17, D = {PAPER_THRESHOLD}": ("mean", PAPER_THRESHOLD)}
        for kind, label in DIRECTIONS.items():
            direction = self.directions[kind]
            threshold = threshold_changing(self.latents, direction, SHOWN_SHARE)
            edits[f"{SHOWN_SHARE:.0%} of bits: {label}, D = {threshold:.3f}"] = (kind, threshold)
        # Lines of a label must not break inside "Eq. 17" or "D = 0.1".
        return {
            re.sub(r"(?<=[.D=]) | (?==)", "\u00a0", label): edit for label, edit in edits.items()
        }

    def score(self, evaluator: AttributeEvaluator, kind: str, threshold: float) -> EditScore:
        """The effect of an edit by a key of :data:`DIRECTIONS` and the threshold D."""
        direction = self.directions[kind]
        edited = set_attribute(self.latents, direction, threshold)
        return self._score(evaluator, edited, threshold, bits_set(direction, threshold))

    def compare(self, evaluator: AttributeEvaluator) -> dict[str, EditScore]:
        """Scores by label: untouched, all variants, and what loses attributes without an edit.

        The reconstructions are also encoded and decoded again, and replaced by other images.
        """
        edits = {UNTOUCHED: ("mean", 1.0), **self.variants()}  # no mean is above 1
        found = {label: self.score(evaluator, *edit) for label, edit in edits.items()}
        again = encode(self.model, self.reconstructions)
        baselines = {
            REENCODED: unpack_bits(again, self.latents.shape[1]).to(self.latents),
            OTHER_IMAGE: self.latents.roll(1, 0),
        }
        return found | {
            label: self._score(evaluator, bits, 0.0, bits.shape[1])
            for label, bits in baselines.items()
        }

    def path(
        self, sampler: HyperplaneSampler, edit: tuple[str, float], rows: int, steps: int,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """Images on the path to an edit, uint8 (rows, 1 + steps, C, S, S), the test image first."""
        source = self.latents[:rows].double()
        kind, threshold = edit
        target = set_attribute(source, self.directions[kind], threshold)
        normals = [exact(bits, sampler, generator).normals for bits in (source, target)]
        path = paths_between(sampler, normals[0], normals[1], steps)
        decoded = decode(self.model, path.flatten(0, 1)).unflatten(0, (len(source), steps))
        return torch.cat([self.images[:rows, None], decoded], dim=1)

    def _score(
        self, evaluator: AttributeEvaluator, latents: Tensor, threshold: float, bits: int
    ) -> EditScore:
        """Score latents that take the place of the subject's own."""
        before, after = self.reconstructions, decode(self.model, latents)
        was, now = evaluator.find(before), evaluator.find(after)
        others = evaluator.others(self.index)
        has_others = bool(others.any()) and not evaluator.exclusive
        difference = (after.double() - before.double()).square().mean((1, 2, 3)).sqrt()
        apart = torch.cdist(after.flatten(1).float(), before.flatten(1).float())
        return EditScore(
            threshold=threshold,
            bits_set=bits,
            bits_changed=float((latents != self.latents).double().mean()),
            found=float(now[:, self.index].double().mean()),
            kept=float((was == now)[:, others].double().mean()) if has_others else None,
            distance=float(difference.mean()),
            recognised=float((apart.diagonal() <= apart.min(1).values).double().mean()),
        )


def edit_titles(steps: int) -> list[str]:
    """Titles of the columns of :meth:`Subject.path`."""
    return ["source", "recon.", *[""] * (steps - 2), "edited"]


def choose_attributes(trained: Trained, wanted: str) -> tuple[list[str], str]:
    """The attributes that a page edits, and a sentence on those that it cannot edit, or "".

    ``wanted`` has names separated by commas; if it is empty, the paper's two are taken, or else
    the first two. Only what some images have and others do not can be edited.
    """
    dataset, images = trained.dataset, trained.images
    names = dataset.attribute_names or dataset.class_names
    if not names:
        why = "has neither attributes nor classes: add an attributes.csv or class folders"
        return [], f"{dataset.title} {why}."
    chosen = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in chosen:
        if name not in names:
            raise ConfigError(unknown("attribute", name, names))
    tables = {part: attribute_table(dataset, images[part])[1] for part in ("train", "test")}
    lacking = {
        "all training images have it": tables["train"].all(0),
        "no training image has it": ~tables["train"].any(0),
        "all test images have it": tables["test"].all(0),
    }
    why_not = {
        name: next((why for why, those in lacking.items() if those[index]), "")
        for index, name in enumerate(names)
    }
    left_out = [f"{n!r} ({why_not[n]})" for n in chosen or names if why_not[n]]
    editable = [n for n in chosen or names if not why_not[n]]
    if not chosen:
        editable = [n for n in _OF_THE_PAPER if n in editable] or editable[:2]
    return editable, f"Not edited: {', '.join(left_out)}." if left_out else ""


def percent(share: float) -> str:
    """A share of images as text; a dash for a share of no images."""
    return "–" if math.isnan(share) else f"{share:.1%}"
