"""Bottlenecks: bits in training and after it, and the gradients that they pass on."""

import pytest
import torch
from implicit_devices import ExplicitDevices

from companion.experiments.bottlenecks import KINDS, SLOPES, BinaryBottleneck
from lbae_lib.bits import check_bits
from lbae_lib.models.binarization import bernoulli_bottleneck


def gradient(kind, z, progress=0.0):
    """d/dz of a bit, and the bit."""
    z = z.clone().requires_grad_()
    bits, additional = BinaryBottleneck(kind, z.shape[1])(
        z, progress, torch.Generator().manual_seed(3)
    )
    bits.sum().backward()
    assert float(additional) == 0
    return z.grad, bits.detach()


@pytest.mark.parametrize("kind", KINDS)
def test_every_bottleneck_gives_bits_and_a_finite_gradient(kind, generator):
    z = torch.randn(50, 8, generator=generator)
    for progress in (0.0, 0.5, 1.0):
        slope, bits = gradient(kind, z, progress)
        check_bits(bits)
        assert torch.isfinite(slope).all()
        assert float(slope.min()) >= 0
        assert float(slope.sum()) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_after_training_all_round_to_the_sign(kind):
    bottleneck = BinaryBottleneck(kind, 3)
    z = torch.tensor([[-0.2, 0.0, 4.0]])
    assert bottleneck.code(z).tolist() == [[-1.0, 1.0, 1.0]]
    assert torch.equal(bottleneck.values(bottleneck.code(z)), bottleneck.nearest(z))


def test_deterministic_bottlenecks_have_the_gradient_of_their_surrogate():
    z = torch.tensor([[-2.0, -0.4, 0.0, 0.15, 0.4, 2.0]])
    assert torch.allclose(gradient("tanh", z)[0], 1 - z.tanh() ** 2)
    assert torch.equal(gradient("tanh", z)[1], bernoulli_bottleneck(z))
    assert torch.equal(gradient("identity", z)[0], torch.ones_like(z))
    assert torch.equal(gradient("clipped", z)[0], (z.abs() < 1).float())
    steep = SLOPES[1]
    assert torch.equal(gradient("annealed", z, 1.0)[0], steep * (z.abs() < 1 / steep).float())
    assert torch.equal(gradient("annealed", z, 0.0)[0], gradient("clipped", z)[0])


@pytest.mark.parametrize("kind", ["stochastic", "concrete"])
def test_noise_gives_the_probability_of_the_logit(kind):
    """Of both, P(+1) = (1 + tanh z) / 2."""
    z = torch.tensor([[-1.0, 0.0, 0.5]]).expand(20_000, -1)
    _, bits = gradient(kind, z)
    assert torch.allclose(bits.mean(0), z[0].tanh(), atol=0.03)


def test_noise_depends_on_the_generator_alone(generator):
    z = torch.randn(20, 8, generator=generator)
    for kind in ("stochastic", "concrete", "noisy"):
        assert torch.equal(gradient(kind, z)[1], gradient(kind, z)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_is_created_with_its_device(kind):
    logits, noise = torch.zeros(4, 8), torch.Generator().manual_seed(0)
    with ExplicitDevices():
        bottleneck = BinaryBottleneck(kind, 8)
        values, _ = bottleneck(logits, 0.5, noise)
        bottleneck.nearest(bottleneck.values(bottleneck.code(values)))
