"""Files written whole or not at all, checked when read, and folders for one run at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from companion.experiments.compress import check_output
from lbae_lib.errors import CheckpointError, WriteError
from lbae_lib.files import (
    read_description,
    read_json,
    read_tensors,
    replacing,
    sha256_tensor,
    write_json,
    write_tensors,
    write_text,
)
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


def test_any_json_and_tensors_that_share_memory_come_back(tmp_path):
    path, both = tmp_path / "x.safetensors", torch.arange(6)
    write_tensors(path, {"a": both, "b": both, "c": both[2:]}, {"n": {10: (1,), 9: None}})
    found, about = read_tensors(path, "thing")
    assert about == read_description(path, "thing") == {"n": {"10": [1], "9": None}}
    assert all(torch.equal(found[k], both[s:]) for k, s in (("a", 0), ("b", 0), ("c", 2)))
    with pytest.raises(ValueError, match="JSON compliant"):
        write_tensors(path, {}, {"n": float("nan")})


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


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_files_and_folders_have_the_mode_of_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_tensors(tmp_path / "a/b/x.safetensors", {"a": torch.ones(2)}, {})
        write_text(tmp_path / "a/b/x.txt", "x")
        write_text(tmp_path / "a/b/x.txt", "again")
        with replacing(tmp_path / "a/b/y") as scratch:
            scratch.write_text("")
            scratch.chmod(0o600)
        with locked(tmp_path / "a/c"):
            pass
    finally:
        os.umask(before)
    for name in ("a/b/x.safetensors", "a/b/x.txt", "a/b/y", "a/c/.lock"):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode, name
    for name in ("a", "a/b", "a/c"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o777 & ~umask, name


AS_ANOTHER_USER = """
import os, sys, torch, safetensors.torch
from pathlib import Path
from lbae_lib.errors import LbaeError
from lbae_lib.files import read_json, read_tensors, sha256_file, write_text
from lbae_lib.locks import locked
os.setgroups([]), os.setgid(65534), os.setuid(65534)  # once all is imported
folder = Path(sys.argv[1])
def lock():
    with locked(folder):
        pass
for name, act in {
    "read": lambda: read_tensors(folder / "open.safetensors", "model"),
    "tensors": lambda: read_tensors(folder / "closed.safetensors", "model"),
    "json": lambda: read_json(folder / "closed.json", "record"),
    "below": lambda: read_json(folder / "sub/a.json", "record"),
    "hash": lambda: sha256_file(folder / "closed.json"),
    "write": lambda: write_text(folder / "new", "x"),
    "lock": lock,
}.items():
    try:
        act()
        print(name, "done")
    except LbaeError as error:
        print(name, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may become another user")
def test_another_user_reads_what_is_open_and_gets_one_line_for_the_rest(tmp_path):
    folder = tmp_path / "results"
    write_tensors(folder / "open.safetensors", {"a": torch.ones(2)}, {})
    write_tensors(folder / "closed.safetensors", {"a": torch.ones(2)}, {})
    write_json(folder / "closed.json", {})
    write_json(folder / "sub/a.json", {})
    for name in ("closed.safetensors", "closed.json", "sub"):
        (folder / name).chmod(0o700 if name == "sub" else 0o600)
    with locked(folder):
        pass
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_mode & 0o005 != 0o005:
            above.chmod(above.stat().st_mode | 0o005)

    def lines():
        command = [sys.executable, "-c", AS_ANOTHER_USER, str(folder)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return dict(line.split(" ", 1) for line in found.splitlines())

    found = lines()
    assert found["read"] == "done"
    for name in ("tensors", "json", "below", "hash"):
        assert "may not be read by this user: ask its owner" in found[name]
        assert "remove" not in found[name]
    assert "Permission denied" in found["write"]
    assert "cannot be written to (Permission denied)" in found["lock"]
    folder.chmod(0o777)  # a folder that both may write; the lock file is the first user's
    assert lines()["lock"] == "done"


def test_outputs_that_a_user_may_want_are_not_replaced(tmp_path):
    photo, link, new = (tmp_path / name for name in ("a.jpg", "link.jpg", "new"))
    photo.write_text("photo")
    link.symlink_to(photo)
    check_output(new)
    check_output(photo, is_ours=lambda path: path == photo)
    check_output(photo, force=True)
    for path in (photo, link):
        with pytest.raises(WriteError, match="exists and was not written by lbae"):
            check_output(path)
        for force in (False, True):
            with pytest.raises(WriteError, match="is one of the inputs"):
                check_output(path, [tmp_path / "b.jpg", photo], force=force)
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(WriteError, match=r"is a folder|is not an ordinary file"):
            check_output(path, force=True)


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "record.json"
    for text in ("", "{", "[]", "3", "\x00", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(CheckpointError, match=r"the record at .*record\.json"):
            read_json(path, "record")
    with pytest.raises(CheckpointError, match="no record at"):
        read_json(tmp_path / "other.json", "record")


def test_a_folder_belongs_to_one_run_until_it_ends_however_it_ends(tmp_path):
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


def test_every_tensor_has_a_hash_of_dtype_shape_and_bytes():
    tensors = [torch.zeros(3, 0), torch.zeros(0, 3), torch.zeros(3), torch.zeros(3).bfloat16()]
    tensors += [torch.zeros(3).bool(), torch.arange(6).view(2, 3), torch.arange(6).view(2, 3).T]
    hashes = [sha256_tensor(tensor) for tensor in tensors]
    assert len(set(hashes)) == len(tensors)
    assert hashes[-1] == sha256_tensor(torch.arange(6).view(2, 3).T.contiguous())
