"""Kills, full disks and broken input: what was tried and what happened.

In every run of the suite a few tries of broken input. `make reliability` tries more, kills, fills
disks, and writes what happened to results/reliability/outcomes.json, of which the book's page is
made:

    LBAE_TRIES=5 LBAE_OUTCOMES=results/reliability/outcomes.json pytest tests/test_reliability.py
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pytest
import torch
import yaml
from conftest import PROJECT
from papermill.translators import PythonTranslator
from PIL import Image
from test_authors_weights import content as published_content

from lbae_lib import config
from lbae_lib.bits import pack_bits
from lbae_lib.coding.container import CODERS
from lbae_lib.coding.priors import Codec
from lbae_lib.config import MODELS, NetworkConfig, load_experiment
from lbae_lib.data.folder import load_folder, read_images
from lbae_lib.errors import LbaeError
from lbae_lib.files import read_json, read_tensors, sha256_file, write_json, write_tensors
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import Factorised
from lbae_lib.latent.moments import moments
from lbae_lib.models.authors_weights import read_authors_weights
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.checkpoints import load_autoencoder, save_model
from lbae_lib.models.resume import CHECKPOINT_FILE
from lbae_lib.report.execute import check_parameters

TRIES = int(os.environ.get("LBAE_TRIES", "1"))
pytestmark = pytest.mark.slow
many = pytest.mark.skipif("LBAE_TRIES" not in os.environ, reason="minutes: make reliability")


class Outcomes:
    """What was tried and what happened, a row each."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def add(self, part: str, what: str, happened: Counter[str]) -> None:
        tries = sum(happened.values())
        self.rows.append(
            {"part": part, "what": what, "tries": tries, "happened": dict(happened.most_common())}
        )


@pytest.fixture(scope="module")
def outcomes(request):
    found = Outcomes()
    yield found
    target = os.environ.get("LBAE_OUTCOMES")
    if target and not request.session.testsfailed:
        write_json(PROJECT / target, {"rows": found.rows, "seed": 0})


def judged(action: Callable[[], object]) -> str:
    """Whether the library refused, and said why. Any other error is one, and fails the test."""
    try:
        action()
    except LbaeError as error:
        assert str(error)
        return "refused"
    return "accepted"


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
    "from lbae_lib.cli import main; main()"
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
    for part in ("lbae_lib", "profiles", "book"):
        (tmp_path / part).symlink_to(PROJECT / part)
    for part in ("Snakefile", "_config.yml"):
        shutil.copy2(PROJECT / part, tmp_path / part)
    (tmp_path / "notebooks").mkdir()
    for name in ("01_training", "03_sampling", "06_tables"):
        shutil.copy2(PROJECT / f"notebooks/{name}.ipynb", tmp_path / "notebooks")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/tiny.yaml").write_text(TINY)
    return tmp_path


def start(project: Path, *words: str, limit: int | None = None) -> subprocess.Popen[str]:
    """An `lbae` command in a process group of its own; no file may grow beyond the limit."""
    code = COMMAND
    if limit is not None:
        code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2); {code}"
    dataset = "--datasets" if words[0] == "report" else "--dataset"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words, dataset, "digits", "--profile", "tiny"],
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
        record = read_json(file, "record")
        record["results"].pop("seconds", None)
        return record["results"], record["inputs"]
    return sha256_file(file)


@many
@pytest.mark.parametrize("step", STEPS)
def test_kills(project, outcomes, step):
    words, product, least = STEPS[step]
    folder = project / "results/tiny/digits"
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
                read_json(path, "record")
            kills += 1
            if kills % 3:
                continue  # the next start goes on from what this one left
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
def test_an_interrupted_report_leaves_no_process(project, outcomes):
    process = start(project, "report")
    rng = random.Random(1)
    time.sleep(rng.uniform(4, 8))
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    began = time.monotonic()
    while at_work(project) and time.monotonic() - began < 20:
        time.sleep(0.2)
    assert not at_work(project)
    outcomes.add("interrupted (Ctrl-C)", "a report", Counter({"no process left": 1}))


# --- Full disks --------------------------------------------------------------------------------


@many
@pytest.mark.parametrize(
    ("words", "limit"),
    [(("train",), 1000), (("encode",), 1000), (("notebook", "03_sampling"), 5_000)],
)
def test_no_room_for_a_file(project, outcomes, words, limit):
    folder = project / "results/tiny/digits"
    product = next(p for w, p, _ in STEPS.values() if w == words)
    for step, (before, _, _) in STEPS.items():
        if step == "a report" or before == words:
            break
        finish(start(project, *before))
    finish(start(project, *words))
    kept = sha256_file(folder / product)
    if words == ("train",):
        shutil.rmtree(folder)
    process = start(project, *words, limit=limit)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors, errors
    assert "File too large" in errors, errors
    if words != ("train",):
        assert sha256_file(folder / product) == kept
    assert not [p for p in folder.rglob(".*") if p.name != ".lock" and p.is_file()]
    finish(start(project, *words))
    happened = Counter({"refused with the file's name; what was there was kept": 1})
    outcomes.add("no room for a file", f"lbae {words[0]}", happened)


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
            holder[last] = rng.choice(NASTY)
        elif change < 0.85:
            holder.pop(last)
        else:
            holder[rng.choice(["epoch", "", "x", 3, None])] = rng.choice(NASTY)
    return profile


def test_profiles(tmp_path, outcomes, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "config").mkdir()
    monkeypatch.setenv("LBAE_ROOT", str(tmp_path))
    config.project_root.cache_clear()
    rng = random.Random(0)
    profile = yaml.safe_load((PROJECT / "config/smoke.yaml").read_text())
    text = (PROJECT / "config/smoke.yaml").read_bytes()
    happened: Counter[str] = Counter()
    try:
        for number in range(100 * TRIES):
            if number % 4:
                content = yaml.safe_dump(_mutated(profile, rng), allow_unicode=True).encode()
            else:
                content = damaged(text, rng)
            (tmp_path / "config/own.yaml").write_bytes(content)
            for model in MODELS:
                happened[judged(lambda model=model: load_experiment("own", "digits", model))] += 1
    finally:
        config.project_root.cache_clear()
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


def test_records(tmp_path, outcomes):
    content = next((PROJECT / "results/laptop/mnist").glob("*/record.json")).read_bytes()
    path, rng = tmp_path / "record.json", random.Random(3)
    happened: Counter[str] = Counter()
    for _ in range(200 * TRIES):
        path.write_bytes(damaged(content, rng))
        happened[judged(lambda: read_json(path, "record"))] += 1
    outcomes.add("broken input", "records (accepted: still JSON)", happened)


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
    from lbae_lib.report.page import figure_html
    from lbae_lib.report.tables import html_table

    trap = '<script>alert(1)</script><img src=x onerror=alert(1)>" onload="x'
    for page in (
        html_table((trap, "b"), [(trap, 1.0)]), figure_html(b"", trap, trap, 10),
    ):  # fmt: skip
        assert "<script" not in page
        assert "<img src=x" not in page
        assert '" onload="' not in page
    outcomes.add("hostile input", "names with HTML in tables and captions", Counter(escaped=2))
