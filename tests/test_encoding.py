import pytest
import torch

from lbae_lib.bits import unpack_bits
from lbae_lib.errors import LbaeError
from lbae_lib.models.autoencoders import LBAE
from lbae_lib.models.encoding import (
    cycle_loss,
    decode,
    encode,
    mean_image_loss,
    reconstruction_losses,
    to_uint8,
    to_unit_range,
)


@pytest.fixture
def model(network, images):
    torch.manual_seed(0)
    model = LBAE(network)
    model(to_unit_range(images))  # move the batch-norm statistics
    return model.eval().requires_grad_(False)


def test_encoding_does_not_depend_on_the_batch(model, images):
    packed = encode(model, images)
    assert packed.shape == (80, 2)
    assert torch.equal(encode(model, images, batch_size=7), packed)
    alone = model.encode(to_unit_range(images[5:6]))
    assert torch.equal(unpack_bits(packed[5:6], 12), alone)


def test_encoding_in_training_mode_is_refused(model, images):
    with pytest.raises(ValueError, match=r"model\.eval"):
        encode(model.train(), images)


def test_decoding_rounds_to_the_nearest_level(model, images):
    bits = unpack_bits(encode(model, images), 12)
    decoded = decode(model, bits, batch_size=9)
    assert decoded.dtype == torch.uint8
    exact = model.decode(bits) * 255
    assert float((decoded.float() - exact).abs().max()) <= 0.501


def test_levels_survive_a_round_trip():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_uint8(to_unit_range(levels)), levels)


def test_losses_of_images_and_of_the_mean_image(model, images):
    losses = reconstruction_losses(model, images, "mse", batch_size=11)
    unit = to_unit_range(images)
    expected = (model(unit).sigmoid() - unit).square().sum((1, 2, 3)).double()
    torch.testing.assert_close(losses, expected)
    mean = (unit.double().sum(0) + 1) / (len(images) + 2)
    by_hand = float((unit.double() - mean).square().sum((1, 2, 3)).mean())
    assert mean_image_loss(images, images, "mse") == pytest.approx(by_hand)
    binary = (images > 128).to(torch.uint8) * 255
    lit = binary.double().mean(0) / 255
    p = (lit * len(images) + 1) / (len(images) + 2)
    entropy = -(lit * p.log() + (1 - lit) * (1 - p).log()).sum()
    assert mean_image_loss(binary, binary, "bce") == pytest.approx(float(entropy), rel=1e-6)
    # A pixel that no training image lights does not make the loss infinite.
    dark = torch.zeros_like(binary)
    assert mean_image_loss(dark, binary, "bce") < float("inf")


def test_cycle_loss_by_hand(model, images):
    bits = unpack_bits(encode(model, images), 12)
    again = unpack_bits(encode(model, decode(model, bits)), 12)
    expected = (again != bits).double().mean(1)
    assert torch.equal(cycle_loss(model, bits), expected)
    with pytest.raises(ValueError, match="must be"):
        cycle_loss(model, bits[0])


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("GPU"), RuntimeError("can't allocate memory")]
)
def test_batches_are_halved_where_memory_does_not_suffice(
    model, images, monkeypatch, caplog, error
):
    whole, plain = encode(model, images), model.encode

    def small(fits):
        def limited(rows):
            if len(rows) > fits:
                raise error
            return plain(rows)

        return limited

    monkeypatch.setattr(model, "encode", small(20))
    assert torch.equal(encode(model, images), whole)
    assert [r.message.split(": ")[1] for r in caplog.records] == ["batches of 32", "batches of 16"]
    monkeypatch.setattr(model, "encode", small(0))
    with pytest.raises(LbaeError, match="not even one image fits"):
        encode(model, images)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_at_least_one_row(model, images, size):
    with pytest.raises(ValueError, match=f"batch_size is {size}, but must be at least 1"):
        encode(model, images, size)
    with pytest.raises(ValueError, match="at least 1"):
        decode(model, torch.ones(2, model.config.latent_size), size)


def test_no_images_have_no_latents(model, images):
    assert encode(model, images[:0]).shape == (0, 2)


def test_images_of_other_types_and_shapes_are_refused(model, images):
    """Images in [0, 1] would be divided by 255 again."""
    for wrong in (images / 255, images.repeat(1, 3, 1, 1), images[..., :16, :16], images[0]):
        for function in (encode, lambda m, x: reconstruction_losses(m, x, "bce")):
            with pytest.raises(ValueError, match=r"must be uint8 \(K, 1, 32, 32\); convert"):
                function(model, wrong)
    assert torch.equal(encode(model, to_uint8(images / 255)), encode(model, images))


def test_latents_that_are_no_bits_are_refused(model, images):
    bits = unpack_bits(encode(model, images[:3]), 12)
    with pytest.raises(ValueError, match=r"latents of an LBAE must hold only -1 and \+1"):
        decode(model, (bits + 1) / 2)
    with pytest.raises(ValueError, match=r"of shape \(3, 11\), but must be \(K, 12\)"):
        decode(model, bits[:, :11])
    assert torch.equal(decode(model, bits.to(torch.int8)), decode(model, bits))
