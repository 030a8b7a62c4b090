"""The in-domain feature extractor, which stands in for Inception."""

from pathlib import Path

import torch
from torch import Tensor

from companion.experiments.artifacts import EXTRACTOR
from companion.experiments.datasets import images_identity
from companion.experiments.images import load_images
from companion.experiments.profiles import Experiment
from companion.experiments.records import recorded_run
from lbae_lib.data.images import ImageSet
from lbae_lib.files import sha256_file
from lbae_lib.metrics.classifier import (
    ClassifierFeatures,
    accuracy,
    load_classifier,
    save_classifier,
    weights_hash,
)
from lbae_lib.metrics.classifier_training import BATCH_SIZE, rotations, train_classifier
from lbae_lib.models.hardware import choose_device


def train_extractor(experiment: Experiment, data_root: Path, device: str = "auto") -> Path:
    """Train the feature extractor on the training split, and write its record; returns its file.

    It learns classes, or else attributes. Images without either, or all of one class, are rotated
    by quarter turns, and it learns the rotation. A few images are repeated until they are a batch.
    """
    device = choose_device(device)
    path = EXTRACTOR.target(experiment)
    with recorded_run("extractor", path.parent, device) as write:
        images = load_images(experiment, data_root)
        learns = extractor_labels(images.splits["train"])
        tasks = {name: extractor_task(part, learns) for name, part in images.splits.items()}
        times = max(1, -(-BATCH_SIZE // len(tasks["train"][0])))
        inputs, labels = (torch.cat([given] * times) for given in tasks["train"])
        epochs = experiment.entry.extractor_epochs
        model = train_classifier(inputs, labels, epochs=epochs, device=device).cpu()
        slug = experiment.folder.name
        about = {"dataset": slug if learns != "quarter turns" else f"{slug}-rotation"}
        save_classifier(path, model, about)
        write(
            options={
                "version": EXTRACTOR.version,
                "profile": experiment.profile,
                "dataset": experiment.dataset.name,
                "epochs": epochs,
                "seed": 0,
                "labels": learns,
            },
            inputs=images.hashes | images_identity(experiment.dataset),
            results={
                "weights_sha256": weights_hash(model),
                "model_sha256": sha256_file(path),
                "accuracy": {
                    name: accuracy(model, *tasks[name]) for name in ("validation", "test")
                },
            },
        )
    return path


def extractor_labels(train: ImageSet) -> str:
    """The kind of labels that the extractor learns: "classes", "attributes" or "quarter turns"."""
    if train.labels is not None and len(train.labels.unique()) > 1:
        return "classes"
    if train.attributes is not None and train.attributes.shape[1]:
        return "attributes"
    return "quarter turns"


def extractor_task(part: ImageSet, learns: str) -> tuple[Tensor, Tensor]:
    """Images and labels, of the kind that :func:`extractor_labels` gives for training images."""
    if learns == "classes" and part.labels is not None:
        return part.images, part.labels
    if learns == "attributes" and part.attributes is not None:
        return part.images, part.attributes
    return rotations(part.images)


def load_extractor(experiment: Experiment) -> ClassifierFeatures:
    """The trained feature extractor."""
    model, about = load_classifier(EXTRACTOR.required(experiment))
    return ClassifierFeatures(model, about["dataset"])
