"""Outcomes of claims, decisions with their reasons, and verdicts as pages record them.

Every outcome has one meaning. A *decision* is an outcome with its rule and, if it is undecided,
with what would decide it. A *verdict* is a decision on a claim, with the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from companion.paper.claims import all_claims


class Outcome(StrEnum):
    """What is known of a claim.

    HOLDS and FAILS were measured, and the difference is larger than its noise. UNDECIDED was
    measured, but the noise or the training schedule does not allow an answer. NOT_TESTED needs what
    is not at hand. NOT_APPLICABLE is a claim that does not speak of this data set.
    """

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested here"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Decision:
    """An outcome and its reason."""

    outcome: Outcome  # one of five
    rule: str = ""  # when the claim holds; "" if the claim says it
    why: str = ""  # what keeps the claim from being decided, and what would decide it

    @classmethod
    def of(cls, answer: bool | Outcome | Decision) -> Decision:
        """A decision as it is, an outcome without a reason, or the outcome of yes and no."""
        if isinstance(answer, Decision):
            return answer
        if isinstance(answer, Outcome):
            return cls(answer)
        return cls(Outcome.HOLDS if answer else Outcome.FAILS)

    @property
    def text(self) -> str:
        """Rule and reason as sentences; "" if there is neither."""
        why = f"{self.outcome.capitalize()}: {self.why}." if self.why else ""
        return " ".join(part for part in (self.rule, why) if part)


def undecided(why: str, rule: str = "") -> Decision:
    """A decision that is open; ``why`` says what would decide it."""
    return Decision(Outcome.UNDECIDED, rule, why)


# Of several outcomes, the first in this order is that of all: a claim fails with one of its parts,
# and holds only if nothing is open. A part that does not apply says nothing.
_ORDER = (Outcome.FAILS, Outcome.UNDECIDED, Outcome.NOT_TESTED, Outcome.HOLDS)


def combined(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a claim from those of its parts, each of which it needs."""
    found = set(outcomes)
    return next((outcome for outcome in _ORDER if outcome in found), Outcome.NOT_APPLICABLE)


def all_hold(*parts: Decision) -> Decision:
    """The decision on a claim that needs all its parts, with their rules and reasons."""
    outcome = combined(part.outcome for part in parts)
    rules = dict.fromkeys(part.rule for part in parts if part.rule)
    whys = dict.fromkeys(part.why for part in parts if part.why and part.outcome is outcome)
    return Decision(outcome, " ".join(rules), "; ".join(whys))


def by_intervals(*answers: bool | None, rule: str) -> Decision:
    """A claim that needs all its parts; an answer is None if its interval contains the limit."""
    if any(answer is False for answer in answers):
        return Decision(Outcome.FAILS, rule)
    if None in answers:
        return undecided("an interval over the seeds contains the limit: train more seeds", rule)
    return Decision(Outcome.HOLDS, rule)


def only_if(decision: Decision, condition: Decision) -> Decision:
    """A decision that means something only if a condition holds; else it is undecided."""
    if condition.outcome is Outcome.HOLDS:
        return replace(decision, rule=" ".join(filter(None, (decision.rule, condition.rule))))
    return undecided(condition.why or "its condition does not hold", decision.rule)


# The gate of every claim: latents that are all equal decide nothing.
COLLAPSED = "collapsed"
# What a gate does to the outcomes of a claim while it is closed.
_CLOSED: Mapping[str, frozenset[Outcome]] = {
    "schedule": frozenset({Outcome.FAILS}),  # a short schedule cannot refute
    "blur": frozenset({Outcome.HOLDS, Outcome.FAILS}),
    # More images or seeds do not help an evaluator that fails: an open claim says so too.
    "evaluator": frozenset({Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED}),
    COLLAPSED: frozenset({Outcome.HOLDS, Outcome.FAILS}),
}
GATES = tuple(gate for gate in _CLOSED if gate != COLLAPSED)  # that a claim may name


def gated(decision: Decision, gates: Iterable[str], closed: Mapping[str, str]) -> Decision:
    """A decision after its claim's gates; ``closed`` says by gate what would open it."""
    reasons = [
        closed[gate] for gate in gates if gate in closed and decision.outcome in _CLOSED[gate]
    ]
    if not reasons:
        return decision
    if decision.outcome is Outcome.UNDECIDED:
        reasons.append(decision.why)
    return undecided("; ".join(filter(None, reasons)), decision.rule)


@dataclass(frozen=True)
class Verdict:
    """A claim of the paper, what was measured, and whether it holds."""

    key: str  # of the claim in ``claims.yaml``
    evidence: str  # the numbers found here, the rule, and what would decide an open claim
    outcome: Outcome  # one of five
    reading: str = ""  # which of several of the claim; "" for the only one
    decides: bool = True  # whether the reading decides the claim

    @property
    def words(self) -> str:
        """The claim in the paper's words; in records of earlier versions the key has them."""
        found = all_claims().get(self.key)
        return found.sentence if found else self.key

    def entry(self) -> dict[str, Any]:
        """As a JSON value for a record."""
        return {
            "claim": self.key,
            "words": self.words,
            "reading": self.reading,
            "decides": self.decides,
            "evidence": self.evidence,
            "verdict": str(self.outcome),
        }

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Verdict | None:
        """From a record, also one of an earlier version; None if it only named another page."""
        evidence = str(entry.get("evidence", ""))
        if evidence.startswith(("measured on the page", "on the page")):
            return None
        word = entry["verdict"]
        if word == "not measurable here":  # earlier versions had one word for three situations
            word = Outcome.UNDECIDED if "Not decided" in evidence else Outcome.NOT_TESTED
        reading, decides = entry.get("reading", ""), entry.get("decides", True)
        return cls(entry["claim"], evidence, Outcome(word), str(reading), bool(decides))


def by_claim(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts by the key of their claim, in order."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.key, []).append(verdict)
    return found


def outcome_of(verdicts: Iterable[Verdict]) -> Outcome:
    """A claim's outcome: that of the readings that decide, all together."""
    return combined(verdict.outcome for verdict in verdicts if verdict.decides)
