"""Section 3.1 as a study: one network, one schedule, several bottlenecks."""

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from companion.experiments.bottlenecks import KINDS, BinaryBottleneck
from companion.experiments.images import Images
from companion.experiments.profiles import Experiment
from companion.experiments.study_training import Task, train_study

SLOW = 0.25  # factor of the learning rate of the variant "slow"
# The paper's remedies against rounding noise: a lower rate, and tanh.
LABELS: Mapping[str, str] = {key: kind.label for key, kind in KINDS.items()} | {
    "slow": f"STE, learning rate × {SLOW:g}"
}


def run(variant: str, task: Task, images: Images, experiment: Experiment) -> dict[str, Any]:
    """Train a variant; its curves, see :func:`train_study`, and its mean loss on test images."""
    slow = variant == "slow"
    if slow:
        task = dataclasses.replace(task, rate=SLOW)
    make = partial(BinaryBottleneck, "identity" if slow else variant, task.study.latent_size)
    model, curves = train_study(task, make)
    losses = model.losses(images.splits["test"].images, task.loss)
    return {"curves": curves, "test_loss": float(losses.mean())}
