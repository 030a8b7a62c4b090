"""The command line's answers to mistakes, before anything runs."""

import subprocess
import sys
from importlib import metadata

import pytest
from conftest import PROJECT
from PIL import Image

from companion.cli import main
from companion.experiments.datasets import dataset_info, load_dataset, name_in_project
from companion.workflow.notebooks import GIVEN, notebook_names, notebook_parameters, notebook_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("notebook", "03_sampling", "-d", "digits", "-p", "smoke", "-P", "sampels=3"),
         "did you mean 'samples'"),
        (("notebook", "03_sampling", "-d", "digits", "-p", "smoke", "-P", "samples=many"),
         "must be a whole number"),
        (("notebook", "03_samplings", "-d", "digits", "-p", "smoke"),
         "did you mean '03_sampling'"),
        (("notebook", "03_sampling", "-d", "digits", "-p", "paper"), "has no data set 'digits'"),
        (("report", "-d", "digit"), "did you mean 'digits'"),
        (("report", "-d", "digits", "--on", "slrum"), "'slurm'? There are default, slurm"),
        (("report", "-d", "digits", "--time-limit", "1h"), "MM:SS"),
        (("train", "-d", "folder:/nowhere/at/all", "-p", "quick"), "no folder at"),
        (("encode", "-d", "folder:/nowhere/at/all", "-p", "laptop"), "no folder at"),
        (("train", "-d", "folder-cifar10"), "for a folder of images, write folder:PATH"),
        (("train", "-d", "digits", "-p", "smoke", "--num-nodes", "0"), "--num-nodes is 0, but"),
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


def test_a_folder_is_the_same_in_every_step(tmp_path, monkeypatch, as_project):
    """Named from where the user is, or from the project's folder; also under `lbae verify`."""
    project, apart = tmp_path / "project", tmp_path / "project/build/verify/project"
    for index in range(10):
        picture = project / f"data/cats/{index}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (index, 0, 0)).save(picture)
    for root, here, given, name in (
        (project, "data", "folder:cats", "folder:data/cats"),
        (project, "data/cats", "folder:.", "folder:data/cats"),
        (project, ".", "folder:data/cats/", "folder:data/cats"),
        (project, "config", "folder:data/cats", "folder:data/cats"),
        (project, "config", f"folder:{project}/data/cats", "folder:data/cats"),
        (apart, ".", "folder:data/cats", f"folder:{project}/data/cats"),
    ):
        as_project(root)
        monkeypatch.chdir(project / here)
        info = dataset_info(name_in_project(given))
        monkeypatch.chdir(root)  # as in a notebook
        assert len(load_dataset(info, tmp_path).train) == 9
        assert info.name == name


def test_the_version_is_the_packages(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lbae", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"lbae {metadata.version('lbae-companion')}\n"


def test_the_help_of_every_notebook_lists_its_parameters_and_their_bounds(capsys, monkeypatch):
    for name in notebook_names():
        monkeypatch.setattr(sys, "argv", ["lbae", "notebook", name, "--help"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        said = " ".join(capsys.readouterr().out.partition(f"Parameters of {name}:")[2].split())
        own = [key for key in notebook_parameters(notebook_path(name)) if key not in GIVEN]
        assert all(f"{key}: " in said for key in own)
        assert ("It has none." in said) == (not own)
        assert ("seed: int = 0 seed of all random draws (0 to 1000000)" in said) == ("seed" in own)


@pytest.mark.parametrize("option", ["DATASET=digits", "PROFLE=quick", "DEVICE=cpu"])
def test_a_misspelt_option_of_make_is_refused(option):
    name = option.partition("=")[0]
    done = subprocess.run(
        ["make", "--dry-run", "report", option], cwd=PROJECT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"there is no option {name}" in done.stderr
