"""Models as directories, on a hub, as exported programs, and by name."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from conftest import PROJECT

from lbae_lib.errors import CheckpointError, WriteError
from lbae_lib.models import sharing
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.model_files import load_autoencoder, save_model


@pytest.fixture(params=["lbae", "vae"])
def trained(request, network, tmp_path):
    """A folder as training leaves it."""
    config = replace(network, kind=request.param)
    torch.manual_seed(2)
    model = build_model(config)
    folder = tmp_path / "results/quick/digits" / request.param
    save_model(folder / "model.safetensors", model.state_dict(), config, {"epoch": 3})
    (folder / "record.json").write_text("{}")
    return folder


def same(a, b):
    assert a.config == b.config
    images = torch.rand(3, a.config.channels, a.config.image_size, a.config.image_size)
    assert torch.equal(a.encode(images), b.encode(images))
    latents = torch.randn(3, a.config.latent_size).sign()
    assert torch.equal(a.decode(latents), b.decode(latents))


def test_a_directory_and_back(trained, tmp_path):
    target = tmp_path / "shared"
    sharing.export_model(trained, target)
    names = {p.name for p in target.iterdir()}
    assert names == {"model.safetensors", "config.json", "record.json", "README.md"}
    same(sharing.load_shared(target), load_autoencoder(trained / "model.safetensors")[0])
    assert "- epoch: 3" in (target / "README.md").read_text()


def test_an_export_replaces_an_export_and_nothing_else(trained, tmp_path):
    target = tmp_path / "shared"
    sharing.export_model(trained, target, programs=True)
    (trained / "record.json").unlink()
    sharing.export_model(trained, target)
    assert {p.name for p in target.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/README.md").write_text("mine")
    (tmp_path / "mine/encoder.pt2").write_text("mine")
    with pytest.raises(WriteError, match=r"mine holds other files than an earlier export"):
        sharing.export_model(trained, tmp_path / "mine")
    assert (tmp_path / "mine/README.md").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WriteError, match="is a file"):
        sharing.export_model(trained, tmp_path / "file")
    for force in (False, True):
        with pytest.raises(WriteError, match="is the model's own folder"):
            sharing.export_model(trained, trained, force=force)
    sharing.export_model(trained, tmp_path / "mine", force=True)
    assert (tmp_path / "mine/encoder.pt2").read_text() == "mine"
    same(sharing.load_shared(tmp_path / "mine"), sharing.load_shared(target))


def test_an_edited_readme_is_kept(trained, tmp_path):
    target = tmp_path / "shared"
    sharing.export_model(trained, target)
    (target / "README.md").write_text("mine")
    with pytest.raises(WriteError, match=r"README\.md has been edited since it was exported"):
        sharing.export_model(trained, target)
    assert (target / "README.md").read_text() == "mine"
    sharing.export_model(trained, target, force=True)
    assert (target / "README.md").read_text() != "mine"


def test_directories_that_are_none(trained, tmp_path):
    target = tmp_path / "shared"
    sharing.export_model(trained, target)
    config = json.loads((target / "config.json").read_text())
    for change, message in (
        ({"version": 2}, r"version 2, but .* reads 1 to 1: update"),
        ({"format": "other"}, "not a model that"),
        ({"model_sha256": "0" * 64}, "not the file that config.json"),
    ):
        (target / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(CheckpointError, match=message):
            sharing.load_shared(target)
    for text in ("{", "[]", "3"):
        (target / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"config\.json"):
            sharing.load_shared(target)
    with pytest.raises(CheckpointError, match="no description of a shared model"):
        sharing.load_shared(tmp_path / "nothing")


def test_the_hub_keeps_a_model(trained, tmp_path):
    model, _ = load_autoencoder(trained / "model.safetensors")
    sharing.HubModel(model).save_pretrained(tmp_path / "hub")
    same(sharing.HubModel.from_pretrained(str(tmp_path / "hub")).model, model)
    assert 'HubModel.from_pretrained("hub").model' in (tmp_path / "hub/README.md").read_text()
    sharing.export_model(trained, tmp_path / "hub", programs=True)
    sharing.HubModel(model).save_pretrained(tmp_path / "hub")  # of which the record is not
    names = {p.name for p in (tmp_path / "hub").iterdir()}
    assert names == {"model.safetensors", "config.json", "README.md"}


def test_a_model_goes_to_the_hub_and_comes_back(trained, tmp_path, monkeypatch):
    """What is uploaded is a directory that load_shared reads; options reach the Hub's client."""
    import huggingface_hub

    model, _ = load_autoencoder(trained / "model.safetensors")
    calls = []

    class Api:
        def __init__(self, token):
            calls.append(token)

        def create_repo(self, repo_id, **options):
            calls.append((repo_id, options))

        def upload_folder(self, repo_id, folder_path, **options):
            shutil.copytree(folder_path, tmp_path / "uploaded")
            calls.append((repo_id, options))
            return "the commit"

    def download(repo_id, **options):
        calls.append((repo_id, options))
        return str(tmp_path / "uploaded")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    hub = sharing.HubModel(model)
    assert hub.push_to_hub("me/lbae", token="t", commit_message="new") == "the commit"
    same(sharing.HubModel.from_pretrained("me/lbae", revision="v1").model, model)
    card = (tmp_path / "uploaded/README.md").read_text()
    assert 'HubModel.from_pretrained("me/lbae").model' in card
    assert calls == [
        "t",
        ("me/lbae", {"private": None, "exist_ok": True}),
        ("me/lbae", {"commit_message": "new"}),
        ("me/lbae", {"revision": "v1"}),
    ]


def test_programs_take_batches_of_any_size(trained, tmp_path):
    sharing.export_model(trained, tmp_path / "shared", programs=True)
    model, _ = load_autoencoder(trained / "model.safetensors")
    encoder, decoder = (
        torch.export.load(tmp_path / f"shared/{name}.pt2").module() for name in sharing.PROGRAMS
    )
    assert not [name for name in encoder.state_dict() if name.startswith("decoder")]
    for count in (1, 2, 7):
        images = torch.rand(count, 1, 32, 32)
        torch.testing.assert_close(encoder(images), model.encode(images))
        latents = model.encode(images)
        torch.testing.assert_close(decoder(latents), model.decode(latents))


def test_models_by_name(trained, tmp_path):
    kind = trained.name
    found = sharing.pretrained("digits", "quick", kind, root=tmp_path)
    same(found, load_autoencoder(trained / "model.safetensors")[0])
    with pytest.raises(CheckpointError, match=f"there are quick/digits/{kind} "):
        sharing.pretrained("mnist", root=tmp_path)
    with pytest.raises(CheckpointError, match=r"no results/ in .*Clone it and call pretrained"):
        sharing.pretrained("mnist", root=tmp_path / "elsewhere")
    shutil.copy(PROJECT / "hubconf.py", tmp_path)
    hub = torch.hub.load(str(tmp_path), "lbae", "digits", "quick", kind, source="local")
    same(hub, found)
