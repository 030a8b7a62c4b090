"""The runs for a borrowed accelerator, rehearsed on the processor with tiny networks."""

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest
from conftest import PROJECT

from lbae_lib.models.model_files import load_autoencoder


@pytest.mark.slow
def test_the_whole_list_runs_and_resumes(tmp_path):
    command = [
        sys.executable, str(PROJECT / "benchmarks/accelerator.py"), "--rehearse", "--device", "cpu",
        "--minutes", "5", "--home", str(tmp_path / "home"), "--work", str(tmp_path / "work"),
        "--data", str(tmp_path),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = json.loads((tmp_path / "home/steps.json").read_text())
    assert list(steps) == ["compare", "throughput", "digits-lbae", "digits-vae"]
    assert all(row["largest_difference"] == 0 for row in steps["compare"]["rows"])
    parts = sorted((tmp_path / "home").glob("trained.tar.*"))
    content = io.BytesIO(b"".join(part.read_bytes() for part in parts))
    with tarfile.open(fileobj=content) as archive:
        archive.extractall(tmp_path / "back", filter="data")
    for name in ("digits-lbae", "digits-vae"):
        load_autoencoder(tmp_path / f"back/{name}/model.safetensors")
        assert steps[name]["reconstruction_loss"]["test"] > 0
        assert (tmp_path / f"back/{name}/latents.safetensors").exists()
    # Called again it has nothing to do.
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0 and "done\n" not in again.stdout.replace("steps done", ""), again
