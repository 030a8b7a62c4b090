"""Public functions refuse input of the wrong type, range or shape."""

import pytest
import torch

from lbae_lib import bits
from lbae_lib.coding.codec import Codec
from lbae_lib.latent.bit_models import Factorised
from lbae_lib.latent.correlation import gram_matrix
from lbae_lib.latent.moments import moments
from lbae_lib.metrics import corruptions, image_formats
from lbae_lib.metrics.classifier import ClassifierFeatures, FeatureClassifier, accuracy
from lbae_lib.metrics.classifier_training import train_classifier
from lbae_lib.models.autoencoders import LBAE
from lbae_lib.models.encoding import decode, encode, mean_image_loss, to_uint8, to_unit_range
from lbae_lib.models.model_files import load_model, save_model

IMAGES = torch.randint(256, (4, 1, 32, 32), dtype=torch.uint8)
UNIT = IMAGES / 255
LATENTS = bits.signs(torch.randn(4, 8))


@pytest.mark.parametrize(
    "use",
    [
        lambda x: corruptions.blurred(x, 1.0),
        lambda x: corruptions.noisy(x, 0.1, torch.Generator()),
        corruptions.sharpness,
        image_formats.jpeg_round_trip,
        ClassifierFeatures(FeatureClassifier(1, 2).eval(), "x"),
        lambda x: accuracy(FeatureClassifier(1, 2).eval(), x, torch.zeros(4).long()),
        lambda x: train_classifier(x, torch.arange(4) % 2, batch_size=2, show_progress=False),
        lambda x: mean_image_loss(x, x, "mse"),
        to_unit_range,
    ],
)
def test_levels_in_unit_range_are_no_uint8(use):
    with pytest.raises(ValueError, match="must be uint8"):
        use(UNIT)


def test_a_model_takes_images_in_unit_range(model):
    assert model.encode(UNIT).shape == (4, 8)
    model.encode(UNIT + 0.01 * torch.randn_like(UNIT))  # an overshoot is none of another range
    for wrong in (IMAGES, UNIT[:, :, :16], UNIT[0]):
        with pytest.raises(ValueError, match="must be real numbers in"):
            model.encode(wrong)
    for wrong in (UNIT * 255, UNIT * 2 - 1, UNIT / 0):
        with pytest.raises(ValueError, match="rescale"):
            model.encode(wrong)
    with pytest.raises(ValueError, match="must be real numbers"):
        to_uint8(IMAGES)
    with pytest.raises(ValueError, match=r"ndarray, but must be a torch\.Tensor"):
        encode(model, IMAGES.numpy())


def test_latents_are_bits(model):
    assert isinstance(model, LBAE)
    assert model.decode(LATENTS).shape == (4, 1, 32, 32)
    for wrong in ((LATENTS + 1) / 2, LATENTS * 0.5, LATENTS > 0, LATENTS.numpy()):
        for use in (
            lambda x: model.decode(x),
            lambda x: decode(model, x),
            moments,
            bits.pack_bits,
        ):
            with pytest.raises(ValueError, match=r"-1 and|must hold"):
                use(wrong)
    for use in (moments, bits.pack_bits):
        with pytest.raises(ValueError, match=r"must be \(K, N\)"):
            use(LATENTS[0])
    with pytest.raises(ValueError, match="must be uint8"):
        bits.unpack_bits(LATENTS[:, :1], 8)
    with pytest.raises(ValueError, match="must be square"):
        gram_matrix(torch.zeros(2, 3))


def test_a_codec_takes_latents_of_its_width_and_known_coders():
    codec = Codec(Factorised(torch.full((8,), 2**15)), None, "a" * 64, "b" * 64, 1, 32)
    with pytest.raises(ValueError, match=r"must be \(K, 8\)"):
        codec.compress(LATENTS[:, :7], "packed")
    with pytest.raises(ValueError, match="no coder 'zip'"):
        codec.compress(LATENTS, "zip")


def test_paths_may_be_text(tmp_path, model):
    path = str(tmp_path / "model.safetensors")
    save_model(path, model.state_dict(), model.config, {})
    found, _ = load_model(path)
    assert found.config == model.config
