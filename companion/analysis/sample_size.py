"""Fréchet distances against the number of images: small sets are biased upwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from companion.analysis.evaluators import Evaluator
from companion.analysis.image_source import ImageSource
from companion.analysis.spread import Spread
from lbae_lib.metrics.frechet import feature_statistics, frechet_distance

SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000)
_SMALLEST = 20  # the smallest set is at least this part of all images
_DRAWS = 5  # disjoint sets of one size, at most
_FITTED = 3  # largest sizes, through which the line goes


@dataclass(frozen=True)
class SizeCurve:
    """The distance of one kind of images by their number."""

    label: str  # of the images
    sizes: Sequence[int]  # numbers of images, of the reference too
    distances: Sequence[Spread]  # mean and deviation over disjoint sets, for each size

    @property
    def extrapolated(self) -> float | None:
        """The distance of infinitely many images; None with fewer than three sizes.

        The bias falls with one over the number of images, so that a line through the three largest
        sets gives the limit (Chong and Forsyth 2020, *Effectively unbiased FID and Inception score
        and where to find them*).
        """
        if len(self.sizes) < _FITTED:
            return None
        inverse = [1 / size for size in self.sizes[-_FITTED:]]
        means = [spread.mean for spread in self.distances[-_FITTED:]]
        return float(np.polynomial.Polynomial.fit(inverse, means, 1)(0.0))


def sizes(available: int) -> list[int]:
    """Round numbers of images up to all there are, and all there are."""
    least = available / _SMALLEST
    return [size for size in SIZES if least <= size < available] + [available]


def distances_by_size(
    evaluator: Evaluator,
    sources: Mapping[str, ImageSource],
    reference: Tensor,
    seed: int = 0,
    cache: Path | None = None,
) -> dict[str, SizeCurve]:
    """Fréchet distances of sets of several sizes from as many reference images in random order."""
    counts = sizes(len(reference))
    real = evaluator.features(reference, cache)
    found = {}
    for key, source in sources.items():
        drawn = source.draw(len(reference), torch.Generator().manual_seed(1000 * seed))
        features = evaluator.features(drawn)
        spreads = [Spread.of(_of_parts(features, real, count)) for count in counts]
        found[key] = SizeCurve(source.label, counts, spreads)
    return found


def _of_parts(features: Tensor, real: Tensor, count: int) -> list[float]:
    """Distances of disjoint sets of equal size."""
    parts = zip(features.split(count)[:_DRAWS], real.split(count)[:_DRAWS], strict=True)
    return [
        frechet_distance(feature_statistics(a, "images"), feature_statistics(b, "reference"))
        for a, b in parts
        if len(a) == count
    ]
