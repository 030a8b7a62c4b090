"""Commands that write where a user says so replace nothing that the user may want to keep."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from companion.experiments import compress
from lbae_lib.bits import pack_bits, signs
from lbae_lib.coding.container import Container, is_container
from lbae_lib.errors import WriteError

EXPERIMENT = SimpleNamespace(
    network=SimpleNamespace(image_size=32, channels=3, latent_size=8), folder=None
)
ARCHIVE = Container("packed", 3, 32, 8, 2, bytes(8), bytes(8), bytes(2)).to_bytes()


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two photographs, and a codec and a model without weights."""
    bits = signs(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)))
    codec = SimpleNamespace(
        compress=lambda bits, coder: ARCHIVE, decompress=lambda content: pack_bits(bits)
    )
    monkeypatch.setattr(compress, "load_codec", lambda experiment: codec)
    monkeypatch.setattr(compress, "load_model", lambda *arguments: (None, {}))
    monkeypatch.setattr(compress, "MODEL", SimpleNamespace(path=lambda experiment: None))
    monkeypatch.setattr(compress, "encode", lambda model, images, **options: pack_bits(bits))
    monkeypatch.setattr(
        compress, "decode", lambda model, bits: torch.zeros(len(bits), 3, 32, 32).byte()
    )
    paths = [tmp_path / "pics" / name for name in ("a.jpg", "b.jpg")]
    paths[0].parent.mkdir()
    for path in paths:
        Image.new("RGB", (32, 32), (9, 9, 9)).save(path)
    return paths


def compressed(paths, output, force=False):
    return compress.compress_images(EXPERIMENT, paths, output, "packed", "cpu", force)


@pytest.mark.parametrize("force", [False, True])
def test_a_photograph_never_becomes_the_archive(photos, force, tmp_path):
    before = [path.read_bytes() for path in photos]
    first, second = photos
    link = tmp_path / "link.lbae"
    link.symlink_to(first)
    for inputs, output in (
        ([second], first),  # `-o pics/*` of a shell
        ([first], first),
        ([first, second], first),
        ([first, second], link),
        ([first.parent], first.parent),
    ):
        with pytest.raises(WriteError):
            compressed(inputs, output, force)
    assert [path.read_bytes() for path in photos] == before


def test_an_input_without_suffix_is_no_output_either(photos, tmp_path):
    photo = photos[0].rename(tmp_path / "photo")
    for force in (False, True):
        with pytest.raises(WriteError, match="is one of the inputs"):
            compressed([photo], photo, force)


def test_other_files_are_replaced_if_forced_and_archives_always(photos, tmp_path):
    output = tmp_path / "pics.lbae"
    output.write_text("a diary")
    with pytest.raises(WriteError, match=r"exists and was not written by lbae: .* --force"):
        compressed(photos, output)
    assert output.read_text() == "a diary"
    compressed(photos, output, force=True)
    assert is_container(output)
    compressed(photos, output)
    assert compressed(photos, tmp_path / "new/pics.lbae") == (len(ARCHIVE), 2)


def test_decoded_images_replace_no_others(photos, tmp_path):
    archive, folder = tmp_path / "pics.lbae", tmp_path / "decoded"
    compressed(photos, archive)
    decoded = [folder / "000001.png", folder / "000002.png"]
    folder.mkdir()
    Image.new("RGB", (5, 5)).save(decoded[1])
    own = decoded[1].read_bytes()
    with pytest.raises(WriteError, match=r"000002\.png exists and was not written by lbae"):
        compress.decompress_images(EXPERIMENT, archive, folder, "cpu")
    assert not decoded[0].exists()  # nothing was begun
    assert decoded[1].read_bytes() == own
    compress.decompress_images(EXPERIMENT, archive, folder, "cpu", force=True)
    assert compress.decompress_images(EXPERIMENT, archive, folder, "cpu") == 2  # its own, again
    archive.rename(decoded[0])
    for force in (False, True):
        with pytest.raises(WriteError, match="is one of the inputs"):
            compress.decompress_images(EXPERIMENT, decoded[0], folder, "cpu", force)
    with pytest.raises(WriteError, match="is a file: name a folder"):
        compress.decompress_images(EXPERIMENT, decoded[0], decoded[1], "cpu")
