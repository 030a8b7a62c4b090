"""Verdicts on the paper's claims."""

from __future__ import annotations

from dataclasses import dataclass

from companion.experiments.records import VERDICTS


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


def undecided(in_order: bool, seeds: int) -> str:
    """Why :func:`companion.analysis.spread.lower` gave no answer.

    Args:
        in_order: whether the metric passed its control checks.
        seeds: number of seeds of the measurement.
    """
    if not in_order:
        return "the metric fails its control checks"
    if seeds < 2:
        return "a single seed cannot separate a difference from noise"
    return "the difference may be noise"


def head_start(answer: bool | None, own: int | None, other: int | None) -> str:
    """Why a comparison of two models is unfair; "" if it is fair or was not decided.

    Args:
        answer: whether the first model is better.
        own: epochs of the first model; None if unknown, e.g. of imported weights.
        other: epochs of the second model.
    """
    if answer is None:
        return ""
    if own is None or other is None:
        return "the number of training epochs of one model is not known"
    longer = own > other if answer else own < other
    return "the better model was trained for more epochs" if longer else ""


def all_hold(*answers: bool | None) -> bool | None:
    """Whether all parts of a claim hold: False if any part fails, else None if any is None."""
    if any(answer is False for answer in answers):
        return False
    return None if None in answers else True
