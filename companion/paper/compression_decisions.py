"""Decisions on compression: the supplement's Appendix B, by measured rates and distortions."""

import math
from collections.abc import Sequence
from itertools import pairwise

from companion.analysis.evaluators import Evaluator
from companion.analysis.rate_distortion import Originals, Point
from companion.paper.comparisons import better_model
from companion.paper.decisions import Decision, all_hold, undecided
from companion.paper.limits import LIMITS
from lbae_lib.metrics.corruptions import blurred


def rate_at(points: Sequence[Point], error: float) -> float | None:
    """Bits per image at which a curve reaches a mean squared error; None if it never does.

    Between two points the curve is linear in bits and in the logarithm of the error. A point that
    costs more than another and has no smaller error is not on the curve.
    """
    curve = lower_curve(points)
    if not curve or curve[-1].error > error:
        return None
    if curve[0].error <= error:
        return curve[0].bits
    for worse, better in pairwise(curve):
        if better.error <= error:
            span = math.log(worse.error / max(better.error, 1e-9))
            return worse.bits + (better.bits - worse.bits) * math.log(worse.error / error) / span
    return None


def lower_curve(points: Sequence[Point]) -> list[Point]:
    """The points that no cheaper point beats, by increasing bits."""
    curve: list[Point] = []
    for point in sorted(points, key=lambda p: (p.bits, p.error)):
        if not curve or point.error < curve[-1].error:
            curve.append(point)
    return curve


def cheaper_codes(points: Sequence[Point]) -> list[Point]:
    """For each latent size of an LBAE, packed or independently coded bits: what is shorter."""
    found: dict[str, Point] = {}
    for point in sorted(points, key=lambda p: p.bits):
        size, _, coder = point.setting.partition(", ")
        if point.method == "lbae" and coder in ("packed", "factorised"):
            found.setdefault(size, point)
    return [*found.values()]


def sufficient(points: Sequence[Point], error: float) -> Point:
    """The cheapest point whose error is at most 1% above ``error``."""
    return min((p for p in points if p.error <= 1.01 * error), key=lambda p: p.bits)


def compresses(own: Sequence[Point], other: Sequence[Point], title: str) -> tuple[str, Decision]:
    """Whether LBAEs need fewer bits than a VAE at the same distortion, and are nearer.

    Both are coded, and the curves are compared: at each distortion of an LBAE (one point for each
    latent size, under its cheaper code), the bits at which the VAE (on finer and finer grids)
    reaches it. The VAE's curve ends at its cheapest point within 1% of its distortion without
    rounding, which is the last of ``other``: a finer grid only costs bits. There is one training of
    each model.
    """
    best = min(p.error for p in other)
    end = sufficient(other, other[-1].error)
    curve = [p for p in other if p.bits <= end.bits]

    def numbers(point: Point) -> str:
        return f"{point.bits:.1f} bits, MSE {point.error:.3g}, {title} {point.distance:.3g}"

    shown, at_all = [], []
    for point in lower_curve(own):
        needed = rate_at(curve, max(point.error, end.error)) if point.error >= best else None
        theirs = "the VAE never reaches this MSE"
        if needed is not None:
            theirs = f"the VAE reaches this MSE at {needed:.1f} bits"
        shown.append(f"{point.setting}: {numbers(point)}; {theirs}")
        if needed is not None:
            at_all.append((point, needed))
    evidence = f"{'. '.join(shown)}. The VAE within 1% of its MSE without rounding: {numbers(end)}"
    cheaper = [p for p in own if p.bits <= end.bits and p.error <= end.error]
    if not at_all and not cheaper:
        return evidence, undecided(
            "the VAE never reaches an LBAE's distortion, and no LBAE is as small as the VAE: "
            "train LBAEs of fewer bits, or a VAE of more numbers",
            LIMITS["rate"].rule,
        )
    point, needed = at_all[-1] if at_all else (cheaper[-1], end.bits)
    nearest = min(other, key=lambda p: abs(p.bits - needed))
    return evidence, all_hold(
        better_model([point.bits], [needed], "rate"),
        better_model([point.distance], [nearest.distance], "distance"),
    )


def counted_bits(
    bits: float, their_bits: float, distance: float, their_distance: float, title: str
) -> tuple[str, Decision]:
    """The same claim with bits counted as in the supplement: N, and 32 for each number of a VAE."""
    evidence = (
        f"{bits:.0f} bits against {their_bits:.0f}; {title} {distance:.3g} against "
        f"{their_distance:.3g}"
    )
    nearer = undecided(
        "one training of each model cannot show how much trainings differ: the page of scores (05) "
        "decides over training seeds which reconstructions are nearer",
        LIMITS["distance"].rule,
    )
    return evidence, all_hold(Decision.of(bits < their_bits), nearer)


def beats_blur(
    originals: Originals, points: Sequence[Point], evaluator: Evaluator
) -> dict[str, str]:
    """The gate "blur": closed unless the LBAE's reconstructions are nearer than a strong blur."""
    limit = originals.distance(blurred(originals.images, 1.5))
    nearest = min(p.distance for p in points if p.method == "lbae")
    if nearest < limit:
        return {}
    return {
        "blur": f"reconstructions are no nearer than images with a blur of σ = 1.5 pixels, by "
        f"{evaluator.extractor.name}: train longer"
    }
