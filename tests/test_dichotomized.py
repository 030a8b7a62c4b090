import math

import pytest
import torch
from scipy.stats import multivariate_normal

from lbae_lib.bits import signs
from lbae_lib.latent.correlation import factor, gram_matrix, repair, rounding_moments
from lbae_lib.latent.dichotomized import (
    DichotomizedGaussian,
    latent_correlation,
    margins_of,
    pair_moments,
)
from lbae_lib.latent.hyperplane import hyperplane_sampler
from lbae_lib.latent.moment_fit import fit_vectors
from lbae_lib.latent.moments import Moments, moment_errors, moments


def test_margins_give_the_first_moments():
    first = torch.tensor([-0.999, -0.5, 0.0, 0.3, 1.0], dtype=torch.float64)
    margins = margins_of(first)
    torch.testing.assert_close(2 * torch.special.ndtr(margins) - 1, first, atol=1e-12, rtol=0)
    assert float(margins[-1]) == 8.0


@pytest.mark.parametrize("rho", [-0.97, -0.4, 0.0, 0.2, 0.9, 0.985])
def test_pair_moments_are_the_bivariate_normals(rho):
    margins = torch.tensor([0.7, -1.2], dtype=torch.float64)
    correlation = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=torch.float64)
    both = multivariate_normal([0, 0], correlation.numpy()).cdf(margins.numpy())
    p, q = (float(torch.special.ndtr(m)) for m in margins)
    found = pair_moments(margins, correlation)[0, 1]
    assert float(found) == pytest.approx(4 * both - 2 * p - 2 * q + 1, abs=1e-7)


def test_without_margins_it_is_the_arcsine_law():
    correlation = torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64)
    found = pair_moments(torch.zeros(2, dtype=torch.float64), correlation)[0, 1]
    assert float(found) == pytest.approx(2 / math.pi * math.asin(0.6), abs=1e-12)


def test_correlations_are_found_back(correlation):
    margins = torch.linspace(-1.5, 1.5, 9, dtype=torch.float64)
    second = pair_moments(margins, correlation)
    torch.testing.assert_close(latent_correlation(margins, second), correlation, atol=1e-9, rtol=0)


def test_impossible_moments_get_the_nearest_correlation():
    margins = torch.tensor([2.0, 2.0], dtype=torch.float64)  # both nearly always +1
    second = torch.tensor([[1.0, -0.9], [-0.9, 1.0]], dtype=torch.float64)
    assert float(latent_correlation(margins, second)[0, 1]) < -0.999


def test_first_moments_are_exact_and_pairs_better_than_by_hyperplanes(latents, generator):
    biased = torch.where(torch.rand(latents.shape, generator=generator) < 0.3, 1.0, latents)
    truth = moments(biased)
    sampler, repaired = DichotomizedGaussian.fit(truth)
    found = moments(sampler.sample(100_000, generator))
    errors = moment_errors(found, truth)
    noise = 1 / math.sqrt(100_000)
    assert errors.first < 1.5 * noise
    by_hyperplanes = moments(hyperplane_sampler(truth)[0].sample(100_000, generator))
    assert moment_errors(by_hyperplanes, truth).first > 3 * noise
    expected = pair_moments(sampler.real.mean, sampler.real.root @ sampler.real.root.T)
    drawn = Moments(truth.matrix.clone(), 1)
    drawn.matrix[:-1, :-1] = expected
    assert moment_errors(found, drawn).pairs < 1.5 * noise
    assert repaired.matrix.shape == (24, 24)


def test_a_fit_to_moments_beats_the_repair_it_starts_from(latents):
    truth = moments(latents)
    start = factor(repair(gram_matrix(truth.matrix)).matrix)

    def loss(vectors, weight):
        errors = moment_errors(Moments(rounding_moments(vectors), 1), truth)
        pairs = 24 * 23 / 2
        return pairs * errors.pairs**2 + 24 * weight * errors.first**2

    for weight in (1.0, 50.0):
        fitted = fit_vectors(truth, start, weight)
        torch.testing.assert_close(fitted.vectors.norm(dim=1), torch.ones(25, dtype=torch.float64))
        assert loss(fitted.vectors, weight) < 0.98 * loss(start, weight)
    low = fit_vectors(truth, factor(repair(gram_matrix(truth.matrix)).matrix, 6))
    assert low.vectors.shape == (25, 6)
    with pytest.raises(ValueError, match="boundary_weight is 0"):
        fit_vectors(truth, start, 0)
    with pytest.raises(ValueError, match="V has 24 rows"):
        fit_vectors(truth, start[1:])


@pytest.fixture
def threads():
    """Sets the number of threads until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_a_fit_does_not_depend_on_last_bits(latents):
    truth = moments(latents)
    start = factor(repair(gram_matrix(truth.matrix)).matrix)
    found = [fit_vectors(truth, start * (1 + change), 50.0).vectors for change in (0.0, 1e-14)]
    assert torch.equal(*found)


def test_a_fit_does_not_depend_on_threads(generator, threads):
    """Of as many bits as MNIST's latents have: products of smaller matrices are not shared out."""
    mixing = torch.randn(40, 200, generator=generator)
    truth = moments(signs(torch.randn(3000, 40, generator=generator) @ mixing))
    start = factor(repair(gram_matrix(truth.matrix)).matrix)
    found = []
    for count in (1, 2):
        threads(count)
        found.append(fit_vectors(truth, start, iterations=30).vectors)
        assert torch.get_num_threads() == count
    assert torch.equal(*found)


@pytest.mark.parametrize("iterations", [2, 4, 8, 12])
def test_a_fit_ends_by_its_tolerance_or_its_limit_of_iterations(latents, iterations):
    """PyTorch's own limit, of evaluations, is close to that of iterations."""
    truth = moments(latents)
    start = factor(repair(gram_matrix(truth.matrix)).matrix)
    found = fit_vectors(truth, start, 50.0, iterations)
    assert (found.iterations, found.settled) == (iterations, False)
