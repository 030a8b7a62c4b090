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
    """Why :func:`lower` gave no answer.

    Args:
        in_order: whether the controls of the measure are.
        seeds: that it was taken with.
    """
    if not in_order:
        return "the judge fails on the controls"
    if seeds < 2:
        return "a single seed does not tell a difference from noise"
    return "the difference may be noise"


def head_start(answer: bool | None, own: int | None, other: int | None) -> str:
    """Why a comparison of two models is not fair; "" if it is, or was not decided.

    Args:
        answer: whether the first is better.
        own: epochs of the first; None if not known, as of imported weights.
        other: epochs of the second.
    """
    if answer is None:
        return ""
    if own is None or other is None:
        return "for how many epochs one of them was trained is not known"
    longer = own > other if answer else own < other
    return "the better one was trained for more epochs" if longer else ""


def all_hold(*answers: bool | None) -> bool | None:
    """Whether all parts of a claim hold: not if one does not, or else None if one is None."""
    if any(answer is False for answer in answers):
        return False
    return None if None in answers else True
