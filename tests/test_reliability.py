"""Kills, full disks and broken input: what was tried and what happened.

In every run of the suite a few tries of broken input. `make reliability` tries more, kills, fills
disks, and writes what happened to runs/reliability/outcomes.json, of which the book's page is
made. test_users.py and test_user_commands.py add what users of such software meet.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import pytest
import torch
import yaml
from conftest import PROJECT
from outcomes import judged
from papermill.translators import PythonTranslator
from PIL import Image
from test_authors_weights import content as published_content

from companion.analysis.score_records import ScoreRecord
from companion.experiments.encoding import encode_experiment
from companion.experiments.extractor import train_extractor
from companion.experiments.images import load_images, remember_images
from companion.experiments.prior import fit_priors
from companion.experiments.profiles import load_experiment
from companion.experiments.records import read_record, write_record
from companion.experiments.trained import load_trained
from companion.experiments.training import import_authors_weights, train_experiment
from companion.paper.decisions import Outcome, Verdict
from companion.site.atlas import atlas_table
from companion.site.results import find_results
from companion.site.verdict_tables import verdict_tables
from companion.workflow.execute import check_parameters, run_notebook
from companion.workflow.report import report
from companion.workflow.staleness import page_reasons
from lbae_lib.bits import pack_bits
from lbae_lib.coding.codec import Codec
from lbae_lib.coding.container import CODERS
from lbae_lib.data.folder import load_folder, read_images
from lbae_lib.errors import CheckpointError, ConfigError, DataError, WriteError
from lbae_lib.files import read_tensors, sha256_file, write_json, write_tensors
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import Factorised
from lbae_lib.latent.moments import moments
from lbae_lib.locks import locked
from lbae_lib.models.authors_weights import read_authors_weights
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.config import MODELS, NetworkConfig
from lbae_lib.models.encoding import encode
from lbae_lib.models.model_files import load_autoencoder, save_model
from lbae_lib.models.training_state import CHECKPOINT_FILE

TRIES = int(os.environ.get("LBAE_TRIES", "1"))
pytestmark = pytest.mark.slow
many = pytest.mark.skipif("LBAE_TRIES" not in os.environ, reason="minutes: make reliability")


# --- Kills -------------------------------------------------------------------------------------

TINY = """
description: kills
datasets:
  digits: {width: 4, latent_size: 12, validation_images: 137, batch_size: 64, epochs: 2,
           learning_rate: 0.003, notebooks: {03_sampling: {samples: 500}}}
