"""One contract for all samplers of the registry, and what the pages build on it."""

import math

import pytest
import torch

from companion.analysis.geometry import path_with_flips, small_example, small_path
from companion.analysis.hyperplane_fits import HyperplaneFit, all_errors, least_error
from companion.analysis.inversions import INVERSIONS
from companion.analysis.sampler_study import ReferenceLatents, hyperplane_fits, share_of_gap
from companion.analysis.samplers import LABELS, SAMPLERS, FittedSamplers
from companion.figures.style import COLOURS
from lbae_lib.bits import check_bits
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import ONE
from lbae_lib.latent.correlation import rounding_moments
from lbae_lib.latent.dichotomized import pair_moments
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.inversion import full_rank
from lbae_lib.latent.moments import moments

WIDTH = 8
COUNT = 100_000
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(scope="module", params=DEVICES)
def fitted(request):
    """Samplers of a few correlated bits, so that a bit model's moments can be summed exactly."""
    generator = torch.Generator().manual_seed(3)
    classes = torch.where(torch.randn(5, WIDTH, generator=generator) > -0.3, 1.0, -1.0)
    labels = torch.randint(5, (3000,), generator=generator)
    chosen = classes[labels]
    flipped = torch.rand(3000, WIDTH, generator=generator) < 0.1
    bits = torch.where(flipped, -chosen, chosen)
    train, validation = bits[:2500], bits[2500:]
    prior = fit_autoregressive(train, validation, hidden=(16,), epochs=2, show_progress=False)
    place = request.param
    return FittedSamplers(
        train.to(place), validation.to(place), prior.model, components=3,
        labels=labels[: len(train)].to(place),
        attributes=(labels[: len(train), None] == 2).to(place),
    )  # fmt: skip


def gaussian_signs(mean, covariance):
    """Moment matrix of the signs of N(mean, covariance)."""
    deviation = covariance.diagonal().sqrt()
    margins = (mean / deviation).cpu()
    correlation = (covariance / torch.outer(deviation, deviation)).cpu()
    first = 2 * torch.special.ndtr(margins) - 1
    return with_first(pair_moments(margins, correlation), first)


def with_first(second, first):
    matrix = torch.eye(WIDTH + 1, dtype=torch.float64)
    matrix[:-1, :-1] = second
    matrix[-1, :-1] = matrix[:-1, -1] = first
    return matrix


def model_moments(model):
    """Moments of a bit model, summed over all latents."""
    numbers = torch.arange(2**WIDTH)[:, None] >> torch.arange(WIDTH)
    latents = (2.0 * (numbers & 1) - 1).double()
    chance = model.probabilities(latents.float()).double() / ONE
    weights = torch.where(latents > 0, chance, 1 - chance).prod(1)
    assert float(weights.sum()) == pytest.approx(1)
    extended = torch.cat([latents, torch.ones(len(latents), 1, dtype=torch.float64)], dim=1)
    return extended.T @ (weights[:, None] * extended)


def mixed_moments(mixture):
    """Moments of a mixture of hyperplane samplers."""
    own = [rounding_moments(component.vectors).cpu() for component in mixture.components]
    return sum(weight * matrix for weight, matrix in zip(mixture.weights, own, strict=True))


def conditioned_moments(sampler):
    """Moments given an attribute by rejection, then weighted by its share of the latents."""
    bits = sampler.joined.sample(20 * COUNT, torch.Generator().manual_seed(9)).cpu()
    total = 0
    for sign in (-1, 1):
        share = float((sampler.attributes == sign).double().mean())
        total += share * moments(bits[bits[:, -1] == sign, :-1]).matrix
    return total


def promised(fitted, key):
    """The moments that a sampler promises, float64 (N+1, N+1)."""
    sampler, truth = fitted[key], fitted.moments
    if isinstance(sampler, HyperplaneSampler):
        return rounding_moments(sampler.vectors).cpu()
    independent = torch.outer(truth.first, truth.first).fill_diagonal_(1).cpu()
    return {
        "resampled": lambda: truth.matrix.cpu(),
        "uniform": lambda: torch.eye(WIDTH + 1, dtype=torch.float64),
        "independent": lambda: with_first(independent, truth.first.cpu()),
        "direct": lambda: gaussian_signs(truth.first, truth.covariance),
        "dichotomized": lambda: gaussian_signs(
            sampler.real.mean, sampler.real.root @ sampler.real.root.T
        ),
        "mixture": lambda: sum(
            weight.cpu() * gaussian_signs(mean, root @ root.T)
            for weight, mean, root in zip(
                fitted.mixture.weights, fitted.mixture.means, fitted.mixture.roots, strict=True
            )
        ),
        "clusters": lambda: mixed_moments(sampler),
        "classes": lambda: mixed_moments(sampler),
        "conditioned": lambda: conditioned_moments(sampler),
        "logistic": lambda: model_moments(sampler),
        "autoregressive": lambda: model_moments(sampler),
    }[key]()


