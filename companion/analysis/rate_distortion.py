"""Rate and distortion: bits per image in real files, and the error of what is read back."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from companion.analysis.evaluators import Evaluator
from companion.analysis.paired import Interval
from companion.analysis.samplers import LABELS as SAMPLER_LABELS
from companion.analysis.samplers import FittedSamplers
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.trained import Baseline, Trained, load_trained
from lbae_lib.bits import pack_bits
from lbae_lib.coding.codec import Codec
from lbae_lib.coding.coders import encode_bits
from lbae_lib.coding.container import CODERS
from lbae_lib.coding.quantised import LARGEST, decode_quantised, encode_quantised
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import BitModel, Factorised, code_lengths, entropy
from lbae_lib.latent.chow_liu import tree_code_length
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.inversion import full_rank
from lbae_lib.latent.likelihood import likelihood
from lbae_lib.latent.moments import moments
from lbae_lib.metrics.image_formats import file_round_trip
from lbae_lib.models.encoding import decode

# Common formats, by Pillow's name; :func:`missing_formats` says which it lacks.
FORMATS: Mapping[str, tuple[str, Sequence[dict[str, object]]]] = {
    "jpeg": ("JPEG", [{"quality": q} for q in (5, 20, 50, 75, 90)]),
    "webp": ("WebP", [{"quality": q} for q in (1, 20, 50, 75, 90)]),
    "avif": ("AVIF", [{"quality": q} for q in (1, 20, 50, 75, 90)]),
    "jxl": ("JPEG XL", [{"quality": q} for q in (5, 20, 50, 75, 90)]),
    "png": ("PNG", [{"optimize": True}]),
}
MOSAIC = "_mosaic"  # after the key of a format: all images as one file
# A VAE's latents on grids of this many posterior-mean standard deviations.
VAE_STEPS = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
# Of the ways to store images, and of the coders of bits.
LABELS = {"lbae": "LBAE", "vae": "VAE, quantised"}
LABELS |= {key: name for key, (name, _) in FORMATS.items()}
LABELS |= {key + MOSAIC: f"{name}, one mosaic" for key, (name, _) in FORMATS.items()}
LABELS |= {"packed": "packed bits", "factorised": "independent bits", "tree": "Chow-Liu tree"}
LABELS |= {key: SAMPLER_LABELS[key] for key in ("logistic", "autoregressive", "nearest")}


def ladder(
    codec: Codec, samplers: FittedSamplers, latents: Mapping[str, Tensor]
) -> dict[str, dict[str, float]]:
    """Bits per latent (cross-entropy) of each split under better and better models of the bits."""
    device, processor = samplers.latents.device, torch.device("cpu")
    models: dict[str, tuple[torch.device, Callable[[Tensor], float]]] = {
        "factorised": (processor, partial(entropy, codec.factorised)),
        "tree": (device, partial(tree_code_length, samplers.moments)),
        "logistic": (device, partial(entropy, samplers.logistic.model)),
        "autoregressive": (processor, partial(entropy, codec.autoregressive)),
    }
    return {
        name: {split: score(bits.to(place)) for split, bits in latents.items()}
        for name, (place, score) in models.items()
    }


def hyperplane_ladder(
    codec: Codec, samplers: FittedSamplers, latents: Tensor, generator: torch.Generator
) -> tuple[dict[str, Tensor], float]:
    """Bits of each of a few latents, (K,), under random hyperplanes and under two other models.

    Each latent takes seconds, or minutes with N = 1,500. The sampler "nearest" is blended to full
    rank. Its bits are an estimate, whose mean has the standard error that comes with them.
    """
    found = likelihood(
        latents, full_rank(HyperplaneSampler(samplers.hyperplane_fit("nearest").vectors)), generator
    )
    error = float(found.standard_error.square().sum().sqrt()) / len(latents)
    lengths = {
        "factorised": code_lengths(codec.factorised, latents),
        "nearest": found.bits.cpu(),
        "autoregressive": code_lengths(codec.autoregressive, latents),
    }
    return lengths, error


def over_latents(bits: Tensor) -> str:
    """The mean of bits, (K,), with its confidence interval over latents, if there are several."""
    values = bits.tolist()
    return str(Interval.of(values)) if len(values) > 1 else f"{values[0]:.1f}"


def file_lengths(codec: Codec, latents: Tensor) -> dict[str, float]:
    """Bits per latent in a file of all of them, by coder; each file is read back and compared."""
    found: dict[str, float] = {}
    for coder in CODERS:
        content = codec.compress(latents, coder)
        if not torch.equal(codec.decompress(content), pack_bits(latents)):
            raise AssertionError(f"the {coder} coder does not give back the latents it was given")
        found[coder] = 8 * len(content) / len(latents)
    return found


@dataclass(frozen=True)
class Point:
    """A way of storing images."""

    method: str  # "lbae", "vae", or a key of FORMATS, with MOSAIC after it for one file of all
    setting: str  # e.g. "200 bits, autoregressive"
    bits: float  # bits per image, measured
    error: float  # mean squared error of a pixel's value in [0, 255]
    distance: float  # Fréchet distance to the originals in the evaluator's features

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio of the mean squared error, in decibels."""
        return 10 * math.log10(255**2 / self.error) if self.error else math.inf


