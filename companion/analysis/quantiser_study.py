"""Section 5 as a study: the LBAE and other quantisers with equal networks and equal bits."""

import base64
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from companion.analysis.controls import STRONG_BLUR
from companion.analysis.evaluators import Evaluator, second_stand_in
from companion.experiments.bottlenecks import BinaryBottleneck
from companion.experiments.extractor import load_extractor
from companion.experiments.images import Images
from companion.experiments.profiles import Experiment, ScoredStudy
from companion.experiments.quantisers import (
    FiniteScalarQuantiser,
    LookupFreeQuantiser,
    VectorQuantiser,
    indices_of_bits,
)
from companion.experiments.study_training import StudyAutoencoder, Task, train_study
from companion.png import png_of_rows
from lbae_lib.errors import DataError
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import Factorised, entropy
from lbae_lib.latent.draws import draw_permutation
from lbae_lib.latent.hyperplane import hyperplane_sampler
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.latent.inversion import exact, full_rank
from lbae_lib.latent.moments import moments
from lbae_lib.metrics.corruptions import blurred

STEPS = 10  # of an interpolation, as in the paper's Figure 10
HIDDEN = (256, 256)  # units of the prior
SAMPLED = ("prior", "hyperplane")
SHOWN = 10  # images in each row of the pictures
# Appendix B: 8×8×10 indices of 9 bits. Its prior is left out: it would have 5,760 factors.
SUPPLEMENT_BITS, SUPPLEMENT_TOKEN = 5760, 9
LABELS: Mapping[str, str] = {
    "lbae": "LBAE",
    "vq": "VQ-VAE",
    "fsq": "FSQ",
    "lfq": "LFQ, entropy term",
    "bsq": "BSQ",
    "vq_supplement": f"VQ-VAE, {SUPPLEMENT_BITS:,} bits (Appendix B)",
}
Distance = Callable[[Tensor], float]
_MAKE: Mapping[str, Callable[[int, int], nn.Module]] = {
    "lbae": lambda size, _token: BinaryBottleneck("tanh", size),
    "vq": VectorQuantiser,
    "fsq": FiniteScalarQuantiser,
    "lfq": LookupFreeQuantiser,
    "bsq": partial(LookupFreeQuantiser, spherical=True),
    "vq_supplement": lambda _size, _token: VectorQuantiser(SUPPLEMENT_BITS, SUPPLEMENT_TOKEN),
}


def run(variant: str, task: Task, images: Images, experiment: Experiment) -> dict[str, Any]:
    """Train a variant, and measure rate, distortion, codes, samples and interpolation.

    Distances are Fréchet distances to test images by the in-domain classifier, and under
    "second_…" by EfficientNet-Lite0, of ``second_scored`` images; None where it is not installed.

    Returns:
        curves: see :func:`companion.experiments.study_training.train_study`.
        bits, test_loss, error (mean squared, of a pixel in [0, 255]), distance and
        second_distance (of reconstructions). blur_distance and second_blur_distance: of strongly
        blurred test images, a control.
        used, perplexity: share of the indices that occur among training images, and perplexity of
        their distribution as a share of their number; all tokens together.
        independent_bits, prior_bits: cross-entropy of test latents. uniform_distance,
        hyperplane_distance, prior_distance: of samples; the last two with "second_" as well. The
        supplement's VQ-VAE has uniform samples alone; the others are None.
        paths: by kind, "linear" and, for the LBAE, "hyperplane"; see :func:`_measured_path`.
        pictures: PNG of test images, reconstructions, samples and paths; of the first seed alone.
    """
    token = SUPPLEMENT_TOKEN if variant == "vq_supplement" else task.study.token_bits
    model, curves = train_study(task, partial(_MAKE[variant], task.study.latent_size, token))
    test = images.splits["test"].images
    parts = {"train": task.train, "validation": task.validation, "test": test}
    bits = {name: model.encode(part) for name, part in parts.items()}
    distance, second = _both_distances(task, experiment, test)
    generator = torch.Generator().manual_seed(task.seed)
    decoded, control = model.decode(bits["test"]), blurred(test, STRONG_BLUR)
    uniform = torch.randint(2, bits["test"].shape, generator=generator) * 2.0 - 1
    found: dict[str, Any] = {
        "curves": curves,
        "bits": bits["test"].shape[1],
        "test_loss": float(model.losses(test, task.loss).mean()),
        "error": float((decoded.double() - test.double()).square().mean()),
        "distance": distance(decoded),
        "second_distance": second(decoded),
        "blur_distance": distance(control),
        "second_blur_distance": second(control),
        **_code_use(bits["train"], token),
        "uniform_distance": distance(model.decode(uniform)),
        **dict.fromkeys(("independent_bits", "prior_bits")),
        **dict.fromkeys(f"{by}{of}_distance" for by in ("", "second_") for of in SAMPLED),
    }
    rows = [test[:SHOWN], decoded[:SHOWN]]
    if variant != "vq_supplement":
        drawn = _under_prior(model, bits, generator, found)
        for of, sample in drawn.items():
            found |= {f"{of}_distance": distance(sample), f"second_{of}_distance": second(sample)}
        rows.append(drawn["prior"][:SHOWN])
    paths = _paths(model, variant, bits, generator)
    found["paths"] = {key: _measured_path(model, path, distance) for key, path in paths.items()}
    if task.seed == 0:
        rows += [model.decode(path[0]) for path in paths.values()]
        found["pictures"] = base64.b64encode(png_of_rows(torch.stack(rows))).decode()
    return found


