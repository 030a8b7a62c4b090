"""Decisions on scores of images, by one evaluator or by two that must agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import mul
from statistics import median

from torch import Tensor

from companion.analysis.controls import BLURRED
from companion.analysis.image_sources import images_per_path
from companion.analysis.scoring import Scoreboard
from companion.analysis.spread import Spread, joint_deviation
from companion.paper.comparisons import MARGINS, agree, better_sampler, untrusted
from companion.paper.decisions import Decision, Outcome, all_hold, only_if, undecided
from companion.paper.limits import judge
from companion.paper.seed_decisions import Trainings
from companion.paper.tables import published
from lbae_lib.data.registry import PAPER_DATASETS
from lbae_lib.latent.gaussians import GaussianMixture

STRONG_BLUR = f"control_{BLURRED}"  # reconstructions must be nearer to the test images than these
_PAIRED = frozenset({"lbae_reco", "vae_reco", STRONG_BLUR})  # made of the test images themselves
_GAP = ("lbae_uniform", "lbae_resampled")
_PATH_ROW = "lbae_interp_"  # with the inversion's name
_PATHS = 50  # at least, for the distance of images that come from paths
_PRD = ("precision_f8", "recall_f8")
_STEADY = 1.5  # between the fastest and the slowest epoch of an undisturbed training, at most
_FRECHET = ("frechet",)  # where no metrics are named


@dataclass(frozen=True)
class Judge:
    """Decides by the first evaluator of a board, if its metric passes the control checks."""

    board: Scoreboard  # of scores
    trainings: Trainings = field(default_factory=Trainings)  # decide comparisons of two models

    @property
    def name(self) -> str:
        """The network's name."""
        return self.board.evaluators[0].extractor.name

    def found(self, key: str, metric: str = "frechet") -> Spread:
        """A metric of a row over the sampling seeds."""
        return self.board.rows[key].spread(self.board.evaluators[0], metric)

    def trusted(self, metric: str) -> Decision:
        """Whether a metric passes its control checks; PRD stands on the features of "frechet"."""
        own = metric if metric in ("frechet", "kernel") else "frechet"
        if self.board.controls_in_order(self.board.evaluators[0], own):
            return Decision(Outcome.HOLDS)
        return untrusted(self.name)

    def floor(self, own: str, other: str, metric: str) -> float:
        """What training images score; 0 beside reconstructions, and for measures without bias."""
        biased = metric == "frechet" and not _PAIRED & {own, other}
        return self.found("control_train").mean if biased else 0.0

    def enough_paths(self, *keys: str) -> Decision:
        """Whether rows of interpolations have enough paths: the images of a path are alike."""
        named = [key.removeprefix(_PATH_ROW) for key in keys if key.startswith(_PATH_ROW)]
        needed = max((_PATHS * images_per_path(name) for name in named), default=0)
        if not needed or (scored := len(self.board.reference)) >= needed:
            return Decision(Outcome.HOLDS)
        return undecided(
            f"{scored} images of interpolations come from fewer than {_PATHS} paths: score at "
            f"least {needed}"
        )

    def better(self, own: str, other: str, metric: str = "frechet") -> Decision:
        """Whether one row of a model is better than another, by the noise of draws."""
        decision = better_sampler(
            self.found(own, metric), self.found(other, metric), MARGINS[metric],
            self.found("control_train", metric).deviation, self.floor(own, other, metric),
        )  # fmt: skip
        return only_if(only_if(decision, self.trusted(metric)), self.enough_paths(own, other))

    def better_model(self, own: str, other: str, metric: str = "frechet") -> Decision:
        """Whether a row of the LBAE is better than one of the VAE, by training seeds."""
        values = self.found(own, metric).mean, self.found(other, metric).mean
        evaluator = self.board.evaluators[0].key
        floor = self.floor(own, other, metric)
        decision = self.trainings.scores((own, other), values, evaluator, metric, floor)
        return only_if(decision, self.trusted(metric))

    def share_of_gap(self, start: str, end: str) -> tuple[float, Decision]:
        """Whether the step between two rows is the major share of the gap that sampling can close.

        The gap is that between uniform bits and resampled latents, which a perfect sampler gives.
        """
        far, near = _GAP
        rows = {key: self.found(key) for key in (start, end, far, near)}
        gap = rows[far].mean - rows[near].mean
        share = (rows[start].mean - rows[end].mean) / gap if gap else math.nan
        weights = dict.fromkeys(rows, 0.0)  # derivatives of the share, times the gap
        for key, weight in ((start, 1.0), (end, -1.0), (far, -share), (near, share)):
            weights[key] += weight
        known = [row.deviation for row in rows.values() if row.deviation is not None]
        error = None
        if len(known) == len(rows) and gap:
            error = math.hypot(*map(mul, weights.values(), known)) / abs(gap)
        return share, only_if(judge("major", share, error), self.better(near, far))

    def describe_pair(self, own: str, other: str, metric: str = "frechet") -> str:
        """A row of each model with its value, and the difference over training seeds."""
        seeds = self.trainings.describe(own, other, self.board.evaluators[0].key, metric)
        return "; ".join(filter(None, (self.describe(own, other, metric=metric), seeds)))

    def describe(self, *keys: str, metric: str = "frechet") -> str:
        """Rows with their values, as evidence."""
        groups = {"control": "", "lbae": "LBAE ", "vae": "VAE "}
        rows = "; ".join(
            f"{groups[key.split('_')[0]]}{self.board.rows[key].label} {self.found(key, metric)}"
            for key in keys
        )
        title = self.board.evaluators[0].titles()[metric]
        if metric == "frechet" and not _PAIRED & {*keys}:
            rows += f"; training images {self.found('control_train')}"
        return f"{title}, {len(self.board.reference):,} images: {rows}"


