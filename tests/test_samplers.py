import itertools
import math

import pytest
import torch

from lbae_lib.latent.baselines import DirectRounding, IndependentBits, Resampling, UniformBits
from lbae_lib.latent.correlation import factor, rounding_moments
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.moments import Moments, moment_errors, moments

COUNT = 200_000


def noise(matrix: torch.Tensor) -> torch.Tensor:
    """Standard deviation of an estimated moment m from COUNT samples."""
    return ((1 - matrix.square()).clamp(min=0) / COUNT).sqrt()


def test_hyperplanes_reproduce_the_moments_of_a_positive_definite_gram_matrix(
    correlation, generator
):
    sampler = HyperplaneSampler(factor(correlation))
    expected = rounding_moments(sampler.vectors)
    found = moments(sampler.sample(COUNT, generator)).matrix
    off = ~torch.eye(9, dtype=torch.bool)
    deviations = ((found - expected) / noise(expected).clamp(min=1e-9))[off]
    assert float(deviations.abs().max()) < 5
    assert float(deviations.square().mean()) == pytest.approx(1, abs=0.35)


def test_arcsine_law_against_orthant_counts():
    """N = 8 with a Gram matrix whose sign probabilities are known in closed form.

    For two vectors at angle α, P(equal signs) = 1 - α/π; for three, the probability of one
    orthant is 1/8 + (Σ asin ρ)/4π.
    """
    angles = torch.arange(9, dtype=torch.float64) * 0.3
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    sampler = HyperplaneSampler(vectors)
    bits = sampler.sample(COUNT, torch.Generator().manual_seed(3))
    assert bits.shape == (COUNT, 8)
    expected = 1 - 2 * (angles[:, None] - angles[None, :]).abs() / math.pi
    torch.testing.assert_close(rounding_moments(vectors), expected)
    found = moments(bits).matrix
    assert float((found - expected).abs().max()) < 5 / math.sqrt(COUNT)


def test_triple_orthant_probability(correlation, generator):
    sampler = HyperplaneSampler(factor(correlation))
    sides = torch.where(sampler.normals(COUNT, generator) @ sampler.vectors.T >= 0, 1, -1)
    for i, j, k in itertools.combinations(range(4), 3):
        angles = sum(math.asin(correlation[a, b]) for a, b in ((i, j), (i, k), (j, k)))
        expected = 1 / 8 + angles / (4 * math.pi)
        found = float((sides[:, [i, j, k]] == 1).all(1).double().mean())
        assert found == pytest.approx(expected, abs=5 * math.sqrt(expected / COUNT))


def test_bits_do_not_depend_on_the_length_of_normal_or_rows(correlation, generator):
    sampler = HyperplaneSampler(factor(correlation))
    normals = sampler.normals(100, generator)
    bits = sampler.bits(normals)
    lengths = torch.rand(9, 1, dtype=torch.float64, generator=generator) + 0.1
    assert torch.equal(sampler.bits(normals * 7), bits)
    assert torch.equal(sampler.bits(-normals), bits)  # the boundary vector settles the sign
    assert torch.equal(HyperplaneSampler(sampler.vectors * lengths).bits(normals), bits)


def test_same_seed_same_bits(latents):
    sampler, _ = hyperplane_sampler(moments(latents))
    draws = [sampler.sample(50, torch.Generator().manual_seed(9)) for _ in range(2)]
    assert torch.equal(*draws)
    assert not torch.equal(draws[0], sampler.sample(50, torch.Generator().manual_seed(10)))


def test_direct_rounding_is_equation_3(latents, generator):
    """With a known covariance the rounded Gaussian's moments are known: E[b_i] = erf(μ/σ√2)."""
    target = moments(latents)
    sampler = DirectRounding.fit(target)
    torch.testing.assert_close(sampler.real.root @ sampler.real.root.T, target.covariance)
    found = moments(sampler.sample(COUNT, generator)).first
    sigma = target.covariance.diagonal().sqrt()
    expected = torch.erf(target.first / (sigma * math.sqrt(2)))
    assert float((found - expected).abs().max()) < 5 / math.sqrt(COUNT)


def test_independent_and_uniform_bits(latents, generator):
    target = moments(latents)
    found = moments(IndependentBits(target.first).sample(COUNT, generator))
    assert float((found.first - target.first).abs().max()) < 5 / math.sqrt(COUNT)
    product = torch.outer(target.first, target.first).fill_diagonal_(1)
    assert float((found.second - product).abs().max()) < 5 / math.sqrt(COUNT)
    fair = moments(UniformBits(24).sample(COUNT, generator)).matrix
    assert float((fair - torch.eye(25)).abs().max()) < 5 / math.sqrt(COUNT)
    constant = IndependentBits(torch.tensor([1.0, -1.0])).sample(1000, generator)
    assert constant.unique(dim=0).tolist() == [[1, -1]]


def test_order_of_errors_is_that_of_the_paper(latents, generator):
    target = moments(latents)
    samplers = {
        "floor": Resampling(latents),
        "nearest": hyperplane_sampler(target, "nearest")[0],
        "clip": hyperplane_sampler(target, "clip")[0],
        "direct": DirectRounding.fit(target),
        "independent": IndependentBits(target.first),
    }
    errors = {
        name: moment_errors(moments(s.sample(50_000, generator)), target).pairs
        for name, s in samplers.items()
    }
    for method in ("nearest", "clip"):
        order = [errors[name] for name in ("floor", method, "direct", "independent")]
        assert order == sorted(order)


def test_what_a_sampler_gets_wrong_is_what_its_repair_changed(latents, generator):
    target = moments(latents)
    sampler, _ = hyperplane_sampler(target)
    predicted = moment_errors(Moments(rounding_moments(sampler.vectors), 1), target)
    found = moment_errors(moments(sampler.sample(COUNT, generator)), target)
    noise = float(((1 - target.pairs.square()) / COUNT).mean())  # variance of a sampled moment
    assert found.pairs == pytest.approx((predicted.pairs**2 + noise) ** 0.5, rel=0.05)
    assert found.first == pytest.approx(predicted.first, rel=0.1)
