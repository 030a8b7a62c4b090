import hashlib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead

import numpy as np
import pytest
import torch
from PIL import Image

from companion.experiments.profiles import load_experiment
from companion.workflow.plan import pages
from lbae_lib.data import embedded, faces, folder, torchvision_sets
from lbae_lib.data.embedded import draw_photos
from lbae_lib.data.face_drawing import draw_face
from lbae_lib.data.faces import ATTRIBUTES, draw_attributes, draw_faces
from lbae_lib.data.images import ImageSet
from lbae_lib.data.registry import DATASETS, dataset_info, dataset_slug, load_dataset
from lbae_lib.errors import CheckpointError, ConfigError, DataError, LbaeError
from lbae_lib.files import write_tensors


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
    with pytest.raises(ConfigError, match=r"no attribute of a data set 'chanels': .*'channels'"):
        dataset_info("folder:x", chanels=1)
    with pytest.raises(ConfigError, match="channels of mnist cannot be changed"):
        dataset_info("mnist", channels=3)
    assert dataset_slug("folder:/a/My Cats & dogs/") == "folder-my-cats-dogs"
    assert dataset_slug("cifar10") == "cifar10"


def test_a_folder_with_parts_and_classes(tmp_path):
    for part, count in (("train", 6), ("test", 2)):
        for name in ("cat", "dog"):
            for index in range(count):
                save_image(tmp_path / part / name / f"{index}.png", seed=index)
    data = load_dataset(dataset_info(f"folder:{tmp_path}", image_size=32, channels=3), tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.train.images.shape == (12, 3, 32, 32)
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6
    assert len(data.test) == 4


def test_a_folder_tells_whether_its_images_are_named(tmp_path):
    def named():
        return dataset_info(f"folder:{tmp_path}").named

    save_image(tmp_path / "train/cat/0.png")
    (tmp_path / "train/dog").mkdir()
    (tmp_path / "train/dog/notes.txt").write_text("no image")
    (tmp_path / "test").mkdir()
    assert not named()  # one class tells nothing apart
    save_image(tmp_path / "test/dog/0.JPG")
    assert named()
    table = tmp_path / "attributes.csv"
    table.write_text("image_id,split\n")  # a table has the last word
    assert not named()
    table.write_text("image_id,split,Smiling\n")
    assert named()
    assert not dataset_info(f"folder:{tmp_path}", named=False).named
    assert not dataset_info(f"folder:{tmp_path / 'nowhere'}").named


def test_a_folder_gets_every_page_in_the_quick_profile(tmp_path):
    def numbers():
        return {page[:2] for page in pages(load_experiment("quick", f"folder:{tmp_path}"))}

    every = {"01", "02", "03", "04", "05", "07", "08", "09", "11", "14"}
    assert numbers() == every - {"07"}
    (tmp_path / "attributes.csv").write_text("image_id,Smiling\n")
    assert numbers() == every


def test_a_plain_folder_is_split_and_converted(tmp_path):
    modes = ("RGB", "L", "P", "RGBA", "1", "CMYK")
    for index in range(24):
        mode = modes[index % 6]
        save_image(tmp_path / f"{index}.{'jpg' if mode == 'CMYK' else 'png'}", mode=mode)
    (tmp_path / "notes.txt").write_text("not an image")
    data = load_dataset(dataset_info(f"folder:{tmp_path}", image_size=32, channels=1), tmp_path)
    assert (len(data.train), len(data.test)) == (22, 2)
    assert data.train.images.shape[1:] == (1, 32, 32)
    assert data.train.labels is None


def test_resizing_crops_the_centre(tmp_path):
    """A wide image: left and right thirds are cut off."""
    pixels = np.zeros((64, 192, 3), dtype=np.uint8)
    pixels[:, 64:128] = 200
    for index in range(10):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    data = load_dataset(dataset_info(f"folder:{tmp_path}", image_size=32, channels=3), tmp_path)
    assert bool((data.train.images[..., 4:-4] == 200).all())


def test_broken_folders_are_refused_with_the_file_named(tmp_path):
    def load(path):
        return load_dataset(dataset_info(f"folder:{path}", image_size=32, channels=3), tmp_path)

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


def write_table(folder, rows, header="image_id,split,Smiling,Male"):
    (folder / "attributes.csv").write_text("\n".join([header, *rows]) + "\n")


def test_a_table_of_attributes(tmp_path):
    for index in range(6):
        save_image(tmp_path / "images" / f"{index}.png", seed=index)
    rows = [f"{i}.png,{'test' if i > 3 else 'train'},{i % 2},1" for i in (3, 1, 0, 5, 4)]
    write_table(tmp_path, rows)
    data = load_dataset(dataset_info(f"folder:{tmp_path}", image_size=32, channels=3), tmp_path)
    assert data.attribute_names == ("Smiling", "Male")
    assert data.train.attributes.tolist() == [[1, 1], [1, 1], [0, 1]]  # 3, 1, 0: 2 is not listed
    assert data.test.attributes.tolist() == [[1, 1], [0, 1]]
    kept, cut = data.train.split(1)
    assert len(kept.attributes) == 2
    assert len(cut.attributes) == 1


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["0.png,train,1,yes"], None, r"line 2 of .*: Male is 'yes', but must be 0 or 1"),
        (["0.png,middle,1,0"], None, r"line 2 of .*: split is 'middle'"),
        (["9.png,train,1,0"], None, r"line 2 of .*: there is no 9\.png"),
        (["0.png,train,1,0"], None, "lists no images for test"),
        (["0.png,1"], "file,Smiling", "no column image_id: it has file, Smiling"),
        (["0.png,train,1,0", "0.png,test,1,0"], None, r"line 3 of .*: 0\.png is listed before"),
        (["0.png,train,1,0"], "image_id,split,A,A", "two columns of one name"),
        (["train,,1"], "split,image_id,Smiling", "line 2 of .* has no image_id"),
        ([f"{'a' * 300}.png,train,1,0"], None, "line 2 of .*: there is no aaa"),
        (["../0.png,train,1,0"], None, r"0\.png leads out of"),
        (["0.png,train,\x00\udcff,0"], None, r"Smiling is|cannot be read as a table"),
    ],
)
def test_tables_that_do_not_fit_are_refused_with_the_line(tmp_path, rows, header, message):
    images = tmp_path / "set"
    save_image(images / "0.png")
    save_image(tmp_path / "0.png")
    lines = "\n".join([header or "image_id,split,Smiling,Male", *rows])
    (images / "attributes.csv").write_text(lines, errors="surrogateescape")
    with pytest.raises(DataError, match=message):
        load_dataset(dataset_info(f"folder:{images}", image_size=32, channels=3), tmp_path)


