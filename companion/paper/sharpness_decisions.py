"""Decisions on the sharpness of images, by gradients relative to the test images'."""

import math

from torch import Tensor

from companion.paper.decisions import Decision, Outcome, undecided
from companion.paper.limits import above, judge
from companion.paper.seed_decisions import Trainings

_NOISY = "images have a larger gradient than real ones, as noise has: train longer"


def sharper(own: Tensor, other: Tensor, trainings: Trainings | None = None) -> tuple[str, Decision]:
    """Whether the LBAE's images are sharper than the VAE's: evidence and decision.

    Given are the gradients of the same images (K,) relative to those of the test images. Images
    that are sharper than real ones are noisy rather than sharp: they decide nothing.
    """
    means = float(own.mean()), float(other.mean())
    error = float((own - other).std()) / math.sqrt(len(own))
    evidence = (
        f"mean gradient, relative to the test images: {means[0]:.1%} (LBAE) and {means[1]:.1%} "
        f"(VAE); standard error of the difference over {len(own):,} images {error:.1%}"
    )
    trainings = trainings or Trainings()
    evidence = "; ".join(filter(None, (evidence, trainings.describe_number("sharpness"))))
    decision = trainings.gated(trainings.numbers("sharpness", means, "sharper"))
    if max(means) > 1:
        decision = undecided(_NOISY, decision.rule)
    return evidence, decision


def sharp(own: Tensor, lightly_blurred: Tensor) -> Decision:
    """Whether images (K,) are sharp, beside test images with the weaker blur (L,).

    Gradients are relative to those of the test images.
    """
    decision = judge("sharp", *_ratio(own, lightly_blurred))
    return undecided(_NOISY, decision.rule) if own.mean() > 1 else decision


def blur_gate(reconstructions: Tensor, strongly_blurred: Tensor) -> dict[str, str]:
    """The gate "blur" by gradients (K,), (L,), for a page that scores no images.

    It is closed unless reconstructions are clearly sharper than test images with a blur of σ = 1.5
    pixels: a model that was trained too briefly decides nothing.
    """
    ratio, error = _ratio(reconstructions, strongly_blurred)
    if above(ratio, error, 1.0).outcome is Outcome.HOLDS:
        return {}
    return {
        "blur": "reconstructions are not clearly sharper than test images with a blur of σ = 1.5 "
        "pixels: train longer"
    }


def _ratio(own: Tensor, other: Tensor) -> tuple[float, float]:
    """Ratio of two means over images, and its standard error; infinite for a single image."""
    ratio = float(own.mean() / other.mean())
    if min(len(own), len(other)) < 2:
        return ratio, math.inf
    relative = [float(x.std() / x.mean()) / math.sqrt(len(x)) for x in (own, other)]
    return ratio, ratio * math.hypot(*relative)
