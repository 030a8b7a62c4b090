"""Image files to ``.lbae`` files and back, by an experiment's model and prior."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from companion.experiments.artifacts import MODEL
from companion.experiments.prior import load_codec
from companion.experiments.profiles import Experiment
from lbae_lib.bits import unpack_bits
from lbae_lib.coding.container import CODERS, MAGIC, is_container
from lbae_lib.data.folder import read_images
from lbae_lib.data.folder_listing import is_image_name
from lbae_lib.errors import ConfigError, FormatError, WriteError, unknown
from lbae_lib.files import explained, replacing
from lbae_lib.models.encoding import BATCH_SIZE, decode, encode
from lbae_lib.models.hardware import choose_device
from lbae_lib.models.model_files import load_model
from lbae_lib.progress import progress_bar

_DECODED = ("Software", "lbae decompress")  # a text chunk of PNG files that it writes


def compress_images(
    experiment: Experiment,
    paths: Sequence[Path],
    output: Path,
    coder: str,
    device: str = "auto",
    force: bool = False,
) -> tuple[int, int]:
    """Encode image files into one ``.lbae`` file: its bytes, and the number of images.

    It is written whole or not at all. An earlier ``.lbae`` file is replaced, an image or an input
    never, and any other file if ``force`` is set.
    """
    if is_image_name(output.name):
        raise WriteError(
            f"{output} has the name of an image, but becomes an .lbae file: give --output a name "
            "of its own, before or after the images"
        )
    check_output(output, paths, is_ours=is_container, force=force)
    device = choose_device(device)
    if coder not in CODERS:
        raise ConfigError(unknown("coder", coder, CODERS))
    network = experiment.network
    images = read_images(paths, network.image_size, network.channels)
    codec = load_codec(experiment)
    model, _ = load_model(MODEL.path(experiment), device)
    bits = unpack_bits(encode(model, images, show_progress=True), network.latent_size)
    content = codec.compress(bits, coder)
    with replacing(output) as scratch:
        scratch.write_bytes(content)
    return len(content), len(images)


def decompress_images(
    experiment: Experiment, file: Path, folder: Path, device: str = "auto", force: bool = False
) -> int:
    """Decode an ``.lbae`` file to PNG files 000001.png, 000002.png, …; the number of images.

    PNG files that an earlier call wrote are replaced, the file itself never, and other files of
    these names if ``force`` is set.
    """
    device = choose_device(device)
    if not file.is_file():
        what = ", which is a folder" if file.is_dir() else ""
        raise FormatError(f"there is no file {file}{what}: name a file that lbae compress wrote")
    if folder.exists() and not folder.is_dir():
        raise WriteError(f"{folder} is a file: name a folder for the images")
    with explained(file):
        content = file.read_bytes()
    if not content.startswith(MAGIC):
        raise FormatError(f"{file} is not an .lbae file: name a file that lbae compress wrote")
    codec = load_codec(experiment)
    try:
        packed = codec.decompress(content)
    except FormatError as error:
        raise FormatError(f"{file}: {error}") from None
    targets = [folder / f"{number:06}.png" for number in range(1, len(packed) + 1)]
    for target in targets:  # before any is written
        check_output(target, [file], is_ours=_is_decoded, force=force)
    model, _ = load_model(MODEL.path(experiment), device)
    about = PngInfo()
    about.add_text(*_DECODED)
    with progress_bar(len(packed), "decoding", "img") as bar:
        for start in range(0, len(packed), BATCH_SIZE):
            bits = unpack_bits(packed[start : start + BATCH_SIZE], experiment.network.latent_size)
            for index, image in enumerate(decode(model, bits), start=start):
                pixels = Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy())
                with replacing(targets[index]) as scratch:
                    pixels.save(scratch, pnginfo=about)
                bar.update()
    return len(packed)


def _is_decoded(path: Path) -> bool:
    """Whether a PNG file says that it was decoded by this program."""
    try:
        with Image.open(path) as image:
            return image.info.get(_DECODED[0]) == _DECODED[1]
    except (OSError, SyntaxError, ValueError):
        return False


def check_output(
    path: Path,
    inputs: Iterable[Path] = (),
    *,
    is_ours: Callable[[Path], bool] | None = None,
    force: bool = False,
) -> None:
    """Raise ``WriteError`` if a file exists that may not be replaced.

    A file of ``inputs`` never may. Another may if this program wrote it, as ``is_ours`` says, or
    with ``force``.
    """
    if not os.path.lexists(path):
        return
    if path.is_dir():
        raise WriteError(f"{path} is a folder: name a file")
    if path.exists():
        for source in inputs:
            if source.exists() and path.samefile(source):
                raise WriteError(f"{path} is one of the inputs: write to another file")
        if not path.is_file():
            raise WriteError(f"{path} is not an ordinary file: write to another one")
        if is_ours is not None and is_ours(path):
            return
    if not force:
        raise WriteError(
            f"{path} exists and was not written by lbae: write to another place, or add --force"
        )
