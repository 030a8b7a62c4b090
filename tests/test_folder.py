"""Folders of images are read as the ecosystem means them, and nothing vanishes without a count."""

import io
import os

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, TiffImagePlugin

from lbae_lib.data import folder_listing as listings
from lbae_lib.data.folder import load_folder, read_images
from lbae_lib.data.registry import dataset_info
from lbae_lib.errors import DataError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def fill(folder, *names, grey=None, size=(36, 32)):
    """Images of different grey levels, or of one."""
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (index if grey is None else grey,) * 3).save(path)


def numbered(prefix, count, suffix="png"):
    return [f"{prefix}/{i}.{suffix}" for i in range(count)]


def load(folder):
    return load_folder(folder, 32, 3)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        ({"Train": 20, "Test": 4}, (20, None, 4)),
        ({"train": 20, "val": 4}, (18, 4, 2)),
        ({"TRAIN": 20, "Valid": 3, "test": 4}, (20, 3, 4)),
        ({"training": 20, "validation": 3, "testing": 4}, (20, 3, 4)),
        ({"train/cat": 10, "train/dog": 10, "test/cat": 2, "test/dog": 2}, (20, None, 4)),
        ({"train/images": 20, "val/images": 4, "test/images": 5}, (20, 4, 5)),
        ({"data/train/a/b": 10, "data/train/c": 10, "data/test/a": 3}, (20, None, 3)),
        ({"train": 20}, (18, None, 2)),
        ({"images": 20}, (18, None, 2)),
    ],
)
def test_splits_are_no_classes(tmp_path, names, sizes):
    for name, count in names.items():
        fill(tmp_path, *numbered(name, count))
    data = load(tmp_path)
    validation = None if data.validation is None else len(data.validation)
    assert (len(data.train), validation, len(data.test)) == sizes
    assert not {listings.split_of(name) for name in data.class_names} - {None}
    assert "train" in str(data.reading)
    assert dataset_info(f"folder:{tmp_path}").named == bool(data.class_names)


def test_classes_hold_images_at_any_depth(tmp_path):
    fill(tmp_path, *numbered("cat", 6), *numbered("cat/2019/may", 6), *numbered("dog/old", 8))
    data = load(tmp_path)
    assert data.class_names == ("cat", "dog")
    labels = torch.cat([data.train.labels, data.test.labels])
    assert labels.bincount().tolist() == [12, 8]
    assert "2 classes (cat, dog)" in str(data.reading)


def test_a_single_split_word_among_classes_is_a_class(tmp_path):
    fill(tmp_path, *numbered("bus", 6), *numbered("car", 6), *numbered("train", 6))
    data = load(tmp_path)
    assert data.class_names == ("bus", "car", "train")
    assert "train/ is read as a class" in str(data.reading)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("seg_train/a.png", "seg_test/a.png"), "may be splits or classes: rename"),
        (("train_images/a.png", "test/a.png"), "may be splits or classes: rename"),
        (("train/a.png", "Train/b.png", "test/a.png"), "for one split: merge"),
        (("val/a.png", "test/a.png"), "no train/"),
        (("test/a.png",), "no train/"),
        (("train/a.png", "train/cat/b.png", "test/c.png"), "both beside and inside"),
        (("train/a/1.png", "train/b/1.png", "test/1.png"), "class folders in one split and none"),
    ],
)
def test_names_with_two_meanings_are_refused(tmp_path, names, message):
    fill(tmp_path, *names)
    with pytest.raises(DataError, match=message):
        load(tmp_path)
    assert not dataset_info(f"folder:{tmp_path}").named


def test_an_empty_split_is_refused(tmp_path):
    fill(tmp_path, *numbered("train", 12))
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match="test holds no images"):
        load(tmp_path)


def test_what_is_left_out_is_counted_with_reason_and_names(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(listings.importlib.util, "find_spec", lambda name: None)
    fill(tmp_path, *numbered("train", 12), *numbered("test", 3), "loose.png", "extra/a.png")
    (tmp_path / "train/x.HEIC").write_bytes(b"")
    (tmp_path / "train/notes.txt").write_text("")
    (tmp_path / "train/._0.png").write_bytes(b"")
    (tmp_path / "train/gone.png").symlink_to(tmp_path / "nowhere")
    with caplog.at_level("INFO", "lbae_lib"):
        data = load(tmp_path)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "lbae_lib.data.folder"]
    assert line == str(data.reading)
    assert "\n" not in line
    assert line.startswith(f"{tmp_path}: read 15 images (train 12, test 3)")
    for part in (
        "skipped 6:",
        "1 HEIC images, which need `pip install pillow-heif` (train/x.HEIC)",
        "1 other files (train/notes.txt)",
        "1 hidden (train/._0.png)",
        "1 links to nothing (train/gone.png)",
        "2 images outside test/, train/ (loose.png, extra/a.png)",
    ):
        assert part in line
    record = data.reading.for_record()
    assert record["read"] == {"train": 12, "test": 3}
    assert sum(record["skipped"].values()) == 6
    assert str(tmp_path) not in str(record)


