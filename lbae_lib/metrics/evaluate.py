"""All metrics of one set of images against a reference, from features computed once."""

from dataclasses import dataclass
from functools import cache

from torch import Tensor

from lbae_lib.metrics.checks import checked
from lbae_lib.metrics.frechet import feature_statistics, frechet_distance
from lbae_lib.metrics.kernel import KernelDistance, kernel_distance
from lbae_lib.metrics.knn_precision_recall import (
    ManifoldPrecisionRecall,
    manifold_precision_recall,
    neighbour_radii,
)
from lbae_lib.metrics.prd import PrecisionRecallCurve, precision_recall_curve


@dataclass(frozen=True)
class EvaluationProtocol:
    """How sets of features are compared.

    Attributes:
        name: for captions.
        kernel_subsets: number of subsets of the kernel distance.
        kernel_subset_size: images of each set in a subset; half of the smaller set where that is
            less, so that subsets differ.
        clusters, angles, runs, prd_batch_size: of PRD.
        feature_batch: the Fréchet and kernel distances use a multiple of this number of images.
        jpeg: whether both sets are to be saved as JPEG and read back, before features are computed.
    """

    name: str
    kernel_subsets: int = 100
    kernel_subset_size: int = 1000
    clusters: int = 20
    angles: int = 1001
    runs: int = 10
    prd_batch_size: int = 1024
    feature_batch: int = 1
    jpeg: bool = False

    def kept(self, images: int) -> int:
        """How many of a set's images the Fréchet and kernel distances use."""
        return images - images % self.feature_batch


_FEWEST = 4  # images of a set: two subsets of two differ
DEFAULT_PROTOCOL = EvaluationProtocol(name="default")
# The authors' protocol, re-implemented from what their code does; for Inception features alone.
PAPER_PROTOCOL = EvaluationProtocol(
    name="LBAE protocol, re-implemented",
    kernel_subsets=100,  # their function's default is 50, but its caller passes 100
    prd_batch_size=100,
    feature_batch=100,  # images of an incomplete batch are left out
    jpeg=True,
)


class ReferenceStatistics:
    """What the metrics compute from a reference alone, once for all sets scored against it.

    Args:
        features: (K, D), in random order.

    Attributes:
        features: float64 (K, D).
        gaussian: number of rows -> statistics of the first rows.
        radii: number of rows -> distances to the third neighbour among the first rows.

    Raises:
        ValueError: as :func:`.checks.checked`.
    """

    def __init__(self, features: Tensor) -> None:
        self.features = checked(features, "reference")
        self.gaussian = cache(lambda rows: feature_statistics(self.features[:rows], "reference"))
        self.radii = cache(lambda rows: neighbour_radii(self.features[:rows]))


@dataclass(frozen=True)
class Scores:
    """One set of images against a reference.

    ``curve`` (PRD) and ``manifold`` (k-NN) are of as many images of each as the smaller set has.
    """

    frechet: float
    kernel: KernelDistance
    curve: PrecisionRecallCurve
    manifold: ManifoldPrecisionRecall


def evaluate(
    generated: Tensor,
    reference: ReferenceStatistics,
    protocol: EvaluationProtocol = DEFAULT_PROTOCOL,
    seed: int = 0,
) -> Scores:
    """Score a set of images by its features, (K, D), in random order.

    The reference's features are from the same network. The seed is that of the kernel distance's
    subsets and of PRD's clusterings.

    Raises:
        ValueError: if a set has fewer than 4 images, or a metric raises it.
    """
    generated = checked(generated, "generated")
    kept, kept_reference = (protocol.kept(len(rows)) for rows in (generated, reference.features))
    if min(kept, kept_reference) < _FEWEST:
        raise ValueError(
            f"{kept} generated and {kept_reference} reference images are too few to compare: "
            f"at least {_FEWEST} of each are needed; give more"
        )
    size = min(len(generated), len(reference.features))
    equal = reference.features[:size], generated[:size]
    own, other = generated[:kept], reference.features[:kept_reference]
    subset_size = min(protocol.kernel_subset_size, kept // 2, kept_reference // 2)
    return Scores(
        frechet_distance(feature_statistics(own, "generated"), reference.gaussian(kept_reference)),
        kernel_distance(own, other, protocol.kernel_subsets, subset_size, seed),
        precision_recall_curve(
            *equal, clusters=protocol.clusters, angles=protocol.angles, runs=protocol.runs,
            batch_size=protocol.prd_batch_size, seed=seed,
        ),
        manifold_precision_recall(*equal, reference_radii=reference.radii(size)),
    )  # fmt: skip
