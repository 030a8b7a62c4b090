"""How many bits, and how wide an entrance: what both do to the loss and to the moments.

The published decoder of MNIST begins with one 4×4 map, so that its 200 bits pass through 16 real
numbers; the other decoders begin with as many maps as the encoder ends with.
"""

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from companion.analysis.hyperplane_fits import by_repair
from companion.experiments.bottlenecks import BinaryBottleneck
from companion.experiments.images import Images
from companion.experiments.profiles import Experiment
from companion.experiments.study_training import Task, train_study
from lbae_lib.latent.moments import marginal_entropy, moments

TRACE = 0.95  # of H: so much counts as nearly all


class Size(NamedTuple):
    """Bits as a factor of the study's, and 4×4 maps at the decoder's entrance; None for all."""

    bits: float
    maps: int | None
    label: str


VARIANTS: Mapping[str, Size] = {
    "full": Size(1, None, "N bits, all maps"),
    "maps-4": Size(1, 4, "N bits, 4 maps"),
    "maps-2": Size(1, 2, "N bits, 2 maps"),
    "maps-1": Size(1, 1, "N bits, 1 map"),
    "quarter": Size(0.25, None, "N/4 bits, all maps"),
    "half": Size(0.5, None, "N/2 bits, all maps"),
    "double": Size(2, None, "2N bits, all maps"),
}
LABELS = {key: size.label for key, size in VARIANTS.items()}


def run(variant: str, task: Task, images: Images, experiment: Experiment) -> dict[str, Any]:
    """Train a variant; its loss on test images, and what its training latents' moments are like.

    "spectrum" has the eigenvalues of H as shares of its trace, in descending order, "large" is how
    many of them hold 95% of it, "negative" the share of negative ones. "clip" and "nearest" are
    root-mean-square errors of the pair moments that each repair leaves to hyperplane rounding,
    without Monte-Carlo noise.
    """
    size = VARIANTS[variant]
    bits = max(2, round(size.bits * task.network.latent_size))
    network = dataclasses.replace(task.network, latent_size=bits, entry_channels=size.maps)
    own = dataclasses.replace(task, network=network)
    model, curves = train_study(own, partial(BinaryBottleneck, "tanh", bits))
    truth = moments(model.encode(task.train))
    fits = {method: by_repair(truth, method) for method in ("clip", "nearest")}
    repaired = fits["clip"].repair
    assert repaired is not None
    spectrum = repaired.eigenvalues.flip(0) / len(truth.matrix)  # the trace of H
    reached = (spectrum.cumsum(0) >= TRACE).nonzero()
    return {
        "curves": curves,
        "bits": bits,
        "numbers": 16 * model.decoder.entry_channels,
        "test_loss": float(model.losses(images.splits["test"].images, task.loss).mean()),
        "entropy": float(marginal_entropy(truth.first).mean()),
        "spectrum": spectrum.tolist(),
        "large": int(reached[0]) + 1,
        "negative": float((spectrum < 0).double().mean()),
        **{method: fit.errors.pairs for method, fit in fits.items()},
    }
