"""The authors' published weights: networks as their code builds them, under their names."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from companion.experiments.encoding import encode_experiment
from companion.experiments.profiles import load_experiment
from companion.experiments.training import import_authors_weights, train_experiment
from companion.workflow.execute import run_notebook
from lbae_lib.errors import CheckpointError
from lbae_lib.models.authors_weights import authors_names, read_authors_weights
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.model_files import load_autoencoder, save_model

NETWORKS = {
    "mnist": NetworkConfig(32, 1, 20, width=4, entry_channels=1),
    "cifar10": NetworkConfig(32, 3, 30, width=4),
    "celeba": NetworkConfig(64, 3, 40, width=4),
    "mnist VAE": NetworkConfig(32, 1, 7, width=4, entry_channels=1, kind="vae"),
    "celeba VAE": NetworkConfig(64, 3, 9, width=4, kind="vae"),
}


def act(x):
    return functional.leaky_relu(x, 0.02)


class Part(nn.Module):
    """Layers by name, and blocks of them."""

    def convolution(self, name, inputs, outputs, size, transposed=False):
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d
        stride = 2 if size == 4 else 1
        setattr(self, name, kind(inputs, outputs, size, stride, 1, bias=False))

    def block(self, number, inputs, outputs, first, transposed=False):
        self.convolution(f"{first}{number}", inputs, outputs, 4, transposed)
        self.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        for inner in (1, 2):
            self.convolution(f"b{number}{inner}", outputs, outputs, 3, transposed)
            self.add_module(f"bn{number}{inner}", nn.BatchNorm2d(outputs))

    def run_block(self, x, number, first):
        def at(name):
            return getattr(self, name)

        skip = at(f"bn{number}")(at(f"{first}{number}")(x))
        x = act(at(f"bn{number}1")(at(f"b{number}1")(act(skip))))
        return act(at(f"bn{number}2")(at(f"b{number}2")(x)) + skip)


class Encoder(Part):
    def __init__(self, c: NetworkConfig):
        super().__init__()
        w = c.width
        self.numbers = (1, 2, 3) if c.image_size == 64 else (1, 2)
        widths = (w, w, 2 * w, 4 * w)
        self.convolution("ec0", c.channels, w, 3)
        self.bn0 = nn.BatchNorm2d(w)
        for n in self.numbers:
            self.block(n, widths[n - 1], widths[n], "ec")
        self.convolution("ec4", widths[self.numbers[-1]], 4 * w, 4)
        self.heads = ("l0l",) if c.kind == "lbae" else ("l1", "l2")
        for head in self.heads:
            self.add_module(head, nn.Linear(4 * w * 16, c.latent_size))

    def forward(self, x):
        x = act(self.bn0(self.ec0(x)))
        for n in self.numbers:
            x = self.run_block(x, n, "ec")
        x = self.ec4(x).flatten(1)
        return [getattr(self, head)(x) for head in self.heads]


class Decoder(Part):
    def __init__(self, c: NetworkConfig):
        super().__init__()
        w = c.width
        self.numbers = (1, 2, 3) if c.image_size == 64 else (2, 3)
        widths = {1: 4 * w, 2: 2 * w, 3: w}
        inputs = c.entry_channels or widths[self.numbers[0]]
        self.maps = inputs
        self.l1l = nn.Linear(c.latent_size, inputs * 16)
        for n in self.numbers:
            self.block(n, inputs, widths[n], "dc", transposed=True)
            inputs = widths[n]
        self.convolution("dc4", w, w, 4, transposed=True)
        self.bn4 = nn.BatchNorm2d(w)
        self.convolution("dc5", w, c.channels, 3, transposed=True)

    def forward(self, z):
        x = self.l1l(z).view(len(z), self.maps, 4, 4)
        for n in self.numbers:
            x = self.run_block(x, n, "dc")
        return torch.sigmoid(self.dc5(act(self.bn4(self.dc4(x)))))


def published(config: NetworkConfig):
    """Networks whose statistics are no longer those of the start."""
    torch.manual_seed(3)
    encoder, decoder = Encoder(config), Decoder(config)
    with torch.no_grad():
        for _ in range(2):
            decoder(torch.randn(8, config.latent_size))
            encoder(torch.rand(8, config.channels, config.image_size, config.image_size))
    return encoder.eval(), decoder.eval()


def content(config: NetworkConfig) -> dict:
    encoder, decoder = published(config)
    return {"epoch": 12, "iter": 345, "loss_eval": np.float64(1.5),
            "gen": decoder.state_dict(), "enc": encoder.state_dict()}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_same_outputs_as_the_original_modules(name, tmp_path):
    config = NETWORKS[name]
    torch.save(content(config), tmp_path / "last.cp")
    found = read_authors_weights(tmp_path / "last.cp")
    assert found.network == config
    assert found.epoch == 12
    save_model(tmp_path / "model.safetensors", found.state, found.network, {}, halve=False)
    model, _ = load_autoencoder(tmp_path / "model.safetensors")
    encoder, decoder = published(config)
    images = torch.rand(5, config.channels, config.image_size, config.image_size)
    with torch.no_grad():
        features = model.trunk(images)
        ours = [model.head(features)] if config.kind == "lbae" else list(model.posterior(images))
        for mine, theirs in zip(ours, encoder(images), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)
        latents = torch.randn(5, config.latent_size)
        torch.testing.assert_close(model.decoder(latents), decoder(latents), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_module_has_a_name_of_its_own(name):
    names = authors_names(NETWORKS[name])
    modules = {key.rpartition(".")[0] for key in build_model(NETWORKS[name]).state_dict()}
    assert set(names) == modules
    assert len(set(names.values())) == len(names)


def test_archives_folders_and_old_files(tmp_path):
    config = NETWORKS["mnist"]
    (tmp_path / "mnist_a").mkdir()
    file = tmp_path / "mnist_a/last.cp"
    torch.save(content(config), file, _use_new_zipfile_serialization=False)  # as of 2020
    assert read_authors_weights(tmp_path / "mnist_a").network == config
    assert read_authors_weights(str(file)).network == config
    archive = tmp_path / "models.zip"
    with zipfile.ZipFile(archive, "w") as handle:
        handle.write(file, "mnist_a/last.cp")
        handle.writestr("mnist_a/log.txt", "text")
    assert read_authors_weights(archive).origin == "models.zip/mnist_a/last.cp"
    with zipfile.ZipFile(archive, "a") as handle:
        handle.write(file, "mnist_b/last.cp")
    with pytest.raises(CheckpointError, match=r"holds 2 experiments.*mnist_a, mnist_b"):
        read_authors_weights(archive)
    assert read_authors_weights(archive, "mnist_b").epoch == 12
    with pytest.raises(CheckpointError, match="no experiment 'c'"):
        read_authors_weights(archive, "c")
    with zipfile.ZipFile(archive, "a") as handle:
        handle.write(file, "deep/mnist_b/last.cp")
    with pytest.raises(
        CheckpointError, match=r"holds 2 experiments 'mnist_b'.*deep/mnist_b, mnist_b"
    ):
        read_authors_weights(archive, "mnist_b")
    assert read_authors_weights(archive, "deep/mnist_b").network == config


class Trap:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_in_the_file_is_executed(tmp_path):
    good = content(NETWORKS["mnist"])
    for protocol in ("torch", "pickle"):
        file = tmp_path / f"{protocol}.cp"
        trapped = good | {"loss_eval": Trap(tmp_path / "sprung")}
        if protocol == "torch":
            torch.save(trapped, file)
        else:
            file.write_bytes(pickle.dumps(trapped, protocol=2))
        with pytest.raises(CheckpointError, match="cannot be read as tensors"):
            read_authors_weights(file)
    assert not (tmp_path / "sprung").exists()


def test_an_archive_without_a_checkpoint_is_named(tmp_path):
    file = tmp_path / "other.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(CheckpointError, match=r"other\.zip holds no last\.cp"):
        read_authors_weights(file)


def test_what_does_not_fit_is_named(tmp_path):
    file = tmp_path / "last.cp"

    def refused(change, message):
        changed = content(NETWORKS["cifar10"])
        change(changed)
        torch.save(changed, file)
        with pytest.raises(CheckpointError, match=message):
            read_authors_weights(file)

    refused(lambda c: c.pop("enc"), "no state dicts 'enc' and 'gen'")
    refused(lambda c: c["enc"].pop("bn0.bias"), r"bn0\.bias is missing")
    refused(lambda c: c["gen"].update(extra=torch.zeros(2)), r"not have .gen\.extra")
    refused(
        lambda c: c["enc"]["ec1.weight"].resize_(4, 4, 4, 3), r"enc\.ec1\.weight.*\(4, 4, 4, 3\)"
    )
    refused(lambda c: c["enc"].update({"ec0.weight": torch.zeros(4, 2, 3, 3)}), "channels is 2")
    refused(lambda c: c["gen"]["dc5.weight"].fill_(float("nan")), r"dc5\.weight.*not finite")
    refused(lambda c: c["enc"].update({"ec0.weight": 3}), r"ec0\.weight is not a tensor of 4")
    refused(lambda c: c["gen"].update({"l1l.weight": torch.zeros(15, 600)}), "has 15 rows")
    with pytest.raises(CheckpointError, match=r"no last\.cp"):
        read_authors_weights(tmp_path / "nothing")
    torch.save(content(NETWORKS["cifar10"]), file)
    whole = file.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 30):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_authors_weights(file)


@pytest.fixture
def project(tmp_path, as_project):
    """A project whose profile fits the small MNIST network above."""
    own = "latent_size: 20, width: 4, entry_channels: 1, epochs: 1, validation_images: 137"
    return as_project(tmp_path, "notebooks", profile=f"datasets: {{digits: {{{own}}}}}")


def test_an_imported_model_takes_the_place_of_a_trained_one(project):
    experiment, data = load_experiment("own", "digits"), project / "data"
    torch.save(content(NETWORKS["mnist"]), project / "last.cp")
    path = import_authors_weights(experiment, project / "last.cp", data)
    record = json.loads((path.parent / "record.json").read_text())
    assert record["kind"] == "import"
    assert record["results"]["epochs"] == 12
    assert record["results"]["reconstruction_loss"]["test"] > 0
    assert encode_experiment(experiment, data).exists()
    with pytest.raises(CheckpointError, match="holds imported weights: remove it to train"):
        train_experiment(experiment, data)
    with pytest.raises(CheckpointError, match="already holds a model or a run"):
        import_authors_weights(experiment, project / "last.cp", data)
    torch.save(content(NETWORKS["cifar10"]), project / "last.cp")
    path.unlink()
    message = "channels 3 where it has 1, latent_size 30 where it has 20"
    with pytest.raises(CheckpointError, match=message):
        import_authors_weights(experiment, project / "last.cp", data)


@pytest.mark.slow
@pytest.mark.skipif("LBAE_TRIES" not in os.environ, reason="minutes: make reliability")
def test_the_page_of_an_imported_model_says_so(project):
    experiment, data = load_experiment("own", "digits"), project / "data"
    torch.save(content(NETWORKS["mnist"]), project / "last.cp")
    import_authors_weights(experiment, project / "last.cp", data)
    encode_experiment(experiment, data)
    assert "imported" in run_notebook("01_training", experiment, data).read_text()
