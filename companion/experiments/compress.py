"""Image files to ``.lbae`` files and back, by an experiment's model and prior."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from companion.experiments.artifacts import MODEL
from companion.experiments.prior import load_codec
from companion.experiments.profiles import Experiment
from lbae_lib.bits import unpack_bits
from lbae_lib.coding.container import CODERS
from lbae_lib.data.folder import read_images
from lbae_lib.errors import ConfigError, FormatError, unknown
from lbae_lib.files import replacing
from lbae_lib.models.encoding import BATCH_SIZE, decode, encode
from lbae_lib.models.hardware import choose_device
from lbae_lib.models.model_files import load_model
from lbae_lib.progress import progress_bar


def compress_images(
    experiment: Experiment, paths: Sequence[Path], output: Path, coder: str, device: str = "auto"
) -> tuple[int, int]:
    """Encode image files into one ``.lbae`` file, written whole or not at all.

    Returns:
        Bytes of the file, and number of images.

    Raises:
        LbaeError: if coder or device are unknown, an image cannot be read, or model or prior are
            missing.
    """
    device = choose_device(device)
    chosen = next((known for known in CODERS if known == coder), None)
    if chosen is None:
        raise ConfigError(unknown("coder", coder, CODERS))
    codec = load_codec(experiment)
    network = experiment.network
    images = read_images(paths, network.image_size, network.channels)
    model, _ = load_model(MODEL.path(experiment), device)
    bits = unpack_bits(encode(model, images, show_progress=True), network.latent_size)
    content = codec.compress(bits, chosen)
    with replacing(output) as scratch:
        scratch.write_bytes(content)
    return len(content), len(images)


def decompress_images(
    experiment: Experiment, file: Path, folder: Path, device: str = "auto"
) -> int:
    """Decode an ``.lbae`` file to PNG files 000001.png, 000002.png, …

    Returns:
        Number of images.

    Raises:
        LbaeError: if the file is missing, damaged, or of another model or another prior.
    """
    device = choose_device(device)
    if not file.is_file():
        raise FormatError(f"there is no file {file}")
    packed = load_codec(experiment).decompress(file.read_bytes())
    model, _ = load_model(MODEL.path(experiment), device)
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar(len(packed), "decoding", "img") as bar:
        for start in range(0, len(packed), BATCH_SIZE):
            bits = unpack_bits(packed[start : start + BATCH_SIZE], experiment.network.latent_size)
            for index, image in enumerate(decode(model, bits), start=start + 1):
                with replacing(folder / f"{index:06}.png") as scratch:
                    Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy()).save(scratch)
                bar.update()
    return len(packed)
