"""Files written whole or not at all, checked when read, and folders for one run at a time."""

import os
import subprocess
import sys

import pytest
import torch

from lbae_lib.errors import CheckpointError, WriteError
from lbae_lib.files import read_json, read_tensors, replacing, write_json, write_tensors, write_text
from lbae_lib.locks import locked


def test_tensors_and_their_description_come_back(tmp_path):
    tensors = {"a": torch.arange(6).reshape(2, 3), "b": torch.rand(4)[::2]}
    write_tensors(tmp_path / "x.safetensors", tensors, {"name": "ü", "n": [1, 2.5]})
    found, about = read_tensors(tmp_path / "x.safetensors", "thing")
    assert about == {"name": "ü", "n": [1, 2.5]}
    assert all(torch.equal(found[k], tensors[k]) for k in tensors)


def test_the_same_content_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        write_tensors(tmp_path / name, {"y": torch.ones(3), "x": torch.zeros(2)}, {"k": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_block_that_fails_keeps_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(KeyError), replacing(path) as scratch:
        scratch.write_text("half of the n")
        raise KeyError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_scratch_files_of_killed_processes_are_removed_in_the_end(tmp_path):
    old, new, other = (tmp_path / n for n in (".a.123.json", ".a.456.json", ".a.b.json"))
    for path in (old, new, other):
        path.write_text("half")
    for path in (old, other):
        os.utime(path, (1e9, 1e9))
    write_json(tmp_path / "a.json", {})
    assert {p.name for p in tmp_path.iterdir()} == {"a.json", ".a.456.json", ".a.b.json"}


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    for write in (
        lambda path: write_text(path, "x"),
        lambda path: write_json(path, {}),
        lambda path: write_tensors(path, {"a": torch.ones(2)}, {}),
    ):
        with pytest.raises(WriteError, match=r"results/quick/record.* cannot be written"):
            write(tmp_path / "results/quick/record")
    with pytest.raises(WriteError, match="cannot be written to"), locked(tmp_path / "results/q"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WriteError, match="Permission denied"):
        write_text(tmp_path / "file", "x")
    tmp_path.chmod(0o700)


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "record.json"
    for text in ("", "{", "[]", "3", "\x00", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(CheckpointError, match=r"the record at .*record\.json"):
            read_json(path, "record")
    with pytest.raises(CheckpointError, match="no record at"):
        read_json(tmp_path / "other.json", "record")


def test_a_folder_is_one_runs_until_it_ends_however_it_ends(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom lbae_lib.locks import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        message = "another run is using .*run: wait"
        with pytest.raises(WriteError, match=message), locked(tmp_path / "run"):
            pass
        other.kill()
    with locked(tmp_path / "run"):
        pass
