"""The sets of images that the tables score: reconstructions, samples, interpolations, controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.experiments.runs import Baseline, Trained
from lbae_lib.data.images import ImageSet
from lbae_lib.latent.baselines import DirectRounding, IndependentBits, UniformBits
from lbae_lib.latent.gaussians import Gaussian, GaussianMixture, SignedSampler
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.interpolation import interpolate_bits, slerp
from lbae_lib.latent.inversion import (
    algorithm_1,
    both_halves,
    centroid_difference,
    exact,
    full_rank,
)
from lbae_lib.latent.moments import moments
from lbae_lib.latent.sampler import Sampler
from lbae_lib.metrics.corruptions import blurred, noisy, without_class
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.encoding import decode

REPEATS = 20  # of each image, in a set that has few
STEPS = 10  # of an interpolation, as in the paper's Figure 10


@dataclass(frozen=True)
class ImageSource:
    """A row of the tables.

    Attributes:
        label: for tables and figures.
        draw: (count, generator) to uint8 images (count, C, S, S) in random order.
        random: whether another seed gives other images.
        note: how it was fitted, for the table's foot; empty if the label says all.
    """

    label: str
    draw: Callable[[int, torch.Generator], Tensor]
    random: bool = True
    note: str = ""


def lbae_sources(trained: Trained, components: int = 10) -> dict[str, ImageSource]:
    """Reconstruction, all samplers and the interpolations of an LBAE.

    The keys "reco", "n01", "clip" and "interp" are the paper's columns; moments and mixture are
    those of the training latents.

    Args:
        trained: the model with its latents.
        components: Gaussians of the mixture.
    """
    model, latents = trained.model, trained.bits("train")
    truth = moments(latents)
    clip, _ = hyperplane_sampler(truth, "clip")
    nearest, _ = hyperplane_sampler(truth, "nearest")
    mixture = GaussianMixture.fit(latents, components)
    samplers: dict[str, tuple[str, Sampler, str]] = {
        "n01": ("uniform bits, the paper's N(0, 1)", UniformBits(model.config.latent_size), ""),
        "independent": ("independent bits", IndependentBits(truth.first), ""),
        "direct": ("direct rounding (Eq. 3)", DirectRounding.fit(truth), ""),
        "clip": ("hyperplane, clipped: the paper's N(μ, Σ)", clip, ""),
        "nearest": ("hyperplane, nearest correlation matrix", nearest, ""),
        "gmm": ("mixture of Gaussians, then sign", SignedSampler(mixture), _described(mixture)),
    }
    ends = trained.bits("test")
    return (
        {"reco": reconstructions(model, ends)}
        | {
            key: ImageSource(label, decoded(model, sampler), note=note)
            for key, (label, sampler, note) in samplers.items()
        }
        | {
            "interp": ImageSource(
                "interpolation, Algorithm 1 alone",
                _bit_interpolations(model, ends, clip, lambda s, _: algorithm_1(s, clip).normals),
            ),
            "interp_eq14": ImageSource(
                "interpolation, Eq. 14 alone",
                _bit_interpolations(
                    model, ends, clip, lambda s, _: centroid_difference(s, clip).normals
                ),
            ),
            "interp_halves": ImageSource(
                "interpolation, Eq. 14 of Algorithm 1",
                _bit_interpolations(model, ends, clip, lambda s, _: both_halves(s, clip).normals),
            ),
            "interp_exact": exact_interpolations(trained, nearest),
        }
    )


def exact_interpolations(trained: Trained, sampler: HyperplaneSampler) -> ImageSource:
    """Paths between random pairs of test images by the exact inverse, ``STEPS`` images each.

    Args:
        trained: the model with its latents.
        sampler: of any rank.
    """
    blended = full_rank(sampler)
    draw = _bit_interpolations(
        trained.model, trained.bits("test"), blended, lambda s, g: exact(s, blended, g).normals
    )
    return ImageSource("interpolation, exact inverse", draw)


def vae_sources(baseline: Baseline, components: int = 10) -> dict[str, ImageSource]:
    """Reconstruction, samplers and interpolation of a VAE.

    Args:
        baseline: the model with its posteriors.
        components: Gaussians of the mixture, fitted to posterior samples of training images.
    """
    model = baseline.model
    means, log_variances = baseline.means["train"], baseline.log_variances["train"]
    noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(0))
    posterior_samples = means + noise * (log_variances / 2).exp()
    mixture = GaussianMixture.fit(posterior_samples, components)
    test_means, test_deviations = (
        baseline.means["test"],
        (baseline.log_variances["test"] / 2).exp(),
    )

    def posterior(count: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(test_means.shape, generator=generator)
        return decode(model, (test_means + noise * test_deviations)[:count])

    def interpolated(count: int, generator: torch.Generator) -> Tensor:
        source, target = _pairs(test_means.double(), count, generator)
        t = torch.linspace(0, 1, STEPS, dtype=torch.float64)
        # Directions on the sphere, lengths on the line: a VAE's latents have no common length.
        length = torch.lerp(source.norm(dim=1)[:, None], target.norm(dim=1)[:, None], t)
        path = slerp(source, target, STEPS) * length[..., None]
        return decode(model, path.flatten(0, 1)[:count])

    samplers: dict[str, tuple[str, Sampler, str]] = {
        "n01": ("N(0, 1)", Gaussian.standard(model.config.latent_size), ""),
        "sampled": ("N(μ, Σ)", Gaussian.aggregate_posterior(means, log_variances), ""),
        "gmm": ("mixture of Gaussians", mixture, _described(mixture)),
    }
    return (
        {
            "reco": reconstructions(model, test_means),
            "posterior": ImageSource("reconstruction of test images, z ~ q(z|x)", posterior),
        }
        | {
            key: ImageSource(label, decoded(model, sampler), note=note)
            for key, (label, sampler, note) in samplers.items()
        }
        | {"interp": ImageSource("interpolation", interpolated)}
    )


def control_sources(images: Mapping[str, ImageSet]) -> dict[str, ImageSource]:
    """Real images, and images spoilt in known ways: what a metric must tell apart.

    All but one are made of training images, which the in-domain extractor has seen; validation
    images it has not.

    Args:
        images: by split.
    """
    train, validation = images["train"], images["validation"]

    def drawn(count: int, generator: torch.Generator) -> Tensor:
        return train.images[_chosen(len(train), count, generator)]

    def repeated(count: int, generator: torch.Generator) -> Tensor:
        few = _chosen(len(train), max(1, count // REPEATS), generator)
        return train.images[few[torch.randint(len(few), (count,), generator=generator)]]

    sources = {
        "train": ImageSource("training images", drawn),
        "validation": ImageSource(
            f"validation images ({len(validation):,})", lambda _c, _g: validation.images, False
        ),
        "blur_0.7": ImageSource("blur, σ = 0.7 px", lambda c, g: blurred(drawn(c, g), 0.7)),
        "blur_1.5": ImageSource("blur, σ = 1.5 px", lambda c, g: blurred(drawn(c, g), 1.5)),
        "noise": ImageSource("noise, σ = 0.15", lambda c, g: noisy(drawn(c, g), 0.15, g)),
        "repeated": ImageSource(f"training images, each about {REPEATS} times", repeated),
    }
    labels, left_out, title = train.labels, 0, "one class dropped"
    if labels is not None:
        left_out = int(labels.bincount().argmax())
    elif train.attributes is not None and train.attributes.shape[1]:
        # The one nearest to half of the images have: its lack must show.
        chosen = int((train.attributes.double().mean(0) - 0.5).abs().argmin())
        labels, left_out, title = train.attributes[:, chosen].long(), 1, "one attribute dropped"
    if labels is not None:
        classes, lacking = labels, left_out

        def dropped(count: int, generator: torch.Generator) -> Tensor:
            return train.images[without_class(classes, lacking, count, generator)]

        sources["class_dropped"] = ImageSource(title, dropped)
    return sources


def reconstructions(model: LBAE | VAE, latents: Tensor) -> ImageSource:
    """Decoded latents of all test images; a VAE's are the means of its posteriors."""
    return ImageSource(
        "reconstruction of test images", lambda _c, _g: decode(model, latents), random=False
    )


