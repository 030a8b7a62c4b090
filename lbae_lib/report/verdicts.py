"""Verdicts on the paper's claims."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lbae_lib.report.tables import Spread

VERDICTS = {True: "holds", False: "does not hold", None: "not measurable here"}


@dataclass(frozen=True)
class Verdict:
    """A claim of the paper, what was measured, and whether it holds.

    Attributes:
        claim: in the paper's words or near them, with its section.
        evidence: the numbers found here.
        holds: None if it cannot be measured here.
    """

    claim: str
    evidence: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        return VERDICTS[self.holds]


def lower(a: Spread, b: Spread, noise: float = 0.0) -> bool | None:
    """Whether a mean is lower than another; None if the difference is within their deviations.

    Args:
        a: a measure over seeds.
        b: another.
        noise: deviation of one that does not depend on a seed.
    """
    deviations = [noise if s.deviation is None else s.deviation for s in (a, b)]
    return None if abs(a.mean - b.mean) <= math.hypot(*deviations) else a.mean < b.mean


def all_hold(*answers: bool | None) -> bool | None:
    """Whether all parts of a claim hold: not if one does not, or else None if one is None."""
    if any(answer is False for answer in answers):
        return False
    return None if None in answers else True
