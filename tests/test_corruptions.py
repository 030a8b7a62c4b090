import pytest
import torch

from companion.analysis.controls import control_sources
from lbae_lib.data.images import ImageSet
from lbae_lib.metrics.corruptions import blurred, noisy, sharpness


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
    """The commonest class; each image's grey level is its class."""
    labels = torch.tensor([0, 1, 2, 1] * 20)
    images = labels.to(torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    part = ImageSet(images, labels)
    source = control_sources({"train": part, "validation": part})["class_dropped"]
    for count in (30, 200):  # fewer and more than there are
        drawn = source.draw(count, generator)
        assert len(drawn) == count
        assert set(drawn[:, 0, 0, 0].tolist()) == {0, 2}


def test_blurring_lowers_sharpness(images):
    sharp, soft = sharpness(images), sharpness(blurred(images, 2.0))
    assert sharp.shape == (80,)
    assert (soft < sharp).all()


def test_a_blur_reaches_at_most_from_edge_to_edge():
    image = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    assert blurred(image, 31 / 3).shape == image.shape
    for sigma in (0, -1, 10.34, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"sigma is {sigma}, but must be above 0 and at most"):
            blurred(image, sigma)
