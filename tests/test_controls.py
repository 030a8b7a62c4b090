import pytest
import torch

from lbae_lib.metrics.classifier import (
    accuracy,
    load_classifier,
    presence,
    rotations,
    save_classifier,
    train_classifier,
)
from lbae_lib.metrics.corruptions import blurred, noisy, sharpness, without_class


def test_blur_spreads_a_point_and_keeps_its_light():
    image = torch.zeros(1, 1, 33, 33, dtype=torch.uint8)
    image[..., 12:21, 12:21] = 200
    soft = blurred(image, 2.0).double()
    assert soft.sum() == pytest.approx(float(image.sum()), rel=0.01)
    offset = torch.arange(33.0, dtype=torch.float64) - 16
    column = soft[0, 0].sum(0)
    variance = (column * offset**2).sum() / column.sum()
    assert float(variance) == pytest.approx((9**2 - 1) / 12 + 4.0, rel=0.05)


def test_blur_leaves_flat_images_alone():
    flat = torch.full((2, 3, 16, 16), 77, dtype=torch.uint8)
    assert torch.equal(blurred(flat, 1.5), flat)


def test_noise_has_the_asked_strength(generator):
    grey = torch.full((4, 1, 64, 64), 128, dtype=torch.uint8)
    spread = noisy(grey, 0.1, generator).double().std()
    assert float(spread) == pytest.approx(25.5, rel=0.03)


def test_a_class_is_dropped(generator):
    labels = torch.tensor([0, 1, 2] * 20)
    for count in (30, 200):  # fewer and more than there are
        chosen = without_class(labels, 1, count, generator)
        assert len(chosen) == count
        assert set(labels[chosen].tolist()) == {0, 2}


def test_blurring_lowers_sharpness(images):
    sharp, soft = sharpness(images), sharpness(blurred(images, 2.0))
    assert sharp.shape == (80,)
    assert (soft < sharp).all()


def test_rotations_are_learnt_where_there_are_no_classes():
    ramp = torch.arange(32, dtype=torch.uint8).mul(8).expand(1, 1, 32, 32)
    turned, labels = rotations(ramp)
    assert labels.tolist() == [0, 1, 2, 3]
    assert torch.equal(torch.rot90(turned[1], -1, (1, 2)), ramp[0])
    assert len({t.numpy().tobytes() for t in turned}) == 4


def test_a_saved_extractor_gives_the_same_features(tmp_path, images):
    labels = torch.arange(80) % 3
    model = train_classifier(images, labels, epochs=1, batch_size=16, show_progress=False)
    save_classifier(tmp_path / "m.safetensors", model, {"dataset": "blobs"})
    again, about = load_classifier(tmp_path / "m.safetensors")
    assert about == {"dataset": "blobs"}
    assert torch.equal(again.features(images), model.features(images))


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
