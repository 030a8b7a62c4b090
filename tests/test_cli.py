"""The command line's answers to mistakes, before anything runs."""

import sys

import pytest

from lbae_lib.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("notebook", "03_sampling", "-d", "digits", "-p", "smoke", "-P", "sampels=3"),
         "did you mean 'samples'"),
        (("notebook", "03_sampling", "-d", "digits", "-p", "smoke", "-P", "samples=many"),
         "must be of the type of its default 2000, int"),
        (("notebook", "03_samplings", "-d", "digits", "-p", "smoke"),
         "did you mean '03_sampling'"),
        (("notebook", "03_sampling", "-d", "digits", "-p", "paper"), "has no data set 'digits'"),
        (("report", "-d", "digit"), "did you mean 'digits'"),
        (("report", "-d", "digits", "--on", "slrum"), "there are default, slurm"),
        (("report", "-d", "digits", "--time-limit", "1h"), "MM:SS"),
        (("train", "-d", "folder:/nowhere/at/all", "-p", "quick"), "no folder at"),
        (("train", "-d", "digits", "-p", "smoke", "--time-limit", "soon"), "MM:SS"),
    ],
)  # fmt: skip
def test_mistakes_are_one_clear_line(words, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lbae", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors
