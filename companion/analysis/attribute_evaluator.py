"""Finding attributes in decoded images, and how reliably that works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.experiments.images import attribute_table
from companion.experiments.trained import Trained
from lbae_lib.metrics.classifier import FeatureClassifier, logits_of, presence
from lbae_lib.models.encoding import decode

# We call an attribute measurable if it is found in a larger share of the images that have it than
# of the others, by at least this, both in test images and in reconstructions.
MEASURABLE = 0.3


@dataclass(frozen=True)
class AttributeEvaluator:
    """Finds the attributes of decoded images."""

    classifier: FeatureClassifier  # trained on training images
    thresholds: Tensor | None  # of its logits, (A,); None for classes, which exclude each other
    # How reliable it is on "test images" and on "their reconstructions": the shares of images in
    # which each attribute is found, of those that have it and of those that do not, (A, 2); NaN
    # where there is no such image
    found_rates: Mapping[str, Tensor]

    @classmethod
    def fit(cls, classifier: FeatureClassifier, trained: Trained) -> AttributeEvaluator:
        """With the thresholds that work best on reconstructions of validation images.

        A classifier of real images almost never finds a rare attribute in blurred ones. Each
        threshold maximises the share found where the attribute is, less that where it is not.
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
            name: found_rates(presence(classifier, images, thresholds), has)
            for name, images in sets.items()
        }
        return cls(classifier, thresholds, rates)

    @property
    def exclusive(self) -> bool:
        """Whether an image has exactly one attribute, as with classes."""
        return self.thresholds is None

    @property
    def measurable(self) -> Tensor:
        """Which attributes it tells apart, in test images and in reconstructions, bool (A,)."""
        rates = torch.stack([*self.found_rates.values()])  # of images with and without it
        return (rates[..., 0] - rates[..., 1] >= MEASURABLE).all(0)

    def others(self, index: int) -> Tensor:
        """The measurable attributes other than number ``index``, bool (A,)."""
        return self.measurable & (torch.arange(len(self.measurable)) != index)

    def find(self, images: Tensor) -> Tensor:
        """Which attributes images uint8 (K, C, S, S) have, bool (K, A)."""
        return presence(self.classifier, images, self.thresholds)


def best_threshold(logits: Tensor, has: Tensor) -> Tensor:
    """The threshold between logits (K,) of images with an attribute, ``has`` bool (K,), and others.

    It lies between two logits and maximises the share above it of images with the attribute, less
    that of images without it. 0 if all images have it, or none.
    """
    if has.all() or not has.any():
        return torch.zeros(())
    values, order = logits.sort()
    own = has[order].double()
    # With a threshold behind the first k: the share below it of those without, less of those with.
    below = torch.cumsum((1 - own) / (1 - own).sum() - own / own.sum(), 0)[:-1]
    k = int(below.argmax())
    return (values[k] + values[k + 1]) / 2


def found_rates(found: Tensor, has: Tensor) -> Tensor:
    """Shares of the images with and without each attribute in which it is found, float64 (A, 2)."""
    pairs = zip(found.double().T, has.T, strict=True)
    return torch.stack([torch.stack([f[h].mean(), f[~h].mean()]) for f, h in pairs])
