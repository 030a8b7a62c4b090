"""A folder of images has an identity of its content, and its changes are told in words."""

import os

import pytest
import torch
from PIL import Image
from test_folder import fill

from companion.experiments import folder_contents as module
from companion.experiments import images as experiment_images
from companion.experiments.artifacts import MODEL
from companion.experiments.folder_contents import FolderContents, folder_contents
from companion.experiments.profiles import load_experiment
from companion.experiments.records import RECORD_FILE, read_record
from companion.experiments.training import train_experiment
from companion.workflow.staleness import artifact_reasons
from lbae_lib.errors import CheckpointError, DataError


def settle(folder):
    """Let all files be old."""
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


def test_the_identity_is_that_of_paths_and_contents(tmp_path):
    for folder in ("a", "b c"):
        fill(tmp_path / folder, "1.png", "sub/2.png")
        (tmp_path / folder / "Attributes.csv").write_text("image_id\n1.png\n")
        (tmp_path / folder / "notes.txt").write_text(folder)
    first, second = (folder_contents(tmp_path / name) for name in ("a", "b c"))
    assert first.sha256 == second.sha256
    assert set(first.files) == {"1.png", "sub/2.png", "Attributes.csv"}
    for change in (
        lambda: fill(tmp_path / "a", "1.png", grey=9),
        lambda: (tmp_path / "a/Attributes.csv").write_text("image_id\nsub/2.png\n"),
        lambda: (tmp_path / "a/1.png").rename(tmp_path / "a/3.png"),
    ):
        before = folder_contents(tmp_path / "a").sha256
        change()
        assert folder_contents(tmp_path / "a").sha256 != before


def test_a_table_counts_by_the_images_that_it_chooses(tmp_path):
    names = [f"{i}.png" for i in range(5)]
    fill(tmp_path, *names)
    table = tmp_path / "attributes.csv"

    def identity(text):
        table.write_text(text)
        return folder_contents(tmp_path).without_attributes()

    plain = folder_contents(tmp_path).without_attributes()
    every = "image_id,A\n" + "".join(f"{name},1\n" for name in names)
    assert identity(every) == identity(every.replace(",1", ",0")) == plain
    fewer = identity(every.replace("4.png,1\n", ""))
    assert fewer.changes_since(plain.files) == "1 table was added (attributes.csv)"
    split = every.replace("A", "split").replace(",1", ",train")
    moved = identity(
        split.replace("3.png,train", "3.png,test").replace("4.png,train", "4.png,test")
    )
    other = identity(split.replace("4.png,train", "4.png,test"))
    assert len({c.sha256 for c in (plain, fewer, moved, other)}) == 4


def test_files_that_did_not_change_are_hashed_once(tmp_path, monkeypatch):
    fill(tmp_path / "a", "1.png", "2.png")
    settle(tmp_path / "a")
    memory = tmp_path / "memory/a.json"
    first = folder_contents(tmp_path / "a", memory)
    hashed = []
    plain = module.sha256_file
    monkeypatch.setattr(module, "sha256_file", lambda path: hashed.append(path) or plain(path))
    assert folder_contents(tmp_path / "a", memory) == first
    assert hashed == []
    fill(tmp_path / "a", "2.png", grey=7)
    for _ in range(2):  # a file that may still change is not remembered
        assert folder_contents(tmp_path / "a", memory) != first
    assert [path.name for path in hashed] == ["2.png", "2.png"]
    memory.write_text("damaged")
    assert folder_contents(tmp_path / "a", memory).files.keys() == first.files.keys()
    with pytest.raises(DataError, match="no folder at"):
        folder_contents(tmp_path / "nowhere")


def test_changes_are_told_in_words():
    now = FolderContents({f"{i}.png": "1" for i in range(5)} | {"attributes.csv": "1"})
    assert now.changes_since(now.files) == ""
    few = {"0.png": "1", "attributes.csv": "1"}
    assert now.changes_since(few) == "4 images were added (1.png, 2.png, 3.png, …)"
    other = dict(now.files) | {"gone.png": "1", "0.png": "2"}
    assert now.changes_since(other) == "1 image was removed (gone.png) and 1 changed (0.png)"
    assert now.changes_since(dict(now.files) | {"attributes.csv": "2"}) == (
        "1 table was changed (attributes.csv)"
    )


@pytest.fixture
def project(tmp_path, as_project):
    experiment_images._load.cache_clear()
    entry = "latent_size: 8, epochs: 1, validation_images: 2, width: 4, image_size: 32"
    return as_project(tmp_path, profile=f"datasets: {{folder: {{{entry}}}}}")


def test_a_trained_models_images_may_not_change_unseen(project):
    fill(project / "pics", *[f"{i}.png" for i in range(20)])
    experiment = load_experiment("own", "folder:pics")
    model = experiment.model_folder / "model.safetensors"

    def remember():
        images = experiment_images.load_images(experiment, project)
        experiment_images.remember_images(experiment, images, [model])

    remember()
    fill(project / "pics", *[f"new{i}.png" for i in range(12)])
    remember()  # there is no model yet
    model.write_text("")
    fill(project / "pics", "more.png")
    (project / "pics/3.png").unlink()
    expected = r"in pics, 1 image was added \(more\.png\) and 1 removed \(3\.png\) since the model"
    with pytest.raises(CheckpointError, match=expected):
        remember()


def test_images_compressed_again_are_the_same_images(project):
    """What counts are the pixels: the model, and what its record says of its making, stay."""
    fill(project / "pics", *[f"{i:02}.png" for i in range(20)])
    experiment = load_experiment("own", "folder:pics")
    train_experiment(experiment, project)
    model, record = (experiment.model_folder / name for name in ("model.safetensors", RECORD_FILE))
    kept, made = model.read_bytes(), read_record(record)

    first = project / "pics/00.png"
    packed = first.read_bytes()
    Image.open(first).save(first, compress_level=0)
    assert first.read_bytes() != packed
    first.rename(project / "pics/000.png")
    assert artifact_reasons(MODEL, experiment) == ["the images have changed"]
    train_experiment(experiment, project)
    assert artifact_reasons(MODEL, experiment) == []
    now = read_record(record)
    assert now["inputs"]["images"] != made["inputs"]["images"]
    assert now | {"inputs": made["inputs"]} == made
    assert model.read_bytes() == kept

    fill(project / "pics", "000.png", grey=9)
    with pytest.raises(CheckpointError, match=r"1 image was changed \(000.png\)"):
        train_experiment(experiment, project)


def test_a_validation_part_of_the_data_set_is_the_validation_split(project):
    for split, count in (("train", 20), ("val", 5), ("test", 4)):
        fill(project / "pics", *[f"{split}/{i}.png" for i in range(count)])
    images = experiment_images.load_images(load_experiment("own", "folder:pics"), project)
    assert {name: len(part) for name, part in images.splits.items()} == {
        "train": 20,
        "validation": 5,
        "test": 4,
    }
    assert torch.equal(images.splits["validation"].images, images.dataset.validation.images)
