"""The in-domain stand-in for Inception: a small classifier trained on the data set itself.

Its numbers are named after it, ``FD[digits-cnn-v1]`` and the like, and never FID or KID: they
order images of one data set sensibly, but mean nothing beside another network's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_tensors, sha256_tensor, write_tensors
from lbae_lib.progress import progress_bar

VERSION = "cnn-v1"
FEATURES = 128


class FeatureClassifier(nn.Module):
    """Three strided convolutions and a penultimate layer with BatchNorm before its ReLU.

    The BatchNorm keeps every feature alive and of one scale, so that no few of them rule the
    covariance.

    Args:
        channels: of the images, 1 or 3.
        classes: number of labels.
        several: whether an image may have several labels at once, as attributes, or none.
    """

    scale: Tensor

    def __init__(self, channels: int, classes: int, several: bool = False) -> None:
        super().__init__()
        self.several = several
        widths = (32, 64, 128)
        layers: list[nn.Module] = []
        for before, after in zip((channels, *widths[:-1]), widths, strict=True):
            convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.penultimate = nn.Linear(widths[-1] * 16, FEATURES, bias=False)
        self.norm = nn.BatchNorm1d(FEATURES)
        self.head = nn.Linear(FEATURES, classes)
        self.register_buffer("scale", torch.ones(()))  # features to unit root mean square

    def features(self, images: Tensor) -> Tensor:
        """uint8 images (B, C, S, S) to features (B, 128), root mean square 1 in training."""
        x = self.body(images.float() / 127.5 - 1)
        return functional.relu(self.norm(self.penultimate(x))) / self.scale

    def forward(self, images: Tensor) -> Tensor:
        """uint8 images to the labels' logits."""
        return self.head(self.features(images))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy: of one label an image, or of each label's presence."""
        if self.several:
            return functional.binary_cross_entropy_with_logits(logits, labels.float())
        return functional.cross_entropy(logits, labels)


def train_classifier(
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int = 10,
    batch_size: int = 128,
    seed: int = 0,
    device: torch.device | str = "cpu",
    show_progress: bool = True,
) -> FeatureClassifier:
    """Train the stand-in on training images; the last step scales its features.

    Args:
        images: uint8 (K, C, S, S).
        labels: int64 (K,), from 0; or uint8 (K, A) of 0 and 1, several attributes an image.
        epochs: passes, with a learning rate that falls linearly from 1e-3 to 0.
        batch_size: images a step.
        seed: of the weights and the order.
        device: where to train.
        show_progress: draw a bar.

    Raises:
        ValueError: if there are fewer than two classes or than one batch of images.
    """
    several = labels.ndim == 2
    classes = labels.shape[1] if several else int(labels.max()) + 1 if len(labels) else 0
    if classes < (1 if several else 2) or len(images) < batch_size or len(images) != len(labels):
        raise ValueError(
            f"{len(images)} images with {len(labels)} labels of {classes} classes: the stand-in "
            f"needs at least {batch_size} labelled images, of two classes or with attributes"
        )
    images, labels = images.to(device), labels.to(device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = FeatureClassifier(images.shape[1], classes, several).to(device)
    optimizer = torch.optim.Adam(model.parameters())
    steps = len(images) // batch_size
    generator = torch.Generator().manual_seed(seed)
    with progress_bar(epochs * steps, "feature classifier", "step", enabled=show_progress) as bar:
        for epoch in range(epochs):
            order = torch.randperm(len(images), generator=generator).to(device)
            for step in range(steps):
                left = 1 - (epoch * steps + step) / (epochs * steps)
                for group in optimizer.param_groups:
                    group["lr"] = 1e-3 * left
                chosen = order[step * batch_size :][:batch_size]
                loss = model.loss(model(images[chosen]), labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                bar.update()
    model.eval().requires_grad_(False)
    squares = [model.features(part).square().mean(1) for part in images.split(512)]
    model.scale.copy_(torch.cat(squares).mean().sqrt())
    return model


@torch.inference_mode()
def logits_of(model: FeatureClassifier, images: Tensor) -> Tensor:
    """The labels' logits, float32 (K, A), of images uint8 (K, C, S, S)."""
    device = next(model.parameters()).device
    return torch.cat([model(part.to(device)).cpu() for part in images.split(512)])


def presence(model: FeatureClassifier, images: Tensor, thresholds: Tensor | None = None) -> Tensor:
    """Which labels the network finds in images.

    Args:
        model: trained.
        images: uint8 (K, C, S, S).
        thresholds: logits above which an attribute counts as there, (A,); 0 unless given. Labels
            that exclude each other have none.

    Returns:
        bool (K, A); a single true column a row if labels exclude each other.
    """
    logits = logits_of(model, images)
    if model.several:
        return logits > (0 if thresholds is None else thresholds)
    return functional.one_hot(logits.argmax(1), logits.shape[1]).bool()


def accuracy(model: FeatureClassifier, images: Tensor, labels: Tensor) -> float:
    """Share of labels found: of images whose class is right, or of attributes that are."""
    found = presence(model, images)
    if model.several:
        return float((found == labels.bool()).double().mean())
    return float(found[torch.arange(len(labels)), labels].double().mean())


def rotations(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images turned by 0, 90, 180 and 270 degrees, and which: classes for images without any.

    Args:
        images: uint8 (K, C, S, S).

    Returns:
        uint8 (4K, C, S, S) and int64 (4K,).

    Reference:
        Gidaris et al. (2018), *Unsupervised representation learning by predicting image
        rotations*.
    """
    turned = torch.cat([torch.rot90(images, quarter, (2, 3)) for quarter in range(4)])
    return turned, torch.arange(4).repeat_interleave(len(images))


def save_classifier(path: Path, model: FeatureClassifier, about: Mapping[str, Any]) -> None:
    """Write the stand-in whole or not at all.

    Args:
        path: the file to write.
        model: from :func:`train_classifier`.
        about: what to keep beside it; JSON values only.
    """
    shape = {
        "channels": model.body[0].in_channels,
        "classes": model.head.out_features,
        "several": model.several,
    }
    header = {"format": VERSION, "shape": shape, "about": dict(about)}
    write_tensors(path, model.state_dict(), header)


def load_classifier(path: Path) -> tuple[FeatureClassifier, dict[str, Any]]:
    """Read the stand-in, in eval mode and without gradients.

    Returns:
        The network, and what :func:`save_classifier` was told ``about`` it.

    Raises:
        CheckpointError: if the file is missing, damaged or of another version.
    """
    tensors, header = read_tensors(path, "feature extractor")
    if header.get("format") != VERSION:
        raise CheckpointError(f"{path} holds {header.get('format')!r}, not {VERSION!r}")
    model = FeatureClassifier(**header["shape"])
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit its own description: {error}") from None
    return model.eval().requires_grad_(False), header["about"]


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of a model's weights and buffers, in the order of their names."""
    state = model.state_dict()
    hashes = "".join(sha256_tensor(state[name]) for name in sorted(state))
    return sha256_tensor(torch.tensor(bytearray(hashes.encode()), dtype=torch.uint8))
