"""Features of the Inception network of FID and KID, and where its weights are."""

import io
import os
from pathlib import Path

import torch
from torch import Tensor

from lbae_lib.checks import check_images
from lbae_lib.errors import DataError, extra
from lbae_lib.metrics.features import published_weights

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_URL = (
    f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION_FILE}"
)
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
INCEPTION_VARIABLE = "LBAE_INCEPTION_WEIGHTS"


class InceptionFeatures:
    """The 2048 pooled features of the TensorFlow Inception network, as in FID and KID.

    The network and its resizing, that of TensorFlow 1, are torch-fidelity's. Grey images are
    replicated to three channels. The weights are a file from :func:`find_inception_weights`; only
    tests pass another hash than the published one.

    Raises:
        DataError: if the file is missing, or is a different one.
        LbaeError: if torch-fidelity is not installed.

    Reference:
        Szegedy et al. (2016), *Rethinking the Inception architecture for computer vision*.
    """

    name = "inception-v3-compat"

    def __init__(
        self,
        weights: Path | str,
        device: torch.device | str = "cpu",
        sha256: str = INCEPTION_SHA256,
    ) -> None:
        state = published_weights(weights, "Inception", sha256, f"fetch {INCEPTION_URL}")
        with extra("metrics", "torch-fidelity", "Inception's features"):
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        # torch-fidelity unpickles whatever a file holds: give it a copy of the tensors alone.
        copy = io.BytesIO()
        torch.save(state, copy)
        copy.seek(0)
        with torch.device(device):
            self.network = FeatureExtractorInceptionV3(
                self.name, ["2048"], feature_extractor_weights_path=copy
            )
        self.weights_sha256 = sha256
        self._device = device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, 1 or 3, S, S) to float32 (B, 2048) on the processor."""
        check_images(images)
        colour = images.expand(-1, 3, -1, -1).to(self._device)
        (features,) = self.network(colour)
        return features.float().cpu()


def find_inception_weights(download: bool = False) -> Path:
    """The file of the Inception weights, downloaded if it is not there and ``download`` is set.

    The environment variable ``LBAE_INCEPTION_WEIGHTS`` names it; unless it is set, the file is
    the one in PyTorch's cache.

    Raises:
        DataError: if there is no such file, or it cannot be downloaded.
    """
    hint = f"fetch {INCEPTION_URL} and set {INCEPTION_VARIABLE} to the path of the file"
    if named := os.environ.get(INCEPTION_VARIABLE):
        if not Path(named).is_file():
            raise DataError(f"no Inception weights at {named}: {hint}")
        return Path(named)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    if cached.is_file():
        return cached
    if not download:
        raise DataError(f"no Inception weights, so no FID and KID: {hint}")
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(INCEPTION_URL, str(cached), INCEPTION_SHA256)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"the Inception weights could not be downloaded ({error}): {hint}"
        ) from None
    return cached
