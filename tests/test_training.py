"""Training: resumable to the bit, stopped cleanly, nothing half-written."""

import json
import math
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest
import torch

from lbae_lib.errors import CheckpointError, ConfigError, WriteError
from lbae_lib.files import read_tensors, write_tensors
from lbae_lib.locks import locked
from lbae_lib.models import model_files, training, training_run
from lbae_lib.models.encoding import encode_posterior
from lbae_lib.models.hardware import Hardware, start_fabric
from lbae_lib.models.model_files import MODEL_FILE, PROGRESS_FILE, load_model, load_vae, save_model
from lbae_lib.models.training import train
from lbae_lib.models.training_run import TrainingRun
from lbae_lib.models.training_state import CHECKPOINT_FILE, Identity

CPU = Hardware("cpu")


def weights(folder):
    tensors, _ = read_tensors(folder / MODEL_FILE, "model")
    return tensors


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture
def run(network, schedule, images, monkeypatch):
    """Train on the blobs; returns the result."""

    def start(folder, schedule=schedule, **options):
        options = {"hardware": CPU, "show_progress": False, **options}
        return train(network, schedule, images[:64], images[64:], folder, **options)

    return start


def test_training_lowers_the_loss_and_keeps_the_best_epoch(run, schedule, tmp_path):
    result = run(tmp_path, replace(schedule, epochs=8, cooldown_epochs=0))
    history = [json.loads(line) for line in (tmp_path / PROGRESS_FILE).read_text().splitlines()]
    assert [h["epoch"] for h in history] == list(range(1, 9))
    validation = [h["validation_loss"] for h in history]
    assert validation[-1] < 0.8 * validation[0]
    assert result.best_validation_loss == min(validation)
    assert result.best_epoch == 1 + validation.index(min(validation))
    model, about = load_model(tmp_path / MODEL_FILE)
    assert about["epoch"] == result.best_epoch
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_same_seed_same_weights_and_another_seed_others(run, schedule, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(tmp_path / name, replace(schedule, seed=seed))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


@pytest.fixture
def vae_run(network, schedule, images):
    def start(folder, **options):
        vae = replace(network, kind="vae", latent_size=4)
        weighted = replace(schedule, kl_weight=10.0, epochs=6)
        return train(
            vae, weighted, images[:64], images[64:], folder, hardware=CPU, show_progress=False,
            **options,
        )  # fmt: skip

    return start


def test_a_vae_trains_and_resumes_with_the_same_noise(vae_run, tmp_path):
    vae_run(tmp_path / "whole")
    history = [
        json.loads(line) for line in (tmp_path / "whole" / PROGRESS_FILE).read_text().splitlines()
    ]
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    while not vae_run(tmp_path / "parts", time_limit=0.0).finished:
        pass
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    model, _ = load_vae(tmp_path / "whole" / MODEL_FILE)
    assert not model.training
    with pytest.raises(CheckpointError, match="holds a vae, but an lbae"):
        load_model(tmp_path / "whole" / MODEL_FILE)


def test_the_weight_of_the_divergence_matters(network, schedule, images, tmp_path):
    """A heavy KL term pulls the posteriors to the prior."""
    spread = {}
    for weight in (0.0, 1000.0):
        folder = tmp_path / str(weight)
        vae = replace(network, kind="vae", latent_size=4)
        weighted = replace(schedule, kl_weight=weight, epochs=6)
        train(vae, weighted, images[:64], images[64:], folder, show_progress=False)
        model, _ = load_vae(folder / MODEL_FILE)
        spread[weight] = float(encode_posterior(model, images)[0].square().mean())
    assert spread[1000.0] < 0.2 * spread[0.0]


def test_training_does_not_touch_the_global_generator(run, tmp_path):
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    run(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_a_time_limit_stops_cleanly_and_the_run_resumes(run, tmp_path):
    run(tmp_path / "whole")
    stopped = run(tmp_path / "parts", time_limit=0.0)
    assert not stopped.finished
    assert not (tmp_path / "parts" / MODEL_FILE).exists()
    calls = 1
    while not run(tmp_path / "parts", time_limit=0.0).finished:
        calls += 1
    assert calls >= 5  # a step a call: the middle of epochs too
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_a_run_resumes_with_more_epochs(run, schedule, tmp_path):
    plain = replace(schedule, cooldown_epochs=0)
    run(tmp_path / "whole", replace(plain, epochs=4))
    run(tmp_path / "parts", replace(plain, epochs=2))
    result = run(tmp_path / "parts", replace(plain, epochs=4))
    assert result.epochs == 4
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    with pytest.raises(CheckpointError, match="has completed 4 epochs, but the run has 3"):
        run(tmp_path / "parts", replace(plain, epochs=3))


def test_the_learning_rate_falls_to_zero_over_the_cooldown(run, schedule, tmp_path):
    run(tmp_path, replace(schedule, epochs=4, cooldown_epochs=2))
    history = [json.loads(line) for line in (tmp_path / PROGRESS_FILE).read_text().splitlines()]
    rates = [h["learning_rate"] / schedule.learning_rate for h in history]
    assert rates == pytest.approx([1, 1, 0.5, 0])  # after the epoch


def test_a_finished_run_starts_over_when_its_code_has_changed(run, tmp_path, monkeypatch, caplog):
    run(tmp_path)
    before = (tmp_path / PROGRESS_FILE).stat().st_mtime_ns
    run(tmp_path)
    assert (tmp_path / PROGRESS_FILE).stat().st_mtime_ns == before  # nothing was trained
    monkeypatch.setattr(training, "VERSION", 2)
    run(tmp_path)
    assert (tmp_path / PROGRESS_FILE).stat().st_mtime_ns > before
    assert "training starts over" in caplog.text


def test_a_finished_run_keeps_its_model_file(run, tmp_path):
    """Its hash is in records; one that an earlier version described is the same model."""
    run(tmp_path)
    path = tmp_path / MODEL_FILE
    tensors, about = read_tensors(path, "model")
    del about["about"]["training"]["mirror"]
    write_tensors(path, tensors, about)
    kept = path.read_bytes()
    run(tmp_path)
    assert path.read_bytes() == kept
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    run(tmp_path)
    assert same(weights(tmp_path), tensors)


def test_a_checkpoint_of_another_run_is_refused(run, schedule, tmp_path, network, images):
    run(tmp_path, time_limit=0.0)
    with pytest.raises(CheckpointError, match=r"its training is .*'seed': 0"):
        run(tmp_path, replace(schedule, seed=3))
    other = images.flip(0)
    with pytest.raises(CheckpointError, match="with other train images: put them back"):
        train(network, schedule, other[:64], other[64:], tmp_path, show_progress=False)


def test_a_damaged_checkpoint_is_refused(run, tmp_path):
    run(tmp_path, time_limit=0.0)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        run(tmp_path)


def test_a_checkpoint_of_a_newer_version_is_refused(run, tmp_path):
    run(tmp_path, time_limit=0)
    path = tmp_path / CHECKPOINT_FILE
    tensors, about = read_tensors(path, "checkpoint")
    newer = about["identity"] | {"training": about["identity"]["training"] | {"newer": 1}}
    for identity in (newer, {}, {"network": about["identity"]["network"]}):
        write_tensors(path, tensors, about | {"identity": identity})
        with pytest.raises(CheckpointError, match=r"checkpoint at .*update lbae_lib, or remove"):
            run(tmp_path)


def test_divergence_is_an_error_and_leaves_no_model(run, schedule, tmp_path):
    with pytest.raises(CheckpointError, match="diverged"):
        run(tmp_path, replace(schedule, learning_rate=1e30))
    assert not (tmp_path / MODEL_FILE).exists()


def test_impossible_options_are_refused(run, schedule, tmp_path, network, images):
    for field, value in (
        ("epochs", 0), ("epochs", 2.0), ("batch_size", 1), ("batch_size", True), ("seed", -1),
        ("seed", 2**40), ("learning_rate", 0.0), ("kl_weight", -1.0), ("kl_weight", math.inf),
        ("kl_weight", math.nan), ("loss", "mae"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=field):
            replace(schedule, **{field: value})
    assert torch.Generator().manual_seed((2**40 - 1) * 1_000_003 + 2**40)
    with pytest.raises(ConfigError, match="3 epochs"):
        replace(schedule, cooldown_epochs=4)
    with pytest.raises(ConfigError, match="'tpu'"):
        train(network, schedule, images, images, tmp_path, hardware=Hardware("tpu"))
    with pytest.raises(ConfigError, match="'half'"):
        run(tmp_path, hardware=Hardware("cpu", "half"))
    with pytest.raises(ConfigError, match="1 training"):
        train(network, schedule, images[:1], images, tmp_path)
    for wrong in (images / 255, images.repeat(1, 3, 1, 1), images[..., :16, :16], images[0]):
        with pytest.raises(ValueError, match=r"training images .* must be uint8 \(K, 1, 32, 32\)"):
            train(network, schedule, wrong, images, tmp_path)
        with pytest.raises(ValueError, match=r"validation images .* \(K, 1, 32, 32\)"):
            train(network, schedule, images, wrong, tmp_path)


def test_a_batch_that_does_not_fit_is_named(run, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(training_run, "reconstruction_loss", full)
    with pytest.raises(ConfigError, match="batch_size is 16, but images, network and activations"):
        run(tmp_path)


def test_a_folder_has_one_run_at_a_time(run, tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "restore_checkpoint", None)  # not even read
    with locked(tmp_path), pytest.raises(WriteError, match="another run is using"):
        run(tmp_path)
    assert not (tmp_path / MODEL_FILE).exists()


def train_in_a_child(network, schedule, images, folder):
    torch.set_num_threads(1)
    training.CHECKPOINT_SECONDS = 0.0  # a checkpoint a step
    options = {"hardware": CPU, "show_progress": False}
    train(network, schedule, images[:64], images[64:], folder, **options)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_ends_with_the_same_weights(network, schedule, images, tmp_path, number):
    long = replace(schedule, epochs=12)
    # Forked from a clean server: PyTorch refuses to train in a fork of a process that has trained.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lbae_lib.models.training"])

    def start(folder):
        child = context.Process(target=train_in_a_child, args=(network, long, images, folder))
        child.start()
        return child

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    checkpoint = killed / CHECKPOINT_FILE
    for kill in range(4):
        child, began = start(killed), time.monotonic()
        # Wait for a checkpoint of this start, so that each start gets further than the last.
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert child.is_alive(), "the run ended before it could be killed"
            assert time.monotonic() - began < 60
            time.sleep(0.002)
        time.sleep(0.01 * kill)
        os.kill(child.pid, number)
        child.join()
        assert not (killed / MODEL_FILE).exists()
    for folder in (killed, whole):
        child = start(folder)
        child.join()
        assert child.exitcode == 0
    assert same(weights(killed), weights(whole))


def test_models_that_are_not_ours_are_refused(tmp_path, network):
    from safetensors.torch import save_file

    from lbae_lib.models.autoencoders import LBAE

    model = LBAE(network)
    path = tmp_path / MODEL_FILE
    with pytest.raises(CheckpointError, match="no model at"):
        load_model(path)
    save_file(model.state_dict(), path)
    with pytest.raises(CheckpointError, match="not a model written by lbae"):
        load_model(path)
    state = model.state_dict()
    save_model(path, state, replace(network, latent_size=13), {})
    with pytest.raises(CheckpointError, match="does not fit its own description"):
        load_model(path)
    state["head.bias"] = state["head.bias"] * float("nan")
    with pytest.raises(CheckpointError, match=r"head\.bias holds values that are not finite"):
        save_model(path, state, network, {})
    state = model.state_dict()
    state["head.weight"] = torch.full_like(state["head.weight"], 1e6)
    with pytest.raises(CheckpointError, match=r"not finite in torch\.float16"):
        save_model(path, state, network, {})


def test_a_newer_format_is_refused(tmp_path, network, monkeypatch):
    from lbae_lib.models.autoencoders import LBAE

    monkeypatch.setattr(model_files, "VERSION", 2)
    save_model(tmp_path / MODEL_FILE, LBAE(network).state_dict(), network, {})
    monkeypatch.setattr(model_files, "VERSION", 1)
    with pytest.raises(CheckpointError, match="update lbae_lib"):
        load_model(tmp_path / MODEL_FILE)


def test_mirrored_images_are_drawn_by_the_step_and_are_half_of_them(network, schedule, tmp_path):
    """The same images in the same order; and mirroring changes nothing on symmetric images."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (64, network.channels, 32, 32), generator=generator).byte()
    symmetric = torch.cat([images[..., :16], images[..., :16].flip(3)], 3)

    def trained(images, mirror, folder):
        train(network, replace(schedule, mirror=mirror), images, images[:8], tmp_path / folder,
              hardware=CPU, show_progress=False)  # fmt: skip
        return weights(tmp_path / folder)

    assert same(trained(symmetric, False, "a"), trained(symmetric, True, "b"))
    assert not same(trained(images, False, "c"), trained(images, True, "d"))


def test_a_batch_has_mirrored_and_plain_images(network, schedule, tmp_path):
    images = torch.zeros(64, network.channels, 32, 32, dtype=torch.uint8)
    images[..., 0] = 255  # the left column
    mirrored = replace(schedule, mirror=True, batch_size=64)
    identity = Identity(network, mirrored, "", "", training.VERSION)
    run = TrainingRun(start_fabric(CPU), identity, images, images[:8], tmp_path, CPU)
    first = run.next_images(run.order())
    right = (first[:, 0, 0, -1] == 255).float().mean()
    assert 0.25 < right < 0.75
    assert torch.equal(first, run.next_images(run.order()))  # a resumed step has the same
    assert bool(((first[:, 0, 0, 0] == 255) ^ (first[:, 0, 0, -1] == 255)).all())


@pytest.mark.slow
def test_a_compiled_network_trains_to_the_same_weights(network, schedule, tmp_path, images):
    results = [
        train(network, schedule, images[:64], images[64:], tmp_path / str(compile),
              hardware=Hardware("cpu", "32-true", compile=compile), show_progress=False)
        for compile in (False, True)
    ]  # fmt: skip
    plain, compiled = (result.best_validation_loss for result in results)
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_a_compiler_that_fails_is_named_with_the_remedy(run, tmp_path, monkeypatch):
    def fail(*_):
        raise AssertionError("expected size 128==128, stride 16==1 at dim=1\nand more")

    monkeypatch.setattr(TrainingRun, "losses", fail)
    with pytest.raises(ConfigError, match=r"stride 16==1 at dim=1\): leave out --compile"):
        run(tmp_path / "compiled", hardware=Hardware("cpu", "32-true", compile=True))
    with pytest.raises(AssertionError):  # not the compiler's
        run(tmp_path / "plain")
