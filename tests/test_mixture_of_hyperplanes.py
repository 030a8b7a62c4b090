"""A mixture of hyperplane samplers: its weights, its components, and clusters without classes."""

import pytest
import torch

from lbae_lib.bits import signs
from lbae_lib.latent.hyperplane import hyperplane_sampler
from lbae_lib.latent.mixture_of_hyperplanes import MixtureOfHyperplanes, clusters
from lbae_lib.latent.moments import moment_errors, moments


@pytest.fixture
def classes(generator):
    """Latents near one of three prototypes, of different numbers, and which one."""
    prototypes = signs(torch.randn(3, 20, generator=generator))
    labels = torch.tensor([0] * 300 + [1] * 600 + [2] * 900)
    flipped = torch.rand(len(labels), 20, generator=generator) < 0.05
    latents = prototypes[labels]
    return torch.where(flipped, -latents, latents), labels, prototypes


def test_one_component_is_the_plain_sampler(latents):
    mixture = MixtureOfHyperplanes.fit(latents, torch.zeros(len(latents), dtype=torch.long))
    plain, _ = hyperplane_sampler(moments(latents))
    assert torch.equal(mixture.components[0].vectors, plain.vectors)


def test_components_have_their_share_and_the_moments_of_their_class(classes, generator):
    latents, labels, prototypes = classes
    mixture = MixtureOfHyperplanes.fit(latents, labels)
    assert torch.allclose(mixture.weights * len(labels), torch.bincount(labels).double())
    drawn = mixture.sample(9000, generator)
    nearest = (drawn @ prototypes.T).argmax(1)
    assert torch.allclose(torch.bincount(nearest) / 9000, mixture.weights.float(), atol=0.02)
    for label, prototype in enumerate(prototypes):
        conditional = mixture.components[label].sample(1000, generator)
        right, expected = (
            float((bits @ prototypes.T).argmax(1).eq(label).double().mean())
            for bits in (conditional, latents[labels == label])
        )
        assert right > expected - 0.05
        assert float((conditional == prototype).double().mean()) > 0.9


def test_classes_give_better_moments_than_one_sampler(classes, generator):
    latents, labels, _ = classes
    truth = moments(latents)
    mixed = MixtureOfHyperplanes.fit(latents, labels).sample(20_000, generator)
    plain = hyperplane_sampler(truth)[0].sample(20_000, generator)
    errors = [moment_errors(moments(bits), truth).pairs for bits in (mixed, plain)]
    assert errors[0] < 0.5 * errors[1]


def test_clusters_find_the_classes(classes):
    latents, labels, _ = classes
    found = clusters(latents, 3)
    agreement = torch.stack([torch.bincount(found[labels == k], minlength=3) for k in range(3)])
    assert int(agreement.amax(1).sum()) == len(labels)
    assert torch.equal(clusters(latents, 3), found)


def test_few_different_latents_make_few_clusters():
    assert set(clusters(torch.ones(5, 4), 3).tolist()) == {0}


def test_no_latents_may_be_drawn(latents, generator):
    mixture = MixtureOfHyperplanes.fit(latents, torch.arange(len(latents)) % 2)
    assert mixture.sample(0, generator).shape == (0, 24)


def test_wrong_labels_are_refused(latents):
    with pytest.raises(ValueError, match="one for each"):
        MixtureOfHyperplanes.fit(latents, torch.zeros(3, dtype=torch.long))
    gap = torch.full((len(latents),), 2)
    with pytest.raises(ValueError, match=r"labels \[0, 1\] have no latents"):
        MixtureOfHyperplanes.fit(latents, gap)
    with pytest.raises(ValueError, match="below 0"):
        MixtureOfHyperplanes.fit(latents, -gap)
