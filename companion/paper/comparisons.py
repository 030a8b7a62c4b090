"""Comparisons: of two models, of two samplers of one model, and by two evaluators.

The noise of a comparison is that of what would be repeated. Another training gives another model,
so two models are compared over training seeds. Two samplers of one model are compared over draws.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from companion.analysis.paired import Interval
from companion.analysis.spread import Spread, joint_deviation
from companion.paper.decisions import Decision, Outcome, all_hold, undecided
from companion.paper.limits import CLEAR, LIMITS, above, judge
from companion.paper.tables import published
from lbae_lib.data.registry import PAPER_DATASETS, DatasetInfo, paper_counterpart

SEEDS = 3  # trainings of each model, at least, that a comparison of two models needs
# By metric of a table of scores, the limit that a lead must reach.
MARGINS = {"frechet": "distance", "kernel": "distance", "precision_f8": "prd", "recall_f8": "prd"}
# A model that saw at least this share of the paper's images can refute a claim.
SCHEDULE_SHARE = 0.5
_TRAINING_IMAGES = {"mnist": 60_000, "cifar10": 50_000, "celeba": 162_770}


def better_model(
    own: Sequence[float], other: Sequence[float], key: str, floor: float = 0.0
) -> Decision:
    """Whether one model is better than another, by pairs of trainings with the same seed.

    ``floor`` is that of :func:`lead`.
    """
    if len(own) != len(other):
        raise ValueError(
            f"{len(own)} and {len(other)} trainings do not form pairs: give as many of each"
        )
    rule = LIMITS[key].rule
    if len(own) < SEEDS:
        found = "one training" if len(own) == 1 else f"{len(own)} trainings"
        return undecided(
            f"{found} of each model cannot show how much trainings differ: train both with "
            f"{SEEDS} seeds",
            rule,
        )
    gain = Interval.of([lead(*pair, key)[0] for pair in zip(own, other, strict=True)])
    margin = lead(fmean(own), fmean(other), key, floor)[1]
    # `above` takes two standard errors; few pairs need more of them for the same certainty.
    return above(gain.mean, gain.half / CLEAR, margin, rule)


def study_beats_blur(
    distances: Mapping[str, tuple[Sequence[float], Sequence[float | None]]],
) -> Decision:
    """Whether reconstructions of a study are clearly nearer than strongly blurred images.

    ``distances`` are those of reconstructions and of blurred images by seed, under the name of a
    model and its evaluator. Blurred ones are None in studies of earlier versions.
    """
    failed = []
    for name, (own, blur) in distances.items():
        if (known := [value for value in blur if value is not None]) != [*blur]:
            return undecided("the study has no distances of blurred images: run the study again")
        if better_model(own, known, "distance").outcome is not Outcome.HOLDS:
            failed.append(name)
    if not failed:
        return Decision(Outcome.HOLDS)
    return undecided(
        "reconstructions are not clearly nearer than images with a blur of σ = 1.5 pixels "
        f"({'; '.join(failed)}): train longer"
    )


def lead(own: float, other: float, key: str, floor: float = 0.0) -> tuple[float, float]:
    """By how much a measure is better than another, and the smallest lead that counts.

    Distances and rates are better if they are lower, and are compared relatively, by what they
    exceed ``floor``: the distance that the right distribution has, too, from so few images. The
    other keys are those of shares, which are better if they are higher.
    """
    least = LIMITS[key].value
    if key in ("distance", "rate"):
        return other - own, least * max(abs(own - floor), abs(other - floor))
    return own - other, least


def better_sampler(
    own: Spread, other: Spread, key: str, noise: float | None = None, floor: float = 0.0
) -> Decision:
    """Whether one set of images is better than another of the same model, by the noise of draws.

    ``noise`` is the deviation of a set that no seed changes, such as reconstructions; ``floor`` is
    that of :func:`lead`.
    """
    error = joint_deviation(own, other, noise=noise)
    gain, margin = lead(own.mean, other.mean, key, floor)
    return above(gain, error, margin, LIMITS[key].rule)


def learned(test_loss: float, mean_image_loss: float, validation: Sequence[float]) -> Decision:
    """Whether a training learned to reconstruct; ``validation`` is empty for imported weights."""
    if not validation:
        return Decision(Outcome.NOT_TESTED, why="the weights were imported: train here")
    fell = Decision.of(len(validation) > 1 and validation[-1] < validation[0])
    return all_hold(judge("learned", test_loss / mean_image_loss, 0.0), fell)


def all_learned(losses: Mapping[str, Sequence[float]], mean_image_loss: float) -> Decision:
    """Whether the networks of a study learned; ``losses`` of test images by seed, by their name.

    Networks that reconstruct no better than the mean image show nothing about their bottlenecks.
    """
    failed = [
        f"{name} {max(values):.4g}"
        for name, values in losses.items()
        if judge("learned", max(values) / mean_image_loss, 0.0).outcome is not Outcome.HOLDS
    ]
    if not failed:
        return Decision(Outcome.HOLDS)
    return undecided(
        f"not all networks learned (highest test loss: {', '.join(failed)}; mean image "
        f"{mean_image_loss:.4g}): train longer"
    )


def agree(decisions: Mapping[str, Decision], alone: Sequence[str] = ()) -> Decision:
    """What evaluators say together: decided by one of ``alone`` (FID), or if two say the same."""
    for name in alone:
        if name in decisions:
            return decisions[name]
    first, *others = decisions.values()
    if not others and first.outcome is Outcome.UNDECIDED:
        return first
    if not others:
        return undecided(
            "one stand-in for FID decides nothing: run pip install 'lbae-companion[evaluators]' "
            "for a second one",
            first.rule,
        )
    if {d.outcome for d in others} == {first.outcome}:
        return first
    for name, decision in decisions.items():
        if decision.outcome is Outcome.UNDECIDED:
            return undecided(f"by {name}, {decision.why}", first.rule)
    said = ", ".join(f"{name} says “{d.outcome}”" for name, d in decisions.items())
    return undecided(f"the evaluators do not agree ({said}): score by FID", first.rule)


def untrusted(evaluator: str) -> Decision:
    """The decision by distances of an evaluator, by name, that fails its control checks."""
    return undecided(f"{evaluator} fails its control checks: use another evaluator")


def short_schedule(seen: int | None, counterpart: str | None, stand_in: bool) -> str:
    """Why a model cannot refute a claim; "" if it can.

    A claim may fail because a model was trained too briefly, or on other images than the paper's.
    ``seen`` is the number of training images times epochs, None for the authors' own weights;
    ``counterpart`` is the paper's data set, and ``stand_in`` whether they are stand-ins for it.
    """
    if counterpart is None:
        return "the paper says nothing of these images: train on its own data sets"
    title = PAPER_DATASETS[counterpart]
    if stand_in:
        return f"these images stand in for {title} and cannot refute: train on {title}"
    if seen is None or seen >= SCHEDULE_SHARE * paper_images(counterpart):
        return ""
    return (
        f"a shorter schedule cannot refute the claim: this model saw {seen / 1e6:.3g} million "
        "training images, counting repeats, and the paper's "
        f"{paper_images(counterpart) / 1e6:.3g} million; train on at least half as many"
    )


def schedule_gate(seen: int | None, info: DatasetInfo) -> dict[str, str]:
    """The gate "schedule" with its reason if a model cannot refute a claim, else nothing."""
    why = short_schedule(seen, paper_counterpart(info), info.embedded)
    return {"schedule": why} if why else {}


def paper_images(dataset: str) -> int:
    """Images that the paper's LBAE saw in training: epochs of Table 3 times training images."""
    epochs = published("table_3", "LBAE (ours)", dataset, "epochs")
    assert isinstance(epochs, float)  # Table 3 has a number in every cell
    return int(epochs) * _TRAINING_IMAGES[dataset]