"""
# A checkpoint every few steps, so that there is something to be caught half-written.
COMMAND = (
    "from lbae_lib.models import training; training.CHECKPOINT_SECONDS = 0.05; "
    "from companion.cli import main; main()"
)
STEPS = {
    "training": (("train",), "lbae/model.safetensors", 5),
    "encoding": (("encode",), "lbae/latents.safetensors", 4),
    "a notebook": (("notebook", "03_sampling"), "03_sampling/record.json", 3),
    "a report": (("report",), "01_training/record.json", 3),
}


@pytest.fixture
def project(tmp_path):
    """A project with one small data set and two notebooks."""
    for part in ("lbae_lib", "companion", "profiles", "book"):
        (tmp_path / part).symlink_to(PROJECT / part)
    for part in ("Snakefile", "_config.yml"):
        shutil.copy2(PROJECT / part, tmp_path / part)
    (tmp_path / "notebooks").mkdir()
    for name in ("01_training", "03_sampling", "06_tables"):
        shutil.copy2(PROJECT / f"notebooks/{name}.ipynb", tmp_path / "notebooks")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture
def inside(project, as_project):
    """The same project, for calls in this process."""
    return as_project(project)


def start(project: Path, *words: str, limit: int | None = None) -> subprocess.Popen[str]:
    """An `lbae` command in a process group of its own; no file may grow beyond the limit."""
    code = COMMAND
    if limit is not None:
        code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2); {code}"
    options = ["--profile", "tiny"]
    if words[0] != "book":
        options += ["--datasets" if words[0] == "report" else "--dataset", "digits"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *words, *options],
        cwd=project, env=os.environ | {"LBAE_ROOT": str(project), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    return errors


def results_of(file: Path) -> object:
    """What a step found, times and commits aside."""
    if file.suffix == ".json":
        record = read_record(file)
        record["results"].pop("seconds", None)
        return record["results"], record["inputs"]
    return sha256_file(file)


@many
@pytest.mark.parametrize("step", STEPS)
def test_kills(project, outcomes, step):
    words, product, least = STEPS[step]
    folder = project / "runs/tiny/digits"
    rng = random.Random(step)
    earlier = {"encoding": 1, "a notebook": 2, "a report": 0, "training": 0}[step]
    for before in list(STEPS.values())[:earlier]:
        finish(start(project, *before[0]))
    began = time.monotonic()
    finish(start(project, *words))
    usual = time.monotonic() - began
    expected = results_of(folder / product)
    made = sorted(p.relative_to(folder) for p in folder.rglob("*.json*"))

    def clear():
        if step in ("training", "a report"):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(project / ".snakemake", ignore_errors=True)
        else:
            (folder / product).unlink()

    clear()
    kills, ended = 0, 1
    wanted = max(1, TRIES) if step == "a report" else least * TRIES
    while kills < wanted:
        process = start(project, *words)
        time.sleep(rng.uniform(0, usual))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            # Whatever is there is whole.
            for path in folder.rglob("[!.]*.safetensors"):
                read_tensors(path, "file")
            for path in folder.rglob("record.json"):
                read_record(path)
            kills += 1
            if kills % 3:
                continue  # the next start resumes from what this one left
        else:
            process.communicate()
            assert process.returncode == 0
        finish(start(project, *words))
        assert results_of(folder / product) == expected
        ended += 1
        clear()
    finish(start(project, *words))
    assert results_of(folder / product) == expected
    assert {p.relative_to(folder) for p in folder.rglob("*.json*")} >= set(made)
    happened = Counter(
        {f"nothing half-written; {ended} runs to the end, all with equal results": kills}
    )
    outcomes.add("killed at a random moment (SIGKILL)", step, happened)


def at_work(project: Path) -> list[str]:
    """Processes whose working folder is the project's, kernels in groups of their own included."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == project:
                found.append(link.parent.name)
    return found