@dataclass(frozen=True)
class Panel:
    """Judges that must agree."""

    judges: Sequence[Judge]  # of one evaluator each; their boards have the same rows

    @classmethod
    def of(cls, *boards: Scoreboard | None, trainings: Trainings | None = None) -> Panel:
        """A judge for each board there is; without ``trainings``, each model has a single one."""
        found = trainings or Trainings()
        return cls([Judge(board, found) for board in boards if board is not None])

    def better(self, own: str, other: str, *metrics: str) -> Decision:
        """Whether one row of a model is better than another in all metrics."""
        return self._all_hold(lambda j: [j.better(own, other, m) for m in metrics or _FRECHET])

    def better_model(self, own: str, other: str, *metrics: str) -> Decision:
        """Whether a row of the LBAE is better than one of the VAE in all metrics."""
        metrics = metrics or _FRECHET
        return self._all_hold(lambda j: [j.better_model(own, other, m) for m in metrics])

    def in_order(self, keys: Sequence[str]) -> Decision:
        """Whether each row is better than the next."""
        return self._all_hold(lambda j: [j.better(a, b) for a, b in pairwise(keys)])

    def major(self, start: str, end: str) -> tuple[str, Decision]:
        """Evidence and decision: whether most of the gap is between two rows (`share_of_gap`)."""
        found = {j.name: j.share_of_gap(start, end) for j in self.judges}
        shares = ", ".join(f"{share:.0%} ({name})" for name, (share, _) in found.items())
        for nearer, farther in ((_GAP[0], start), (start, end)):
            worse = [j.name for j in self.judges if j.found(farther).mean > j.found(nearer).mean]
            if worse and nearer != farther:
                labels = [self.judges[0].board.rows[key].label for key in (farther, nearer)]
                shares += f"; {labels[0]} score worse than {labels[1]} ({', '.join(worse)})"
        return shares, self._agree({name: decision for name, (_, decision) in found.items()})

    def nearer(self, *keys: str) -> str:
        """The row with the lowest Fréchet distance by the first judge."""
        return min(keys, key=lambda key: self.judges[0].found(key).mean)

    def balanced(self, key: str) -> tuple[str, Decision]:
        """Whether precision and recall of a row are balanced: evidence and decision."""
        found, parts = {}, {}
        for j in self.judges:
            p, r = (j.found(key, metric) for metric in _PRD)
            found[j.name] = abs(p.mean - r.mean)
            close = judge("balanced", found[j.name], joint_deviation(p, r))
            parts[j.name] = only_if(close, j.trusted("frechet"))
        own = ", ".join(f"{gap:.3f} ({name})" for name, gap in found.items())
        theirs = ", ".join(f"{gap:.2f} ({title})" for title, gap in published_gaps().items())
        return f"they differ by {own}; in the paper's Table 4 by {theirs}", self._agree(parts)

    def describe(self, *keys: str, metric: str = "frechet") -> str:
        """Rows with their values by all judges, as evidence."""
        return ". ".join(judge.describe(*keys, metric=metric) for judge in self.judges)

    def describe_pair(self, own: str, other: str, *metrics: str) -> str:
        """A row of each model by all judges, and the differences over training seeds."""
        return ". ".join(
            judge.describe_pair(own, other, metric)
            for metric in metrics or _FRECHET
            for judge in self.judges
        )

    def closed_gates(self) -> dict[str, str]:
        """The gate "blur", unless the LBAE's reconstructions clearly beat a strong blur."""
        failing = [d.why for j in self.judges if (d := j.trusted("frechet")).why]
        if failing:
            return {"blur": "; ".join(failing)}
        beats = {j.name: j.better("lbae_reco", STRONG_BLUR) for j in self.judges}
        failed = [name for name, d in beats.items() if d.outcome is not Outcome.HOLDS]
        if not failed:
            return {}
        blurred = f"test images with a blur of σ = 1.5 pixels by {' and '.join(failed)}"
        return {"blur": f"reconstructions are not clearly nearer than {blurred}: train longer"}

    def blurred_baseline(self, kl_weight: float) -> str:
        """A sentence if the VAE's reconstructions are clearly no nearer than a strong blur."""
        found: dict[bool, list[str]] = {True: [], False: []}  # by whether it is no nearer
        for j in self.judges:
            distances = f"{j.found('vae_reco')} against {j.found(STRONG_BLUR)} by {j.name}"
            found[j.better("vae_reco", STRONG_BLUR).outcome is Outcome.FAILS].append(distances)
        if not found[True]:
            return ""
        others = f"; not so {' and '.join(found[False])}" if found[False] else ""
        return (
            f". This VAE, with a KL weight of {kl_weight:g}, reconstructs no better than a blur of "
            f"σ = 1.5 pixels ({', '.join(found[True])}{others}): with another weight it may be "
            "nearer"
        )

    def _all_hold(self, parts: Callable[[Judge], Sequence[Decision]]) -> Decision:
        return self._agree({j.name: all_hold(*parts(j)) for j in self.judges})

    def _agree(self, decisions: dict[str, Decision]) -> Decision:
        alone = [j.name for j in self.judges if j.board.evaluators[0].is_inception]
        return agree(decisions, alone)


