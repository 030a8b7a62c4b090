"""Everything public in lbae_lib.metrics names the device of the tensors that it creates."""

import importlib.util
import inspect
import pkgutil
from functools import partial

import pytest
import torch
from implicit_devices import ExplicitDevices

import lbae_lib.metrics
from lbae_lib.metrics import checks, corruptions, features, frechet, image_formats, inception
from lbae_lib.metrics import classifier as network
from lbae_lib.metrics import classifier_training as training
from lbae_lib.metrics import efficientnet_lite as efficientnet
from lbae_lib.metrics import evaluate as evaluation
from lbae_lib.metrics import kernel as kernels
from lbae_lib.metrics import knn_precision_recall as knn
from lbae_lib.metrics import mini_batch_k_means as k_means
from lbae_lib.metrics import prd as curves


def seeded():
    return torch.Generator().manual_seed(1)


IMAGES = torch.randint(256, (40, 1, 32, 32), generator=seeded(), dtype=torch.uint8)
LABELS = torch.arange(40) % 3
A, B = torch.randn(2, 60, 6, generator=seeded())
FAST = evaluation.EvaluationProtocol("fast", 2, 20, 4, 11, 1)


def trained(labels=LABELS):
    return training.train_classifier(IMAGES, labels, epochs=1, batch_size=16, show_progress=False)


def saved_and_loaded(folder):
    network.save_classifier(folder / "c.safetensors", trained(), {})
    return network.load_classifier(folder / "c.safetensors")


def with_package(call):
    return call if importlib.util.find_spec(efficientnet.PACKAGE) else lambda folder: None


# One call for each public function and class with methods; those of several share a call.
CALLS = {
    checks.checked: lambda _: checks.checked(A, "a"),
    checks.checked_pair: lambda _: checks.checked_pair(A, B),
    checks.check_same_width: lambda _: checks.check_same_width(A, B),
    corruptions.blurred: lambda _: corruptions.blurred(IMAGES, 1.0),
    corruptions.noisy: lambda _: corruptions.noisy(IMAGES, 0.1, seeded()),
    corruptions.sharpness: lambda _: corruptions.sharpness(IMAGES),
    curves.PrecisionRecallCurve: lambda _: evaluation.evaluate(
        A, evaluation.ReferenceStatistics(B), FAST
    ).curve.f_beta(8),
    curves.precision_recall_curve: lambda _: curves.precision_recall_curve(A, B, runs=1),
    efficientnet.EfficientNetFeatures: with_package(
        lambda _: efficientnet.EfficientNetFeatures()(IMAGES[:2])
    ),
    efficientnet.EfficientNetLite0: lambda _: efficientnet.EfficientNetLite0(),
    evaluation.EvaluationProtocol: lambda _: FAST.kept(60),
    evaluation.ReferenceStatistics: lambda _: evaluation.ReferenceStatistics(B).radii(50),
    evaluation.evaluate: lambda _: evaluation.evaluate(A, evaluation.ReferenceStatistics(B), FAST),
    features.extract: lambda folder: features.extract(
        network.ClassifierFeatures(trained(), "noise"), IMAGES, cache=folder
    ),
    frechet.feature_statistics: lambda _: frechet.feature_statistics(A),
    frechet.frechet_distance: lambda _: frechet.frechet_distance(
        frechet.feature_statistics(A), frechet.feature_statistics(B)
    ),
    image_formats.file_round_trip: lambda _: image_formats.jpeg_round_trip(IMAGES),
    image_formats.jpeg_round_trip: lambda _: image_formats.jpeg_round_trip(IMAGES),
    kernels.kernel_distance: lambda _: kernels.kernel_distance(A, B, 2, 20),
    knn.manifold_precision_recall: lambda _: knn.manifold_precision_recall(A, B),
    k_means.mini_batch_k_means: lambda _: list(k_means.mini_batch_k_means(A, 3, 20, [0])),
    knn.neighbour_radii: lambda _: knn.neighbour_radii(A),
    network.ClassifierFeatures: lambda _: network.ClassifierFeatures(trained(), "noise")(IMAGES),
    network.FeatureClassifier: lambda _: network.FeatureClassifier(1, 3, several=True),
    network.accuracy: lambda _: network.accuracy(trained(), IMAGES, LABELS),
    network.load_classifier: saved_and_loaded,
    network.logits_of: lambda _: network.logits_of(trained(), IMAGES),
    network.presence: lambda _: network.presence(trained(LABELS[:, None] % 2), IMAGES),
    network.save_classifier: saved_and_loaded,
    network.weights_hash: lambda _: network.weights_hash(trained()),
    training.rotations: lambda _: training.rotations(IMAGES),
    training.train_classifier: lambda _: trained(),
}
# Those that need Inception's weights are called in test_features.py; the rest has no code.
ELSEWHERE = {
    inception.InceptionFeatures,
    inception.find_inception_weights,
    features.published_weights,
    features.FeatureExtractor,
    evaluation.Scores,
    frechet.Statistics,
    kernels.KernelDistance,
    knn.ManifoldPrecisionRecall,
}


def test_no_public_function_is_forgotten():
    found = set()
    for info in pkgutil.iter_modules(lbae_lib.metrics.__path__, "lbae_lib.metrics."):
        module = importlib.import_module(info.name)
        for name, value in inspect.getmembers(module):
            own = getattr(value, "__module__", "") == info.name
            if own and callable(value) and not name.startswith("_"):
                found.add(value)
    assert found == CALLS.keys() | ELSEWHERE


@pytest.fixture
def no_step_counters(monkeypatch):
    """Adam counts its steps in tensors on the processor, wherever the weights are."""
    monkeypatch.setattr(torch.optim, "Adam", partial(torch.optim.SGD, lr=0.01))


@pytest.mark.usefixtures("no_step_counters")
@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_every_tensor_is_created_with_its_device(function, tmp_path):
    with ExplicitDevices():
        CALLS[function](tmp_path)