def test_a_folder_of_unreadable_formats_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(listings.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "a.heic").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds no images .*1 HEIC images, which need"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"a\.heic is one of HEIC images, which need"):
        read_images([tmp_path / "a.heic"], 32, 3)


def test_links_are_followed_and_cycles_refused(tmp_path):
    fill(tmp_path / "mine", *[f"{i}.png" for i in range(11)])
    fill(tmp_path / "others", *numbered("a", 4), *numbered("b", 4))
    (tmp_path / "mine/linked.png").symlink_to(tmp_path / "others/a/3.png")
    assert len(load(tmp_path / "mine").train) == 11
    (tmp_path / "classes").mkdir()
    for name, target in (("x", "mine"), ("y", "others")):
        (tmp_path / "classes" / name).symlink_to(tmp_path / target)
    data = load(tmp_path / "classes")
    assert data.class_names == ("x", "y")
    assert len(data.train) + len(data.test) == 20
    (tmp_path / "whole").symlink_to(tmp_path / "mine")
    assert len(load(tmp_path / "whole").train) == 11
    (tmp_path / "others/a/loop").symlink_to(tmp_path / "others")
    with pytest.raises(DataError, match=r"a/loop is a link to a folder that contains it"):
        load(tmp_path / "classes")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read anywhere")
def test_what_may_not_be_read_is_no_damage(tmp_path):
    fill(tmp_path, *[f"{i}.png" for i in range(12)])
    (tmp_path / "3.png").chmod(0)
    with pytest.raises(DataError, match=r"3\.png cannot be opened \(Permission denied\)"):
        load(tmp_path)
    (tmp_path / "sub").mkdir(mode=0)
    with pytest.raises(DataError, match=r"sub cannot be opened \(Permission denied\)"):
        load(tmp_path)
    (tmp_path / "sub").chmod(0o700)


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    fill(tmp_path, "a.png")
    with pytest.raises(DataError, match=r"no folder at .*a\.png, which is a file"):
        load(tmp_path / "a.png")


def level(tmp_path, name, channels=3):
    """Mean level of an image, and its pixels (H, W, C)."""
    (image,) = read_images([tmp_path / name], 32, channels)
    return float(image.float().mean()), image.permute(1, 2, 0)


def save_tiff(path, values, **tags):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info[int(tag[1:])] = value
    Image.fromarray(values).save(path, tiffinfo=info)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((32, 32), 51400, np.uint16), 200),
        (np.linspace(0, 4095, 1024).reshape(32, 32).astype(np.uint16), 127.5),
        (np.linspace(0, 65535, 1024).reshape(32, 32).astype(np.uint16), 127.5),
        (np.linspace(0, 1, 1024).reshape(32, 32).astype(np.float32), 127.5),
        (np.full((32, 32), 0.5, np.float32), 128),
        (np.full((32, 32), 200, np.float32), 200),
        (np.linspace(-1, 1, 1024).reshape(32, 32).astype(np.float32), 127.5),
        (np.full((32, 32), 200, np.int32), 200),
        (np.full((32, 32), 51400, np.int32), 200),
        (np.linspace(0, 2**31 - 1, 1024).reshape(32, 32).astype(np.int32), 127.5),
        (np.zeros((32, 32), np.float32), 0),
        (np.full((32, 32), -7, np.int32), 0),
    ],
)
def test_deep_tiffs_are_scaled_by_their_range(tmp_path, values, expected):
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert level(tmp_path, "a.tif")[0] == pytest.approx(expected, abs=0.6)
    assert level(tmp_path, "a.tif", 1)[0] == pytest.approx(expected, abs=0.6)


def test_a_declared_range_decides(tmp_path):
    values = np.full((32, 32), 0.5, np.float32)
    save_tiff(tmp_path / "a.tif", values, t340=0.0, t341=2.0)
    assert level(tmp_path, "a.tif")[0] == pytest.approx(64)
    Image.fromarray(np.full((32, 32), 4000, np.uint16)).save(tmp_path / "a.png")  # 16 bits by type
    assert level(tmp_path, "a.png")[0] == pytest.approx(16, abs=0.6)
    (tmp_path / "a.pgm").write_bytes(b"P5 32 32 4095\n" + b"\x0f\xff" * 1024)
    assert level(tmp_path, "a.pgm")[0] == 255