@pytest.mark.parametrize("key", SAMPLERS)
def test_every_sampler_keeps_its_promise(fitted, key):
    def draw(count, seed):
        return fitted.draw(key, count, torch.Generator().manual_seed(seed))

    bits = draw(COUNT, 1)
    check_bits(bits)
    assert bits.shape == (COUNT, WIDTH)
    assert bits.device.type == fitted.latents.device.type
    assert torch.equal(draw(100, 1), draw(100, 1))
    assert not torch.equal(draw(100, 1), draw(100, 2))
    expected = promised(fitted, key)
    noise = ((1 - expected.square()).clamp(min=1e-9) / COUNT).sqrt()
    off = ((moments(bits).matrix.cpu() - expected) / noise).abs()
    assert float(off.fill_diagonal_(0).max()) < 5


def test_keys_labels_and_colours_are_those_of_the_registry():
    assert set(SAMPLERS) | set(INVERSIONS) <= set(COLOURS)
    assert len(set(LABELS.values())) == len(LABELS)


def test_the_keys_are_those_of_samplers_that_can_be_fitted(fitted, latents):
    assert fitted.available() == list(SAMPLERS)
    lacking = set(SAMPLERS) - set(FittedSamplers(latents).available())
    assert lacking == {"logistic", "autoregressive", "classes", "conditioned"}


def test_a_sampler_is_fitted_once_and_says_what_it_lacks(latents):
    fitted = FittedSamplers(latents)
    fit = fitted.hyperplane_fit("nearest")
    assert fitted.hyperplane_fit("nearest") is fit
    assert fitted["nearest"].vectors is fit.vectors
    assert fitted["mixture"].real is fitted.mixture
    with pytest.raises(ValueError, match="prior="):
        fitted["autoregressive"]
    with pytest.raises(ValueError, match="validation="):
        fitted["logistic"]
    with pytest.raises(ValueError, match="'uniform' has no hyperplanes"):
        fitted.hyperplane_fit("uniform")


def test_fits_side_by_side(latents):
    fitted = FittedSamplers(latents)
    found = hyperplane_fits(fitted, rank=5)
    assert list(found)[:3] == ["clip", "projections", "nearest"]
    fits = {key: fit for key, (_, fit) in found.items()}
    assert all(isinstance(fit, HyperplaneFit) for fit in fits.values())
    assert fits["fit_low"].rank == 5
    assert fits["held"].errors.first < 1e-9 < fits["nearest"].errors.first
    assert fits["fit"].errors.pairs < fits["nearest"].errors.pairs
    torch.testing.assert_close(
        rounding_moments(fits["projections"].vectors), rounding_moments(fits["nearest"].vectors),
        atol=1e-4, rtol=0,
    )  # fmt: skip
    limit = least_error(fitted.moments)
    for key, fit in fits.items():
        assert fit.errors.pairs >= limit, key
        assert fit.smallest > -1e-9
        overall = all_errors(fit.errors, latents.shape[1])
        assert min(vars(fit.errors).values()) <= overall <= max(vars(fit.errors).values())


def test_the_share_of_a_gap():
    assert [share_of_gap(x, 12.0, 4.0) for x in (12.0, 10.0, 2.0)] == [0, 0.25, 1.25]
    assert share_of_gap(3.0, 3.0, 3.0) is None
    assert share_of_gap(3.0, 3.0, 4.0) is None  # the mixture is worse


def test_training_latents_are_no_distance_from_themselves(latents, generator):
    reference = ReferenceLatents(latents, moments(latents), generator)
    found = reference.measure(latents)
    assert set(found.numbers().values()) == {0.0}
    assert float(found.distances[0]) == 1
    assert float(found.positive.sum()) == pytest.approx(1)


@pytest.mark.parametrize("key", INVERSIONS)
def test_every_inversion_says_which_bits_are_wrong(latents, generator, key):
    method = INVERSIONS[key]
    sampler = full_rank(FittedSamplers(latents)["nearest"])
    found = method.invert(latents[:20], sampler, generator)
    bits = sampler.bits(found.normals, method.boundary)
    assert torch.equal((bits != latents[:20]).sum(1), found.wrong_bits)
    assert not (method.full_rank and found.wrong_bits.any())


def test_bits_with_equal_margins_flip_together(latents, generator):
    sampler = FittedSamplers(latents)["nearest"]
    example = small_example(sampler, 3, generator)
    path, flips = path_with_flips(*small_path(example, None))
    assert path.shape == (201, 3)
    assert len(flips) == 1
    assert len(path_with_flips(*small_path(example, generator))[1]) == 2
    assert math.isclose(float(path[0].norm()), 1)


def test_a_mixture_is_fitted_once_for_the_same_latents(fitted, tmp_path):
    latents = fitted.latents
    again = [FittedSamplers(latents, components=3, cache=tmp_path).mixture for _ in range(2)]
    for mixture in again:
        assert (mixture.covariance, mixture.latents) == ("full", len(latents))
        assert torch.equal(mixture.means, fitted.mixture.means)
        assert torch.equal(mixture.roots, fitted.mixture.roots)
    assert len(list(tmp_path.iterdir())) == 1
    other = FittedSamplers(latents[1:], components=3, cache=tmp_path).mixture
    assert other.latents == len(latents) - 1
    assert len(list(tmp_path.iterdir())) == 2
