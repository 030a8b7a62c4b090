import dataclasses
import socket

import pytest
import torch
from implicit_devices import ExplicitDevices

from companion.analysis.evaluators import evaluators
from companion.analysis.image_source import ImageSource
from companion.analysis.scoring import Scoreboard
from lbae_lib.errors import CheckpointError, DataError
from lbae_lib.files import sha256_file
from lbae_lib.metrics import inception as module
from lbae_lib.metrics.classifier import ClassifierFeatures
from lbae_lib.metrics.classifier_training import train_classifier
from lbae_lib.metrics.features import extract
from lbae_lib.metrics.image_formats import jpeg_round_trip
from lbae_lib.metrics.inception import (
    INCEPTION_VARIABLE,
    InceptionFeatures,
    find_inception_weights,
)


@pytest.fixture(scope="module")
def classifier(digits):
    return train_classifier(
        digits.train.images, digits.train.labels, epochs=1, batch_size=64, show_progress=False
    )


class Counting:
    name = "counting"
    weights_sha256 = "0" * 64

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        return images.float().flatten(1)[:, :5]


def test_the_cache_is_keyed_by_content(tmp_path, digits):
    images = digits.test.images[:50]
    extractor = Counting()
    first = extract(extractor, images, cache=tmp_path, batch_size=20)
    assert extractor.calls == 3
    assert torch.equal(extract(extractor, images, cache=tmp_path), first)
    assert extractor.calls == 3
    changed = images.clone()
    changed[7, 0, 3, 3] += 1
    extract(extractor, changed, cache=tmp_path)
    assert extractor.calls == 4  # other images
    extract(extractor, images, cache=tmp_path, preprocessing="jpeg-75")
    assert extractor.calls == 5  # other preprocessing
    extractor.weights_sha256 = "1" * 64
    extract(extractor, images, cache=tmp_path)
    assert extractor.calls == 6  # other weights


def test_a_cache_that_cannot_be_written_costs_no_features(tmp_path, digits, caplog):
    (tmp_path / "file").write_text("")
    images = digits.test.images[:5]
    found = extract(Counting(), images, cache=tmp_path / "file")
    assert torch.equal(found, extract(Counting(), images, cache=str(tmp_path)))
    assert "the cache was not written" in caplog.text
    next(tmp_path.glob("*.safetensors")).write_text("damaged")
    with pytest.raises(CheckpointError, match=r"cache of features .* delete this file"):
        extract(Counting(), images, cache=tmp_path)


def test_images_of_another_kind_are_refused(digits):
    for images in (digits.test.images.float(), digits.test.images[0], torch.zeros(3, 2, 8, 8)):
        with pytest.raises(ValueError, match="must be uint8"):
            extract(Counting(), images)


def test_jpeg_round_trip(digits):
    images = digits.test.images[:5]
    back = jpeg_round_trip(images)
    assert back.shape == (5, 3, 32, 32)
    error = (back.float() - images.float()).abs()
    assert 0 < float(error.mean()) < 10
    flat = torch.full((2, 3, 16, 16), 128, dtype=torch.uint8)
    assert torch.equal(jpeg_round_trip(flat), flat)


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """A seeded random state dict in torch-fidelity's format."""
    from unittest import mock

    from torch_fidelity import feature_extractor_inceptionv3 as fidelity

    path = tmp_path_factory.mktemp("weights") / "random.pth"
    network = fidelity.FeatureExtractorInceptionV3
    with torch.random.fork_rng(), mock.patch.object(network, "load_state_dict"):
        torch.manual_seed(0)
        with mock.patch.object(fidelity, "load_state_dict_from_url"):
            state = network("random", ["2048"]).state_dict()
    torch.save(state, path)
    return path


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("the network is closed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_inception_from_a_local_file_without_a_network(random_weights, no_network, digits):
    with ExplicitDevices():
        extractor = InceptionFeatures(random_weights, sha256=sha256_file(random_weights))
    grey = digits.test.images[:3]
    found = extract(extractor, grey)
    assert found.shape == (3, 2048)
    assert bool(found.isfinite().all())
    assert torch.equal(extract(extractor, grey.expand(-1, 3, -1, -1).contiguous()), found)


@pytest.mark.slow
def test_fid_and_kid_by_both_protocols(random_weights, no_network, digits, classifier, monkeypatch):
    """All the way, with random weights instead of the published ones."""
    digest = sha256_file(random_weights)
    monkeypatch.setattr(InceptionFeatures.__init__, "__defaults__", ("cpu", digest))
    monkeypatch.setenv(INCEPTION_VARIABLE, str(random_weights))
    found = [  # passes of 20 images, so that 24 have a remainder to be dropped
        dataclasses.replace(
            evaluator, protocol=dataclasses.replace(evaluator.protocol, feature_batch=20)
        )
        for evaluator in evaluators(ClassifierFeatures(classifier, "digits"), True, clusterings=1)
    ]
    assert [evaluator.is_inception for evaluator in found] == [True, True, False]
    board = Scoreboard(found, digits.test.images[:24], [0])
    images = digits.train.images
    board.score({"train": ImageSource("training images", lambda count, _: images[:count])})
    titles = board.results()["evaluators"]
    assert titles[found[0].key]["titles"]["frechet"] == "FID"
    paper = titles[found[1].key]["titles"]["kernel"]
    assert paper == "KID ×10³ (LBAE protocol, re-implemented)"
    plain, jpeg, _ = (board.rows["train"].scores[evaluator.key][0] for evaluator in found)
    assert plain.frechet > 0 and jpeg.frechet > 0
    assert plain.frechet != jpeg.frechet  # 20 of the 24 images, saved as JPEG


def test_a_different_file_is_refused(random_weights, tmp_path):
    with pytest.raises(DataError, match="does not hold the published Inception weights"):
        InceptionFeatures(random_weights)
    with pytest.raises(DataError, match="no Inception weights at"):
        InceptionFeatures(tmp_path / "missing.pth")


def test_a_file_that_would_run_code_is_not_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    path = tmp_path / "trap.pth"
    torch.save({"a": Trap()}, path)
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        InceptionFeatures(path, sha256=sha256_file(path))
    assert not (tmp_path / "sprung").exists()


def test_where_the_inception_weights_are(tmp_path, monkeypatch, random_weights, no_network):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv(INCEPTION_VARIABLE, raising=False)
    with pytest.raises(DataError, match=f"no FID and KID: fetch .*{INCEPTION_VARIABLE}"):
        find_inception_weights()
    with pytest.raises(DataError, match="could not be downloaded"):
        find_inception_weights(download=True)
    with monkeypatch.context() as other, pytest.raises(DataError, match="could not be downloaded"):
        other.setattr(torch.hub, "get_dir", lambda: str(random_weights))  # not a folder
        find_inception_weights(download=True)
    monkeypatch.setenv(INCEPTION_VARIABLE, str(random_weights))
    assert find_inception_weights() == random_weights
    cached = tmp_path / "checkpoints" / module.INCEPTION_FILE
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(b"")
    monkeypatch.setenv(INCEPTION_VARIABLE, str(tmp_path / "missing.pth"))
    with pytest.raises(DataError, match=r"no Inception weights at .*missing.pth"):
        find_inception_weights()  # the file in the cache does not replace it
    monkeypatch.delenv(INCEPTION_VARIABLE)
    assert find_inception_weights() == cached
