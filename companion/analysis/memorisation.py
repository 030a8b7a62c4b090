"""The nearest training image of samples, in pixels and in features: are samples copies?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from companion.analysis.evaluators import Evaluator
from lbae_lib.models.encoding import to_unit_range

COPY_QUANTILE = 0.01  # of the distances of test images
_BLOCK = 1000  # training images at a time


@dataclass(frozen=True)
class Space:
    """Where distances are measured."""

    name: str  # for tables
    rows: Callable[[Tensor], Tensor]  # uint8 images (K, C, S, S) to points (K, D)
    known: Callable[[Tensor], Tensor]  # rows of training images, which may come from a cache
    limit: int  # training images that are searched, at most


@dataclass(frozen=True)
class Neighbours:
    """The nearest training image of each of some images."""

    distances: Tensor  # Euclidean, (K,)
    indices: Tensor  # of the training images, int64 (K,)

    def copies(self, of_test: Neighbours) -> float:
        """Share of the images that are nearer than the nearest hundredth of the test images."""
        bound = of_test.distances.quantile(COPY_QUANTILE)
        return float((self.distances < bound).double().mean())


def spaces(
    evaluators: Sequence[tuple[Evaluator, int]], training: int, cache: Path | None = None
) -> list[Space]:
    """Pixels, and the features of evaluators, each with its number of training images."""
    return [
        Space("pixels", _pixels, lambda images: images, training),
        *(
            Space(
                f"features of {evaluator.extractor.name}", evaluator.features,
                partial(evaluator.features, cache=cache), min(limit, training),
            )
            for evaluator, limit in evaluators
        ),
    ]  # fmt: skip


def nearest_training_images(
    space: Space, sets: Mapping[str, Tensor], training: Tensor
) -> dict[str, Neighbours]:
    """The nearest training image of each image of each set, of the first ``space.limit`` ones."""
    points = {key: space.rows(images) for key, images in sets.items()}
    queries = torch.cat(list(points.values()))
    least = torch.full((len(queries),), torch.inf)
    index = torch.zeros(len(queries), dtype=torch.int64)
    known = space.known(training[: space.limit])
    for number, block in enumerate(known.split(_BLOCK)):
        rows = _pixels(block) if block.ndim > 2 else block  # not all fit into memory as floats
        found = torch.cdist(queries, rows).min(1)
        nearer = found.values < least
        least = torch.where(nearer, found.values, least)
        index = torch.where(nearer, found.indices + number * _BLOCK, index)
    lengths = [len(images) for images in sets.values()]
    parts = zip(sets, least.split(lengths), index.split(lengths), strict=True)
    return {key: Neighbours(distances, indices) for key, distances, indices in parts}


def neighbour_rows(
    found: Mapping[str, Neighbours], labels: Mapping[str, str], space: Space, test: str
) -> list[list[object]]:
    """Rows of a table: median distance, the same relative to the set ``test``, share of copies."""
    of_test = found[test]
    middle = float(of_test.distances.median())
    return [
        [
            space.name, labels[key], len(near.distances), f"{space.limit:,}",
            float(near.distances.median()), float(near.distances.median()) / middle,
            f"{near.copies(of_test):.1%}",
        ]
        for key, near in found.items()
    ]  # fmt: skip


def _pixels(images: Tensor) -> Tensor:
    return to_unit_range(images).flatten(1)
