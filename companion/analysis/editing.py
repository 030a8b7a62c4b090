"""Attribute editing, measured: does the attribute appear, and does the rest stay?"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.experiments.images import attribute_table
from companion.experiments.trained import Trained
from lbae_lib.errors import ConfigError
from lbae_lib.latent.attributes import (
    CODE_THRESHOLD,
    PAPER_THRESHOLD,
    bits_set,
    contrast,
    expected_bits,
    set_attribute,
    threshold_for,
)
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.latent.inversion import exact
from lbae_lib.metrics.classifier import FeatureClassifier, logits_of, presence
from lbae_lib.models.encoding import decode

# An attribute is judged if it is found so much more often where it is than where it is not.
MEASURABLE = 0.3
_OF_THE_PAPER = ("Eyeglasses", "Goatee")


@dataclass(frozen=True)
class Subject:
    """An attribute, and test images without it that are to be given it.

    Attributes:
        name: of the attribute.
        index: among the data set's attributes.
        directions: what decides the bits, by variant: "mean" (Eq. 17) and "contrast".
        images: the test images, uint8 (K, C, S, S).
        latents: theirs, (K, N) in {-1, +1}.
        reconstructions: theirs, decoded, uint8 (K, C, S, S).
        trained_on: training images with the attribute.
    """

    name: str
    index: int
    directions: Mapping[str, Tensor]
    images: Tensor
    latents: Tensor
    reconstructions: Tensor
    trained_on: int


@dataclass(frozen=True)
class AttributeJudge:
    """Tells which attributes a decoded image has.

    Attributes:
        classifier: trained on training images.
        thresholds: of its logits, (A,); None for classes, which exclude each other.
        found_rates: how far it is to be trusted, for "test images" and "their reconstructions":
            the shares in which each attribute is found where it is and where it is not, (A, 2);
            NaN where no test image is such.
    """

    classifier: FeatureClassifier
    thresholds: Tensor | None
    found_rates: Mapping[str, Tensor]

    @classmethod
    def fit(cls, classifier: FeatureClassifier, trained: Trained) -> AttributeJudge:
        """Thresholds that tell validation images' reconstructions apart best.

        A classifier of real images all but never finds a rare attribute in blurred ones. Each
        threshold has the largest share found where the attribute is, less that where it is not.
        """
        thresholds = None
        if classifier.several:
            _, has = attribute_table(trained.dataset, trained.images["validation"])
            logits = logits_of(classifier, decode(trained.model, trained.bits("validation")))
            columns = zip(logits.T, has.T, strict=True)
            thresholds = torch.stack([best_threshold(*column) for column in columns])
        _, has = attribute_table(trained.dataset, trained.images["test"])
        sets = {
            "test images": trained.images["test"].images,
            "their reconstructions": decode(trained.model, trained.bits("test")),
        }
        rates = {
            name: _found_rates(presence(classifier, images, thresholds), has)
            for name, images in sets.items()
        }
        return cls(classifier, thresholds, rates)

    @property
    def exclusive(self) -> bool:
        """Whether an image has one attribute alone, as with classes."""
        return self.thresholds is None

    @property
    def measurable(self) -> Tensor:
        """Which attributes it tells apart in reconstructions of test images, bool (A,)."""
        there, absent = self.found_rates["their reconstructions"].T
        return there - absent >= MEASURABLE

    def find(self, images: Tensor) -> Tensor:
        """Which attributes images uint8 (K, C, S, S) have, bool (K, A)."""
        return presence(self.classifier, images, self.thresholds)


def best_threshold(logits: Tensor, has: Tensor) -> Tensor:
    """The logit above which an attribute is taken to be there.

    Args:
        logits: of images, (K,).
        has: which of them have the attribute, bool (K,).

    Returns:
        A value between two logits, with the largest share above it of those that have the
        attribute less that of those that do not; 0 if all have it, or none.
    """
    if has.all() or not has.any():
        return torch.zeros(())
    values, order = logits.sort()
    own = has[order].double()
    # With a threshold behind the first k: the share below it of those without, less of those with.
    below = torch.cumsum((1 - own) / (1 - own).sum() - own / own.sum(), 0)[:-1]
    k = int(below.argmax())
    return (values[k] + values[k + 1]) / 2


@dataclass(frozen=True)
class EditScore:
    """What an edit did, mean over the subject's images.

    Attributes:
        threshold: D.
        bits_set: how many bits the threshold decides.
        bits_changed: share of an image's bits that differ afterwards.
        found: share of images in which the classifier finds the attribute.
        kept: share of the other attributes that can be judged which the classifier finds as
            before; None if there are none, and of classes, where the one must go for the other.
        distance: root-mean-square difference of the pixels, in grey levels.
    """

    threshold: float
    bits_set: int
    bits_changed: float
    found: float
    kept: float | None
    distance: float


def choose_attributes(names: Sequence[str], wanted: str) -> list[str]:
    """The attributes a page is about.

    Args:
        names: all there are.
        wanted: names separated by commas; empty for the paper's two, or else the first two.

    Raises:
        ConfigError: if there is no such attribute; names the closest.
    """
    chosen = [name.strip() for name in wanted.split(",") if name.strip()]
    if not chosen:
        return [n for n in _OF_THE_PAPER if n in names] or list(names[:2])
    for name in chosen:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.3)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(f"no attribute {name!r}: {hint}There are {', '.join(names)}")
    return chosen


def subject(trained: Trained, name: str, count: int, generator: torch.Generator) -> Subject:
    """An attribute with random test images that lack it.

    Args:
        trained: the model with its latents.
        name: of the attribute.
        count: images at most.
        generator: of the choice.
    """
    names, has = attribute_table(trained.dataset, trained.images["train"])
    _, test_has = attribute_table(trained.dataset, trained.images["test"])
    index = list(names).index(name)
    latents = trained.bits("train")
    (without,) = torch.nonzero(~test_has[:, index], as_tuple=True)
    chosen = without[torch.randperm(len(without), generator=generator)[:count]]
    own = trained.bits("test")[chosen]
    return Subject(
        name=name,
        index=index,
        directions={
            "mean": expected_bits(latents, has[:, index]),
            "contrast": contrast(latents, has[:, index]),
        },
        images=trained.images["test"].images[chosen],
        latents=own,
        reconstructions=decode(trained.model, own),
        trained_on=int(has[:, index].sum()),
    )


def variants(of: Subject) -> dict[str, tuple[str, float]]:
    """The edits compared: label -> direction and threshold.

    The last sets as many bits by the contrast as the paper's edit sets by the mean.
    """
    as_many = threshold_for(
        of.directions["contrast"], bits_set(of.directions["mean"], PAPER_THRESHOLD)
    )
    return {
        f"Eq. 17, D = {PAPER_THRESHOLD} (paper)": ("mean", PAPER_THRESHOLD),
        f"Eq. 17, D = {CODE_THRESHOLD} (authors' code)": ("mean", CODE_THRESHOLD),
        f"contrast, D = {PAPER_THRESHOLD}": ("contrast", PAPER_THRESHOLD),
        f"contrast, as many bits (D = {as_many:.3f})": ("contrast", as_many),
    }


def score_edit(
    trained: Trained, judge: AttributeJudge, of: Subject, kind: str, threshold: float
) -> EditScore:
    """Edit a subject's images and measure it.

    Args:
        trained: the model.
        judge: finds attributes.
        of: the attribute and its images.
        kind: "mean" or "contrast".
        threshold: D.
    """
    direction = of.directions[kind]
    edited = set_attribute(of.latents, direction, threshold)
    return _compared(trained, judge, of, edited, threshold, bits_set(direction, threshold))


def _compared(
    trained: Trained,
    judge: AttributeJudge,
    of: Subject,
    latents: Tensor,
    threshold: float,
    bits: int,
) -> EditScore:
    """Other latents beside a subject's own."""
    before, after = of.reconstructions, decode(trained.model, latents)
    was, now = judge.find(before), judge.find(after)
    others = judged_others(judge, of)
    has_others = bool(others.any()) and not judge.exclusive
    difference = (after.double() - before.double()).square().mean((1, 2, 3)).sqrt()
    return EditScore(
        threshold=threshold,
        bits_set=bits,
        bits_changed=float((latents != of.latents).double().mean()),
        found=float(now[:, of.index].double().mean()),
        kept=float((was == now)[:, others].double().mean()) if has_others else None,
        distance=float(difference.mean()),
    )


