"""Progress as a user reads it."""

from contextlib import suppress

import pytest

from companion.workflow.report_progress import ReportProgress, time_left
from lbae_lib.progress import progress_bar


def test_a_step_of_a_report_writes_lines_under_its_name(monkeypatch, capsys):
    monkeypatch.setenv("LBAE_STEP", "digits vae")
    with progress_bar(50, "epoch 1/2", "img") as bar:
        bar.update(50)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("digits vae, epoch 1/2:") for line in lines)
    assert "50.0/50.0" in lines[-1]


def test_the_time_left_follows_the_pace_but_not_one_odd_step():
    assert time_left(60.0, ended=100.0, total=100.0) == 0
    assert time_left(50.0, ended=50.0, total=100.0) == pytest.approx(50)
    assert time_left(180.0, ended=90.0, total=100.0) == pytest.approx(19)  # half as fast as before
    assert time_left(1740.0, ended=10.0, total=20_000.0) < 40_000  # not 174 times as long


def test_a_log_that_cannot_be_written_does_not_hold_up_a_report(capsys):
    """Its lines are read on, or the steps that write them would wait for ever."""
    with suppress(OSError), open("/dev/full", "w") as full:
        lines = iter(["one\n", "two\n", "three\n"])
        ReportProgress({}, "smoke", full).read(lines)
        assert next(lines, None) is None
    said = capsys.readouterr().err
    assert said.count("the log ends here, as it cannot be written: No space left on device") == 1
