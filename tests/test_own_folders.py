"""Folders of images of the same name, in other scripts, and renamed ones."""

import pytest
from PIL import Image

from companion.experiments import datasets
from companion.experiments.datasets import results_name
from companion.experiments.profiles import load_experiment
from companion.experiments.records import write_record
from companion.options import dataset_names
from companion.widgets.explorer import trained_models
from companion.workflow.listing import list_results
from lbae_lib.data.registry import dataset_slug


@pytest.fixture
def project(tmp_path, as_project):
    """A project without results."""
    datasets._of_folder.cache_clear()
    return as_project(tmp_path, "config", "notebooks")


def pictures(folder, grey=0, count=12):
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("L", (40, 40), (grey + 9 * index) % 256).save(folder / f"{index}.png")
    return f"folder:{folder}"


def test_two_folders_of_one_name_never_share_results(project, tmp_path):
    one, other = pictures(tmp_path / "a/pics"), pictures(tmp_path / "b/pics", 100)
    assert results_name(one) == "folder-pics"
    assert results_name(other) == "folder-pics-2"
    datasets._of_folder.cache_clear()  # as in another process
    assert results_name(other) == "folder-pics-2"
    assert results_name(f"{one}/../pics") == "folder-pics"
    assert load_experiment("quick", other).folder == project / "runs/quick/folder-pics-2"


def test_a_folder_with_spaces_is_one_data_set(project, tmp_path, monkeypatch):
    """Also below the home folder, and as seen from the project."""
    pictures(tmp_path / "My pictures")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("folder:~/My pictures", "folder:../My pictures", "folder:My pictures"):
        assert dataset_names(name) == ["folder:My pictures"]


def test_two_folders_of_one_name_are_two_models_in_lists(project, tmp_path, capsys):
    names = [pictures(tmp_path / "a/pics"), pictures(tmp_path / "b/pics", 100)]
    for name in names:
        folder = load_experiment("quick", name).model_folder
        options = {"profile": "quick", "dataset": {"name": name}}
        write_record(folder / "record.json", "train", options, {}, {}, 1.0)
        (folder / "model.safetensors").write_bytes(b"")
    shown = trained_models()
    assert {experiment.dataset.name for experiment in shown.values()} == set(names)
    assert len(shown) == 2
    list_results("quick")
    lines = capsys.readouterr().out.splitlines()
    for place, name in zip(("folder-pics", "folder-pics-2"), names, strict=True):
        assert sum(line.split()[0] == place and name in line for line in lines) == 1


def test_a_renamed_folder_keeps_its_results_while_the_images_are_the_same(project, tmp_path):
    first = pictures(tmp_path / "pics")
    assert results_name(first) == "folder-pics"
    (tmp_path / "pics").rename(tmp_path / "cats")
    assert results_name(f"folder:{tmp_path / 'cats'}") == "folder-pics"
    (tmp_path / "cats").rename(tmp_path / "dogs")
    (tmp_path / "dogs/0.png").unlink()
    assert results_name(f"folder:{tmp_path / 'dogs'}") == "folder-dogs"
    copy = pictures(tmp_path / "copy")  # of a folder that is still there
    assert results_name(pictures(tmp_path / "again")) != results_name(copy)


def test_published_results_are_those_of_the_folder_that_they_name(project, tmp_path):
    record = project / "results/laptop/folder-pics/lbae/record.json"
    write_record(record, "train", {"dataset": {"name": "folder:data/pics"}}, {}, {}, 1.0)
    assert results_name(pictures(tmp_path / "elsewhere/pics")) == "folder-pics-2"
    pictures(project / "data/pics", 50)
    assert results_name("folder:data/pics") == "folder-pics"


def test_names_in_all_scripts_are_kept():
    assert dataset_slug("folder:/a/Мои фото") == "folder-мои-фото"
    assert dataset_slug("folder:/a/写真_2") == "folder-写真-2"
    assert dataset_slug("folder:/a/!!") == "folder-images"
    assert dataset_slug("folder:/a/\udcff\udcfe") == "folder-images"
