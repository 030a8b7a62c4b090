"""Features of images from any network, kept on disk by what they are computed from."""

import hashlib
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from lbae_lib.checks import check_images
from lbae_lib.errors import DataError
from lbae_lib.files import cache_tensors, read_tensors, sha256_file, sha256_tensor


class FeatureExtractor(Protocol):
    """A network that computes features of images."""

    name: str  # shown beside every number, e.g. "inception-v3-compat"
    weights_sha256: str

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, C, S, S) to float32 (B, D) on the processor."""
        ...


def extract(
    extractor: FeatureExtractor,
    images: Tensor,
    *,
    preprocessing: str = "none",
    cache: Path | str | None = None,
    batch_size: int = 100,
) -> Tensor:
    """Features of images, float32 (K, D) on the processor, from the cache if it has them.

    Args:
        extractor: the network, which gets ``batch_size`` images at a time.
        images: uint8 (K, C, S, S).
        preprocessing: what was done to the images, for the cache's key and its entry.
        cache: a folder; the keys of its entries are hashes of weights, images and preprocessing,
            so that an entry is never out of date. One that cannot be written is a warning.

    Raises:
        ValueError: if the images have another type or shape.
        CheckpointError: if the cache's entry is damaged.
    """
    check_images(images)
    key = hashlib.sha256(
        "\n".join((extractor.weights_sha256, sha256_tensor(images), preprocessing)).encode()
    ).hexdigest()
    entry = None if cache is None else Path(cache) / f"{key}.safetensors"
    if entry is not None and entry.exists():
        return read_tensors(entry, "cache of features", "delete this file")[0]["features"]
    features = torch.cat([extractor(part) for part in images.split(batch_size)])
    if entry is not None:
        about = {"extractor": extractor.name, "weights": extractor.weights_sha256}
        cache_tensors(entry, {"features": features}, about | {"preprocessing": preprocessing})
    return features


def published_weights(
    path: Path | str, network: str, sha256: str, source: str
) -> dict[str, Tensor]:
    """A published network's state dict, from a PyTorch file with this hash; only tensors are read.

    ``network`` and ``source``, how to get the file ("fetch https://…"), are for errors.

    Raises:
        DataError: if the file is missing, or is a different one.
    """
    if not Path(path).is_file():
        raise DataError(f"no {network} weights at {path}: {source}")
    found = sha256_file(path)
    if found != sha256:
        raise DataError(
            f"{path} does not hold the published {network} weights: its SHA-256 is {found}, but "
            f"must be {sha256}; delete it and {source}"
        )
    return torch.load(path, map_location="cpu", weights_only=True)
