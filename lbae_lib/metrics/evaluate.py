"""All metrics of one set of images against a reference, from features computed once."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lbae_lib.metrics.frechet import feature_statistics, frechet_distance
from lbae_lib.metrics.kernel import KernelDistance, kernel_distance
from lbae_lib.metrics.knn_precision_recall import (
    ManifoldPrecisionRecall,
    manifold_precision_recall,
)
from lbae_lib.metrics.prd import PrecisionRecallCurve, precision_recall_curve


@dataclass(frozen=True)
class Protocol:
    """How sets of features are compared.

    Attributes:
        name: for captions.
        kernel_subsets: of the kernel distance.
        kernel_subset_size: images in each; half of the smaller set where that is less, so that
            subsets differ and their spread means something.
        clusters: of PRD.
        angles: of PRD.
        runs: clusterings of PRD.
        prd_batch_size: of its mini-batch k-means.
        feature_batch: images a pass; with ``drop_last`` the remainder is left out of the Fréchet
            and kernel distances.
        drop_last: see ``feature_batch``.
        jpeg: both sides are saved as JPEG and read back first.
    """

    name: str
    kernel_subsets: int = 100
    kernel_subset_size: int = 1000
    clusters: int = 20
    angles: int = 1001
    runs: int = 10
    prd_batch_size: int = 1024
    feature_batch: int = 100
    drop_last: bool = False
    jpeg: bool = False


DEFAULT = Protocol(name="default")
# The authors' protocol, re-implemented from what their code does; for Inception features alone.
PAPER = Protocol(
    name="LBAE protocol, re-implemented",
    kernel_subsets=50,
    prd_batch_size=100,
    drop_last=True,
    jpeg=True,
)


@dataclass(frozen=True)
class Scores:
    """One set of images against a reference.

    Attributes:
        count: images of the set.
        reference_count: images of the reference.
        frechet: Fréchet distance.
        kernel: kernel distance.
        curve: PRD, on as many images of each as the smaller set has.
        manifold: k-nearest-neighbour precision and recall, on the same images.
    """

    count: int
    reference_count: int
    frechet: float
    kernel: KernelDistance
    curve: PrecisionRecallCurve
    manifold: ManifoldPrecisionRecall


def evaluate(
    generated: Tensor, reference: Tensor, protocol: Protocol = DEFAULT, seed: int = 0
) -> Scores:
    """Score a set of images by its features.

    Args:
        generated: features (K, D), in random order.
        reference: features (L, D), in random order.
        protocol: the parameters.
        seed: of kernel subsets and clusterings.

    Raises:
        ValueError: see the metrics.
    """
    kept_generated, kept_reference = generated, reference
    if protocol.drop_last:
        kept_generated, kept_reference = (
            rows[: len(rows) - len(rows) % protocol.feature_batch]
            for rows in (generated, reference)
        )
    equal = min(len(generated), len(reference))
    subset = min(protocol.kernel_subset_size, min(len(kept_generated), len(kept_reference)) // 2)
    return Scores(
        count=len(generated),
        reference_count=len(reference),
        frechet=frechet_distance(
            feature_statistics(kept_generated, "generated"),
            feature_statistics(kept_reference, "reference"),
        ),
        kernel=kernel_distance(
            kept_generated, kept_reference, protocol.kernel_subsets, subset, seed
        ),
        curve=precision_recall_curve(
            reference[:equal],
            generated[:equal],
            clusters=protocol.clusters,
            angles=protocol.angles,
            runs=protocol.runs,
            batch_size=protocol.prd_batch_size,
            seed=seed,
        ),
        manifold=manifold_precision_recall(reference[:equal], generated[:equal]),
    )
