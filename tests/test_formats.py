"""Files that earlier versions wrote stay readable: models, latents and a checkpoint of format 1."""

import gzip

import pytest
import torch
from conftest import PROJECT

from lbae_lib.bits import unpack_bits
from lbae_lib.files import read_tensors, sha256_file, sha256_tensor
from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.encoding import decode, encode, encode_posterior, reconstruction_losses
from lbae_lib.models.hardware import Hardware
from lbae_lib.models.model_files import load_autoencoder, load_model, load_vae
from lbae_lib.models.training import train
from lbae_lib.models.training_state import CHECKPOINT_FILE

FOLDER = PROJECT / "tests/data/formats"


@pytest.fixture(scope="module")
def blobs():
    """What the files were made of: blobs at places that no random numbers decide."""
    index, pixel = (torch.arange(n, dtype=torch.float64) for n in (80, 32))
    ratios = (0.618033988749895, 0.754877666246693)
    x, y = ((8 + 16 * (index * ratio % 1)).view(-1, 1, 1) for ratio in ratios)
    square = (pixel.view(1, 1, -1) - x) ** 2 + (pixel.view(1, -1, 1) - y) ** 2
    images = (255 * torch.exp(-square / 20)).round().to(torch.uint8).unsqueeze(1)
    assert sha256_tensor(images).startswith("b5a893eb14487204")
    return images


# Images whose encoder outputs are all at least 0.05 from zero, where no rounding flips a bit.
CLEAR = [0, 1, 3, 4, 6, 7, 8, 10, 12, 15, 16, 17]
PACKED = [159, 37, 200, 157, 4, 157, 152, 127, 157, 159, 152, 39]
SCHEDULE = TrainingConfig("bce", epochs=30, batch_size=16, learning_rate=0.01, cooldown_epochs=10)


def test_a_model(blobs):
    model, about = load_model(FOLDER / "lbae.safetensors")
    assert model.config == NetworkConfig(32, 1, 8, width=1, entry_channels=1)
    assert about["epoch"] == 30
    assert TrainingConfig(**about["training"]) == SCHEDULE
    assert encode(model, blobs[CLEAR]).flatten().tolist() == PACKED
    losses = reconstruction_losses(model, blobs[CLEAR], "bce")
    assert losses[:3].tolist() == pytest.approx([181.7401, 128.0951, 130.9692], rel=1e-4)
    decoded = decode(model, unpack_bits(encode(model, blobs[CLEAR]), 8)).double()
    assert decoded.mean((1, 2, 3))[:2].tolist() == pytest.approx([17.5605, 15.5166], abs=0.01)
    again, _ = load_autoencoder(str(FOLDER / "lbae.safetensors"))
    assert torch.equal(again.decoder.linear.weight, model.decoder.linear.weight)


def test_a_vae(blobs):
    model, about = load_vae(FOLDER / "vae.safetensors")
    assert model.config == NetworkConfig(32, 1, 3, width=1, entry_channels=1, kind="vae")
    assert about["validation_loss"] == pytest.approx(25.18619728)
    mean, log_variance = encode_posterior(model, blobs[:2])
    expected = [[-0.313065, -0.033331, -0.041967], [-1.139906, -0.176034, -0.491170]]
    torch.testing.assert_close(mean, torch.tensor(expected), rtol=1e-4, atol=1e-5)
    expected = [[-0.410283, -0.300712, -0.312496], [-0.886743, -0.385694, -0.720013]]
    torch.testing.assert_close(log_variance, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_latents(blobs):
    latents, about = read_tensors(FOLDER / "lbae-latents.safetensors", "latents")
    assert {name: len(part) for name, part in latents.items()} == {
        "train": 60, "validation": 4, "test": 16,
    }  # fmt: skip
    assert about["latent_size"] == 8
    assert about["model_sha256"] == sha256_file(FOLDER / "lbae.safetensors")
    assert about["images_sha256"]["test"] == sha256_tensor(blobs[64:])
    assert latents["train"][CLEAR].flatten().tolist() == PACKED


def test_a_checkpoint(blobs, tmp_path):
    """It was written in the middle of the second of two epochs, and is resumed."""
    content = gzip.decompress((FOLDER / "lbae-checkpoint.safetensors.gz").read_bytes())
    (tmp_path / CHECKPOINT_FILE).write_bytes(content)
    network = NetworkConfig(32, 1, 8, width=1, entry_channels=1)
    schedule = TrainingConfig("bce", 2, batch_size=16, learning_rate=0.01, cooldown_epochs=1)
    found = read_tensors(tmp_path / CHECKPOINT_FILE, "checkpoint")[1]
    assert (found["epoch"], found["step"]) == (1, 2)

    def resume(**options):
        return train(
            network, schedule, blobs[:64], blobs[64:], tmp_path,
            hardware=Hardware("cpu", "32-true"), show_progress=False, **options,
        )  # fmt: skip

    part = resume(time_limit=0.0)
    assert (part.finished, part.epochs, part.best_epoch) == (False, 1, 1)
    assert part.best_validation_loss == pytest.approx(709.845337)
    after = read_tensors(tmp_path / CHECKPOINT_FILE, "checkpoint")[1]
    assert (after["epoch"], after["step"], after["history"]) == (1, 3, found["history"])
    whole = resume()
    assert whole.finished
    assert whole.seconds > found["seconds"]
    assert load_model(tmp_path / "model.safetensors")[1]["epoch"] == 1