def test_transparent_and_deep_images_keep_their_meaning(tmp_path):
    clear = Image.new("RGBA", (32, 32), (0, 0, 0, 0))  # black, but wholly transparent: white
    deep = Image.fromarray(np.full((32, 32), 51400, dtype=np.uint16))  # 16 bits: 200 of 255
    palette = Image.new("P", (32, 32), 0)
    palette.putpalette([10, 20, 30] * 256)
    palette.info["transparency"] = 0
    for index in range(4):
        clear.save(tmp_path / f"a{index}.png")
        deep.save(tmp_path / f"b{index}.png")
        palette.save(tmp_path / f"c{index}.png", transparency=0)
    data = load_dataset(dataset_info(f"folder:{tmp_path}", image_size=32, channels=3), tmp_path)
    levels = torch.cat([data.train.images, data.test.images]).flatten(1).double().mean(1)
    assert set(levels.tolist()) == {255.0, 200.0}


def test_large_folders_are_decoded_once_and_again_when_a_file_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_WORTH_KEEPING", 10)
    source, cache = tmp_path / "images", tmp_path / "cache"
    for index in range(12):
        save_image(source / f"{index}.png", seed=index)
    first = folder.load_folder(source, 32, 3, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(folder, "read_image", None)  # nothing is decoded
        again = folder.load_folder(source, 32, 3, cache=cache)
    assert torch.equal(again.train.images, first.train.images)
    save_image(source / "3.png", seed=99)
    changed = folder.load_folder(source, 32, 3, cache=cache)
    pairs = ((changed.train, first.train), (changed.test, first.test))
    assert not all(torch.equal(a.images, b.images) for a, b in pairs)


def test_photos_share_no_pixel_between_parts():
    train, test = (draw_photos(part, 300, seed=0) for part in ("train", "test"))
    assert train.images.shape == (300, 3, 32, 32)
    assert set(train.labels.tolist()) == set(range(6))
    assert torch.equal(draw_photos("train", 50, seed=0).images, train.images[:50])
    assert not torch.equal(draw_photos("train", 50, seed=1).images, train.images[:50])
    known = {
        row.tobytes() for image in train.images.numpy() for row in image[:, ::4].reshape(-1, 32)
    }
    rows = [row for image in test.images.numpy() for row in image[:, ::4].reshape(-1, 32)]
    textured = [row for row in rows if row.std() > 8]
    assert len(textured) > 200
    assert not any(row.tobytes() in known for row in textured)


def test_photos_regions_are_cut_before_they_are_reduced(monkeypatch):
    monkeypatch.setattr(embedded, "_TEST_BAND", (0.5, 0.75))
    sides = {
        p: [[r.shape[1] for r in group] for group in embedded._regions(p)]
        for p in ("train", "test")
    }
    assert sides["train"][:3] == [[320, 160], [160, 80], [80, 40]]
    assert sides["test"][:3] == [[160], [80], [40]]


def test_faces_are_theirs_whoever_asks():
    few, more = draw_faces(3, seed=5), draw_faces(6, seed=5)
    assert torch.equal(few.images, more.images[:3])
    assert torch.equal(few.attributes, more.attributes[:3])
    assert few.images.shape == (3, 3, 64, 64)
    assert not torch.equal(few.images, draw_faces(3, seed=6).images)


def test_face_attributes_depend_on_each_other_as_said():
    rng = np.random.default_rng(0)
    drawn = [draw_attributes(rng) for _ in range(4000)]
    assert not any(has["Goatee"] and not has["Male"] for has in drawn)
    assert not any(
        has["Bald"] and (has["Long_Hair"] or has["Bangs"] or has["Blond_Hair"]) for has in drawn
    )
    young = [has["Eyeglasses"] for has in drawn if has["Young"]]
    old = [has["Eyeglasses"] for has in drawn if not has["Young"]]
    assert sum(old) / len(old) > 1.5 * sum(young) / len(young)
    for name in ATTRIBUTES:
        assert 0.02 < sum(has[name] for has in drawn) / 4000 < 0.7, name


@pytest.mark.parametrize(
    ("name", "box", "where"),
    [
        ("Eyeglasses", (24, 40), "around the eyes"),
        ("Goatee", (42, 56), "chin"),
        ("Wearing_Hat", (4, 24), "top"),
        ("Smiling", (38, 52), "mouth"),
    ],
)
def test_an_attribute_changes_the_picture_where_it_is(name, box, where):
    """The same face with and without: rows that change lie where the attribute is."""
    has = dict.fromkeys((*ATTRIBUTES, "_red"), False) | {
        "Male": True,
        "Black_Hair": True,
        "Young": True,
    }
    rows = []
    for seed in range(8):
        pair = []
        for value in (False, True):
            rng = np.random.default_rng(seed)
            pair.append(draw_face(has | {name: value}, rng).astype(int))
        changed = np.abs(pair[1] - pair[0]).sum((1, 2))
        assert changed.max() > 100, f"no {name} to be seen"
        rows.append(changed)
    mean = np.mean(rows, axis=0)
    assert mean[slice(*box)].sum() > 0.7 * mean.sum(), where


def test_faces_are_drawn_once(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "_FACES", {"train": 4, "test": 2})
    first = embedded.load_faces(tmp_path, "Faces")
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(faces, "draw_faces", None)
    again = embedded.load_faces(tmp_path, "Faces")
    assert torch.equal(again.train.images, first.train.images)
    assert again.attribute_names == ATTRIBUTES
    assert (len(again.train), len(again.test)) == (4, 2)


class SmallCelebA:
    """torchvision's interface; the line of names ends with a blank, as in its file."""

    attr_names = ("Smiling", "Male", "")

    def __init__(self, root, split, download):
        count = {"train": 5, "valid": 3, "test": 2}[split]
        self.filename = [f"{index:06}.jpg" for index in range(count)]
        self.attr = torch.arange(2 * count).reshape(count, 2) % 2
        self.sizes = [(178, 218 + index) for index in range(count)]

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        return Image.new("RGB", self.sizes[index], (10 * index, 0, 255)), self.attr[index]


def test_celeba_keeps_its_attributes(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.CelebA", SmallCelebA)
    monkeypatch.setattr(torchvision_sets, "_CELEBA", {"train": 5, "valid": 3, "test": 2})
    first = load_dataset(DATASETS["celeba"], tmp_path)
    monkeypatch.setattr("torchvision.datasets.CelebA", None)  # nothing is decoded again
    again = load_dataset(DATASETS["celeba"], tmp_path)
    for data in (first, again):
        assert data.attribute_names == ("Smiling", "Male")
        assert data.train.images.shape == (5, 3, 64, 64)
        assert data.train.images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
        assert data.train.attributes.tolist() == [[0, 1]] * 5
        assert data.test.attributes.tolist() == [[0, 1]] * 2
        assert len(data.validation) == 3


def test_a_celeba_cache_of_an_earlier_version_is_regenerated(tmp_path, monkeypatch):
    kept = tmp_path / "celeba_64.safetensors"
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    write_tensors(kept, {"train": images, "test": images + 1}, {"dataset": "celeba", "size": 64})
    monkeypatch.setattr(torchvision_sets.importlib.util, "find_spec", lambda name: None)
    before = kept.read_bytes()
    with pytest.raises(LbaeError, match=r"gdown is needed .*lacks list_attr_celeba.*\[data\]"):
        load_dataset(DATASETS["celeba"], tmp_path)
    assert kept.read_bytes() == before
    monkeypatch.setattr("torchvision.datasets.CelebA", SmallCelebA)
    monkeypatch.setattr(torchvision_sets, "_CELEBA", {"train": 5, "valid": 3, "test": 2})
    assert len(load_dataset(DATASETS["celeba"], tmp_path).validation) == 3


def test_a_damaged_cache_of_celeba_is_named(tmp_path):
    (tmp_path / "celeba_64.safetensors").write_bytes(b"cut off")
    with pytest.raises(
        CheckpointError, match=r"celeba_64\.safetensors .*; delete this file; it is"
    ):
        load_dataset(DATASETS["celeba"], tmp_path)


def test_a_missing_image_of_celeba_is_named_and_leaves_no_cache(tmp_path, monkeypatch):
    class Incomplete(SmallCelebA):
        def __getitem__(self, index):
            if index == 3:
                raise FileNotFoundError("no such file")
            return super().__getitem__(index)

    monkeypatch.setattr("torchvision.datasets.CelebA", Incomplete)
    monkeypatch.setattr(torchvision_sets, "_CELEBA", {"train": 5, "valid": 3, "test": 2})
    with pytest.raises(
        DataError, match=r"img_align_celeba/000003\.jpg cannot be read .*extract it"
    ):
        load_dataset(DATASETS["celeba"], tmp_path)
    monkeypatch.setattr("torchvision.datasets.CelebA", SmallCelebA)
    monkeypatch.setattr(torchvision_sets, "_CELEBA", {"train": 6, "valid": 3, "test": 2})
    with pytest.raises(DataError, match="lists 5 images for train, but CelebA has 6"):
        load_dataset(DATASETS["celeba"], tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


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
    assert "could not be downloaded" in message
    assert "delete" not in message
    assert "\n" not in message


def test_images_are_read_where_nothing_can_be_kept(tmp_path, monkeypatch, caplog):
    """As in a read-only folder of data sets, which the superuser could write to."""
    monkeypatch.setattr(embedded, "_FACES", {"train": 3, "test": 2})
    monkeypatch.setattr(folder, "_WORTH_KEEPING", 3)
    for index in range(12):
        save_image(tmp_path / f"pics/{index}.png", 64, 64, seed=index)
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file/data"
    assert len(embedded.load_faces(nowhere, "Faces").train.images) == 3
    data = load_dataset(dataset_info(f"folder:{tmp_path / 'pics'}"), nowhere)
    assert len(data.train.images) + len(data.test.images) == 12
    assert caplog.text.count("the cache was not written") >= 2


@pytest.mark.parametrize(
    ("failure", "download", "message"),
    [
        (PermissionError(13, "Permission denied"), False, "check permissions"),
        (PermissionError(13, "Permission denied"), True, "check permissions"),
        (OSError(28, "No space left on device"), True, "free space"),
        (TimeoutError("timed out"), True, r"could not be downloaded \(timed out\)"),
        (IncompleteRead(b""), True, "could not be downloaded"),
        (RuntimeError("File not found or corrupted."), True, "has a different checksum .* proxy"),
        (ValueError("cut off"), False, r"is damaged \(cut off\)"),
        (EOFError("Ran out of input"), False, "is damaged"),
    ],
)
def test_each_cause_has_its_message(tmp_path, monkeypatch, failure, download, message):
    def open_set(root, download=False, **options):
        if download == wanted:
            raise failure
        raise RuntimeError("Dataset not found.")

    wanted = download
    monkeypatch.setattr("torchvision.datasets.MNIST", open_set)
    with pytest.raises(DataError, match=message) as error:
        load_dataset(DATASETS["mnist"], tmp_path)
    assert "delete" not in str(error.value)


def test_two_steps_never_download_at_the_same_time(tmp_path, monkeypatch):
    running, together = [], []

    def open_set(root, download=False, **options):
        if download:
            running.append(root)
            together.append(len(running))
            time.sleep(0.1)
            running.pop()
        raise RuntimeError("Dataset not found.")

    monkeypatch.setattr("torchvision.datasets.MNIST", open_set)
    with ThreadPoolExecutor(2) as pool:
        steps = [pool.submit(load_dataset, DATASETS["mnist"], tmp_path) for _ in range(2)]
    assert all(isinstance(step.exception(), DataError) for step in steps)
    assert together == [1, 1]


def test_a_file_in_the_place_of_the_data_folder(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataError, match="data is a file, but MNIST needs a folder"):
        load_dataset(DATASETS["mnist"], tmp_path / "data")


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


def test_samples_are_read_as_scikit_learn_reads_them():
    from sklearn.datasets import load_digits, load_sample_images

    images, labels = embedded._read_digits()
    theirs = load_digits()
    assert np.array_equal(images, theirs.images)
    assert np.array_equal(labels, theirs.target)
    for mine, other in zip(embedded._read_photographs(), load_sample_images().images, strict=True):
        assert np.array_equal(mine, other)


def test_only_the_photos_test_images_are_shifted():
    """Their classes differ in mean colour between training and test crops."""
    train, test = (embedded.draw_photos(part, 1500, seed=0) for part in ("train", "test"))
    means = [part.images[part.labels == 3].float().mean((0, 2, 3)) for part in (train, test)]
    assert (means[0] - means[1]).abs().max() > 20  # grey levels, of the dahlia from near
    assert [name for name, info in DATASETS.items() if info.shift] == ["photos"]


def test_a_missing_sample_file_is_named(monkeypatch):
    monkeypatch.setattr(embedded, "_PHOTOGRAPHS", ("harbour.jpg",))
    with pytest.raises(DataError, match=r"harbour\.jpg.*constraints\.txt"):
        embedded._read_photographs()
