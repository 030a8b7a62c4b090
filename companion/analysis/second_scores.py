"""Scores by a second evaluator: fewer images, and only the rows on which claims depend."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from companion.analysis.controls import control_sources
from companion.analysis.evaluators import Evaluator
from companion.analysis.image_source import ImageSource
from companion.analysis.image_sources import lbae_sources, sampled, vae_sources
from companion.analysis.samplers import FittedSamplers
from companion.analysis.scoring import Scoreboard
from companion.experiments.trained import Baseline, Trained

# Rows on which no claim depends.
_LEFT_OUT = {
    "lbae": ("direct", "nearest", "interp_exact"),
    "vae": ("posterior", "sampled", "interp"),
    "control": ("noise", "repeated", "class_dropped"),
}


def second_board(
    evaluator: Evaluator,
    trained: Trained,
    baseline: Baseline,
    samplers: FittedSamplers,
    chosen: Tensor,
    seeds: Sequence[int],
    cache: Path | None = None,
) -> Scoreboard:
    """The rows on which claims depend, with the keys of the page's first board."""
    own, other = trained.with_test(chosen), baseline.with_test(chosen)
    board = Scoreboard([evaluator], own.images["test"].images, seeds, cache)
    lbae = lbae_sources(own, samplers) | {"resampled": resampled(own, samplers)}
    groups = {"control": control_sources(own.images), "lbae": lbae, "vae": vae_sources(other)}
    for group, sources in groups.items():
        kept = {k: source for k, source in sources.items() if k not in _LEFT_OUT[group]}
        board.score(kept, group)
    return board


def resampled(trained: Trained, samplers: FittedSamplers) -> ImageSource:
    """Decoded training latents, drawn with replacement: what a perfect sampler of them gives."""
    return sampled(trained, samplers, "resampled")
