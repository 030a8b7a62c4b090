"""Training on several devices: two processes on the processor, as a user starts them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PROJECT

from companion.commands import STOPPED_EARLY
from lbae_lib.errors import ConfigError
from lbae_lib.models.hardware import Hardware, choose_device, own_part, start_fabric

CONFIG = """
description: two processes
datasets:
  digits:
    width: 4
    latent_size: 24
    validation_images: 137
    batch_size: {batch}
    epochs: {epochs}
    learning_rate: 0.003
    vae: {{latent_size: 8, kl_weight: 10.0}}
"""


@pytest.fixture
def project(tmp_path) -> Path:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "config").mkdir()
    for package in ("lbae_lib", "companion"):
        shutil.copytree(PROJECT / package, tmp_path / package)
    return tmp_path


def start(project: Path, epochs: int, *words: str, batch: int = 64) -> subprocess.Popen[str]:
    (project / "config/small.yaml").write_text(CONFIG.format(epochs=epochs, batch=batch))
    environment = os.environ | {"PYTHONPATH": str(project), "LBAE_ROOT": str(project)}
    environment |= {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "companion.cli", "train", "-d", "digits", "-p", "small",
         "--device", "cpu", *words],
        cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, output + errors
    return errors


def history(project: Path, model: str = "lbae") -> list[dict[str, float]]:
    text = (project / f"runs/small/digits/{model}/progress.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_one_resumes_from_two(project):
    model = "vae"  # its noise is shared out like the images
    words = ("--model", model)
    finish(start(project, 3, *words))
    alone = history(project, model)
    shutil.rmtree(project / "runs")
    finish(start(project, 2, *words, "--devices", "2"))
    together = history(project, model)
    for one, two in zip(alone, together, strict=False):
        # Batch normalisation sees half of each batch.
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=0.03)
        assert two["validation_loss"] == pytest.approx(one["validation_loss"], rel=0.08)
    assert len(list((project / "runs/small/digits").rglob("record.json"))) == 1
    finish(start(project, 3, *words))
    resumed = history(project, model)
    assert resumed[:2] == together
    assert resumed[2]["train_loss"] < together[1]["train_loss"]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_killed_process_ends_the_run(project, which):
    process = start(project, 400, "--devices", "2")
    progress = project / "runs/small/digits/lbae/progress.jsonl"
    began = time.monotonic()
    while not progress.exists() and time.monotonic() - began < 120:
        time.sleep(0.2)
    children = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid=,args="], capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    (child,) = re.findall(r"^\s*(\d+) .*companion", children, re.MULTILINE)
    os.kill(int(child) if which == "second" else process.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    if which == "second":
        assert "another process of this run has ended" in errors
        assert "Traceback" not in errors
    began = time.monotonic()
    while Path(f"/proc/{child}").exists() and time.monotonic() - began < 60:
        time.sleep(0.2)
    assert not Path(f"/proc/{child}").exists()  # no orphan keeps running
    assert history(project)[0]["epoch"] == 1  # whole, not half-written


@pytest.mark.slow
def test_two_processes_stop_though_an_epoch_has_few_steps(project):
    process = start(project, 200, "--devices", "2", "--time-limit", "0:01", batch=650)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == STOPPED_EARLY, errors
    assert "run the same command again to resume" in errors


def test_a_part_of_each_batch():
    assert own_part(64, 0, 1) == slice(0, 64)
    assert [own_part(64, rank, 4) for rank in range(4)][3] == slice(48, 64)
    with pytest.raises(ConfigError, match="64 images cannot be shared evenly by 3"):
        own_part(64, 0, 3)
    with pytest.raises(ConfigError, match="at least 2"):
        own_part(4, 0, 4)


def test_impossible_hardware_is_refused():
    for hardware, message in (
        (Hardware("cpu", strategy="magic"), "strategy is 'magic'"),
        (Hardware("cpu", devices=0), "devices is 0"),
        (Hardware("cpu", nodes=-1), "nodes is -1"),
        (Hardware("cpu", sync_batch_norm=True), "needs GPUs"),
        (Hardware("gpu"), "device is 'gpu'"),
    ):
        with pytest.raises(ConfigError, match=message):
            start_fabric(hardware)


def test_the_device_by_what_the_machine_has(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="finds no GPU here: choose auto or cpu"):
        choose_device("cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == "cuda"