def slower(
    own: Sequence[float], other: Sequence[float], trainings: Trainings
) -> tuple[str, Decision]:
    """Whether the LBAE takes longer for an image in training: evidence and decision.

    Both are images per second by epoch; the first epoch, in which a training starts up, is left
    out if there are others. Where the rest differ much, something else ran beside it.
    """
    steady = [rates[1:] or rates for rates in (own, other)]
    middle, another = (median(rates) for rates in steady)
    evidence = f"{middle:.0f} images per second in a typical epoch, the VAE {another:.0f}"
    evidence = "; ".join(filter(None, (evidence, trainings.describe_number("images_per_second"))))
    uneven = max(max(rates) / min(rates) for rates in steady)
    if uneven > _STEADY:
        return evidence, undecided(
            f"the rate of a training varied by a factor of {uneven:.1f}, as if something else ran "
            "beside it: train both alone"
        )
    return evidence, trainings.numbers("images_per_second", (middle, another), "rate")


def blurs(*boards: Scoreboard | None) -> dict[str, tuple[int, float]]:
    """Number and distance of blurred test images, by the key of each board's first evaluator."""
    judges = [Judge(board) for board in boards if board is not None]
    return {
        j.board.evaluators[0].key: (len(j.board.reference), j.found(STRONG_BLUR).mean)
        for j in judges
    }


def covers_classes(seen: Tensor, there: Tensor, draws: int) -> tuple[str, Decision]:
    """Whether samples have every class (C,) as often as reconstructions of training images."""
    ratios = (seen / there).double()
    least, most = float(ratios.min()), float(ratios.max())
    evidence = f"a class is seen {least:.2f} to {most:.2f} times as often as in reconstructions"
    if float(there.min()) * draws < 400:
        return evidence, undecided("a class is in fewer than 400 reconstructions: draw more images")
    worst = int((ratios.log().abs()).argmax())
    value = min(float(ratios[worst]), 1 / float(ratios[worst]))
    counts = [max(1.0, float(share[worst]) * draws) for share in (seen, there)]
    error = value * math.sqrt(sum(1 / count for count in counts))
    return evidence, judge("classes", value, error)


def unfair_mixture(mixture: GaussianMixture) -> str:
    """That a comparison with a mixture is unfair to it; "" if it has full covariances."""
    if mixture.covariance == "full":
        return ""
    return (
        ". There are too few latents for full covariances: diagonal ones on so many bits are "
        "unfair to the mixture"
    )


def published_gaps() -> dict[str, float]:
    """How far precision and recall of the paper's own samples differ, by data set."""
    pairs = {
        t: published("table_4", "LBAE (ours)", k, "sampled") for k, t in PAPER_DATASETS.items()
    }
    return {title: abs(p[0] - p[1]) for title, p in pairs.items() if isinstance(p, tuple)}


def fair(decision: Decision, epochs: Sequence[float | None]) -> Decision:
    """A decision on two models, or that it is open because the better was trained longer.

    Epochs are None if they are not known, as of imported weights.
    """
    own, other = epochs
    rule = decision.rule
    if decision.outcome not in (Outcome.HOLDS, Outcome.FAILS):
        return decision
    if own is None or other is None:
        return undecided("the training epochs of one model are not known", rule)
    longer = own > other if decision.outcome is Outcome.HOLDS else own < other
    if longer:
        return undecided("the better model had more epochs: train both for as many", rule)
    return decision
