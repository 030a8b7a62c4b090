"""Progress as a user reads it."""

from lbae_lib.progress import progress_bar


def test_a_step_of_a_report_writes_lines_under_its_name(monkeypatch, capsys):
    monkeypatch.setenv("LBAE_STEP", "digits vae")
    with progress_bar(50, "epoch 1/2", "img") as bar:
        bar.update(50)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("digits vae, epoch 1/2:") for line in lines)
    assert "50.0/50.0" in lines[-1]
