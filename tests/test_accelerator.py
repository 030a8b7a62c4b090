"""The runs for an accelerator, rehearsed on the processor with tiny networks."""

import io
import os
import shutil
import subprocess
import sys
import tarfile

import pytest
from conftest import PROJECT

from lbae_lib.files import read_json
from lbae_lib.models.model_files import load_autoencoder


@pytest.mark.slow
def test_the_whole_list_runs_and_changes_nothing_the_second_time(tmp_path):
    for name in ("config", "notebooks", "benchmarks"):  # what goes to the other machine
        shutil.copytree(PROJECT / name, tmp_path / name)
    command = [
        sys.executable, "benchmarks/accelerator.py", "--small", "--minutes", "8", "--profile",
        "smoke", "--datasets", "digits", "--home", "home",
    ]  # fmt: skip
    own = {"PYTHONPATH": str(PROJECT), "LBAE_ROOT": str(tmp_path), "LBAE_DEVICE": "cpu"}
    environment = os.environ | own | {"OMP_NUM_THREADS": "1"}

    def call():
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        logs = {log.name: log.read_text() for log in tmp_path.glob("runs/smoke/logs/*")}
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("exit status 0") == 8, (done.stdout, logs)
        content = b"".join(
            p.read_bytes() for p in sorted((tmp_path / "home").glob("results.tar.*"))
        )
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(tmp_path / "back", filter="data")

    call()
    for model in ("lbae", "vae"):
        load_autoencoder(tmp_path / f"back/runs/smoke/digits/{model}/model.safetensors")
    made = sorted(path.parent.name for path in tmp_path.glob("back/runs/smoke/*/*/record.json"))
    assert made == sorted(
        ("bottlenecks", "extractor", "lbae", "quantisers", "seeds", "sizes", "vae")
    )
    (record,) = (tmp_path / "back/runs/performance").glob("devices-*.json")
    assert all(row[2] == 0 for row in read_json(record, "record")["rows"])  # processor twice
    kept = [*tmp_path.glob("runs/smoke/digits/*/record.json")]
    kept.append(tmp_path / "runs/smoke/digits/lbae/model.safetensors")
    kept.remove(tmp_path / "runs/smoke/digits/extractor/record.json")  # it is trained again
    before = [path.read_bytes() for path in kept]
    call()
    assert [path.read_bytes() for path in kept] == before
