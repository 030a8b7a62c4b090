"""Attribute editing, measured: does the attribute appear, and does the rest stay?"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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
from lbae_lib.metrics.classifier import FeatureClassifier, presence
from lbae_lib.models.encoding import decode
from lbae_lib.report.runs import Trained, attribute_table

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
        trained_on: training images with the attribute.
    """

    name: str
    index: int
    directions: Mapping[str, Tensor]
    images: Tensor
    latents: Tensor
    trained_on: int


@dataclass(frozen=True)
class EditScore:
    """What an edit did, mean over the subject's images.

    Attributes:
        threshold: D.
        bits_set: how many bits the threshold decides.
        bits_changed: share of an image's bits that differ afterwards.
        found: share of images in which the classifier finds the attribute.
        kept: share of the other attributes that the classifier finds as before.
        distance: root-mean-square difference of the pixels, in grey levels.
    """

    threshold: float
    bits_set: int
    bits_changed: float
    found: float
    kept: float
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
    return Subject(
        name=name,
        index=index,
        directions={
            "mean": expected_bits(latents, has[:, index]),
            "contrast": contrast(latents, has[:, index]),
        },
        images=trained.images["test"].images[chosen],
        latents=trained.bits("test")[chosen],
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
    trained: Trained, classifier: FeatureClassifier, of: Subject, kind: str, threshold: float
) -> EditScore:
    """Edit a subject's images and measure it.

    Args:
        trained: the model.
        classifier: finds attributes; trained on training images.
        of: the attribute and its images.
        kind: "mean" or "contrast".
        threshold: D.
    """
    direction = of.directions[kind]
    edited = set_attribute(of.latents, direction, threshold)
    before, after = (decode(trained.model, bits) for bits in (of.latents, edited))
    was, now = presence(classifier, before), presence(classifier, after)
    others = torch.arange(was.shape[1]) != of.index
    difference = (after.double() - before.double()).square().mean((1, 2, 3)).sqrt()
    return EditScore(
        threshold=threshold,
        bits_set=bits_set(direction, threshold),
        bits_changed=float((edited != of.latents).double().mean()),
        found=float(now[:, of.index].double().mean()),
        kept=float((was == now)[:, others].double().mean()),
        distance=float(difference.mean()),
    )


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


def compare(trained: Trained, classifier: FeatureClassifier, of: Subject) -> dict[str, EditScore]:
    """The untouched reconstructions and all variants, by label."""
    edits = {"untouched reconstruction": ("mean", 1.0), **variants(of)}  # no mean is above 1
    return {
        label: score_edit(trained, classifier, of, kind, threshold)
        for label, (kind, threshold) in edits.items()
    }


def found_rates(
    trained: Trained, classifier: FeatureClassifier, index: int
) -> dict[str, tuple[float, float]]:
    """How far the classifier is to be trusted with an attribute.

    Returns:
        For "test images" and "their reconstructions": share found among those that have the
        attribute, and among those that do not.
    """
    _, has = attribute_table(trained.dataset, trained.images["test"])
    truth = has[:, index]
    sets = {
        "test images": trained.images["test"].images,
        "their reconstructions": decode(trained.model, trained.bits("test")),
    }
    rates = {}
    for name, images in sets.items():
        seen = presence(classifier, images)[:, index].double()
        rates[name] = (float(seen[truth].mean()), float(seen[~truth].mean()))
    return rates
