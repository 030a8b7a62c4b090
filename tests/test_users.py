"""What users of such software meet, in the library: folders, pictures, tables, names, arguments.

`make reliability` counts these tries for the page on reliability. Many are modelled on reports to
torchvision, Hugging Face's datasets, Pillow, pandas and matplotlib.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from test_doors import IMAGES, LATENTS
from test_explorer import space, uploaded  # noqa: F401  a fixture
from test_folder import fill, load, numbered
from test_tables import Cells

from companion.figures.fonts import literal, use_letters
from companion.pages.tables import csv_table, html_table, latex_table
from companion.widgets.explorer import explorer
from lbae_lib import bits
from lbae_lib.coding.codec import Codec
from lbae_lib.data.folder import load_folder, read_images
from lbae_lib.data.image_files import read_image
from lbae_lib.errors import CheckpointError, DataError, LbaeError, WriteError
from lbae_lib.latent.bit_models import Factorised
from lbae_lib.latent.hyperplane import hyperplane_sampler
from lbae_lib.latent.moments import moments
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.encoding import decode, encode, to_uint8
from lbae_lib.models.model_files import load_model, save_model
from lbae_lib.models.sharing import HubModel, load_shared, pretrained

pytestmark = pytest.mark.slow
READ, REFUSED = "read as intended, and said so", "refused; the message names the cause"
GOOD = "worked as intended"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


# --- F: folders and pictures -------------------------------------------------------------------

PLAIN = [f"{i}.png" for i in range(12)]
CLASSES = [*numbered("cat", 10), *numbered("dog", 10)]
SPLITS = [*numbered("train/cat", 10), *numbered("train/dog", 10), *numbered("test/cat", 2)]


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ([*CLASSES, ".ipynb_checkpoints/a-checkpoint.png"], r"2 classes.*1 hidden"),
        ([*CLASSES, "@eaDir/0.png/THUMB_M.png"], r"2 classes \(cat, dog\).*of the system \(@eaDir"),
        ([*CLASSES, "cat/@eaDir/thumb.jpg"], r"read 20 images.*of the system \(cat/@eaDir"),
        ([*PLAIN, "$RECYCLE.BIN/x.png", "lost+found/y.png"], "2 folders of the system"),
        ([*PLAIN, "System Volume Information/a.png", "#recycle/b.png"], "2 folders of the system"),
        ([*numbered("images/train", 12), *numbered("images/val", 3)], "validation 3"),
        ([*numbered("train/images", 12), *numbered("valid/images", 3)], "validation 3"),
        ([*numbered("train", 12), *numbered("test", 2), *numbered("unlabeled", 4)],
         "skipped 4: 4 images outside test/, train/"),
        ([*numbered("archive/archive", 12)], "read 12 images"),
        ([*SPLITS, "test/fox/1.png"], "no training images of fox"),
        ([*SPLITS, *numbered("train/a", 2), *numbered("train/A", 2)], r"4 classes \(A, a, "),
        ([f"{i}.PNG" for i in range(12)], "read 12 images"),
        ([*PLAIN, "a\nb.png"], "read 13 images"),
        ([*PLAIN, os.fsdecode(b"\xff\xfe.png")], "read 13 images"),
        ([*numbered("train_station", 6), *numbered("valley", 6)], r"2 classes \(train_station, v"),
    ],
)  # fmt: skip
def test_folders_of_images(tmp_path, outcomes, files, line):
    fill(tmp_path, *files)
    assert re.search(line, str(load(tmp_path).reading))
    assert "\n" not in str(load(tmp_path).reading)
    outcomes.tried("F", READ)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("Thumbs.db", b"x", r"1 other files \(Thumbs.db\)"),
        ("metadata.csv", b"file_name,A\n", r"1 tables of other names than attributes.csv \(metad"),
        ("train.jsonl", b"{}", r"1 tables of other names than attributes.csv \(train"),
        ("labels.xlsx", b"PK", r"1 tables of other names than attributes.csv \(labels"),
        ("images.zip", b"PK", r"1 other files \(images.zip\)"),
        ("half.jpg.crdownload", b"x", r"1 other files \(half"),
        ("a\nb.txt", b"x", "1 other files \\(a\N{REPLACEMENT CHARACTER}b.txt\\)"),
        ("list_attr_celeba.txt", b"1\nA\n0.png 1\n", r"1 tables that are not read \(list_attr"),
        ("deep/attributes.csv", b"image_id\n", r"1 tables that are not read \(deep/attr"),
        ("class_c/", None, r"1 empty folders \(class_c\)"),
        ("pipe.png", "fifo", r"1 no ordinary files \(pipe.png\)"),
    ],
)
def test_what_lies_beside_images(tmp_path, outcomes, name, content, line):
    fill(tmp_path, *PLAIN)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if content is None:
        path.mkdir()
    elif content == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    assert re.search(line, str(load(tmp_path).reading))
    outcomes.tried("F", READ)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([*numbered("trainA", 9), *numbered("trainB", 9), *numbered("testA", 9)], "splits or"),
        ([*numbered("trainset", 9), *numbered("testset", 9)], "may be splits or classes"),
        ([*numbered("train2017", 9), *numbered("val2017", 9)], "may be splits or classes"),
        ([*numbered("Training Set", 9), *numbered("Test Set", 9)], "may be splits or classes"),
        ([*numbered("train/Cat", 9), *numbered("train/dog", 9), *numbered("test/cat", 2)],
         "Cat/ and cat/, which may be one class"),
        ([*numbered("cafe\u0301", 9), *numbered("caf\u00e9", 9)], "which may be one class"),
        ([*numbered(os.fsdecode(b"\xff"), 9), *numbered("b", 9)], "name cannot be printed"),
        ([*numbered("a\nb", 9), *numbered("b", 9)], "name cannot be printed"),
    ],
)  # fmt: skip
def test_folders_with_two_meanings(tmp_path, outcomes, files, message):
    fill(tmp_path, *files)
    with pytest.raises(DataError, match=message):
        load(tmp_path)
    outcomes.tried("F", REFUSED)


def chunk(name, content):
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def deep_png(path):
    """A PNG of 16 bits a colour, which Pillow cannot write."""
    row = b"\0" + struct.pack(">HHH", 40000, 20000, 10000) * 40
    header = struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row * 40)), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def with_gamma(mode, colour, gamma):
    def save(path):
        about = PngInfo()
        about.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
        Image.new(mode, (40, 40), colour).save(path, pnginfo=about)

    return save


def saved(mode, colour, **options):
    return lambda path: Image.new(mode, (40, 40), colour).save(path, **options)


def half_palette(path):
    image = Image.new("P", (40, 40), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.save(path, transparency=bytes([255, 128]))


RED = (200, 10, 10)
FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (40, 40), (0, 0, 200))]}


@pytest.mark.parametrize(
    ("name", "save", "expected"),
    [
        ("a.jpg", saved("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
        ("a.tif", saved("CMYK", (0, 255, 255, 0), icc_profile=b"none"), (255, 0, 0)),
        ("a.tif", saved("YCbCr", (76, 85, 255)), (254, 0, 0)),
        ("a.tif", saved("LAB", (128, 128, 128)), (119, 119, 119)),
        ("a.gif", saved("P", 0, transparency=0), (255, 255, 255)),
        ("a.png", half_palette, (227, 177, 152)),
        ("a.png", saved("RGB", (9, 9, 9), transparency=(9, 9, 9)), (255, 255, 255)),
        ("a.png", saved("L", 9, transparency=9), (255, 255, 255)),
        ("a.png", saved("LA", (100, 128)), (177, 177, 177)),
        ("a.png", saved("I;16", 30000), (117, 117, 117)),
        ("a.png", deep_png, (156, 78, 39)),
        ("a.png", with_gamma("RGB", (50, 50, 50), 1.0), (122, 122, 122)),
        ("a.png", with_gamma("RGB", (50, 50, 50), 1 / 2.2), (50, 50, 50)),
        ("a.png", with_gamma("RGBA", (50, 50, 50, 255), 1.0), (122, 122, 122)),
        ("a.png", with_gamma("L", 50, 1 / 1.8), (67, 67, 67)),
        ("a.jpg", saved("RGB", RED, format="MPO", **FRAMES), RED),
        ("a.png", saved("RGB", RED, **FRAMES), RED),
        ("a.jpg", saved("RGB", RED, format="WEBP"), RED),
        ("a.jpg", saved("RGB", RED, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"), RED),
        ("a.jp2", saved("RGB", RED), RED),
        ("a.bmp", saved("RGBA", (*RED, 0)), RED),
        ("a.pbm", saved("1", 1), (255, 255, 255)),
    ],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_pictures(tmp_path, outcomes, name, save, expected):
    save(tmp_path / name)
    found = read_image(tmp_path / name, 32, 3, Counter())[:, 16, 16]
    assert found.tolist() == pytest.approx(expected, abs=3)
    outcomes.tried("F", READ)


# --- G: each cause has its own message ---------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: download or copy it again"),
        (LFS, "is a pointer of Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>404", "is a web page, not an image"),
        (b"\n <HTML><body>", "is a web page, not an image"),
        (b"\xff\xd8\xff\xe0 nothing more", "cannot be read as an image"),
    ],
)
def test_files_that_are_no_images(tmp_path, outcomes, content, message):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.jpg {message}") as caught:
        read_images(tmp_path / "a.jpg", 32, 3)
    assert ("remove" in str(caught.value)) == message.startswith("cannot")
    outcomes.tried("G", REFUSED)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda here: HubModel.from_pretrained("runs/a/b/c"), CheckpointError, "is not a folder"),
        (lambda here: HubModel.from_pretrained("me/none", local_files_only=True), CheckpointError,
         "is not a folder, and no model could be read from the Hub"),
        (lambda here: load_shared(here), CheckpointError, "no description of a shared model"),
        (lambda here: load_model(here), CheckpointError, "is a folder: name a file"),
        (lambda here: load_model(here / "a.pt"), CheckpointError, "not a safetensors file"),
        (lambda here: load_folder(here / "a.pt", 32, 3), DataError, "a.pt, which is a file"),
        (lambda here: load_folder(here / ("x" * 300), 32, 3), (DataError, OSError), "x"),
        (lambda here: pretrained("digit"), CheckpointError,
         "no trained model 'accelerator/digit/lbae'"),
    ],
)  # fmt: skip
def test_what_is_not_there(tmp_path, outcomes, use, error, message):
    torch.save({}, tmp_path / "a.pt")
    with pytest.raises(error, match=message):
        use(tmp_path)
    outcomes.tried("G", REFUSED)


# --- M: tables ---------------------------------------------------------------------------------

ROWS = "".join(f"{i}.png,{i % 2}\n" for i in range(12))


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nimage_id;Smiling\n" + ROWS.replace(",", ";"),
        '"sep=\t"\nimage_id\tSmiling\n' + ROWS.replace(",", "\t"),
        '"image_id";"Smiling"\n' + ROWS.replace(",", ";"),
        '"image_id","Smiling"\n' + "".join(f'"{i}.png","{i % 2}"\n' for i in range(12)),
        b'\xef\xbb\xbf"image_id","Smiling"\r\n' + ROWS.replace("\n", "\r\n").encode(),
        ("image_id,Smiling\n" + ROWS).replace("\n", "\r"),
        "image_id,Smiling,,\n" + ROWS.replace("\n", ",,\n") + ",,,\n,,,\n",
        "image_id\t,Smiling\t\n" + ROWS,
        "image_id,Smiling\n" + "".join(f"./{i}.png,{i % 2}\n" for i in range(12)),
        "image_id,Smiling\n" + "".join(f".\\{i}.png,{i % 2}\n" for i in range(12)),
        "image_id,Smiling\n" + "".join(f"HERE/{i}.png,{i % 2}\n" for i in range(12)),
        "image_id,Smiling\n" + "".join(f"{i}.png,{str(bool(i % 2)).upper()}\n" for i in range(12)),
    ],
)
def test_tables(tmp_path, outcomes, text):
    fill(tmp_path, *PLAIN)
    content = text if isinstance(text, bytes) else text.replace("HERE", str(tmp_path)).encode()
    (tmp_path / "attributes.csv").write_bytes(content)
    data = load(tmp_path)
    assert data.attribute_names == ("Smiling",)
    assert torch.equal(data.train.images[:, 0, 0, 0] % 2, data.train.attributes[:, 0])
    outcomes.tried("M", READ)


def test_a_header_with_the_other_delimiter_in_quotes(tmp_path, outcomes):
    fill(tmp_path, *PLAIN)
    table = 'image_id;"Smiling, open"\n' + ROWS.replace(",", ";")
    (tmp_path / "attributes.csv").write_text(table)
    assert load(tmp_path).attribute_names == ("Smiling, open",)
    outcomes.tried("M", READ)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (("image_id\tA\n" + ROWS).encode("utf-16"), "save it as CSV in UTF-8"),
        ("filename,A\n" + ROWS, "no column image_id: it has filename, A"),
        ("# mine\nimage_id,A\n" + ROWS, "no column image_id: it has # mine"),
        ("image_id,A\n" + ROWS + "\x1a", "line 14 of .* has 1 values"),
        ("image_id,A\n" + ROWS.replace(",1", ",yes"), "line 3 of .*: A is 'yes'"),
        ("image_id;A\n" + ROWS.replace(",", ";").replace(";1", ";1,0"), "A is '1,0'"),
        ("image_id,A\n" + ROWS.replace(",1", ",2"), "line 3 of .*: A is '2'"),
        ("index,image_id,A\n" + "".join(f"{i},{i}.png,0\n" for i in range(12)), "index is '2'"),
        ("image_id,A\n" + ROWS.replace(".png", ".PNG"), r"line 2 of .*: there is no 0\.PNG"),
        ("image_id,A\nC:\\pics\\0.png,1\n", "line 2 of .*: there is no C:"),
        ("image_id,A\n../0.png,1\n", "leads out of"),
        ('image_id,A\n"0.png,1\n1.png,0\n', "has 1 values"),
        ("image_id,A\n" + "x" * 200_000 + ",1\n", "field larger than field limit"),
        ("image_id,split,A\n0.png,0,1\n", "split is '0', but must be train, validation or test"),
        ("image_id,A,A\n0.png,1,0\n", "two columns of one name"),
        ("image_id,A\n", "lists no images"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, outcomes, text, message):
    fill(tmp_path, *PLAIN)
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "attributes.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path)
    outcomes.tried("M", REFUSED)


@pytest.mark.parametrize("name", ["a b0.png 0", "00001 0", "a.png", "a.png 3"])
def test_a_line_of_celebas_list_that_does_not_fit(tmp_path, outcomes, name):
    fill(tmp_path, *PLAIN)
    (tmp_path / "list_eval_partition.txt").write_text(f"0.png 0\n{name}\n")
    with pytest.raises(DataError, match=r"line 2 of .* must be a file name, and 0, 1 or 2"):
        load(tmp_path)
    outcomes.tried("M", REFUSED)


# --- J, H: names, and uninformative data -------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["$$", "\\$x$", "a_b^c{d}", "~#%", "[l](http://x)", "`c` *b* |", "\\textbf{x}", "שלום",
     "Привет", "हिन्दी", "\N{CAT FACE}", "e\u0301", "a\u200bb", "=1+1", "\x1b[31m", "&amp;"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Glyph")
def test_names(outcomes, name):
    figure = plt.figure()
    figure.text(0.5, 0.5, literal(name, 20))
    use_letters(figure).canvas.draw()
    plt.close(figure)
    rows = [(name, 1.0)]
    assert name in Cells(html_table(("name", "x"), rows)).found[2]
    assert name in csv_table(("name", "x"), rows)
    body = latex_table(("name", "x"), rows).splitlines()[-3].rpartition(" & ")[0]
    assert not re.search(r"[$&#%_{}~^]", re.sub(r"\\text\w+\{\}|\\.|\$[<>]\$", "", body))
    outcomes.tried("J", "shown as it is written")


@pytest.mark.parametrize("latents", [torch.ones(9, 8), torch.ones(1, 8), bits.signs(torch.eye(8))])
def test_latents_that_tell_little(outcomes, latents):
    codec = Codec(Factorised.fit(moments(latents)), None, "a" * 64, "b" * 64, 1, 32)
    for part in (latents, latents[:0]):
        for coder in ("packed", "factorised"):
            packed = codec.decompress(codec.compress(part, coder))
            assert torch.equal(bits.unpack_bits(packed, 8), part)
    sampler, _ = hyperplane_sampler(moments(latents))
    assert sampler.sample(0, torch.Generator()).shape == (0, 8)
    assert sampler.sample(5, torch.Generator().manual_seed(0)).abs().eq(1).all()
    outcomes.tried("H", GOOD)


# --- L: arguments of library functions ---------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda m: encode(m, IMAGES.permute(0, 2, 3, 1)),
        lambda m: encode(m, IMAGES.repeat(1, 3, 1, 1)),
        lambda m: encode(m, IMAGES[0]),
        lambda m: encode(m, IMAGES.long()),
        lambda m: encode(m, IMAGES[..., :28, :28]),
        lambda m: encode(m, Image.new("L", (32, 32))),
        lambda m: encode(m, [IMAGES[0]]),
        lambda m: decode(m, LATENTS[:, :7]),
        lambda m: decode(m, LATENTS * np.nan),
        lambda m: decode(m, LATENTS * 0),
        lambda m: m.decode(LATENTS[0]),
        lambda m: m.decode(LATENTS[:, :7]),
        lambda m: to_uint8(torch.full((1, 1, 2, 2), np.nan)),
        lambda m: read_images(["x.png"], 32, 2),
        lambda m: read_images(["x.png"], 0, 3),
        lambda m: NetworkConfig("32", 1, 8),
        lambda m: NetworkConfig(32, True, 8),
        lambda m: NetworkConfig(28, 1, 8),
        lambda m: moments(LATENTS * np.nan),
    ],
)
def test_wrong_arguments(model, outcomes, use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (40, 40)).save("x.png")
    with pytest.raises((ValueError, LbaeError)) as caught:
        use(model)
    assert re.search("must|choose", str(caught.value))
    outcomes.tried("L", REFUSED)


@pytest.mark.parametrize(
    ("use", "shape"),
    [
        (lambda m: encode(m, IMAGES[:0]), (0, 1)),
        (lambda m: encode(m, IMAGES.flip(0)), (4, 1)),
        (lambda m: decode(m, LATENTS.to(torch.int8)), (4, 1, 32, 32)),
        (lambda m: decode(m, LATENTS.double()), (4, 1, 32, 32)),
        (lambda m: decode(m, LATENTS[:0]), (0, 1, 32, 32)),
        (lambda m: read_images("x.png", 32, 1), (1, 1, 32, 32)),
    ],
)
def test_unusual_arguments(model, outcomes, use, shape, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (40, 40)).save("x.png")
    assert use(model).shape == shape
    outcomes.tried("L", GOOD)


def test_save_pretrained_replaces_no_other_file(model, outcomes, tmp_path):
    mine = tmp_path / "mine/README.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    for target in (mine.parent, mine):
        with pytest.raises(WriteError):
            HubModel(model).save_pretrained(target)
        outcomes.tried("B", REFUSED)
    assert mine.read_text() == "mine"
    for _ in range(2):  # its own it may
        HubModel(model).save_pretrained(tmp_path / "new")
    outcomes.tried("B", GOOD)


@pytest.fixture
def stranger():
    """A folder that all may enter, and a user who may not read everything."""
    own = os.geteuid()
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        os.seteuid(own)


@pytest.mark.parametrize("mode", [0o000, 0o200])
@pytest.mark.parametrize("role", ["model", "picture", "folder", "table"])
def test_closed_files(model, outcomes, stranger, mode, role):
    path = stranger / "model.safetensors"
    save_model(path, model.state_dict(), model.config, {})
    fill(stranger, *numbered("pics", 12))
    (stranger / "pics/attributes.csv").write_text("image_id,A\n" + ROWS)
    closed = {
        "model": path, "picture": stranger / "pics/3.png",
        "folder": stranger / "pics", "table": stranger / "pics/attributes.csv",
    }[role]  # fmt: skip
    closed.chmod(mode)
    if os.geteuid() == 0:
        os.seteuid(65534)  # nobody
    use = {"model": lambda: load_model(path)}.get(role, lambda: load(stranger / "pics"))
    with pytest.raises(LbaeError, match=r"may not be read|cannot be opened") as caught:
        use()
    assert closed.name in str(caught.value)
    outcomes.tried("I", REFUSED)


# --- X: the explorer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", LFS, b"<html>", b"\xff\xd8\xff\xe0", b"P5 1 1 255\n", b"RIFF", b"\x89PNG\r\n\x1a\n"],
)
@pytest.mark.parametrize("name", ["a.png", "../../x.png", "a.heic", "n" * 300, "a\x00b", ".png"])
def test_own_pictures_that_are_none(space, outcomes, name, content):  # noqa: F811
    panel = explorer(space).panels["Attributes"]
    before = panel.image.value
    panel.image.upload.value = (uploaded(name, content),)
    assert panel.image.value is before
    assert "own image" not in panel.image.caption.value
    assert "role='alert'" in panel.image.caption.value or name[:20] in panel.image.caption.value
    outcomes.tried("X", REFUSED)
