"""Training of the in-domain classifier."""

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from lbae_lib.checks import check_images
from lbae_lib.metrics.classifier import FeatureClassifier
from lbae_lib.progress import progress_bar

BATCH_SIZE = 128  # images per step


def train_classifier(
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int = 10,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    device: torch.device | str = "cpu",
    show_progress: bool = True,
) -> FeatureClassifier:
    """Train a classifier; its features are then scaled to unit root mean square.

    Args:
        images: uint8 (K, C, S, S).
        labels: int64 (K,), classes from 0; or uint8 (K, A), attributes of 0 and 1.
        epochs: passes, with a learning rate that falls linearly from 1e-3 to 0.
        batch_size: images per step.
        seed: of the weights and the order of images, both drawn on the processor.
        device: on which the classifier is trained, and stays.

    Raises:
        ValueError: if there are too few classes, images for a batch, or labels for the images.
    """
    check_images(images)
    several = labels.ndim == 2
    classes = labels.shape[1] if several else int(labels.max()) + 1 if len(labels) else 0
    if classes < (1 if several else 2) or len(images) < batch_size or len(images) != len(labels):
        raise ValueError(
            f"{len(images)} images with {len(labels)} labels of {classes} classes: the classifier "
            f"needs at least {batch_size} labelled images, of two classes or with attributes"
        )
    images, labels = images.to(device), labels.to(device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = FeatureClassifier(images.shape[1], classes, several).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    steps = epochs * (len(images) // batch_size)
    schedule = LambdaLR(optimizer, lambda step: 1 - step / max(1, steps))
    generator = torch.Generator().manual_seed(seed)
    with progress_bar(steps, "feature classifier", "step", enabled=show_progress) as bar:
        for _ in range(epochs):
            order = torch.randperm(len(images), generator=generator, device="cpu").to(device)
            for chosen in order[: len(order) // batch_size * batch_size].split(batch_size):
                loss = model.loss(model(images[chosen]), labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    model.eval().requires_grad_(False)
    squares = [model.features(part).square().mean(1) for part in images.split(512)]
    model.scale.copy_(torch.cat(squares).mean().sqrt())
    return model


def rotations(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images turned by 0, 90, 180 and 270 degrees, as classes for images that have none.

    Returns the turned images, uint8 (4K, C, S, S), and their quarter turns, int64 (4K,).

    Reference:
        Gidaris et al. (2018), *Unsupervised representation learning by predicting image
        rotations*.
    """
    turned = torch.cat([torch.rot90(images, quarter, (2, 3)) for quarter in range(4)])
    return turned, torch.arange(4, device=images.device).repeat_interleave(len(images))
