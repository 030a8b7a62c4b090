"""Records, and that a damaged one is not read."""

import json

import pytest

from companion.experiments.records import (
    IMPORTED,
    is_imported,
    read_record,
    recorded_run,
    write_record,
)
from lbae_lib.errors import CheckpointError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "record.json"
    verdicts = [{"claim": "a", "evidence": "1 < 2", "verdict": "holds"}]
    results = {"by_size": {8: 0.1, 12: 2.5e-8}, "verdicts": verdicts}
    write_record(path, IMPORTED, {"profile": "smoke"}, {"model": "0" * 64}, results, 1.0)
    return path


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_a_record_comes_back_and_any_other_content_is_refused(path):
    record = read_record(path, {"options.profile": str})
    assert record["results"]["by_size"] == {"8": 0.1, "12": 2.5e-8}
    assert is_imported(path.parent)
    change(path, lambda c: None)  # in another layout
    assert read_record(path) == record
    change(path, lambda c: c["results"]["by_size"].update({"8": 0.2}))
    for read in (lambda: read_record(path), lambda: is_imported(path.parent)):
        with pytest.raises(
            CheckpointError, match=r"is damaged \(checksum mismatch\): remove it and regenerate it"
        ):
            read()
    path.unlink()
    assert not is_imported(path.parent)
    with pytest.raises(CheckpointError, match="no record at"):
        read_record(path)


def test_early_records_have_no_checksum_but_what_is_asked_for(path):
    change(path, lambda c: c.pop("content_sha256"))
    read_record(path)
    with pytest.raises(CheckpointError, match=r"has no usable options\.dataset"):
        read_record(path, {"options.dataset": str})
    with pytest.raises(CheckpointError, match=r"has no usable options\.profile"):
        read_record(path, {"options.profile": dict})
    change(path, lambda c: c["results"]["verdicts"][0].update(verdict="perhaps"))
    with pytest.raises(
        CheckpointError, match="none of holds, does not hold, undecided, not tested"
    ):
        read_record(path)
    change(path, lambda c: c.update(results=[]))
    with pytest.raises(CheckpointError, match="has no usable results"):
        read_record(path)
    change(path, lambda c: c.update(content_sha257="0" * 64))  # its name, one bit off
    with pytest.raises(CheckpointError, match="is damaged"):
        read_record(path)


def test_a_run_that_finds_nothing_new_leaves_its_record(tmp_path):
    def run(loss, seconds=None):
        with recorded_run("study", tmp_path) as write:
            write({"seeds": (0, 1)}, {"train": "a"}, {"loss": loss}, seconds)
        return (tmp_path / "record.json").read_bytes()

    first = run(1.0, 7.5)
    assert read_record(tmp_path / "record.json")["seconds"] == 7.5
    assert run(1.0) == first
    assert run(2.0) != first
    (tmp_path / "record.json").write_text("{")  # a damaged one is replaced
    run(2.0)
    assert read_record(tmp_path / "record.json")["results"] == {"loss": 2.0}
