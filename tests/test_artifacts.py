"""The table of artefacts, images and latents read once, and the device that a step computes on."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from PIL import Image

from companion.experiments import images as image_module
from companion.experiments.artifacts import (
    BOTTLENECKS,
    EXTRACTOR,
    LATENTS,
    MODEL,
    NEEDS,
    PRIOR,
    QUANTISERS,
    ROLES,
    SEEDS,
    SIZES,
    needed_artifacts,
    offers,
)
from companion.experiments.encoding import encode_experiment
from companion.experiments.extractor import train_extractor
from companion.experiments.images import load_images
from companion.experiments.prior import fit_priors
from companion.experiments.profiles import load_experiment
from companion.experiments.records import RECORD_FILE, environment, read_record
from companion.experiments.trained import load_trained
from companion.workflow.gpus import visible_gpus
from companion.workflow.plan import make_plan, pages
from companion.workflow.snakemake_plan import SnakemakePlan
from companion.workflow.staleness import artifact_reasons
from lbae_lib.bits import unpack_bits
from lbae_lib.errors import CheckpointError, ConfigError
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.model_files import MODEL_FILE, save_model


@pytest.fixture
def project(tmp_path, as_project):
    """A project with one small data set."""
    profile = (
        "datasets:\n  digits: &small {latent_size: 6, width: 2, epochs: 1, validation_images: 137,"
        " extractor_epochs: 1, latent_sizes: [3], vae: {latent_size: 4, kl_weight: 1.0}}"
        "\n  folder: {latent_size: 6, width: 2, epochs: 1, validation_images: 2, image_size: 32}\n"
    )
    return as_project(tmp_path, "notebooks", profile=profile)


@pytest.fixture
def experiment(project):
    """Its experiment, with an untrained model."""
    found = load_experiment("own", "digits")
    state = build_model(found.network).state_dict()
    save_model(MODEL.target(found), state, found.network, {})
    return found


def test_each_artefact_has_one_place_and_one_command(project):
    lbae, vae = (load_experiment("own", "digits", model) for model in ("lbae", "vae"))
    assert MODEL.path(lbae) == lbae.model_folder / MODEL_FILE
    assert LATENTS.path(vae) == vae.model_folder / "latents.safetensors"
    assert EXTRACTOR.path(vae) == lbae.folder / "extractor" / MODEL_FILE
    assert MODEL.command_line(vae) == "lbae train -d digits -p own -m vae"
    assert PRIOR.command_line(vae) == "lbae prior -d digits -p own"
    for artifact, model in ROLES.values():
        assert artifact.path(lbae, model).parent.parent == lbae.folder
        with pytest.raises(CheckpointError, match=f"make it with `lbae {artifact.command} -d"):
            artifact.required(lbae)


def test_a_plan_waits_for_what_a_notebook_needs(project):
    needed = needed_artifacts(load_experiment("own", "digits"), NEEDS)
    models = [model for artifact, model in needed if artifact is LATENTS]
    assert models == ["lbae", "vae", "lbae-3"]
    others = [artifact for artifact, _ in needed[3:]]
    assert others == [EXTRACTOR, PRIOR, BOTTLENECKS, QUANTISERS, SEEDS, SIZES]
    steps = make_plan("own", ["digits"])
    made = [f"digits/{model}/encode" for model in models]
    made += [f"digits/{step}" for step in ("extractor", "prior")]
    assert set(steps["digits/09_compression"].waits_for) == set(made)
    assert steps["digits/vae/encode"].waits_for == ("digits/vae/train",)
    assert steps["digits/prior"].waits_for == ("digits/lbae/encode",)
    assert steps["06_tables"].waits_for == ("digits/05_metrics",)
    order = list(steps)
    for key, step in steps.items():
        assert step.reasons
        assert all(order.index(before) < order.index(key) for before in step.waits_for)


def test_an_optional_need_is_read_where_the_profile_has_it():
    digits, faces = (load_experiment("smoke", name) for name in ("digits", "faces"))
    for need in ("seeds", "vae"):
        assert offers(digits, need)
        assert needed_artifacts(digits, [f"{need}?"]) == needed_artifacts(digits, [need])
    assert not offers(faces, "seeds")
    assert needed_artifacts(faces, ["seeds?"]) == needed_artifacts(faces, [])
    assert {"01_training", "05_metrics"} <= set(pages(faces))  # though there is no study
    assert "12_bottlenecks" not in pages(faces)


def test_images_are_loaded_and_hashed_once_until_a_file_changes(project, monkeypatch):
    (project / "pictures").mkdir()
    for index in range(12):
        Image.new("L", (40, 40), 9 * index).save(project / f"pictures/{index}.png")
    name = f"folder:{project / 'pictures'}"
    hashed = []
    digest = image_module.sha256_tensor
    monkeypatch.setattr(image_module, "sha256_tensor", lambda t: hashed.append(1) or digest(t))
    first = load_images(load_experiment("own", name), project)
    again = load_images(load_experiment("own", name), project)
    assert again is first
    assert again.hashes == first.hashes
    assert len(hashed) == 3
    Image.new("L", (41, 40), 200).save(project / "pictures/3.png")
    assert load_images(load_experiment("own", name), project).hashes != first.hashes


def test_latents_are_unpacked_once(experiment, project):
    encode_experiment(experiment, project)
    trained = load_trained(experiment, project)
    bits = trained.bits("test")
    assert trained.bits("test") is bits
    assert torch.equal(bits, unpack_bits(trained.packed["test"], 6))
    chosen = torch.tensor([5, 2])
    assert torch.equal(trained.with_test(chosen).bits("test"), bits[chosen])


def test_records_name_the_device_that_computed(experiment, project, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "get_device_name", lambda device: f"the GPU behind {device}")
        assert environment("cuda")["device"] == "the GPU behind cuda"
    encode_experiment(experiment, project, "cpu")
    for step, artifact in ((train_extractor, EXTRACTOR), (fit_priors, PRIOR)):
        step(experiment, project, "cpu")
        record = read_record(artifact.path(experiment).parent / RECORD_FILE)
        assert record["environment"]["device"] == "cpu"


def test_a_prior_is_of_a_model_not_of_one_machines_latents(experiment, project):
    """Another processor may encode a bit differently: no reason to fit a published prior again."""
    encode_experiment(experiment, project, "cpu")
    fit_priors(experiment, project, "cpu")
    LATENTS.path(experiment).write_bytes(b"of another machine")
    assert artifact_reasons(PRIOR, experiment) == []
    model = MODEL.path(experiment)
    model.write_bytes(model.read_bytes() + b" ")
    assert artifact_reasons(PRIOR, experiment) == ["the model has changed"]


def test_each_step_computes_on_the_device_it_is_told(experiment, project):
    for step in (encode_experiment, train_extractor, fit_priors):
        with pytest.raises(ConfigError, match="device is 'gpu'"):
            step(experiment, project, "gpu")


def test_the_prior_is_fitted_on_the_device(experiment, project, monkeypatch):
    encode_experiment(experiment, project, "cpu")
    asked = []

    def fit(train, validation):
        asked.append(str(train.device))
        raise InterruptedError

    monkeypatch.setattr("companion.experiments.prior.choose_device", lambda device: "meta")
    monkeypatch.setattr("companion.experiments.records.environment", lambda device: {})
    monkeypatch.setattr("companion.experiments.prior.fit_autoregressive", fit)
    with pytest.raises(InterruptedError):
        fit_priors(experiment, project)
    assert asked == ["meta"]


def test_gpus_are_named_as_in_cuda_visible_devices(monkeypatch):
    monkeypatch.setattr("companion.workflow.gpus._DRIVERS", ())
    assert visible_gpus("cpu") == visible_gpus("auto") == []
    monkeypatch.setattr("companion.workflow.gpus._DRIVERS", ("/",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus("auto") == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5f")
    assert visible_gpus("cuda") == ["3", "GPU-5f"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no GPU here"):
        visible_gpus("cuda")


def test_steps_of_a_report_never_share_a_gpu(project, monkeypatch):
    monkeypatch.delenv("LBAE_GPUS", raising=False)
    plan = SnakemakePlan({"profile": "own", "datasets": "digits"})
    assert plan.gpu == {}
    monkeypatch.setenv("LBAE_GPUS", "3,5")
    assert plan.gpu == {"gpu": 1}
    code = """
        import os
        from companion.workflow.gpus import take_gpu
        take_gpu()
        print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
        input()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = os.environ | {"LBAE_ROOT": str(project)}
    environment.pop("CUDA_VISIBLE_DEVICES", None)

    def start():
        step = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return step, step.stdout.readline().strip()

    (first, own), (second, other) = start(), start()
    assert (own, other) == ("3", "5")
    first.kill()
    first.communicate()
    third, freed = start()
    assert freed == "3"
    for step in (second, third):
        step.communicate("\n")


def test_a_notebook_gets_the_device_if_it_has_that_parameter(project, monkeypatch):
    from companion.workflow import execute

    asked = {}
    monkeypatch.setattr(execute, "_execute", lambda *words: asked.update(words[2]))
    (project / "notebooks").unlink()
    (project / "notebooks").mkdir()
    for name, line in (("1_with", 'device: str = "auto"'), ("2_without", "seed: int = 0")):
        cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": [line]}
        text = json.dumps({"cells": [cell], "metadata": {}})
        (project / f"notebooks/{name}.ipynb").write_text(text)
    experiment = load_experiment("own", "digits")
    execute.run_notebook("2_without", experiment, project, {"seed": 3}, "cuda")
    assert "device" not in asked
    execute.run_notebook("1_with", experiment, project, {}, "cuda")
    assert asked["device"] == "cuda"
