import hashlib
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from lbae_lib.data.images import ImageSet
from lbae_lib.data.registry import DATASETS, dataset_info, dataset_slug, load_dataset
from lbae_lib.errors import ConfigError, DataError


def save_image(path, width=40, height=48, mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def test_digits_are_what_they_are_said_to_be(tmp_path):
    digits = load_dataset(DATASETS["digits"], tmp_path)
    assert (len(digits.train), len(digits.test)) == (1437, 360)
    everything = torch.cat([digits.train.images, digits.test.images])
    assert everything.shape == (1797, 1, 32, 32)
    hashes = {hashlib.sha256(i.numpy().tobytes()).digest() for i in everything}
    assert len(hashes) == 1797  # no image in both parts
    assert bool((everything[:, :, :2] == 0).all() and (everything[..., -2:] == 0).all())
    assert int(everything.max()) == 255
    assert digits.train.labels.bincount().min() > 100
    again = load_dataset(DATASETS["digits"], tmp_path)
    assert torch.equal(again.test.images, digits.test.images)


def test_the_validation_split_is_always_the_same_and_disjoint():
    images = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1)
    whole = ImageSet(images, torch.arange(100))
    train, validation = whole.split(10)
    assert (len(train), len(validation)) == (90, 10)
    assert sorted(torch.cat([train.labels, validation.labels]).tolist()) == list(range(100))
    assert torch.equal(train.images.flatten().long(), train.labels)
    assert torch.equal(whole.split(10)[1].labels, validation.labels)
    for count in (0, 100, -3):
        with pytest.raises(DataError, match="1 to 99"):
            whole.split(count)


def test_image_sets_refuse_other_tensors():
    with pytest.raises(DataError, match="must be uint8"):
        ImageSet(torch.zeros(2, 1, 8, 8))
    with pytest.raises(DataError, match="must be uint8"):
        ImageSet(torch.zeros(2, 1, 8, 9, dtype=torch.uint8))
    with pytest.raises(DataError, match="3 labels for 2 images"):
        ImageSet(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(3))


def test_unknown_names_are_refused_with_the_closest():
    with pytest.raises(ConfigError, match="did you mean 'mnist'"):
        dataset_info("mnits")
    assert dataset_slug("folder:/a/My Cats & dogs/") == "folder-my-cats-dogs"
    assert dataset_slug("cifar10") == "cifar10"


def test_a_folder_with_parts_and_classes(tmp_path):
    for part, count in (("train", 6), ("test", 2)):
        for name in ("cat", "dog"):
            for index in range(count):
                save_image(tmp_path / part / name / f"{index}.png", seed=index)
    data = load_dataset(dataset_info(f"folder:{tmp_path}", 32, 3), tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.train.images.shape == (12, 3, 32, 32)
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6
    assert len(data.test) == 4


def test_a_plain_folder_is_split_and_converted(tmp_path):
    modes = ("RGB", "L", "P", "RGBA", "1", "CMYK")
    for index in range(24):
        mode = modes[index % 6]
        save_image(tmp_path / f"{index}.{'jpg' if mode == 'CMYK' else 'png'}", mode=mode)
    (tmp_path / "notes.txt").write_text("not an image")
    data = load_dataset(dataset_info(f"folder:{tmp_path}", 32, 1), tmp_path)
    assert (len(data.train), len(data.test)) == (22, 2)
    assert data.train.images.shape[1:] == (1, 32, 32)
    assert data.train.labels is None


def test_resizing_crops_the_centre(tmp_path):
    """A wide image: left and right thirds are cut off."""
    pixels = np.zeros((64, 192, 3), dtype=np.uint8)
    pixels[:, 64:128] = 200
    for index in range(10):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    data = load_dataset(dataset_info(f"folder:{tmp_path}", 32, 3), tmp_path)
    assert bool((data.train.images[..., 4:-4] == 200).all())


def test_broken_folders_are_refused_with_the_file_named(tmp_path):
    def load(folder):
        return load_dataset(dataset_info(f"folder:{folder}", 32, 3), tmp_path)

    with pytest.raises(DataError, match="no folder at"):
        load(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="holds no images"):
        load(empty)
    few = tmp_path / "few"
    save_image(few / "one.png")
    with pytest.raises(DataError, match="at least 10"):
        load(few)
    mixed = tmp_path / "mixed"
    save_image(mixed / "a.png")
    save_image(mixed / "class" / "b.png")
    with pytest.raises(DataError, match="both beside and inside"):
        load(mixed)
    small = tmp_path / "small"
    for index in range(10):
        save_image(small / f"{index}.png")
    save_image(small / "tiny.png", width=31)
    with pytest.raises(DataError, match=r"tiny\.png has 31×48"):
        load(small)
    (small / "tiny.png").write_bytes((small / "0.png").read_bytes()[:900])
    with pytest.raises(DataError, match=r"tiny\.png cannot be read"):
        load(small)
    (small / "tiny.png").write_text("text")
    with pytest.raises(DataError, match=r"tiny\.png cannot be read"):
        load(small)


@pytest.fixture
def offline(monkeypatch):
    from urllib.error import URLError

    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_missing_data_that_cannot_be_downloaded(name, tmp_path, offline):
    with pytest.raises(DataError) as error:
        load_dataset(DATASETS[name], tmp_path)
    message = str(error.value)
    assert DATASETS[name].title in message
    assert str(tmp_path) in message
    assert "download" in message


@pytest.mark.real
def test_mnist_is_padded_mnist(mnist_root):
    data = load_dataset(DATASETS["mnist"], mnist_root)
    assert data.train.images.shape == (60_000, 1, 32, 32)
    assert data.test.images.shape == (10_000, 1, 32, 32)
    inner = data.train.images[:, :, 2:-2, 2:-2]
    assert float(inner.double().mean() / 255) == pytest.approx(0.1307, abs=1e-4)
    assert int(data.train.images.sum()) == int(inner.sum())
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.real
def test_a_truncated_mnist_is_refused(mnist_root, tmp_path, offline):
    shutil.copytree(mnist_root / "MNIST", tmp_path / "MNIST")
    file = tmp_path / "MNIST/raw/t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:1_000_000])
    with pytest.raises(DataError, match="damaged") as error:
        load_dataset(DATASETS["mnist"], tmp_path)
    assert str(tmp_path) in str(error.value)
