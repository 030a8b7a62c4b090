"""Benchmarks run as users type them, at tiny sizes, and compare results before times."""

import json
import subprocess
import sys

import pytest

from companion.project import project_root


@pytest.mark.parametrize(
    "command",
    [
        "metrics.py --images 300 --features 12",
        pytest.param("memory.py --images 600 700 --batch 4 --seconds 1", marks=pytest.mark.slow),
    ],
)
def test_a_record_is_written(tmp_path, command):
    name, *options = command.split()
    script = project_root() / "benchmarks" / name
    subprocess.run([sys.executable, script, *options, "--output", tmp_path], check=True)
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text())
    assert record["rows"]
    assert all(len(row) == len(record["header"]) for row in record["rows"])