@many
@pytest.mark.parametrize(
    ("interrupt", "what"), [(os.killpg, "a report"), (os.kill, "`lbae report` alone")]
)
def test_an_interrupted_report_leaves_no_process(project, outcomes, interrupt, what):
    process = start(project, "report")
    rng = random.Random(1)
    began = time.monotonic()
    while not list(project.glob("runs/*/*/*/.lock")) and time.monotonic() - began < 60:
        time.sleep(0.1)  # until a step is under way
    time.sleep(rng.uniform(0, 4))
    interrupt(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode != 0
    began = time.monotonic()
    while at_work(project) and time.monotonic() - began < 20:
        time.sleep(0.2)
    assert not at_work(project)
    outcomes.add("interrupted (Ctrl-C)", what, Counter({"no process left": 1}))


@many
def test_a_terminated_notebook_leaves_nothing(project, outcomes):
    for words in (("train",), ("encode",)):
        finish(start(project, *words))
    process = start(project, "notebook", "03_sampling")
    began = time.monotonic()
    while len(at_work(project)) < 2 and time.monotonic() - began < 60:  # until its kernel is there
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    while at_work(project) and time.monotonic() - began < 80:
        time.sleep(0.2)
    assert not at_work(project)
    assert not list((project / "runs").rglob(".*.ipynb"))
    happened = Counter({"no process and no scratch file left": 1})
    outcomes.add("terminated (SIGTERM)", "a notebook", happened)


# --- Full disks --------------------------------------------------------------------------------


DIGITS = "runs/tiny/digits"
INDEX = "build/_build/html/index.html"
PRIOR = "train; encode; prior"
COMPRESS = "compress pictures -o pictures.lbae"
# A command -> what comes before it, the file it makes, and bytes that are too few for that.
WRITERS = {
    "train": ("", f"{DIGITS}/lbae/model.safetensors", 1000),
    "import-authors last.cp": ("", f"{DIGITS}/lbae/model.safetensors", 1000),
    "encode": ("train", f"{DIGITS}/lbae/latents.safetensors", 1000),
    "extractor": ("", f"{DIGITS}/extractor/model.safetensors", 1000),
    "prior": ("train; encode", f"{DIGITS}/prior/model.safetensors", 1000),
    "export -o shared": ("train", "shared/model.safetensors", 1000),
    COMPRESS: (PRIOR, "pictures.lbae", 20),
    "decompress pictures.lbae -o found": (f"{PRIOR}; {COMPRESS}", "found/000001.png", 20),
    "notebook 03_sampling": ("train; encode", f"{DIGITS}/03_sampling/record.json", 5_000),
    "book": ("train; encode; notebook 03_sampling", INDEX, 1000),
}


@many
@pytest.mark.parametrize("command", WRITERS)
def test_no_room_for_a_file(project, outcomes, command):
    words, (before, product, limit) = command.split(), WRITERS[command]
    torch.save(published_content(NetworkConfig(32, 1, 12, width=4)), project / "last.cp")
    (project / "pictures").mkdir()
    (project / "pictures/a.png").write_bytes(_pictures()["PNG"])
    for earlier in filter(None, before.split("; ")):
        finish(start(project, *earlier.split()))
    finish(start(project, *words))
    kept = sha256_file(project / product)
    fresh = words[0] in ("train", "import-authors")  # which do nothing where there is a model
    if fresh:
        shutil.rmtree(project / DIGITS)
    process = start(project, *words, limit=limit)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors, errors
    assert "File too large" in errors, errors
    assert fresh or sha256_file(project / product) == kept
    assert not [p for p in project.rglob(".*") if re.search(r"\.\d+\.", p.name)]  # scratch files
    finish(start(project, *words))
    happened = Counter({"refused with the file's name; the old file is unchanged": 1})
    outcomes.add("disk full", f"lbae {words[0]}", happened)


# --- Other accidents ---------------------------------------------------------------------------


def test_two_runs_in_one_folder(inside, outcomes, network, schedule, images):
    from lbae_lib.models.training import train

    own, data = load_experiment("tiny", "digits"), inside / "data"
    model, page = own.model_folder, "03_sampling"
    second = {
        "training": (model, lambda: train(network, schedule, images, images, model)),
        "encoding": (model, lambda: encode_experiment(own, data)),
        "an import": (model, lambda: import_authors_weights(own, inside / "last.cp", data)),
        "an extractor": (own.folder / "extractor", lambda: train_extractor(own, data)),
        "a prior": (own.folder / "prior", lambda: fit_priors(own, data)),
        "a notebook": (own.folder / f".{page}", lambda: run_notebook(page, own, data)),
        "a report": (inside / ".snakemake", lambda: report("digits", "tiny")),
    }
    for folder, run in second.values():
        with locked(folder), pytest.raises(WriteError, match="another run is using"):
            run()
    happened = Counter({"the second refused": len(second)})
    outcomes.add("two runs in one folder", ", ".join(second), happened)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_results_that_may_not_be_written(inside, outcomes):
    experiment, data = load_experiment("tiny", "digits"), inside / "data"
    network = experiment.network
    path = experiment.model_folder / "model.safetensors"
    save_model(path, build_model(network).state_dict(), network, {})
    folders = (experiment.model_folder, experiment.folder)
    for folder in folders:
        folder.chmod(0o500)
    try:
        for run in (
            lambda: train_experiment(experiment, data),
            lambda: encode_experiment(experiment, data),
            lambda: run_notebook("03_sampling", experiment, data),
        ):
            with pytest.raises(WriteError, match="cannot be written"):
                run()
    finally:
        for folder in reversed(folders):
            folder.chmod(0o700)
    happened = Counter({"refused with the folder's name": 3})
    outcomes.add("runs/ is read-only", "training, encoding, a notebook", happened)


def test_out_of_memory(tmp_path, outcomes, network, schedule, images, monkeypatch):
    from lbae_lib.models import training, training_run

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(training_run, "reconstruction_loss", full)
        with pytest.raises(ConfigError, match="batch_size is 16"):
            training.train(network, schedule, images[:64], images[64:], tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    part = "out of memory on the device"
    outcomes.add(part, "training", Counter({"refused with the option to lower": 1}))

    model = build_model(network).eval().requires_grad_(False)
    whole, plain = encode(model, images), model.encode
    monkeypatch.setattr(model, "encode", lambda x: full() if len(x) > 20 else plain(x))
    assert torch.equal(encode(model, images), whole)
    monkeypatch.setattr(model, "encode", full)
    assert judged(lambda: encode(model, images)) == "refused"
    happened = Counter({"smaller batches, the same latents": 1, "refused: no image fits": 1})
    outcomes.add(part, "encoding", happened)


def test_swapped_data(inside, outcomes, network, schedule, images):
    from lbae_lib.models.training import train

    run, other = inside / "run", images.flip(0)
    train(network, schedule, images[:64], images[64:], run, time_limit=0.0, show_progress=False)
    with pytest.raises(CheckpointError, match="with other train images: put them back"):
        train(network, schedule, other[:64], other[64:], run, show_progress=False)

    shape = "{image_size: 32, width: 2, latent_size: 6, epochs: 1, validation_images: 2}"
    (inside / "config/own.yaml").write_text(f"datasets: {{folder: {shape}}}")
    (inside / "pictures").mkdir()
    for index in range(12):
        (inside / f"pictures/{index}.png").write_bytes(_pictures()["PNG"])
    experiment = load_experiment("own", f"folder:{inside / 'pictures'}")
    path = experiment.model_folder / "model.safetensors"

    def new_model():
        network = experiment.network
        save_model(path, build_model(network).state_dict(), network, {})

    new_model()
    remember_images(experiment, load_images(experiment, inside), [])
    load_trained(experiment, inside)
    first = inside / "pictures/0.png"
    Image.new("RGB", (48, 40)).save(first)
    with pytest.raises(CheckpointError, match=r"1 changed \(0.png\)|1 image was changed"):
        load_trained(experiment, inside)
    first.write_bytes(_pictures()["PNG"])
    new_model()
    load_trained(experiment, inside)  # encodes again
    about = read_tensors(path.with_name("latents.safetensors"), "latents")[1]
    assert about["model_sha256"] == sha256_file(path)
    what = "a checkpoint's images, latents' images, latents' model"
    outcomes.add("swapped for another", what, Counter(refused=3))


# --- Broken and hostile input ------------------------------------------------------------------

NASTY = (
    None, True, -1, 0, 1, 3, 1e-300, 1e308, float("inf"), float("nan"), 10**30, "", "x", "../..",
    "\x00", "ü" * 100, [], [1], ["a", {}], {}, {"a": 1}, {1: 2}, "2026-01-01", "0x10",
)  # fmt: skip


def _places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _places(inner, (*path, key))
    return found


def _mutated(profile: dict, rng: random.Random) -> dict:
    profile = json.loads(json.dumps(profile))
    for _ in range(rng.randint(1, 3)):
        *parents, last = rng.choice(_places(profile) or [("datasets",)])
        holder = profile
        for key in parents:
            holder = holder[key]
        change = rng.random()
        if change < 0.7:
            holder[last] = deepcopy(rng.choice(NASTY))
        elif change < 0.85:
            holder.pop(last)
        else:
            holder[rng.choice(["epoch", "", "x", 3, None])] = deepcopy(rng.choice(NASTY))
    return profile


def test_profiles(tmp_path, outcomes, as_project):
    as_project(tmp_path)
    rng = random.Random(0)
    profile = yaml.safe_load((PROJECT / "config/smoke.yaml").read_text())
    text = (PROJECT / "config/smoke.yaml").read_bytes()
    happened: Counter[str] = Counter()
    for number in range(100 * TRIES):
        if number % 4:
            content = yaml.safe_dump(_mutated(profile, rng), allow_unicode=True).encode()
        else:
            content = damaged(text, rng)
        (tmp_path / "config/own.yaml").write_bytes(content)
        for model in MODELS:
            happened[judged(lambda model=model: load_experiment("own", "digits", model))] += 1
    assert happened["refused"] > 50 * TRIES
    outcomes.add("broken input", "profiles in config/", happened)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, some left out, or the end missing."""
    kind, place = rng.random(), rng.randrange(len(content))
    if kind < 0.3:
        return content[:place]
    if kind < 0.4:
        return content[:place] + content[place + rng.randint(1, 40) :]
    if kind < 0.5:
        return content[:place] + rng.randbytes(rng.randint(1, 40)) + content[place:]
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("kind", MODELS)
def test_models(tmp_path, outcomes, kind):
    network = NetworkConfig(32, 1, 6, width=2, kind=kind)
    model = build_model(network)
    path = tmp_path / "model.safetensors"
    save_model(path, model.state_dict(), network, {"dataset": "digits"})
    content = path.read_bytes()
    kept = load_autoencoder(path)[0].state_dict()
    rng = random.Random(2)
    happened: Counter[str] = Counter()
    for _ in range(200 * TRIES):
        path.write_bytes(damaged(content, rng))

        def read():
            found = load_autoencoder(path)[0].state_dict()
            assert all(torch.equal(found[name], kept[name]) for name in kept)

        result = judged(read)
        happened["accepted, the same weights" if result == "accepted" else result] += 1
    outcomes.add("broken input", f"model files ({kind})", happened)


def test_models_of_other_types_and_values(tmp_path, outcomes):
    network = NetworkConfig(32, 1, 6, width=2)
    good = build_model(network).state_dict()
    about = {"format": "lbae-model", "version": 1, "about": {}}
    shape = {"image_size": 32, "channels": 1, "latent_size": 6, "width": 2}
    path = tmp_path / "model.safetensors"
    happened: Counter[str] = Counter()
    changes = {
        "NaN": lambda t: torch.full_like(t, float("nan")),
        "infinity": lambda t: torch.full_like(t, float("inf")),
        "another shape": lambda t: t.flatten()[:-1],
        "whole numbers": lambda t: t.to(torch.int8),
        "missing": lambda _: None,
    }
    for name, change in changes.items():
        state = dict(good)
        state["head.weight"] = change(state["head.weight"])
        state = {key: tensor for key, tensor in state.items() if tensor is not None}
        write_tensors(path, state, about | {"network": shape})
        result = judged(lambda: load_autoencoder(path))
        assert result == "refused", name
        happened[result] += 1
    for metadata in (
        {}, about, about | {"network": []}, about | {"network": {"image_size": 32}},
        about | {"network": shape | {"width": -3}}, about | {"network": shape | {"width": "2"}},
        about | {"network": shape | {"latent_size": 10**12}},
        about | {"network": shape, "version": "2"},
        about | {"network": shape, "version": None}, about | {"network": shape | {"depth": 3}},
        about | {"network": shape | {"kind": "gan"}}, about | {"network": shape, "about": 3},
    ):  # fmt: skip
        write_tensors(path, good, metadata)
        result = judged(lambda: load_autoencoder(path))
        assert result == "refused", metadata
        happened[result] += 1
    outcomes.add("broken input", "models of other types, shapes and headers", happened)


@pytest.fixture
def page(inside):
    """An executed notebook with a record."""
    path = inside / f"{DIGITS}/03_sampling.ipynb"
    parameters = {"seed": 0, "samples": 500}
    verdicts = [Verdict("a", "1 < 2", Outcome.HOLDS).entry()]
    write_record(
        path.with_suffix("") / "record.json",
        "03_sampling",
        {"profile": "tiny", "dataset": "digits", "parameters": parameters},
        {"notebook": "0" * 64, "code": "1" * 64},
        {"verdicts": verdicts, "scores": {"rows": {"a": [0.25, 1e-7]}}},
        1.0,
    )
    cell = {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]}
    write_json(path, {"cells": [cell], "metadata": {}})
    return path


def test_records(page, outcomes):
    path, rng = page.with_suffix("") / "record.json", random.Random(3)
    content, kept = path.read_bytes(), read_record(path)
    happened: Counter[str] = Counter()
    for _ in range(200 * TRIES):
        path.write_bytes(damaged(content, rng))

        def read():
            assert read_record(path) == kept

        result = judged(read)
        happened["accepted, the same content" if result == "accepted" else result] += 1
    outcomes.add("broken input", "records", happened)
    path.write_bytes(content.replace(b"0.25", b"0.35"))
    assert judged(lambda: report("digits", "tiny")) == "refused"


def test_records_without_a_checksum(page, inside, outcomes):
    path, rng = page.with_suffix("") / "record.json", random.Random(10)
    early, sets = read_record(path), find_results("tiny")
    readers = (
        lambda: page_reasons(page),
        lambda: ScoreRecord.load(path).title,
        lambda: verdict_tables(sets) + atlas_table(sets, None),
    )
    happened: Counter[str] = Counter()
    for number in range(30 * TRIES):
        changed = _mutated(early, rng) if number % 2 else json.loads(json.dumps(early))
        if not number % 2:
            changed["results"]["verdicts"][0] = _mutated(early["results"]["verdicts"][0], rng)
        path.write_text(json.dumps(changed))
        happened.update(judged(reader) for reader in readers)
    assert happened["refused"] > 10 * TRIES
    outcomes.add("broken input", "records from before checksums, on pages", happened)


@lru_cache(maxsize=1)
def _pictures() -> dict[str, bytes]:
    import io

    picture = Image.radial_gradient("L").resize((48, 40)).convert("RGB")
    found = {}
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"):
        buffer = io.BytesIO()
        picture.save(buffer, kind)
        found[kind] = buffer.getvalue()
    return found


def test_images(tmp_path, outcomes):
    rng = random.Random(4)
    happened: Counter[str] = Counter()
    suffixes = {"JPEG": "jpg", "TIFF": "tif"}
    for kind, content in _pictures().items():
        path = tmp_path / f"image.{suffixes.get(kind, kind.lower())}"
        for _ in range(40 * TRIES):
            path.write_bytes(damaged(content, rng))

            def read(path=path):
                assert read_images([path], 32, 3).shape == (1, 3, 32, 32)

            happened[judged(read)] += 1
    assert happened["refused"] > 20
    outcomes.add("broken input", "image files (accepted: still an image)", happened)
    # A picture of 30,000 × 30,000 pixels in a file of some kilobytes.
    bomb = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(bomb)
    assert judged(lambda: read_images([bomb], 32, 3)) == "refused"
    outcomes.add("hostile input", "a picture that would unpack to a gigabyte", Counter(refused=1))


def test_links_without_end(tmp_path, outcomes):
    folder = tmp_path / "mine"
    folder.mkdir()
    for index in range(12):
        (folder / f"{index}.png").write_bytes(_pictures()["PNG"])
    assert len(load_folder(folder, 32, 3).train) == 11
    for target in (folder, tmp_path):
        (folder / "link").symlink_to(target)
        with pytest.raises(DataError, match="is a link to a folder that contains it"):
            load_folder(folder, 32, 3)
        (folder / "link").unlink()
    outcomes.add("hostile input", "links in a folder that lead back to it", Counter(refused=2))


def test_tables(tmp_path, outcomes):
    folder = tmp_path / "set"
    folder.mkdir()
    for index in range(12):
        (folder / f"{index}.png").write_bytes(_pictures()["PNG"])
    table = "image_id,split,Smiling,Male\n" + "".join(
        f"{i}.png,{'test' if i > 8 else 'train'},{i % 2},{int(i > 3)}\n" for i in range(12)
    )
    rng = random.Random(5)
    happened: Counter[str] = Counter()
    for _ in range(100 * TRIES):
        (folder / "attributes.csv").write_bytes(damaged(table.encode(), rng))
        happened[judged(lambda: load_folder(folder, 32, 3))] += 1
    assert happened["refused"] > 20
    outcomes.add("broken input", "attributes.csv (accepted: still a table)", happened)


TEXTS = (
    '"); import os; os.mkdir("sprung"); ("', "\'); raise SystemExit #", "\\",
    "\n\nraise ValueError",
    "\\\"", '"""', "\\N{DIGIT ONE}", "{0}", "%s", "\r\nx = 1", "\u2028", "a\x00b",
)  # fmt: skip


def test_parameters_are_data(tmp_path, outcomes, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = random.Random(6)
    happened: Counter[str] = Counter()
    for _ in range(100 * TRIES):
        text = "".join(rng.choices(TEXTS, k=rng.randint(1, 3)))
        names: dict[str, object] = {}
        try:
            exec(PythonTranslator.codify({"method": text}), names)
        except (SyntaxError, ValueError):
            happened["a cell that does not run"] += 1
        else:
            assert names["method"] == text
            happened["the text itself"] += 1
    assert not (tmp_path / "sprung").exists()
    outcomes.add("hostile input", "texts as notebook parameters, executed", happened)

    notebook = PROJECT / "notebooks/04_interpolation.ipynb"
    tried: Counter[str] = Counter()
    for value in NASTY:
        for name in ("pairs", "method", "Pairs", "profile", "x = 1\nimport os", ""):
            tried[judged(lambda n=name, v=value: check_parameters(notebook, {n: v}))] += 1
    outcomes.add("broken input", "notebook parameters of any type and name", tried)


@pytest.mark.parametrize("coder", CODERS)
def test_containers(latents, outcomes, coder):
    bits, rng = latents[:200], random.Random(8)
    factorised = Factorised.fit(moments(latents))
    model = fit_autoregressive(latents, bits, hidden=(8,), epochs=1, show_progress=False).model
    codec = Codec(factorised, model, "0" * 64, "1" * 64, 1, 32)
    content = codec.compress(bits, coder)
    happened: Counter[str] = Counter()
    for _ in range(170 * TRIES):

        def read():
            assert torch.equal(codec.decompress(damaged(content, rng)), pack_bits(bits))

        result = judged(read)
        happened["accepted, the same bits" if result == "accepted" else result] += 1
    outcomes.add("broken input", f".lbae files ({coder})", happened)


def test_checkpoints(tmp_path, outcomes, network, schedule, images):
    from lbae_lib.models.hardware import Hardware
    from lbae_lib.models.training import train

    def run(folder):
        return train(
            network, schedule, images[:64], images[64:], folder, hardware=Hardware("cpu"),
            show_progress=False,
        )  # fmt: skip

    run(tmp_path)
    path, model = tmp_path / CHECKPOINT_FILE, tmp_path / "model.safetensors"
    content, kept, rng = path.read_bytes(), sha256_file(model), random.Random(7)
    happened: Counter[str] = Counter()
    for _ in range(10 * TRIES):
        path.write_bytes(damaged(content, rng))
        model.unlink()
        result = judged(lambda: run(tmp_path))
        if result == "accepted":
            assert sha256_file(model) == kept
            result = "accepted, the same model"
        model.touch()
        happened[result] += 1
    outcomes.add("broken input", "checkpoints", happened)


def test_weights_of_others(tmp_path, outcomes):
    network = NetworkConfig(32, 1, 6, width=2, entry_channels=1)
    rng, path = random.Random(9), tmp_path / "last.cp"
    happened: Counter[str] = Counter()
    for zipped in (True, False):
        torch.save(published_content(network), path, _use_new_zipfile_serialization=zipped)
        content = path.read_bytes()
        head = content[:3000]  # where the pickle is, which is read as data alone
        for number in range(100 * TRIES):
            changed = damaged(head, rng) + content[3000:] if number % 2 else damaged(content, rng)
            path.write_bytes(changed)
            happened[judged(lambda: read_authors_weights(path))] += 1
    outcomes.add("hostile input", "published checkpoints (accepted: finite weights)", happened)


def test_names_are_text_in_the_book(outcomes):
    from companion.pages.page import figure_html
    from companion.pages.tables import html_table

    trap = '<script>alert(1)</script><img src=x onerror=alert(1)>" onload="x'
    for page in (
        html_table((trap, "b"), [(trap, 1.0)]), figure_html(b"", trap, trap, 10),
    ):  # fmt: skip
        assert "<script" not in page
        assert "<img src=x" not in page
        assert '" onload="' not in page
    outcomes.add("hostile input", "names with HTML in tables and captions", Counter(escaped=2))