def test_values_that_are_not_finite_are_refused(tmp_path):
    Image.fromarray(np.full((32, 32), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif holds values that are not finite"):
        level(tmp_path, "a.tif")


def test_images_are_turned_as_they_say(tmp_path):
    pixels = np.zeros((48, 40, 3), np.uint8)
    pixels[:24] = 255  # bright above
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    _, found = level(tmp_path, "a.jpg")
    assert float(found[:, 24:].float().mean()) > 250  # bright on the right
    assert float(found[:, :8].float().mean()) < 5


def other_profile():
    """A colour profile: sRGB's with its red and blue primaries exchanged, and another name."""
    named = SRGB.replace("sRGB".encode("utf-16-be"), "abcd".encode("utf-16-be"))
    return named.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")


def test_colour_profiles_are_converted(tmp_path):
    grey = Image.new("RGB", (32, 32), (100, 150, 200))
    grey.save(tmp_path / "plain.png")
    grey.save(tmp_path / "srgb.png", icc_profile=SRGB)
    grey.save(tmp_path / "other.png", icc_profile=other_profile())
    grey.save(tmp_path / "broken.png", icc_profile=b"no profile")
    grey.convert("L").save(tmp_path / "mismatch.png", icc_profile=other_profile())
    plain = level(tmp_path, "plain.png")[1]
    assert torch.equal(level(tmp_path, "srgb.png")[1], plain)
    assert torch.equal(level(tmp_path, "broken.png")[1], plain)
    assert level(tmp_path, "mismatch.png")[0] == grey.convert("L").getpixel((0, 0))
    other = level(tmp_path, "other.png")[1]
    source = ImageCms.ImageCmsProfile(io.BytesIO(other_profile()))
    expected = ImageCms.profileToProfile(grey, source, ImageCms.createProfile("sRGB"))
    assert torch.equal(other, torch.from_numpy(np.array(expected)))
    assert (plain.flip(2).float() - other.float()).abs().max() <= 2  # red is blue
    transparent = grey.copy()
    transparent.putalpha(0)
    transparent.save(tmp_path / "clear.png", icc_profile=other_profile())
    assert level(tmp_path, "clear.png")[0] == 255


def test_what_was_applied_is_counted(tmp_path):
    fill(tmp_path, *[f"{i}.png" for i in range(10)])
    Image.fromarray(np.full((32, 32), 0.5, np.float32)).save(tmp_path / "a.tif")
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(tmp_path / "b.png")
    line = str(load(tmp_path).reading)
    assert "1 scaled to 8 bits" in line
    assert "1 laid on white" in line


def table(folder, text, name="attributes.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfimage_id,Smiling\n"
        + b"".join(b"%d.png,%d\n" % (i, i % 2) for i in range(12)),
        ",image_id,Smiling\n" + "".join(f"{i},{i}.png,{i % 2}\n" for i in range(12)),
        "Unnamed: 0,image_id,Smiling\n" + "".join(f"{i},{i}.png,{i % 2}\n" for i in range(12)),
        "image_id,Smiling\n\n" + "".join(f"{i}.png,{i % 2}\n\n" for i in range(12)),
        "image_id;Smiling\r\n" + "".join(f"{i}.png;{i % 2}\r\n" for i in range(12)),
        "image_id\tSmiling\n" + "".join(f"{i}.png\t{i % 2}\n" for i in range(12)),
        "Image_ID , Smiling\n" + "".join(f" {i}.png , {i % 2}\n" for i in range(12)),
        "image_id,Smiling\n" + "".join(f"{i},{i % 2}\n" for i in range(12)),
        "image_id,Smiling\n" + "".join(f"{i}.png,{i % 2}.0\n" for i in range(12)),
        "image_id,Smiling\n" + "".join(f"{i}.png,{bool(i % 2)}\n" for i in range(12)),
        "image_id,Smiling\n" + "".join(f"{i}.png,{2 * (i % 2) - 1}\n" for i in range(12)),
        "image_id,Smiling,\n" + "".join(f"{i}.png,{i % 2},\n" for i in range(12)),
    ],
)
@pytest.mark.parametrize(
    ("name", "inside"), [("attributes.csv", ""), ("Attributes.CSV", "images/deep/")]
)
def test_tables_of_every_program_are_read(tmp_path, text, name, inside):
    fill(tmp_path, *[f"{inside}{i}.png" for i in range(12)], f"{inside}unlisted.png")
    table(tmp_path, text, name)
    data = load(tmp_path)
    assert data.attribute_names == ("Smiling",)
    images = torch.cat([data.train.images, data.test.images])
    attributes = torch.cat([data.train.attributes, data.test.attributes])
    assert len(images) == 12
    assert torch.equal(images[:, 0, 0, 0] % 2, attributes[:, 0])  # the grey level is the number
    assert f"1 not in {name} ({inside}unlisted.png)" in str(data.reading)
    assert dataset_info(f"folder:{tmp_path}").named


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,A\n\n0.png,1\n\n1.png,x\n", r"line 5 of .*: A is 'x'"),
        ("image_id,A\n0.png,1,2\n", r"line 2 of .* has 3 values, but .* 2 columns"),
        ("image_id,A\n0.png\n", r"line 2 of .* has 1 values"),
        ("image_id,A\n0.png,1\n0,0\n", r"line 3 of .*: 0 is listed before, in line 2"),
        ("image_id,A\n0.png,-1\n1.png,0\n", "A holds -1 and 0"),
        ("image_id,,A\n0.png,p,1\n", "column 2 of .* has no name"),
        ("", "is empty"),
        ("image_id,A\ntwice.png,1\n", r"twice\.png may be a/twice\.png, b/twice\.png"),
        ("image_id,A\n/etc/0.png,1\n", "leads out of"),
        ("image_id,A\n0.png,\n", "A is '', but must be 0 or 1"),
        (b"image_id,\xe9t\xe9\n0.png,1\n", "save it as CSV in UTF-8"),
    ],
)
def test_tables_that_do_not_fit_name_the_line_of_the_file(tmp_path, text, message):
    fill(tmp_path, *[f"{i}.png" for i in range(12)], "a/twice.png", "b/twice.png")
    table(tmp_path, text)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_two_tables_are_refused(tmp_path):
    fill(tmp_path, *[f"{i}.png" for i in range(12)])
    table(tmp_path, "image_id\n0.png\n")
    table(tmp_path, "image_id\n0.png\n", "Attributes.csv")
    with pytest.raises(DataError, match=r"Attributes\.csv and attributes\.csv: keep one"):
        load(tmp_path)


