"""Decisions on latents: their distribution (Section 3.2), and the way back (Section 3.3)."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from companion.analysis.inversions import HammingPaths
from companion.paper.decisions import Decision, Outcome, all_hold, undecided
from companion.paper.limits import LIMITS, above, judge, share_error
from lbae_lib.latent.higher_order import total_variation, weight_distribution
from lbae_lib.latent.moments import (
    MomentErrors,
    Moments,
    moment_errors,
    moments,
    sampling_noise,
)

_BINS = 40  # of the pair moments, from -1 to 1; each is 0.05 wide
_COMPARED = ("the number of positive bits", "the first moments", "the pair moments")
_MAYBE_NOISE = "what exceeds the limit may be the noise of the samples: draw more samples"


class Differences(NamedTuple):
    """Total variation distances between two sets of bits, in [0, 1]."""

    positive: float  # of the number of positive bits
    first: float  # of the first moments, in at most as many bins
    pairs: float  # of the pair moments, in bins of 0.05


def differences(bits: Tensor, truth: Tensor) -> Differences:
    """How far samples (K, N) and latents (L, N) are apart in what Figure 2 can show."""
    positive = total_variation(weight_distribution(bits), weight_distribution(truth))
    own, true = moments(bits), moments(truth)
    bins = min(_BINS, round(2 * len(true.first) ** (1 / 3)))  # Rice's rule: there are few
    first = total_variation(_density(own.first, bins), _density(true.first, bins))
    pairs = total_variation(_density(own.pairs, _BINS), _density(true.pairs, _BINS))
    return Differences(positive, first, pairs)


def _density(found: Tensor, bins: int) -> Tensor:
    counts = torch.histc(found.double().cpu(), bins, -1, 1)
    return counts / counts.sum()


def by_eye(truth: Tensor, drawn: Mapping[str, Tensor], key: str) -> tuple[str, Decision]:
    """Whether samples and latents look identical in Figure 2: evidence and decision."""
    own, direct, floor = (differences(drawn[k], truth) for k in (key, "direct", "resampled"))
    rows = [*zip(_COMPARED, own, direct, floor, strict=True)]
    found = "; ".join(
        f"of {name} {ours:.3f} (direct rounding {theirs:.3f}, resampled latents {noise:.3f})"
        for name, ours, theirs, noise in rows
    )
    evidence = f"total variation {found}"
    equal = [name for name, ours, theirs, noise in rows if abs(ours - theirs) <= noise]
    if equal:
        evidence += (
            f"; by {' and by '.join(equal)} alone the sampler and direct rounding cannot be told "
            "apart, for they differ by no more than resampled latents do from the latents"
        )
    return evidence, looks_identical(own, direct, floor)


def looks_identical(own: Differences, direct: Differences, floor: Differences) -> Decision:
    """The rule for "appear identical", beside direct rounding and resampled latents (the floor).

    The figure must be able to show a difference: resampled latents must look identical, and direct
    rounding not.
    """
    limit, why, seen = LIMITS["eye"], "", _seen(own, floor)
    if max(floor) > limit.value:
        why = "resampled latents themselves look different: draw more samples"
    elif not _seen(direct, floor):
        why = "direct rounding looks identical too, so that the figure tells nothing apart"
    elif seen is None:
        why = _MAYBE_NOISE
    if why:
        return undecided(why, limit.rule)
    return Decision(Outcome.FAILS if seen else Outcome.HOLDS, limit.rule)


def _seen(found: Differences, floor: Differences) -> bool | None:
    """Whether an eye sees a difference; None if it may be the noise of the samples.

    Noise adds to a total variation. So a value within the limit is clear as it is, and one beyond
    the limit is clear if it is still beyond it without the value of resampled latents (the floor).
    """
    limit = LIMITS["eye"].value
    if any(value - noise > limit for value, noise in zip(found, floor, strict=True)):
        return True
    return False if max(found) <= limit else None


def clear_error(truth: Tensor, drawn: Mapping[str, Tensor], key: str) -> tuple[str, Decision]:
    """Whether samples are seen to differ from the latents: the opposite of :func:`by_eye`."""
    own, floor = (differences(drawn[k], truth) for k in (key, "resampled"))
    evidence = (
        "total variation "
        + ", ".join(f"of {name} {value:.3f}" for name, value in zip(_COMPARED, own, strict=True))
        + f"; resampled latents {', '.join(f'{value:.3f}' for value in floor)}"
    )
    limit = LIMITS["eye"]
    rule = f"An error is clear if the distributions do not look identical. {limit.rule}"
    if max(floor) > limit.value:
        return evidence, undecided("resampled latents look different: draw more samples", rule)
    seen = _seen(own, floor)
    if seen is None:
        return evidence, undecided(_MAYBE_NOISE, rule)
    return evidence, Decision(Outcome.HOLDS if seen else Outcome.FAILS, rule)


def moments_right(
    errors: MomentErrors, truth: Moments, direct: MomentErrors
) -> tuple[str, Decision]:
    """Whether a sampler's moments in expectation, free of noise, are those of the latents.

    The latents must be enough to tell direct rounding, with the errors ``direct``, from right.
    """
    noise = sampling_noise(truth, truth.count)

    def passes(found: MomentErrors) -> Decision:
        ratios = found.pairs / max(noise.pairs, 1e-9), found.first / max(noise.first, 1e-9)
        return judge("moments", max(ratios), 0.0)

    evidence = (
        f"The noise of {truth.count:,} samples, as many as there are training latents, is "
        f"{noise.pairs:.4f} for pair moments and {noise.first:.4f} for first moments"
    )
    decision = passes(errors)
    if decision.outcome is passes(direct).outcome is Outcome.HOLDS:
        why = "direct rounding passes too: train on more images, to tell the two samplers apart"
        decision = undecided(why, decision.rule)
    return evidence, decision


def jackknifed(bits: Tensor, truth: Moments, blocks: int = 10) -> MomentErrors:
    """Standard errors of the moment errors of samples (K, N), by leaving out one block at a time.

    An RMS over many moments is known better than a single moment is.
    """
    whole, found = moments(bits), []
    for part in map(moments, bits.chunk(blocks)):
        rest = whole.count - part.count
        matrix = (whole.count * whole.matrix - part.count * part.matrix) / rest
        found.append(moment_errors(Moments(matrix, rest), truth))
    scale = (len(found) - 1) / math.sqrt(len(found))
    first, pairs = (
        scale * float(torch.tensor([getattr(errors, name) for errors in found]).double().std())
        for name in ("first", "pairs")
    )
    return MomentErrors(first, pairs)


def closer(
    own: MomentErrors, other: MomentErrors, floor: MomentErrors, noise: Sequence[MomentErrors]
) -> tuple[str, Decision]:
    """Whether a sampler's first and pair moments are both closer: evidence and decision.

    ``floor`` has the errors of resampled latents, ``noise`` the standard errors of both samplers'.
    """
    evidence = (
        f"RMS errors: pair moments {own.pairs:.4f} against {other.pairs:.4f}, first moments "
        f"{own.first:.4f} against {other.first:.4f}; resampled latents {floor.pairs:.4f} and "
        f"{floor.first:.4f}"
    )
    rule = "First and pair moments must both be closer."
    parts = (
        above(other.pairs - own.pairs, math.hypot(*(n.pairs for n in noise)), 0.0, rule),
        above(other.first - own.first, math.hypot(*(n.first for n in noise)), 0.0, rule),
    )
    return evidence, all_hold(*parts)


def novel(copies: int, samples: int) -> Decision:
    """Whether samples are no copies of training latents."""
    share = copies / samples
    return judge("novel", share, share_error(share, samples))


def inconsistent(own: Tensor, other: Tensor) -> Decision:
    """Whether decoding and encoding lose a larger share of the bits of some samples (K,)."""
    gain = float(own.mean() - other.mean())
    error = float((own.var() / len(own) + other.var() / len(other)).sqrt())
    return above(gain, error, LIMITS["cycle"].value, LIMITS["cycle"].rule)


def generates_back(wrong_bits: Tensor, width: int) -> tuple[str, Decision]:
    """Whether normals generate their latents back, by wrong bits (K,): evidence, decision."""
    shares = wrong_bits.double() / width
    mean, error = float(shares.mean()), float(shares.std()) / math.sqrt(len(shares))
    evidence = (
        f"{mean * width:.1f} of {width} bits are wrong on average, of {len(shares):,} latents"
    )
    return evidence, judge("wrong_bits", mean, error)


def few_steps(steps: Tensor) -> tuple[str, Decision]:
    """Whether an inversion typically stops early, by the steps of each latent or half of one."""
    share = float((steps < 4).double().mean())
    evidence = f"fewer than 4 steps in {share:.1%} of {steps.numel():,} cases"
    return evidence, judge("typically", share, share_error(share, len(steps)))


def almost_linear(paths: HammingPaths, boundary: bool) -> tuple[str, Decision]:
    """Whether the mean path is almost linear from the path's own ends, as in the authors' code.

    The evidence also has the deviation from the true latents. ``boundary`` says whether the bits
    are those of Eq. 12 or raw signs.
    """
    distances, (own, true) = paths.own[0], paths.deviations()
    if own is None:
        return "no path has two different ends", judge("almost_linear", None, None)
    error = float(distances.std(0).max()) / math.sqrt(len(distances))
    signs = "the signs of Eq. 12" if boundary else "raw signs"
    evidence = (
        f"the mean path of {len(distances):,} pairs deviates from a line by at most {own:.2g}, "
        f"measured from the path's own ends, with {signs}"
    )
    if true is not None:
        evidence += f". Measured from the true latents, it deviates by up to {true:.2g}"
    return evidence, judge("almost_linear", own, error)


def at_once(distances: Tensor) -> tuple[str, Decision]:
    """Whether all differing bits flip in one step, by distances (pairs, T) from the start."""
    share = float((distances.diff(dim=1).abs().max(1).values == 1).double().mean())
    steps = distances.shape[1] - 1
    evidence = f"{share:.1%} of {len(distances):,} paths flip all differing bits in one of {steps}"
    return f"{evidence} steps", judge("at_once", share, 0.0)


def no_abrupt_changes(pixels: float, features: float, paths: int) -> Decision:
    """Whether shares of abrupt paths, in intensities and in content, are both small."""
    return all_hold(*(judge("abrupt", s, share_error(s, paths)) for s in (pixels, features)))


def far_away(distance: float, test: float, random: float) -> tuple[str, Decision]:
    """Whether latents between exact inverses of equal margins are far from the training latents.

    All are mean numbers of bits to the nearest training latent: between the ends of paths, of test
    latents, and between exact inverses of random margins, which are only evidence.
    """
    evidence = (
        f"{distance:.1f} bits from the nearest training latent; test latents {test:.1f}. With "
        "equal margins all differing bits flip at one point, so that a latent between the ends is "
        "one of the ends. This follows from the proof above, whatever the model. Between inverses "
        f"of random margins, latents are {random:.1f} bits away"
    )
    return evidence, judge("far", distance / test if test else None, 0.0)
