"""Verdicts on the paper's claims."""

from __future__ import annotations

from dataclasses import dataclass

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