def test_a_table_leaves_the_splits_to_the_subfolders(tmp_path):
    fill(tmp_path, *[f"Train/{i}.png" for i in range(12)], *[f"val/v{i}.png" for i in range(3)])
    fill(tmp_path, *[f"test/t{i}.png" for i in range(2)])
    names = [*range(12), *(f"v{i}" for i in range(3)), *(f"t{i}" for i in range(2))]
    table(tmp_path, "image_id,A\n" + "".join(f"{name}.png,1\n" for name in names))
    data = load(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 3, 2)


@pytest.mark.parametrize("kaggle", [False, True])
def test_celebas_own_layout(tmp_path, kaggle):
    place = tmp_path / "celeba"
    images = "img_align_celeba/img_align_celeba" if kaggle else "img_align_celeba"
    names = [f"{i:06}.jpg" for i in range(1, 13)]
    fill(place, *[f"{images}/{name}" for name in names[:-1]])
    splits = [0] * 8 + [1, 1, 2, 2]
    values = [(1 if i % 2 else -1, -1) for i in range(12)]
    lists = {"list_eval_partition": splits, "list_attr_celeba": values}
    if kaggle:
        lines = {
            "list_eval_partition": ["image_id,partition"],
            "list_attr_celeba": ["image_id,A,B"],
        }
        separator, suffix = ",", "csv"
    else:
        lines = {"list_eval_partition": [], "list_attr_celeba": ["12", "A B"]}
        separator, suffix = " ", "txt"
    for name, rows in lists.items():
        for file, row in zip(names, rows, strict=True):
            cells = row if isinstance(row, tuple) else (row,)
            lines[name].append(separator.join([file, *map(str, cells)]))
        (place / f"{name}.{suffix}").write_text("\n".join(lines[name]) + "\n")
    data = load(tmp_path)
    assert data.attribute_names == ("A", "B")
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 2, 1)
    assert data.train.attributes.tolist() == [[i % 2, 0] for i in range(8)]
    assert "without a file (000012.jpg)" in str(data.reading)
    assert dataset_info(f"folder:{tmp_path}").named


def test_images_to_compress_are_taken_at_any_depth(tmp_path, caplog):
    fill(tmp_path, "a.png", "deep/er/b.png")
    (tmp_path / "notes.txt").write_text("")
    with caplog.at_level("INFO", "lbae_lib"):
        assert len(read_images([str(tmp_path)], 32, 3)) == 2
    assert "read 2 images; skipped 1: 1 other files (notes.txt)" in caplog.text
