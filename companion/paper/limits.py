"""The limits behind vague words of the paper, each declared once with its reason.

A limit decides nothing alone: a value counts as beyond it only if it is beyond by more than the
value's noise. The exception is "eye": sampling noise only adds to a total variation, so that a
value within the limit is within it whatever the noise.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from companion.paper.decisions import Decision, Outcome, undecided

CLEAR = 2.0  # standard errors beyond which a value is clearly above or below a limit


@dataclass(frozen=True)
class Limit:
    """A limit of a measured number."""

    value: float  # the limit
    side: Literal["at least", "at most"]  # the side of the limit on which the claim holds
    rule: str  # what is called by the paper's word
    reason: str  # why the limit is where it is


LIMITS: Mapping[str, Limit] = {
    # Smallest differences that count: below them two things are called equivalent.
    "distance": Limit(
        0.05, "at least",
        "Distances that differ by less than 5% count as equal. Fréchet distances grow when images "
        "are few: for samples, that of training images is first subtracted from both.",
        "The smallest step in the order of the paper's Table 1 is 14%; two implementations of FID "
        "differ by some percent.",
    ),
    "rate": Limit(
        0.05, "at least", "Rates that differ by less than 5% count as equal.",
        "Headers and the choice of a coder's settings change rates by some percent.",
    ),
    "prd": Limit(
        0.02, "at least", "Precisions and recalls that differ by less than 0.02 count as equal.",
        "The paper's Table 4 has two digits; its smallest lead of the LBAE is 0.04.",
    ),
    "sharper": Limit(
        0.05, "at least", "A lead of less than 5 points counts as none.",
        "A blur of σ = 0.7 pixels, the weaker one of the control checks, takes 7 points from the "
        "digits' test images.",
    ),
    "sharp": Limit(
        1.0, "at least",
        "We call images sharp if their mean gradient is at least that of test images with a blur "
        "of σ = 0.7 pixels.",
        "It is the weaker blur of the control checks. A limit that is a blur of the same images "
        "fits each data set.",
    ),
    "cycle": Limit(
        0.02, "at least",
        "Shares of lost bits that differ by less than 2 points count as equal.",
        "Test images themselves lose about 3% of their bits in a cycle.",
    ),
    # What the paper's words mean.
    "learned": Limit(
        0.9, "at most",
        "A model has learned if its test loss is at most 90% of that of the mean training image.",
        "Less is hardly more than the mean image with some noise removed.",
    ),
    "typically": Limit(
        0.9, "at least", "We say “typically” if it is so in at least nine of ten cases.",
        "A common reading.",
    ),
    "wrong_bits": Limit(
        0.01, "at most", "We accept 1% of wrong bits.", "Two bits of MNIST's 200.",
    ),
    "almost_linear": Limit(
        0.05, "at most", "We call a path almost linear if it deviates by at most 0.05.",
        "About half of one of nine steps.",
    ),
    "at_once": Limit(
        0.99, "at least", "The claim holds if 99% of the paths flip at once.",
        "The paper says that all do.",
    ),
    "abrupt": Limit(
        0.1, "at most",
        "A path changes abruptly if one of its steps is more than three mean steps. The claim "
        "holds if at most one path in ten does, in pixels and in features.",
        "A path of ten images that jumps at once has a step of nine mean steps.",
    ),
    "far": Limit(
        2.0, "at least",
        "We call latents far from the training latents if they are twice as many bits from the "
        "nearest one as test latents are.",
        "Test latents are as far as new latents of the distribution are.",
    ),
    "novel": Limit(
        0.01, "at most", "We call samples novel if at most 1% are copies of training latents.",
        "A few copies do not make a sampler that copies.",
    ),
    "eye": Limit(
        0.05, "at most",
        "We say that two distributions look identical if at most 5% of their mass differs "
        "(total variation), for the number of positive bits, for pair moments in bins of 0.05, and "
        "for first moments in as many bins as Rice's rule gives.",
        "Curves that enclose 5% of their area lie on each other in print. By the same measure, "
        "direct rounding must be seen to differ.",
    ),
    "moments": Limit(
        2.0, "at most",
        "We call moments right if their RMS errors are at most twice the noise of as many samples "
        "as there are training latents.",
        "Training latents determine the moments of the distribution no better.",
    ),
    "balanced": Limit(
        0.25, "at most", "We call precision and recall balanced if they differ by at most 0.25.",
        "The paper calls its own samples balanced, and they differ by 0.05, 0.21 and 0.09.",
    ),
    "major": Limit(
        0.5, "at least", "We say major, or most, for more than half.", "The meaning of the words.",
    ),
    "classes": Limit(
        0.8, "at least",
        "A class is neither over- nor under-represented if it is seen 0.8 to 1.25 times as often "
        "as in training reconstructions.",
        "A fifth is more than the noise of 400 images of a class, about 5%.",
    ),
    "given": Limit(
        0.5, "at least",
        "An attribute is given if the edit closes at least half of the gap between untouched "
        "reconstructions and those of images that have it.",
        "Then most edited images cross the classifier's threshold.",
    ),
    "recognised": Limit(
        0.5, "at least",
        "The edit must leave the image recognisable: of the reconstructions of all images that "
        "were edited, its own is the nearest in at least half of the cases.",
        "If the edit replaced the image, its own would not be nearer than others.",
    ),
    "kept": Limit(
        0.9, "at least",
        "The others are kept if the edit keeps at least 90% of what re-encoding keeps, and clearly "
        "more than another image does.",
        "To decode and encode again changes attributes that nobody edited; another image keeps "
        "what most images share.",
    ),
    "bits_per_number": Limit(
        16, "at most", "The numbers are not saturated if at most half of 32 bits are needed.",
        "Half of a float.",
    ),
}  # fmt: skip


def judge(key: str, value: float | None, error: float | None) -> Decision:
    """Whether a measured value is on the right side of a limit of :data:`LIMITS`.

    The value is None if it cannot be measured. Its standard error is 0 for a number without noise,
    and None if it is not known.
    """
    limit = LIMITS[key]
    if value is None or not math.isfinite(value):
        return undecided("the value could not be measured", limit.rule)
    gain = value - limit.value if limit.side == "at least" else limit.value - value
    return above(gain, error, 0.0, limit.rule)


def above(gain: float, error: float | None, margin: float, rule: str = "") -> Decision:
    """Whether a gain exceeds a margin by more than its noise.

    It holds if the whole interval of two standard errors is at the margin or above it, and fails
    if the whole interval is below it: a gain smaller than the margin is none. An error that is not
    known decides nothing.
    """
    if error is None:
        return undecided("a single measurement has no known noise: repeat it", rule)
    if gain - CLEAR * error >= margin:
        return Decision(Outcome.HOLDS, rule)
    if gain + CLEAR * error < margin:
        return Decision(Outcome.FAILS, rule)
    return undecided("the difference may be noise: use more images or more seeds", rule)


def share_error(share: float, count: int) -> float:
    """Standard error of a share of independent cases; never zero, as a sample cannot show it.

    With Laplace's one case more of each kind, also for shares of 0 and 1.
    """
    p = (share * count + 1) / (count + 2)
    return math.sqrt(p * (1 - p) / (count + 2))
