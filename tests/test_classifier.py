"""The in-domain classifier: what it learns, its features, its file."""

import pytest
import torch

from lbae_lib.errors import CheckpointError
from lbae_lib.files import read_tensors, write_tensors
from lbae_lib.metrics.classifier import (
    ClassifierFeatures,
    FeatureClassifier,
    accuracy,
    load_classifier,
    presence,
    save_classifier,
    weights_hash,
)
from lbae_lib.metrics.classifier_training import rotations, train_classifier
from lbae_lib.metrics.features import extract


@pytest.fixture(scope="module")
def classifier(digits):
    return train_classifier(
        digits.train.images, digits.train.labels, epochs=4, batch_size=64, show_progress=False
    )


def test_the_classifier_learns_its_classes(classifier, digits):
    assert accuracy(classifier, digits.test.images, digits.test.labels) > 0.93


def test_its_features_have_unit_root_mean_square_and_are_active(classifier, digits):
    found = extract(ClassifierFeatures(classifier, "digits", "cpu"), digits.train.images)
    assert found.shape == (1437, 128)
    assert float(found.square().mean().sqrt()) == pytest.approx(1, abs=1e-4)
    assert float((found > 0).any(0).double().mean()) == 1.0


def test_same_seed_same_classifier(digits, classifier):
    again = train_classifier(
        digits.train.images, digits.train.labels, epochs=4, batch_size=64, show_progress=False
    )
    assert weights_hash(again) == weights_hash(classifier)


def test_the_classifier_needs_labelled_images(digits):
    images, labels = digits.train.images, digits.train.labels
    for bad in ((images[:10], labels[:10]), (images, labels[:5]), (images, labels * 0)):
        with pytest.raises(ValueError, match="two classes"):
            train_classifier(*bad, show_progress=False)


def test_rotations_are_learnt_where_there_are_no_classes():
    ramp = torch.arange(32, dtype=torch.uint8).mul(8).expand(1, 1, 32, 32)
    turned, labels = rotations(ramp)
    assert labels.tolist() == [0, 1, 2, 3]
    assert torch.equal(torch.rot90(turned[1], -1, (1, 2)), ramp[0])
    assert len({t.numpy().tobytes() for t in turned}) == 4


def test_a_saved_classifier_gives_the_same_features(tmp_path, images):
    labels = torch.arange(80) % 3
    model = train_classifier(images, labels, epochs=1, batch_size=16, show_progress=False)
    save_classifier(tmp_path / "m.safetensors", model, {"dataset": "blobs"})
    again, about = load_classifier(tmp_path / "m.safetensors")
    assert about == {"dataset": "blobs"}
    assert torch.equal(again.features(images), model.features(images))


def test_a_classifier_that_does_not_describe_itself_is_refused(tmp_path):
    path, model = tmp_path / "m.safetensors", FeatureClassifier(1, 3)
    save_classifier(path, model, {})
    tensors, header = read_tensors(path, "classifier")
    shape = header["shape"]
    for change in ({"shape": {}}, {"shape": shape | {"a": 1}}, {"shape": shape | {"classes": 4}}):
        write_tensors(path, tensors, header | change)
        with pytest.raises(CheckpointError, match="does not match its own description"):
            load_classifier(path)
    for missing in ("shape", "about"):
        write_tensors(path, tensors, {k: v for k, v in header.items() if k != missing})
        with pytest.raises(CheckpointError, match=f"description \\('{missing}'\\): train"):
            load_classifier(path)


def test_attributes_are_learnt_side_by_side(images):
    left, right = (images[..., half].float().mean((1, 2, 3)) for half in (slice(16), slice(16, 32)))
    labels = torch.stack([left > right, torch.arange(80) % 2 == 0], dim=1)
    model = train_classifier(images, labels.byte(), epochs=40, batch_size=16, show_progress=False)
    found = presence(model, images)
    assert found.shape == (80, 2)
    assert (found[:, 0] == labels[:, 0]).double().mean() > 0.95
    assert accuracy(model, images, labels.byte()) > 0.6


def test_classes_exclude_each_other(images):
    model = train_classifier(
        images, torch.arange(80) % 3, epochs=1, batch_size=16, show_progress=False
    )
    assert (presence(model, images).sum(1) == 1).all()
