"""Latents with given attributes: their bits, their moments, and rejection sampling beside them."""

import itertools

import pytest
import torch

from lbae_lib.latent.conditioned import ConditionedSampler
from lbae_lib.latent.correlation import factor, rounding_moments
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.moments import Moments, moment_errors, moments

CODES = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=2)))  # of two attributes


@pytest.fixture
def joined(correlation):
    """Of six latent bits and two attributes, with bits that it draws."""
    sampler = HyperplaneSampler(factor(correlation))
    return sampler, sampler.sample(200_000, torch.Generator().manual_seed(7))


def test_samples_have_the_given_attributes(joined, generator):
    sampler, bits = joined
    given = bits[:5000, 6:]
    drawn = ConditionedSampler(sampler, given).joined_bits(given, generator)
    assert torch.equal(drawn[:, 6:], given)
    assert drawn.dtype == torch.float32


@pytest.mark.parametrize("code", CODES, ids=str)
def test_conditioning_is_as_good_as_rejection(joined, generator, code):
    """All 64 latents have the probability that they have among random ones with the attributes."""
    sampler, bits = joined
    conditioned = ConditionedSampler(sampler, bits[:, 6:])
    drawn = conditioned.sample_given(code.expand(40_000, -1), generator)
    kept = bits[(bits[:, 6:] == code).all(1), :6]
    assert len(kept) > 10_000
    found, wanted = (
        torch.bincount(((rows > 0).long() * 2 ** torch.arange(6)).sum(1), minlength=64) / len(rows)
        for rows in (drawn, kept)
    )
    noise = (wanted / 40_000 + wanted / len(kept)).sqrt().clamp(min=1e-4)
    assert float(((found - wanted) / noise).abs().max()) < 4.5


def test_attributes_as_often_as_in_training_give_the_pair_moments(joined, generator):
    sampler, bits = joined
    drawn = ConditionedSampler(sampler, bits[:, 6:]).sample(100_000, generator)
    latent = [*range(6), 8]  # the latent bits and the boundary
    truth = Moments(rounding_moments(sampler.vectors)[latent][:, latent], len(bits))
    errors = moment_errors(moments(drawn), truth)
    assert max(errors.pairs, errors.first) < 0.008


def test_the_fit_finds_what_distinguishes_an_attribute(latents, generator):
    has = latents[:, :1] * torch.where(
        torch.rand(len(latents), 1, generator=generator) < 0.1, -1, 1
    )
    sampler = ConditionedSampler.fit(latents, has)
    for sign in (-1.0, 1.0):
        drawn = sampler.sample_given(torch.full((4000, 1), sign), generator)
        wanted = latents[has[:, 0] == sign].mean(0)
        assert float((drawn.mean(0) - wanted).square().mean().sqrt()) < 0.1
        assert float((drawn[:, 0] == sign).double().mean()) > 0.85
    assert sampler.sample(10, generator).shape == (10, latents.shape[1])


def test_an_attribute_that_all_images_have_changes_nothing(latents, generator):
    always = torch.ones(len(latents), 1)
    drawn = ConditionedSampler.fit(latents, always).sample(20_000, generator)
    assert moment_errors(moments(drawn), moments(latents)).first < 0.05


def test_wrong_attributes_are_refused(latents):
    with pytest.raises(ValueError, match="give one each"):
        ConditionedSampler.fit(latents, torch.ones(3, 1))
    with pytest.raises(ValueError, match="only -1 and"):
        ConditionedSampler.fit(latents, torch.zeros(len(latents), 1))
    sampler = ConditionedSampler.fit(latents, latents[:, :2])
    with pytest.raises(ValueError, match=r"attributes are of shape .*\(K, 2\)"):
        sampler.sample_given(torch.ones(5, 3), torch.Generator())


def test_no_latents_may_be_drawn(latents, generator):
    sampler = ConditionedSampler.fit(latents[:, 2:], latents[:, :2])
    assert sampler.sample(0, generator).shape == (0, 22)
