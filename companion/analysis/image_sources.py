"""The sets of images of models that are scored: reconstructions, samples, interpolations."""

from collections.abc import Callable

import torch
from torch import Tensor

from companion.analysis.image_source import ImageSource, random_indices
from companion.analysis.inversions import INVERSIONS, paths_between
from companion.analysis.path_images import BASELINES, PathEnds
from companion.analysis.samplers import LABELS, FittedSamplers
from companion.experiments.trained import Baseline, Trained
from lbae_lib.latent.gaussians import Gaussian, GaussianMixture
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import slerp
from lbae_lib.latent.inversion import full_rank
from lbae_lib.latent.sampler import Sampler
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.encoding import decode

STEPS = 10  # of an interpolation, as in the paper's Figure 10
# Samplers of an LBAE's latents whose images are scored.
SAMPLED = ("uniform", "independent", "direct", "clip", "nearest", "mixture")


def lbae_sources(trained: Trained, samplers: FittedSamplers) -> dict[str, ImageSource]:
    """Reconstructions, samples and interpolations of an LBAE.

    The paper's columns are "reco", "uniform", "clip" and "interp_authors". Rows of "between" leave
    the ends of paths out.
    """
    sources = {"reco": reconstructions(trained.model, trained.bits("test"))}
    for key in SAMPLED:
        sources[key] = sampled(trained, samplers, key)

    def paths(inversion: str, ends: bool) -> ImageSource:
        repair = "nearest" if inversion == "exact" else "clip"
        hyperplanes = HyperplaneSampler(samplers.hyperplane_fit(repair).vectors)
        return interpolations(trained, hyperplanes, inversion, ends)

    scored = ("algorithm_1", "centroids", "both_halves", "exact", "authors", "restored")
    sources |= {f"interp_{key}": paths(key, True) for key in scored}
    sources |= {f"between_{key}": paths(key, False) for key in ("authors", "restored", "exact")}
    for key in BASELINES:
        sources[f"between_{key}"] = baseline_interpolations(trained, key)
    return sources


def sampled(trained: Trained, samplers: FittedSamplers, key: str) -> ImageSource:
    """Decoded latents of a sampler."""
    note = _described(samplers.mixture) if key == "mixture" else ""
    return ImageSource(LABELS[key], decoded(trained.model, samplers[key]), note=note)


def interpolations(
    trained: Trained, sampler: HyperplaneSampler, inversion: str, ends: bool = True
) -> ImageSource:
    """Paths between random pairs of test images, ``STEPS`` images each.

    With the authors' procedure, the images of the two true latents stand before and after the
    path, as in their code. Without ``ends``, neither these nor the path's own ends are drawn.
    """
    method, latents = INVERSIONS[inversion], trained.bits("test").double()
    per_path = images_per_path(inversion) if ends else STEPS - 2
    if method.full_rank:
        sampler = full_rank(sampler)

    def draw(count: int, generator: torch.Generator) -> Tensor:
        chosen = _pairs(len(latents), count, per_path, generator)
        first, last = (method.invert(latents[i], sampler, generator).normals for i in chosen)
        path = paths_between(sampler, first, last, STEPS, method.boundary)
        if not ends:
            path = path[:, 1:-1]
        elif method.scored_ends:
            source, target = (latents[i, None].to(path) for i in chosen)
            path = torch.cat([source, path, target], dim=1)
        return decode(trained.model, path.flatten(0, 1)[:count])

    label = f"interpolation, {method.label}" if ends else f"between the ends, {method.label}"
    return ImageSource(label, draw)


def images_per_path(inversion: str) -> int:
    """Images that :func:`interpolations` takes from a path with its ends."""
    return STEPS + 2 * INVERSIONS[inversion].scored_ends


def baseline_interpolations(trained: Trained, key: str) -> ImageSource:
    """Paths of a key of :data:`BASELINES` between random pairs of test images, ends left out."""
    latents = trained.bits("test")

    def draw(count: int, generator: torch.Generator) -> Tensor:
        source, target = _pairs(len(latents), count, STEPS - 2, generator)
        path = BASELINES[key].draw(PathEnds(trained, source, target), STEPS, generator)
        return path[:, 1:-1].flatten(0, 1)[:count]

    return ImageSource(f"between the ends, {BASELINES[key].label}", draw)


def vae_sources(baseline: Baseline, components: int = 10) -> dict[str, ImageSource]:
    """Reconstructions, samples and interpolations of a VAE; the mixture is one of posteriors."""
    model = baseline.model
    means, log_variances = baseline.means["train"], baseline.log_variances["train"]
    noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(0))
    posterior_samples = means + noise * (log_variances / 2).exp()
    mixture = GaussianMixture.fit(posterior_samples, components)
    test_means = baseline.means["test"]
    test_deviations = (baseline.log_variances["test"] / 2).exp()

    def posterior(count: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(test_means.shape, generator=generator)
        return decode(model, (test_means + noise * test_deviations)[:count])

    def interpolated(count: int, generator: torch.Generator) -> Tensor:
        chosen = _pairs(len(test_means), count, STEPS, generator)
        source, target = (test_means[indices].double() for indices in chosen)
        t = torch.linspace(0, 1, STEPS, dtype=torch.float64)
        # Directions on the sphere, lengths on the line: a VAE's latents have no common length.
        length = torch.lerp(source.norm(dim=1)[:, None], target.norm(dim=1)[:, None], t)
        path = slerp(source, target, STEPS) * length[..., None]
        return decode(model, path.flatten(0, 1)[:count])

    standard = Gaussian.standard(model.config.latent_size)
    aggregate = Gaussian.aggregate_posterior(means, log_variances)
    return {
        "reco": reconstructions(model, test_means),
        "posterior": ImageSource("reconstruction of test images, z ~ q(z|x)", posterior),
        "standard": ImageSource("N(0, 1)", decoded(model, standard)),
        "sampled": ImageSource("N(μ, Σ)", decoded(model, aggregate)),
        "mixture": ImageSource(
            "mixture of Gaussians", decoded(model, mixture), note=_described(mixture)
        ),
        "interp": ImageSource("interpolation", interpolated),
    }


def reconstructions(model: LBAE | VAE, latents: Tensor) -> ImageSource:
    """Decoded latents of all test images; for a VAE, the means of its posteriors."""
    return ImageSource(
        "reconstruction of test images", lambda _c, _g: decode(model, latents), random=False
    )


def decoded(model: LBAE | VAE, sampler: Sampler) -> Callable[[int, torch.Generator], Tensor]:
    """Draws latents and decodes them."""
    return lambda count, generator: decode(model, sampler.sample(count, generator))


def _pairs(
    available: int, images: int, per_path: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Indices of random pairs of different images, enough for ``images`` images on their paths."""
    pairs = -(-images // per_path)
    source = random_indices(available, pairs, generator)
    shift = torch.randint(1, available, (pairs,), generator=generator)
    return source, (source + shift) % available


def _described(mixture: GaussianMixture) -> str:
    settled = "converged" if mixture.converged else "not converged"
    return (
        f"{len(mixture.weights)} Gaussians with {mixture.covariance} covariances, fitted to "
        f"{mixture.latents:,} training latents, {settled}"
    )