def _both_distances(
    task: Task, experiment: Experiment, test: Tensor
) -> tuple[Distance, Callable[[Tensor], float | None]]:
    """Distances of other images to test images, by either evaluator; None without the second."""
    if len(test) < 2:
        raise DataError(
            f"the study of quantisers needs two test images, and there are {len(test)}: add "
            "images to the test set"
        )
    extractor = load_extractor(experiment)
    extractor.model.to(task.device)
    first = Evaluator(extractor).distance_to(test)
    assert isinstance(task.study, ScoredStudy)
    count = min(task.study.second_scored, len(test))
    evaluator = second_stand_in(device=task.device) if count > 1 else None
    if evaluator is None:
        return first, lambda _: None
    second = evaluator.distance_to(test[:count])
    return first, lambda given: second(given[:count])


def _code_use(bits: Tensor, token: int) -> dict[str, float]:
    indices = indices_of_bits(bits, token)
    counts = torch.bincount(indices.flatten(), minlength=2**token).double()
    share = counts / counts.sum()
    perplexity = math.exp(-float(torch.xlogy(share, share).sum()))
    return {"used": float((counts > 0).double().mean()), "perplexity": perplexity / 2**token}


def _under_prior(
    model: StudyAutoencoder,
    bits: Mapping[str, Tensor],
    generator: torch.Generator,
    found: dict[str, Any],
) -> dict[str, Tensor]:
    """Fit the distributions of the bits, and add their rates to ``found``; samples, by SAMPLED."""
    fitted = fit_autoregressive(
        bits["train"], bits["validation"], hidden=HIDDEN, show_progress=False
    ).model
    count, truth = len(bits["test"]), moments(bits["train"])
    found["independent_bits"] = entropy(Factorised.fit(truth), bits["test"])
    found["prior_bits"] = entropy(fitted, bits["test"])
    samplers = (fitted, hyperplane_sampler(truth)[0])
    drawn = (model.decode(sampler.sample(count, generator)) for sampler in samplers)
    return dict(zip(SAMPLED, drawn, strict=True))


def _paths(
    model: StudyAutoencoder, variant: str, bits: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Paths between random pairs of test latents, (P, STEPS, N) by kind.

    A linear path joins what the decoder gets for both ends; each point is rounded to the nearest
    code. As many images lie between the ends as there are test images. All variants have the same
    pairs, those of the seed.
    """
    count = len(bits["test"])
    again = torch.Generator().manual_seed(generator.initial_seed())
    chosen = draw_permutation(count, again, "cpu")[: 2 * path_count(count)]
    first, last = bits["test"][chosen].chunk(2)
    device = model.head.weight.device
    start, end = (model.bottleneck.values(part.to(device)) for part in (first, last))
    weights = torch.linspace(0, 1, STEPS, device=device)
    with torch.no_grad():
        points = [
            model.bottleneck.nearest(torch.lerp(start, end, weight)).cpu() for weight in weights
        ]
    paths = {"linear": torch.stack(points, dim=1).float()}
    if variant == "lbae":
        sampler = full_rank(hyperplane_sampler(moments(bits["train"]))[0])
        source, target = (exact(part, sampler, generator).normals for part in (first, last))
        paths["hyperplane"] = interpolate_bits(sampler, source, target, STEPS)
    return paths


def path_count(images: int) -> int:
    """Number of paths between pairs of test images, of which there are ``images``."""
    return min(-(-images // (STEPS - 2)), images // 2)


def _measured_path(model: StudyAutoencoder, path: Tensor, distance: Distance) -> dict[str, float]:
    """How evenly images and bits change along a path.

    "distance" is the Fréchet distance of the images between the ends, "jump" the largest change of
    the image in one step as a share of all changes, mean over paths: 1/9 if all nine steps are
    equal. "bits_jump" is the same for the bits.
    """
    decoded = model.decode(path.flatten(0, 1)).unflatten(0, path.shape[:2])
    changes = decoded.double().flatten(2).diff(dim=1).norm(dim=2)  # (P, STEPS-1)
    flips = (path.diff(dim=1) != 0).double().sum(2)
    return {
        "distance": distance(decoded[:, 1:-1].flatten(0, 1)),
        "jump": float((changes.amax(1) / changes.sum(1).clamp(min=1e-9)).mean()),
        "bits_jump": float((flips.amax(1) / flips.sum(1).clamp(min=1)).mean()),
    }