def decoded(model: LBAE | VAE, sampler: Sampler) -> Callable[..., Tensor]:
    """Draws latents and decodes them."""
    return lambda count, generator: decode(model, sampler.sample(count, generator))


def _bit_interpolations(
    model: LBAE,
    ends: Tensor,
    sampler: HyperplaneSampler,
    invert: Callable[[Tensor, torch.Generator], Tensor],
) -> Callable[[int, torch.Generator], Tensor]:
    def draw(count: int, generator: torch.Generator) -> Tensor:
        source, target = _pairs(ends.double(), count, generator)
        first, last = (invert(bits, generator) for bits in (source, target))
        path = interpolate_bits(sampler, first, last, STEPS)
        return decode(model, path.flatten(0, 1)[:count])

    return draw


def _pairs(latents: Tensor, images: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random pairs of different latents, enough for so many images on their paths."""
    pairs = -(-images // STEPS)
    source = _chosen(len(latents), pairs, generator)
    shift = torch.randint(1, len(latents), (pairs,), generator=generator)
    return latents[source], latents[(source + shift) % len(latents)]


def _chosen(available: int, count: int, generator: torch.Generator) -> Tensor:
    """Random indices, without replacement where there are enough."""
    if count > available:
        return torch.randint(available, (count,), generator=generator)
    return torch.randperm(available, generator=generator)[:count]


def _described(mixture: GaussianMixture) -> str:
    settled = "converged" if mixture.converged else "not converged"
    return (
        f"{len(mixture.weights)} Gaussians with {mixture.covariance} covariances, fitted to "
        f"{mixture.latents:,} training latents, {settled}"
    )
