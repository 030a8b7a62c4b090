import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from companion.analysis.network_stages import sizes, stages
from lbae_lib.errors import ConfigError
from lbae_lib.latent.baselines import UniformBits
from lbae_lib.models.autoencoders import LBAE, VAE, build_model, reconstruction_loss
from lbae_lib.models.binarization import bernoulli_bottleneck, straight_through_sign
from lbae_lib.models.config import MODELS, NetworkConfig
from lbae_lib.models.networks import ResidualBlock, parameter_count

# Read from the authors' public code.
PUBLISHED = {
    "mnist": (NetworkConfig(32, 1, 200, entry_channels=1), 1_910_792, 572_368),
    "cifar10": (NetworkConfig(32, 3, 600), 3_550_744, 2_061_248),
    "celeba": (NetworkConfig(64, 3, 1500), 9_467_804, 9_470_400),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameter_counts(name):
    config, encoder, decoder = PUBLISHED[name]
    model = LBAE(config)
    assert sizes(model) == (encoder, decoder)
    assert parameter_count(model) == encoder + decoder
    assert sum(stage.parameters for stage in stages(model)) == encoder + decoder


@pytest.mark.parametrize(("size", "channels"), [(32, 1), (32, 3), (64, 1), (64, 3)])
@pytest.mark.parametrize("width", [1, 6])
@pytest.mark.parametrize("entry", [None, 1, 5])
def test_shapes_and_ranges(size, channels, width, entry):
    model = LBAE(NetworkConfig(size, channels, 10, width, entry)).eval()
    images = torch.rand(3, channels, size, size)
    bits = model.encode(images)
    assert bits.shape == (3, 10)
    assert bool((bits.abs() == 1).all())
    decoded = model.decode(bits).detach()
    assert decoded.shape == images.shape
    assert 0 <= float(decoded.min()) <= float(decoded.max()) <= 1
    torch.testing.assert_close(model(images).sigmoid().detach(), decoded)


def test_stages_follow_the_shapes_of_the_paper():
    listed = stages(LBAE(NetworkConfig(64, 3, 1500)))
    assert [s.shape for s in listed] == [
        (64, 64, 64), (64, 32, 32), (128, 16, 16), (256, 8, 8), (256, 4, 4), (1500,),
        (4096,), (256, 8, 8), (128, 16, 16), (64, 32, 32), (64, 64, 64), (3, 64, 64),
    ]  # fmt: skip


def test_gradient_of_the_sign_is_the_identity():
    z = torch.randn(50, requires_grad=True)
    weights = torch.randn(50)
    (straight_through_sign(z) * weights).sum().backward()
    assert torch.equal(z.grad, weights)


def test_gradient_of_the_bottleneck_is_that_of_tanh():
    z = torch.linspace(-4, 4, 51, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(51, dtype=torch.float64)
    (bernoulli_bottleneck(z) * weights).sum().backward()
    torch.testing.assert_close(z.grad, weights * (1 - torch.tanh(z.detach()) ** 2))
    assert torch.equal(bernoulli_bottleneck(z.detach()), torch.where(z >= 0, 1.0, -1.0).double())


def test_residual_block_by_hand():
    torch.manual_seed(0)
    block = ResidualBlock(3, 4, transposed=False).eval()
    x = torch.randn(2, 3, 8, 8)
    leaky = torch.nn.LeakyReLU(0.02)
    skip = block.resize_norm(block.resize(x))
    y = block.norm2(block.conv2(leaky(block.norm1(block.conv1(leaky(skip))))))
    torch.testing.assert_close(block(x), leaky(y + skip))


def test_initial_weights():
    torch.manual_seed(0)
    model = LBAE(NetworkConfig(32, 3, 100))
    kernels = [p for n, p in model.named_parameters() if p.ndim == 4]
    everything = torch.cat([k.flatten() for k in kernels])
    assert abs(float(everything.detach().std()) - 0.02) < 1e-4
    convolutions = [m for m in model.modules() if "Conv" in type(m).__name__]
    assert all(m.bias is None for m in convolutions)


def test_losses_by_hand():
    logits, images = torch.randn(4, 3, 5, 5), torch.rand(4, 3, 5, 5)
    p = logits.sigmoid()
    bce = -(images * p.log() + (1 - images) * (1 - p).log())
    torch.testing.assert_close(reconstruction_loss(logits, images, "bce"), bce.sum((1, 2, 3)))
    mse = (p - images) ** 2
    torch.testing.assert_close(reconstruction_loss(logits, images, "mse"), mse.sum((1, 2, 3)))
    with pytest.raises(ValueError, match="'bce' or 'mse'"):
        reconstruction_loss(logits, images, "l1")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((32, 1, 0), "latent_size is 0"),
        ((32, 1, True), "latent_size is True"),
        ((32, 1, 2**40), "latent_size is 1099511627776"),
        ((32, 1, 8, 0), "width is 0"),
        ((32, 1, 8, 2, 0), "entry_channels is 0"),
        ((32, 2, 8), "channels is 2, but must be 1 or 3"),
        ((32, 1, 8, 2, 1, "gan"), "kind is 'gan'"),
        ((28, 1, 8), "image_size is 28"),
    ],
)
def test_impossible_shapes_are_refused(shape, message):
    with pytest.raises(ConfigError, match=message):
        NetworkConfig(*shape)


