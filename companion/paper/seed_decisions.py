"""Decisions on two models that rest on the study of training seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from companion.analysis.training_seeds import TrainingSeeds
from companion.paper.comparisons import MARGINS, better_model, lead, schedule_gate
from companion.paper.decisions import GATES, Decision, Outcome, gated, undecided
from lbae_lib.data.registry import DatasetInfo

MISSING = "run `lbae study seeds`, which trains both models with several seeds"


@dataclass(frozen=True)
class Trainings:
    """Decides comparisons of the LBAE with the VAE by pairs of trainings with the same seed.

    The page's own models have one training each. They cannot decide, but they must not point the
    other way: the study's models are small.
    """

    seeds: TrainingSeeds | None = None  # None if there is none: then nothing is decided
    closed: Mapping[str, str] = field(default_factory=dict)  # why, by gate
    page_images: Mapping[str, int] = field(default_factory=dict)  # scored on the page, by evaluator

    @classmethod
    def of(
        cls,
        seeds: TrainingSeeds | None,
        blurs: Mapping[str, tuple[int, float]],
        info: DatasetInfo,
    ) -> Trainings:
        """The study with its gates.

        ``blurs`` are number and distance of strongly blurred test images, by the evaluators that
        decide on the page: the study's reconstructions must be nearer than as many of them.
        """
        if seeds is None:
            return cls()
        closed = {
            gate: f"in the study of training seeds, {why}"
            for gate, why in schedule_gate(seeds.seen, info).items()
        }
        known = {name: found for name in blurs if (found := seeds.scored(name)) is not None}
        same = [name for name, count in known.items() if count == blurs[name][0]]
        blurred = [name for name in same if not _beats_blur(seeds, name, blurs[name][1])]
        if blurred:
            closed["blur"] = (
                "reconstructions of the study of training seeds are not clearly nearer than test "
                f"images with a blur of σ = 1.5 pixels by {' and '.join(blurred)}: train the study "
                "longer"
            )
        return cls(seeds, closed, {name: count for name, (count, _) in blurs.items()})

    def scores(
        self,
        rows: tuple[str, str],
        values: tuple[float, float],
        evaluator: str,
        metric: str,
        floor: float = 0.0,
    ) -> Decision:
        """Whether a row of the LBAE is better than one of the VAE, by their keys.

        ``values`` are the means of the page's own models; the evaluator is given by its key;
        ``floor`` is that of :func:`companion.paper.comparisons.lead`.
        """
        if self.seeds is None:
            return self._decide(None, values, MARGINS[metric], floor)
        scored, here = self.seeds.scored(evaluator), self.page_images.get(evaluator)
        if scored is None:
            return undecided(
                f"the study of training seeds has no scores by {evaluator}: install it, remove the "
                "study's folder in runs/ and run the study again"
            )
        if scored != here:
            return undecided(
                f"the study of training seeds scored {scored} images by {evaluator}, and this page "
                f"{here}: score as many"
            )
        pair = self.seeds.scores(*rows, evaluator, metric)
        return self.gated(self._decide(pair, values, MARGINS[metric], floor))

    def numbers(self, name: str, values: tuple[float, float], margin: str) -> Decision:
        """Whether a number of ``NUMBERS`` is better for the LBAE than for the VAE; no gates."""
        pair = None if self.seeds is None else self.seeds.numbers(name)
        return self._decide(pair, values, margin)

    def gated(self, decision: Decision) -> Decision:
        """A decision after the gates that the study's models must pass."""
        return gated(decision, GATES, self.closed)

    def epochs(self, own: Sequence[float | None]) -> Sequence[float | None]:
        """The epochs of both models that decide: of the study, or else of the page's own."""
        return own if self.seeds is None else [self.seeds.options["epochs"]] * 2

    def describe(self, own: str, other: str, evaluator: str, metric: str) -> str:
        """The paired difference as evidence; "" if the study does not have it."""
        if self.seeds is None or self.seeds.scored(evaluator) is None:
            return ""
        return self._over_seeds(self.seeds.difference(own, other, evaluator, metric))

    def describe_number(self, name: str) -> str:
        """The paired difference of a key of ``NUMBERS`` as evidence; "" without a study."""
        return "" if self.seeds is None else self._over_seeds(self.seeds.number_difference(name))

    def _over_seeds(self, difference: str) -> str:
        assert self.seeds is not None
        return f"over {self.seeds.options['seeds']} training seeds LBAE - VAE {difference}"

    def _decide(
        self,
        pair: tuple[Sequence[float], Sequence[float]] | None,
        values: tuple[float, float],
        margin: str,
        floor: float = 0.0,
    ) -> Decision:
        own, other = ([value] for value in values) if pair is None else pair
        decision = better_model(own, other, margin, floor)
        if pair is None:
            return undecided(f"{decision.why.partition(':')[0]}: {MISSING}", decision.rule)
        gain, least = lead(*values, margin, floor)
        opposite = {Outcome.HOLDS: gain < 0, Outcome.FAILS: gain >= least}
        if opposite.get(decision.outcome, False):
            return undecided(
                "the study of training seeds decides it, but the page's own models point the other "
                "way: train several pairs of them",
                decision.rule,
            )
        if decision.outcome is Outcome.UNDECIDED and gain < 0:
            why = f"{decision.why}; the page's own models point against the claim"
            return undecided(why, decision.rule)
        return decision


def _beats_blur(seeds: TrainingSeeds, evaluator: str, blurred: float) -> bool:
    own, _ = seeds.scores("lbae_reco", "vae_reco", evaluator, "frechet")
    return better_model(own, [blurred] * len(own), "distance").outcome is Outcome.HOLDS
