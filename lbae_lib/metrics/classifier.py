"""The in-domain classifier, whose features stand in for Inception's.

It is trained on the data set that is scored. Its scores are named after it, as in
``FD[digits-cnn-v1]``, and never FID or KID. They order images of one data set, and cannot be
compared with the scores of another network.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.checks import check_images
from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_tensors, sha256_tensor, write_tensors

VERSION = "cnn-v1"
FEATURES = 128


class FeatureClassifier(nn.Module):
    """Three strided convolutions and a penultimate layer with BatchNorm before its ReLU.

    The BatchNorm keeps every feature active and all features on one scale, so that no small
    subset dominates the covariance. With ``several``, an image may have any number of the labels,
    as with attributes.
    """

    scale: Tensor

    def __init__(self, channels: int, classes: int, several: bool = False) -> None:
        super().__init__()
        self.several = several
        widths = (32, 64, 128)
        layers: list[nn.Module] = []
        with torch.device("cpu"):  # so that a seed gives the same weights on every device
            for before, after in zip((channels, *widths[:-1]), widths, strict=True):
                convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
                layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
            self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
            self.penultimate = nn.Linear(widths[-1] * 16, FEATURES, bias=False)
            self.norm = nn.BatchNorm1d(FEATURES)
            self.head = nn.Linear(FEATURES, classes)
            self.register_buffer("scale", torch.ones(()))  # features to unit root mean square

    def features(self, images: Tensor) -> Tensor:
        """uint8 images (B, C, S, S) to features (B, 128).

        In eval mode, their root mean square over the training images is 1.
        """
        x = self.body(images.float() / 127.5 - 1)
        return functional.relu(self.norm(self.penultimate(x))) / self.scale

    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (B, C, S, S) to the labels' logits (B, A)."""
        return self.head(self.features(images))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy: of one label per image, or of the presence of each label."""
        if self.several:
            return functional.binary_cross_entropy_with_logits(logits, labels.float())
        return functional.cross_entropy(logits, labels)


class ClassifierFeatures:
    """The 128 features of an in-domain classifier.

    The given model itself is put into eval mode, and moved to a device if one is given. The name
    begins with the data set that it was trained on.
    """

    def __init__(
        self, model: FeatureClassifier, dataset: str, device: torch.device | str | None = None
    ) -> None:
        self.model = model.eval().to(device)
        self.name = f"{dataset}-{VERSION}"
        self.weights_sha256 = weights_hash(model)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, C, S, S) to float32 (B, 128) on the processor."""
        check_images(images)
        return self.model.features(images.to(self.model.scale.device)).cpu()


@torch.inference_mode()
def logits_of(model: FeatureClassifier, images: Tensor) -> Tensor:
    """The labels' logits of images uint8 (K, C, S, S), float32 (K, A) on the processor."""
    check_images(images)
    device = model.scale.device
    return torch.cat([model(part.to(device)).cpu() for part in images.split(512)])


def presence(model: FeatureClassifier, images: Tensor, thresholds: Tensor | None = None) -> Tensor:
    """Which labels the classifier finds in images: bool (K, A), on the processor.

    An attribute is present if its logit is above its threshold, (A,); 0 unless given. Of labels
    that exclude each other, the largest logit wins.
    """
    logits = logits_of(model, images)
    if model.several:
        return logits > (0 if thresholds is None else thresholds)
    return functional.one_hot(logits.argmax(1), logits.shape[1]).bool()


def accuracy(model: FeatureClassifier, images: Tensor, labels: Tensor) -> float:
    """Share in [0, 1] of images with the right class, or of all attributes that are right."""
    found, labels = presence(model, images), labels.cpu()
    right = found == labels.bool() if model.several else found.gather(1, labels[:, None])
    return float(right.double().mean())


def save_classifier(path: Path | str, model: FeatureClassifier, about: Mapping[str, Any]) -> None:
    """Write a classifier and a description of it; errors are those of ``files.write_tensors``."""
    channels, classes = model.body[0].in_channels, model.head.out_features
    shape = {"channels": channels, "classes": classes, "several": model.several}
    header = {"format": VERSION, "shape": shape, "about": dict(about)}
    write_tensors(path, model.state_dict(), header)


def load_classifier(path: Path | str) -> tuple[FeatureClassifier, dict[str, Any]]:
    """A classifier, in evaluation mode and without gradients, and its stored description.

    Raises:
        CheckpointError: if the file is missing, damaged or of another version, or does not match
            its own description.
    """
    tensors, header = read_tensors(path, "feature extractor")
    if header.get("format") != VERSION:
        raise CheckpointError(
            f"{path} holds {header.get('format')!r}, not {VERSION!r}: train the extractor again"
        )
    try:
        model, about = FeatureClassifier(**header["shape"]), header["about"]
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} does not match its own description ({error}): train the extractor again"
        ) from None
    return model.eval().requires_grad_(False), about


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of a model's weights and buffers, in the order of their names."""
    state = model.state_dict()
    hashes = "".join(sha256_tensor(state[name]) for name in sorted(state))
    return sha256_tensor(torch.frombuffer(bytearray(hashes.encode()), dtype=torch.uint8))