def judged_others(judge: AttributeJudge, of: Subject) -> Tensor:
    """The attributes beside a subject's own that can be judged, bool (A,)."""
    return judge.measurable & (torch.arange(len(judge.measurable)) != of.index)


def edit_path(
    trained: Trained,
    sampler: HyperplaneSampler,
    of: Subject,
    direction: Tensor,
    rows: int,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Images on the way from a test image to its edit (Figure 11).

    Args:
        trained: the model.
        sampler: of full rank; see :func:`lbae_lib.latent.inversion.full_rank`.
        of: the attribute and its images.
        direction: what decides the bits, at the paper's threshold.
        rows: images.
        steps: of the path from the reconstruction to the edit.
        generator: of the margins.

    Returns:
        uint8 (rows, 1 + steps, C, S, S): the test image, then the decoded path.
    """
    source = of.latents[:rows].double()
    target = set_attribute(source, direction, PAPER_THRESHOLD)
    normals = [exact(bits, sampler, generator).normals for bits in (source, target)]
    path = interpolate_bits(sampler, normals[0], normals[1], steps)
    decoded = decode(trained.model, path.flatten(0, 1)).unflatten(0, (len(source), steps))
    return torch.cat([of.images[:rows, None], decoded], dim=1)


def compare(trained: Trained, judge: AttributeJudge, of: Subject) -> dict[str, EditScore]:
    """The untouched reconstructions, all variants, and other images, by label."""
    edits = {"untouched reconstruction": ("mean", 1.0), **variants(of)}  # no mean is above 1
    found = {
        label: score_edit(trained, judge, of, kind, threshold)
        for label, (kind, threshold) in edits.items()
    }
    size = of.latents.shape[1]
    other = _compared(trained, judge, of, of.latents.roll(1, 0), 0.0, size)
    return found | {"another image": other}


def percent(share: float) -> str:
    """A share of images for people; a dash for a share of none."""
    return "–" if math.isnan(share) else f"{share:.1%}"


def _found_rates(seen: Tensor, has: Tensor) -> Tensor:
    """Shares of what is seen, bool (K, A), where it is and where it is not, (A, 2)."""
    pairs = zip(seen.double().T, has.T, strict=True)
    return torch.stack([torch.stack([s[h].mean(), s[~h].mean()]) for s, h in pairs])
