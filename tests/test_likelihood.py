"""The likelihood of latents under hyperplane rounding, against what can be computed exactly."""

import itertools
import math

import pytest
import torch

from lbae_lib.latent.correlation import factor, rounding_moments
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.likelihood import likelihood


@pytest.fixture
def sampler(correlation):
    """Of six bits and the boundary vector."""
    return HyperplaneSampler(factor(correlation[:7, :7]))


def all_latents(size):
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=size)))


def test_independent_bits_cost_one_bit_each(generator):
    sampler = HyperplaneSampler(torch.eye(41, dtype=torch.float64))
    latents = torch.where(torch.rand(5, 40, generator=generator) < 0.5, -1.0, 1.0)
    found = likelihood(latents, sampler, generator, particles=10)
    assert torch.allclose(found.bits, torch.full((5,), 40.0, dtype=torch.float64), atol=1e-9)
    assert float(found.standard_error.max()) < 1e-9


def test_two_bits_have_the_closed_form(generator):
    """P(three Gaussians positive) = 1/8 + (asin ρ₁₂ + asin ρ₁₃ + asin ρ₂₃) / 4π."""
    gram = torch.tensor([[1.0, 0.6, -0.3], [0.6, 1.0, 0.4], [-0.3, 0.4, 1.0]], dtype=torch.float64)
    sampler = HyperplaneSampler(torch.linalg.cholesky(gram))
    latents = all_latents(2)
    found = likelihood(latents, sampler, generator, particles=4000, repetitions=8)
    for latent, bits in zip(latents, found.bits, strict=True):
        a, b = latent.tolist()
        angles = math.asin(0.6 * a * b) + math.asin(-0.3 * a) + math.asin(0.4 * b)
        assert float(bits) == pytest.approx(
            -math.log2(2 * (1 / 8 + angles / (4 * math.pi))), abs=0.03
        )


def test_ten_bits_have_the_exact_sum_of_a_mixture_of_independent_bits(generator):
    """One common factor: given it, the bits are independent, and p(s) is a sum over a grid."""
    size, loading = 10, 0.6
    gram = torch.full((size + 1, size + 1), loading**2, dtype=torch.float64).fill_diagonal_(1)
    sampler = HyperplaneSampler(torch.linalg.cholesky(gram))
    latents = all_latents(size)[:: 2**size // 16]
    found = likelihood(latents, sampler, generator, particles=1000, repetitions=6)
    factor = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    density = torch.exp(-(factor**2) / 2) / math.sqrt(2 * math.pi) * (factor[1] - factor[0])
    positive = torch.special.ndtr(loading * factor / math.sqrt(1 - loading**2))
    for latent, bits, error in zip(latents, found.bits, found.standard_error, strict=True):
        ones = int((latent > 0).sum())
        p = 2 * float((positive ** (ones + 1) * (1 - positive) ** (size - ones) * density).sum())
        assert abs(float(bits) + math.log2(p)) < 5 * float(error) + 0.01
        assert float(error) < 0.1


def test_probabilities_of_all_latents_sum_to_one_and_have_the_samplers_moments(sampler, generator):
    latents = all_latents(sampler.latent_size)
    found = likelihood(latents, sampler, generator, particles=150, repetitions=4)
    p = 2.0**-found.bits
    assert float(p.sum()) == pytest.approx(1, abs=0.01)
    expected = rounding_moments(sampler.vectors)
    pairs = (latents.double() * p[:, None]).T @ latents.double()
    off = ~torch.eye(len(pairs), dtype=torch.bool)
    assert torch.allclose(pairs[off], expected[:-1, :-1][off], atol=0.02)
    assert torch.allclose(p @ latents.double(), expected[:-1, -1], atol=0.02)


def test_the_standard_error_tells_how_far_the_estimate_is(sampler, generator):
    latents = all_latents(sampler.latent_size)
    exact = likelihood(latents, sampler, generator, particles=2000, repetitions=4).bits
    rough = likelihood(latents, sampler, generator, particles=40, repetitions=8)
    off = (rough.bits - exact) / rough.standard_error
    assert 0.6 < float(off.square().mean().sqrt()) < 1.8


def test_a_sampler_of_low_rank_or_wrong_input_is_refused(correlation, generator):
    low = HyperplaneSampler(factor(correlation, 4))
    with pytest.raises(ValueError, match="full_rank"):
        likelihood(torch.ones(1, 8), low, generator)
    full = HyperplaneSampler(factor(correlation))
    with pytest.raises(ValueError, match="only -1 and"):
        likelihood(torch.zeros(1, 8), full, generator)
    with pytest.raises(ValueError, match="there are no latents: give at least one"):
        likelihood(torch.ones(0, 8), full, generator)
    with pytest.raises(ValueError, match="at least 2"):
        likelihood(torch.ones(1, 8), full, generator, repetitions=1)
