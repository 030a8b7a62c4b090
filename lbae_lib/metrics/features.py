"""Features of images: Inception's, for FID and KID, or the in-domain stand-in's."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lbae_lib.errors import DataError
from lbae_lib.files import read_tensors, sha256_file, sha256_tensor, write_tensors
from lbae_lib.metrics.classifier import VERSION, FeatureClassifier, weights_hash
from lbae_lib.progress import progress_bar

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_URL = (
    f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION_FILE}"
)
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
INCEPTION_VARIABLE = "LBAE_INCEPTION_WEIGHTS"


class FeatureExtractor(Protocol):
    """A network that sees images.

    Attributes:
        name: as shown beside every number, e.g. "inception-v3-compat".
        weights_sha256: what the network is.
    """

    name: str
    weights_sha256: str

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, C, S, S) to float32 (B, D) on the processor."""
        ...


class InceptionFeatures:
    """The 2048 pooled features of the TensorFlow Inception network, as in FID and KID.

    torch-fidelity's network, with the resizing of TensorFlow 1. Grey images are replicated to
    three channels.

    Args:
        weights: the file, from :func:`find_inception_weights`.
        device: where to compute.
        sha256: what the file must hash to; another than the published only in tests.

    Raises:
        DataError: if the file is missing or another one.
    """

    name = "inception-v3-compat"

    def __init__(
        self,
        weights: Path,
        device: torch.device | str = "cpu",
        sha256: str = INCEPTION_SHA256,
    ) -> None:
        if not weights.is_file():
            raise DataError(f"no Inception weights at {weights}")
        found = sha256_file(weights)
        if found != sha256:
            raise DataError(
                f"{weights} is not the Inception network of FID: its SHA-256 is {found}, but must "
                f"be {sha256}; delete it and fetch {INCEPTION_URL}"
            )
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        with _tensors_only():
            network = FeatureExtractorInceptionV3(
                self.name, ["2048"], feature_extractor_weights_path=str(weights)
            )
        self.network = network.to(device)
        self.weights_sha256 = found
        self._device = device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, 1 or 3, S, S) to float32 (B, 2048) on the processor."""
        colour = images.expand(-1, 3, -1, -1).to(self._device)
        (features,) = self.network(colour)
        return features.float().cpu()


class ClassifierFeatures:
    """Features of the in-domain stand-in.

    Args:
        model: from :func:`lbae_lib.metrics.classifier.train_classifier`.
        dataset: what it was trained on; part of the name.
    """

    def __init__(self, model: FeatureClassifier, dataset: str) -> None:
        self.model = model.eval()
        self.name = f"{dataset}-{VERSION}"
        self.weights_sha256 = weights_hash(model)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, C, S, S) to float32 (B, 128) on the processor."""
        device = next(self.model.parameters()).device
        return self.model.features(images.to(device)).cpu()


def find_inception_weights(path: Path | None = None, download: bool = False) -> Path:
    """Where the Inception weights are.

    Looked for at ``path``, then at the environment variable ``LBAE_INCEPTION_WEIGHTS``, then in
    PyTorch's cache, where they are downloaded to if asked for. A named file that is missing is
    an error, never a reason to look elsewhere.

    Raises:
        DataError: if they are not found, or cannot be downloaded.
    """
    variable = os.environ.get(INCEPTION_VARIABLE)
    named = path or (Path(variable) if variable else None)
    if named is not None:
        if not named.is_file():
            raise DataError(f"no Inception weights at {named}, where they were said to be")
        return named
    cached = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    if cached.is_file():
        return cached
    hint = f"fetch {INCEPTION_URL} and name the file in {INCEPTION_VARIABLE}"
    if not download:
        raise DataError(f"no Inception weights, so no FID and KID: {hint}")
    cached.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(INCEPTION_URL, str(cached), INCEPTION_SHA256)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"the Inception weights could not be downloaded ({error}): {hint}"
        ) from None
    return cached


def extract(
    extractor: FeatureExtractor,
    images: Tensor,
    *,
    preprocessing: str = "none",
    cache: Path | None = None,
    batch_size: int = 100,
    show_progress: bool = False,
) -> Tensor:
    """Features of images in one pass, from the cache if they were computed before.

    Args:
        extractor: the network.
        images: uint8 (K, C, S, S).
        preprocessing: what was done to the images, for the cache's key and the record.
        cache: a folder; entries are keyed by hashes of weights, images and preprocessing, so
            that they cannot go stale.
        batch_size: images at a time.
        show_progress: draw a bar.

    Returns:
        float32 (K, D).
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}, but must be uint8 (K, 1 or 3, S, S)"
        )
    key = hashlib.sha256(
        "\n".join((extractor.weights_sha256, sha256_tensor(images), preprocessing)).encode()
    ).hexdigest()
    entry = None if cache is None else cache / f"{key}.safetensors"
    if entry is not None and entry.exists():
        return read_tensors(entry, "cache entry of features")[0]["features"]
    found = []
    with progress_bar(len(images), extractor.name, "img", enabled=show_progress) as bar:
        for part in images.split(batch_size):
            found.append(extractor(part))
            bar.update(len(part))
    features = torch.cat(found)
    if entry is not None:
        about = {"extractor": extractor.name, "weights": extractor.weights_sha256}
        write_tensors(entry, {"features": features}, about | {"preprocessing": preprocessing})
    return features


def file_round_trip(
    pixels: NDArray[np.uint8], kind: str, **options: object
) -> tuple[int, NDArray[np.uint8]]:
    """An image saved as a file in memory and read back.

    Args:
        pixels: (S, S), or (S, S, 3).
        kind: Pillow's name of the format.
        **options: of Pillow's encoder.

    Returns:
        Bytes of the file, and what comes back, shaped like ``pixels``.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    mode = "L" if pixels.ndim == 2 else "RGB"
    return buffer.tell(), np.array(Image.open(buffer).convert(mode))


def jpeg_round_trip(images: Tensor, quality: int = 75) -> Tensor:
    """Images saved as JPEG and read back, in memory: part of the authors' protocol.

    Args:
        images: uint8 (K, 1 or 3, S, S); grey is replicated to three channels first.
        quality: of Pillow's encoder; 75 is its default, which the authors' code leaves.

    Returns:
        uint8 (K, 3, S, S).
    """
    colour = images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    result = np.empty_like(colour)
    for index, pixels in enumerate(colour):
        _, result[index] = file_round_trip(pixels, "JPEG", quality=quality)
    return torch.from_numpy(result).permute(0, 3, 1, 2).contiguous()


@contextmanager
def _tensors_only() -> Iterator[None]:
    """Let ``torch.load`` read tensors only: torch-fidelity asks it to unpickle anything."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