def test_the_vae_has_the_trunk_of_the_lbae_and_two_heads():
    config = NetworkConfig(32, 1, 16, entry_channels=1, kind="vae")
    vae, lbae = build_model(config), build_model(replace(config, kind="lbae"))
    assert isinstance(vae, VAE)
    assert isinstance(lbae, LBAE)
    assert parameter_count(vae) == parameter_count(lbae) + parameter_count(lbae.head)
    assert parameter_count(vae.decoder) == parameter_count(lbae.decoder)


def test_the_vaes_divergence_is_that_of_its_gaussians():
    torch.manual_seed(0)
    vae = VAE(NetworkConfig(32, 1, 5, width=2, kind="vae")).eval().requires_grad_(False)
    images = torch.rand(4, 1, 32, 32)
    mean, log_variance = vae.posterior(images)
    logits, kl = vae(images)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(5), torch.ones(5))
    torch.testing.assert_close(kl, torch.distributions.kl_divergence(posterior, prior).sum(1))
    torch.testing.assert_close(logits.sigmoid(), vae.decode(mean))
    noise = torch.randn(4, 5)
    sampled = vae.decode(mean + (log_variance / 2).exp() * noise)
    torch.testing.assert_close(vae(images, noise)[0].sigmoid(), sampled)
    vae.log_variance.bias += 50
    assert float(vae.train().posterior(images)[1].max()) == 10
    assert float(vae.eval().posterior(images)[1].max()) > 40


def test_freed_memory_is_kept_where_the_c_library_can():
    """In a process of its own: the advice cannot be taken back."""
    code = (
        "import resource, torch\n"
        "from lbae_lib.models.hardware import keep_freed_memory\n"
        "if keep_freed_memory():\n"
        "    for _ in range(8): torch.zeros(1 << 24)\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(5): torch.zeros(1 << 24)\n"
        "    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "    assert faults < 20000, faults  # mapped anew, 64 MiB are 16384 faults each time\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", MODELS)
def test_any_real_dtype_becomes_that_of_the_weights(kind, generator):
    plain = build_model(NetworkConfig(32, 1, 5, width=2, kind=kind)).eval()
    images = torch.rand(3, 1, 32, 32, generator=generator)
    bits = UniformBits(5).sample(3, generator)  # float64
    for model in (plain, plain.double(), plain.bfloat16()):
        dtype = next(model.parameters()).dtype
        found = model.decode(bits)
        assert found.dtype == dtype
        for other in (torch.int8, torch.float16, torch.bfloat16, torch.float32):
            assert torch.equal(model.decode(bits.to(other)), found)
        assert torch.equal(model.encode(images.double()), model.encode(images))
        assert model.train().decode(bits).dtype == dtype
        with pytest.raises(RuntimeError):  # would be levels of 0 to 255
            model.encode(images.byte())
        model.eval()
