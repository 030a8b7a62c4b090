"""Images on paths between latents: simple baselines, and how smoothly any path changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from companion.experiments.trained import Trained
from lbae_lib.latent.interpolation import flip_path
from lbae_lib.metrics.classifier import ClassifierFeatures, logits_of
from lbae_lib.metrics.features import extract
from lbae_lib.metrics.frechet import feature_statistics, frechet_distance
from lbae_lib.models.encoding import BATCH_SIZE, decode, to_uint8, to_unit_range

ABRUPT = 3.0  # a step this many times as large as the path's mean step is abrupt


@dataclass(frozen=True)
class PathEnds:
    """Pairs of test images between which paths run."""

    trained: Trained  # the model with its images and latents
    source: Tensor  # indices of test images, int64 (K,)
    target: Tensor  # indices of test images, int64 (K,)

    def bits(self) -> tuple[Tensor, Tensor]:
        """The latents of both ends, (K, N) each."""
        latents = self.trained.bits("test")
        return latents[self.source], latents[self.target]

    @cached_property
    def images(self) -> tuple[Tensor, Tensor]:
        """The reconstructions of both ends, uint8 (K, C, S, S) each."""
        source, target = (decode(self.trained.model, bits) for bits in self.bits())
        return source, target

    def closed(self, images: Tensor) -> Tensor:
        """A path (K, T, C, S, S) with the reconstructions of the true latents as its two ends."""
        source, target = self.images
        return torch.cat([source[:, None], images[:, 1:-1], target[:, None]], dim=1)


def _random_order(ends: PathEnds, steps: int, generator: torch.Generator) -> Tensor:
    source, _ = ends.bits()
    return _decoded_bits(ends, steps, torch.rand(source.shape, generator=generator))


def _logit_order(ends: PathEnds, steps: int, _: torch.Generator) -> Tensor:
    """In the order in which the bits flip if the encoder's logits move on straight lines."""
    source, target = (_logits(ends.trained, chosen).abs() for chosen in (ends.source, ends.target))
    return _decoded_bits(ends, steps, source / (source + target).clamp(min=1e-12))


@torch.inference_mode()
def _first_layer(ends: PathEnds, steps: int, _: torch.Generator) -> Tensor:
    """The first layer is linear: its output moves straight if the input does."""
    source, target = ends.bits()
    t = torch.linspace(0, 1, steps)[:, None]
    latents = torch.lerp(source[:, None], target[:, None], t).flatten(0, 1)
    model = ends.trained.model
    device = next(model.parameters()).device
    parts = (to_uint8(model.decoder(part.to(device))).cpu() for part in latents.split(BATCH_SIZE))
    return torch.cat(list(parts)).unflatten(0, (-1, steps))


def _pixel_blend(ends: PathEnds, steps: int, _: torch.Generator) -> Tensor:
    source, target = (to_unit_range(images)[:, None] for images in ends.images)
    t = torch.linspace(0, 1, steps)[:, None, None, None]
    return to_uint8(torch.lerp(source, target, t))


@dataclass(frozen=True)
class PathBaseline:
    """A way from image to image without hyperplanes."""

    label: str  # for tables and figures
    # From ends, number of points and generator to uint8 images (K, T, C, S, S)
    draw: Callable[[PathEnds, int, torch.Generator], Tensor]


BASELINES: Mapping[str, PathBaseline] = {
    "random_order": PathBaseline("bits flipped in random order", _random_order),
    "logit_order": PathBaseline("bits flipped by |logit|", _logit_order),
    "first_layer": PathBaseline("linear in the decoder's first layer", _first_layer),
    "pixel_blend": PathBaseline("pixel blend", _pixel_blend),
}


def path_images(ends: PathEnds, bits: Tensor) -> Tensor:
    """Images uint8 (K, T, C, S, S) of paths (K, T, N), with those of the true latents as ends."""
    return ends.closed(decode(ends.trained.model, bits.flatten(0, 1)).unflatten(0, bits.shape[:2]))


@dataclass(frozen=True)
class PathScores:
    """How images change along paths; first and last image are those of the true latents."""

    distance: float  # Fréchet distance of the images between the ends from the reference
    # Largest step over mean step of a path, by RMS of the pixels: mean over the paths that change
    pixels: float | None
    features: float | None  # the same in the distance of the extractor's features
    abrupt_pixels: float  # share of the paths with a step of more than ABRUPT mean steps
    abrupt_features: float
    third_class: float | None  # share between the ends in a class of neither; None without classes
    one_change: float | None  # share of paths with at most one change of class; None likewise

    def abrupt(self) -> tuple[float, float]:
        """Share of paths with a step of more than ``ABRUPT`` mean steps: pixels, features."""
        return self.abrupt_pixels, self.abrupt_features

    def numbers(self) -> dict[str, float | None]:
        """For tables and records."""
        return dict(vars(self))


class PathMeter:
    """Scores paths by features of an in-domain classifier, against test images (L, C, S, S)."""

    def __init__(self, extractor: ClassifierFeatures, reference: Tensor) -> None:
        self.extractor = extractor
        self.reference = feature_statistics(extract(extractor, reference))

    def measure(self, images: Tensor) -> PathScores:
        """Score paths of images, uint8 (K, T, C, S, S) with T >= 3."""
        count, steps = images.shape[:2]
        features = extract(self.extractor, images.flatten(0, 1)).unflatten(0, (count, steps))
        pixels = torch.cat([part.float().diff(dim=1).flatten(2).norm(dim=2) for part in
                            images.split(100)])  # fmt: skip
        third = one = None
        if not self.extractor.model.several:
            classes = logits_of(self.extractor.model, images.flatten(0, 1)).argmax(1)
            classes = classes.unflatten(0, (count, steps))
            inner = classes[:, 1:-1]
            third = float(((inner != classes[:, :1]) & (inner != classes[:, -1:])).double().mean())
            one = float(((classes.diff(dim=1) != 0).sum(1) <= 1).double().mean())
        between = feature_statistics(features[:, 1:-1].flatten(0, 1))
        pixel_jump, abrupt_pixels = _jumps(pixels)
        feature_jump, abrupt_features = _jumps(features.diff(dim=1).norm(dim=2))
        return PathScores(
            frechet_distance(between, self.reference), pixel_jump, feature_jump,
            abrupt_pixels, abrupt_features, third, one,
        )  # fmt: skip


def _jumps(steps: Tensor) -> tuple[float | None, float]:
    """Mean of largest over mean step of the paths (K, T-1) that change, and the share of jumps."""
    steps = steps[steps.sum(1) > 0].double()
    ratios = steps.amax(1) / steps.mean(1)
    abrupt = int((ratios > ABRUPT).sum()) / max(1, len(ratios))
    return float(ratios.mean()) if len(ratios) else None, abrupt


def _decoded_bits(ends: PathEnds, steps: int, order: Tensor) -> Tensor:
    return path_images(ends, flip_path(*ends.bits(), steps, order))


@torch.inference_mode()
def _logits(trained: Trained, chosen: Tensor) -> Tensor:
    """What the encoder rounds to bits, (K, N), of test images."""
    model, images = trained.model, trained.images["test"].images[chosen]
    device = next(model.parameters()).device
    parts = (to_unit_range(part).to(device) for part in images.split(BATCH_SIZE))
    return torch.cat([model.head(model.trunk(part)).cpu() for part in parts])
