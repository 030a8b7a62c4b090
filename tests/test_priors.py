import pytest
import torch

from lbae_lib.latent.gaussians import Gaussian, GaussianMixture, SignedSampler


def test_standard_gaussian_has_its_moments(generator):
    drawn = Gaussian.standard(3).sample(40_000, generator)
    assert drawn.mean(0).abs().max() < 0.03
    assert (torch.cov(drawn.T) - torch.eye(3)).abs().max() < 0.03


def test_aggregate_posterior_adds_the_posteriors_variance(generator):
    mean = torch.randn(5000, 2, generator=generator) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]])
    log_variance = torch.tensor([0.5, 0.1]).log().expand(5000, 2)
    prior = Gaussian.aggregate_posterior(mean, log_variance)
    expected = torch.cov(mean.double().T, correction=0) + torch.tensor([0.5, 0.1]).diag()
    torch.testing.assert_close(
        prior.root @ prior.root.T, expected, check_dtype=False, rtol=1e-6, atol=1e-6
    )
    noisy = mean + torch.randn(5000, 2, generator=generator) * log_variance.exp().sqrt()
    drawn = prior.sample(50_000, generator)
    assert (torch.cov(drawn.T) - torch.cov(noisy.double().T)).abs().max() < 0.2
    assert (drawn.mean(0) - mean.mean(0)).abs().max() < 0.05


def test_mixture_finds_well_separated_clusters(generator):
    centres = torch.tensor([[-8.0, 0.0], [8.0, 0.0], [0.0, 9.0]])
    chosen = torch.randint(3, (3000,), generator=generator)
    latents = centres[chosen] + torch.randn(3000, 2, generator=generator)
    mixture = GaussianMixture.fit(latents, 3)
    assert mixture.covariance == "full"
    assert mixture.converged
    nearest = torch.cdist(centres.double(), mixture.means).min(1).values
    assert nearest.max() < 0.15
    drawn = mixture.sample(6000, generator)
    shares = torch.cdist(drawn, centres.double()).argmin(1).bincount() / 6000
    assert (shares - 1 / 3).abs().max() < 0.05
    again = GaussianMixture.fit(latents, 3)
    assert torch.equal(again.means, mixture.means)


def test_mixture_says_when_latents_are_too_few_for_full_covariances(generator):
    latents = torch.randn(300, 20, generator=generator)
    few = GaussianMixture.fit(latents, 10)
    assert few.covariance == "diag"
    assert few.latents == 300
    off = few.roots - torch.diag_embed(few.roots.diagonal(dim1=1, dim2=2))
    assert off.abs().max() == 0
    assert GaussianMixture.fit(latents, 2).covariance == "full"
    with pytest.raises(ValueError, match="3 latents are too few for 10 Gaussians"):
        GaussianMixture.fit(latents[:3], 10)


def test_mixture_of_bits_keeps_their_correlation_better_than_one_gaussians_sign(latents, generator):
    from lbae_lib.latent.baselines import DirectRounding
    from lbae_lib.latent.moments import moment_errors, moments

    truth = moments(latents)
    by_mixture = SignedSampler(GaussianMixture.fit(latents, 6)).sample(20_000, generator)
    assert set(by_mixture.unique().tolist()) == {-1.0, 1.0}
    direct = DirectRounding.fit(truth).sample(20_000, generator)
    error = {
        m: moment_errors(moments(b), truth).pairs
        for m, b in (("gmm", by_mixture), ("direct", direct))
    }
    assert error["gmm"] < 0.6 * error["direct"]