@dataclass(frozen=True)
class Originals:
    """The images that are stored, and how the decoded images are scored."""

    images: Tensor  # uint8 (K, C, S, S)
    evaluator: Evaluator  # gives the features

    @cached_property
    def distance(self) -> Callable[[Tensor], float]:
        """Fréchet distance of images, uint8 (L, C, S, S), to the originals."""
        return self.evaluator.distance_to(self.images)

    def point(self, method: str, setting: str, bits: float, decoded: Tensor) -> Point:
        """Score the decoded images, uint8 (K, C, S, S)."""
        error = (decoded.double() - self.images.double()).square().mean()
        return Point(method, setting, bits, float(error), self.distance(decoded))


def lbae_points(
    originals: Originals, trained: Trained, chosen: Tensor, models: Mapping[str, BitModel | None]
) -> list[Point]:
    """One reconstruction, scored once, under each coder (None packs); all images in one stream."""
    bits = trained.bits("test")[chosen]
    size = bits.shape[1]
    raw = originals.point("lbae", f"{size} bits", size, decode(trained.model, bits))
    rates = {key: 8 * len(encode_bits(bits, model)) / len(bits) for key, model in models.items()}
    return [
        dataclasses.replace(raw, setting=f"{raw.setting}, {coder}", bits=rate)
        for coder, rate in rates.items()
    ]


def vae_points(originals: Originals, baseline: Baseline, chosen: Tensor) -> list[Point]:
    """Posterior means on finer and finer grids, all images in one stream; the last is unrounded.

    Each number is coded under a Gaussian fitted to its training means. Up to the noise of the fit,
    that is never worse than N(0, 1). Grids are left out that have too few cells for the means, as
    those of numbers that hardly vary.
    """
    train, means = baseline.means["train"].double(), baseline.means["test"][chosen]
    prior = train.mean(0), train.std(0, correction=0).clamp(min=1e-6)
    found = []
    for share in VAE_STEPS:
        step = share * float(prior[1].mean())
        if float(means.abs().max()) > LARGEST * step:
            continue
        payload = encode_quantised(means, step, *prior)
        back = decode_quantised(payload, len(means), step, *prior)
        decoded = decode(baseline.model, back)
        setting = f"{means.shape[1]} numbers, step {share:g} σ"
        found.append(originals.point("vae", setting, 8 * len(payload) / len(means), decoded))
    size = means.shape[1]
    whole = decode(baseline.model, means)
    return [*found, originals.point("vae", f"{size} numbers, 32 bits each", 32 * size, whole)]


def size_points(
    originals: Originals, experiment: Experiment, root: Path, chosen: Tensor, device: str = "cpu"
) -> list[Point]:
    """LBAEs of the profile's other latent sizes, each with its own priors."""
    found = []
    for size in experiment.entry.latent_sizes:
        other = load_experiment(experiment.profile, experiment.dataset.name, f"lbae-{size}")
        trained = load_trained(other, root, device)
        fitted = fit_autoregressive(trained.bits("train"), trained.bits("validation"))
        models: dict[str, BitModel | None] = {
            "packed": None,
            "factorised": Factorised.fit(moments(trained.bits("train"))),
            "autoregressive": fitted.model,
        }
        found += lbae_points(originals, trained, chosen, models)
    return found


def format_points(originals: Originals) -> list[Point]:
    """The common formats that Pillow has here: a file for each image, and one of a mosaic of all.

    A mosaic has one header, which weighs heavily on an image of 32 pixels.
    """
    missing = missing_formats()
    found = []
    for key, (name, settings) in FORMATS.items():
        for options in settings if name not in missing else ():
            setting = f"{name} {_shown(options)}".strip()
            found.append(originals.point(key, setting, *_stored(originals.images, key, options)))
            stored = _mosaic_stored(originals.images, key, options)
            found.append(originals.point(key + MOSAIC, f"{setting}, one mosaic", *stored))
    return found


def missing_formats() -> list[str]:
    """Names of the formats that this Pillow cannot write."""
    Image.init()
    return [name for key, (name, _) in FORMATS.items() if key.upper() not in Image.SAVE]


def _stored(images: Tensor, key: str, options: dict[str, object]) -> tuple[float, Tensor]:
    """Bits per image in a format, and the images (K, C, S, S) read back."""
    total, decoded = 0, []
    for image in images:
        size, back = file_round_trip(image.permute(1, 2, 0).squeeze(2).numpy(), key, **options)
        total += size
        decoded.append(torch.from_numpy(back).reshape(*image.shape[1:], -1).permute(2, 0, 1))
    return 8 * total / len(images), torch.stack(decoded)


def _mosaic_stored(images: Tensor, key: str, options: dict[str, object]) -> tuple[float, Tensor]:
    """As :func:`_stored`, with all images in one file; what fills the last row is counted."""
    count, channels, side, _ = images.shape
    across = math.isqrt(count - 1) + 1
    down = -(-count // across)
    padded = torch.cat([images, images[-1:].expand(across * down - count, -1, -1, -1)])
    mosaic = padded.view(down, across, channels, side, side).permute(2, 0, 3, 1, 4)
    mosaic = mosaic.reshape(1, channels, down * side, across * side)
    bits, back = _stored(mosaic, key, options)
    tiles = back.view(channels, down, side, across, side).permute(1, 3, 0, 2, 4)
    return bits / count, tiles.reshape(-1, channels, side, side)[:count]


def _shown(options: dict[str, object]) -> str:
    return ", ".join(f"{k} {v}" for k, v in options.items() if not isinstance(v, bool))
