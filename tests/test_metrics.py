"""Agreement of the metrics with other implementations and with the definitions."""

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import MiniBatchKMeans

from lbae_lib.metrics.frechet import Statistics, feature_statistics, frechet_distance
from lbae_lib.metrics.kernel import kernel_distance
from lbae_lib.metrics.knn_precision_recall import manifold_precision_recall, neighbour_radii
from lbae_lib.metrics.prd import precision_recall_curve


@pytest.fixture
def features(generator):
    """Two sets of correlated features, (400, 24)."""
    mixing = torch.randn(2, 24, 24, generator=generator)
    noise = torch.randn(2, 400, 24, generator=generator)
    a, b = noise[0] @ mixing[0], noise[1] @ (mixing[0] + 0.3 * mixing[1]) + 0.5
    return a, b


def test_frechet_distance_agrees_with_torch_fidelity(features):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    a, b = (f.double() for f in features)
    statistics = [fid_features_to_statistics(f) for f in (a, b)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    found = frechet_distance(feature_statistics(a), feature_statistics(b))
    assert found == pytest.approx(expected, rel=1e-8)


def test_frechet_distance_of_gaussians_in_closed_form():
    d = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)
    e = torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64)
    shift = torch.tensor([1.0, 0.0, -2.0], dtype=torch.float64)
    a = Statistics(torch.zeros(3).double(), torch.diag(d.sqrt()))
    b = Statistics(shift, torch.diag(e.sqrt()))
    expected = 5 + float((d.sqrt() - e.sqrt()).square().sum())
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)


def test_frechet_distance_of_singular_covariances(generator):
    """Fewer images than features: symmetric, non-negative, zero for the same images."""
    x = torch.randn(10, 40, generator=generator)
    y = torch.randn(12, 40, generator=generator)
    a, b = feature_statistics(x), feature_statistics(y)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)
    assert frechet_distance(a, a) < 1e-5 * float(a.root.square().sum())


def test_kernel_distance_agrees_with_torch_fidelity(features):
    from torch_fidelity.metric_kid import kid_features_to_metric

    a, b = (f.double() for f in features)
    expected = kid_features_to_metric(
        a, b, kid_subsets=20, kid_subset_size=150, kid_kernel="poly", kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, rng_seed=7, verbose=False,
    )  # fmt: skip
    found = kernel_distance(a, b, subsets=20, subset_size=150, seed=7)
    assert found.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-8)
    spread = found.subset_error * math.sqrt(20)
    assert spread == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-8)


def test_kernel_distance_is_unbiased(generator):
    x = torch.randn(4000, 8, generator=generator)
    y = torch.randn(4000, 8, generator=generator)
    found = kernel_distance(x, y, subsets=60, subset_size=200)
    assert abs(found.mean) < 4 * found.subset_error
    assert kernel_distance(x, y + 0.5, subsets=10, subset_size=200).mean > 0.1


def plain_prd(reference, generated, clusters, angles, runs, seed):
    """The definition, one slope and one cluster at a time."""
    precision, recall = [0.0] * angles, [0.0] * angles
    union = np.concatenate([generated, reference]).astype(np.float32)
    for run in range(runs):
        means = MiniBatchKMeans(clusters, n_init=10, batch_size=1024, random_state=seed + run)
        labels = means.fit(union).labels_
        q, p = labels[: len(generated)], labels[len(generated) :]
        for index in range(angles):
            angle = 1e-10 + index * (math.pi / 2 - 2e-10) / (angles - 1)
            slope = math.tan(angle)
            alpha = sum(
                min(slope * float((p == c).mean()), float((q == c).mean())) for c in range(clusters)
            )
            precision[index] += min(1.0, alpha) / runs
            recall[index] += min(1.0, alpha / slope) / runs
    return precision, recall


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 5.0])
def test_prd_agrees_with_its_definition(features, shift):
    a, _ = features
    reference, generated = a[:200], a[200:] + shift
    found = precision_recall_curve(reference, generated, clusters=8, angles=51, runs=2, seed=3)
    expected = plain_prd(reference.numpy(), generated.numpy(), 8, 51, 2, 3)
    np.testing.assert_allclose(found.precision, expected[0], atol=1e-9)
    np.testing.assert_allclose(found.recall, expected[1], atol=1e-9)


def test_prd_knows_precision_from_recall(generator):
    """Ten modes; a set that covers two of them is precise, one with strays recalls all."""
    modes = 20 * torch.eye(10)
    everywhere = torch.arange(1000) % 10
    noise = torch.randn(3, 1000, 10, generator=generator)
    reference = modes[everywhere] + noise[0]
    narrow = modes[everywhere % 2] + noise[1]
    found = precision_recall_curve(reference, narrow, runs=3)
    assert found.precision_f8 > 0.9
    assert found.recall_f8 < 0.5
    back = precision_recall_curve(narrow, reference, runs=3)
    assert back.precision_f8 < 0.5
    assert back.recall_f8 > 0.9
    same = precision_recall_curve(reference, modes[everywhere] + noise[2], runs=3)
    assert min(same.precision_f8, same.recall_f8) > 0.9


def test_manifold_precision_and_recall_agree_with_torch_fidelity(features, monkeypatch):
    from torch_fidelity.metric_prc import prc_features_to_metric

    a, b = (f.double() for f in features)
    expected = prc_features_to_metric(
        b, a, prc_neighborhood=3, prc_batch_size=100, save_cpu_ram=False, verbose=False
    )
    monkeypatch.setattr("lbae_lib.metrics.knn_precision_recall._CHUNK", 64)
    found = manifold_precision_recall(a, b, 3)
    assert found.precision == pytest.approx(expected["precision"], abs=1e-6)
    assert found.recall == pytest.approx(expected["recall"], abs=1e-6)


def test_radii_reach_to_the_kth_neighbour(monkeypatch):
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert neighbour_radii(line, 1).tolist() == [1, 1, 2, 4]
    monkeypatch.setattr("lbae_lib.metrics.knn_precision_recall._CHUNK", 3)
    assert neighbour_radii(line, 2).tolist() == [3, 2, 3, 6]


def test_known_radii_of_the_reference_change_nothing(features):
    a, b = features
    known = manifold_precision_recall(a, b, reference_radii=neighbour_radii(a))
    assert known == manifold_precision_recall(a, b)


def test_manifold_recall_sees_copies_as_precise(features):
    a, _ = features
    copies = a[:5].repeat(80, 1) + 1e-6 * torch.randn(400, 24)
    found = manifold_precision_recall(a, copies)
    assert found.precision == 1.0
    assert found.recall < 0.1


def test_bad_features_are_refused(features):
    a, b = features
    broken = a.clone()
    broken[3, 2] = float("nan")
    for metric in (
        lambda x, y: frechet_distance(feature_statistics(x), feature_statistics(y)),
        lambda x, y: kernel_distance(x, y, subset_size=100),
        precision_recall_curve,
        manifold_precision_recall,
    ):
        with pytest.raises(ValueError, match=r"1 of 400 .* not finite"):
            metric(broken, b)
        with pytest.raises(ValueError, match="24 and 10"):
            metric(a, b[:, :10])
        with pytest.raises(ValueError, match=r"at least|needed"):
            metric(a[:1], b)
    with pytest.raises(ValueError, match="as many of both"):
        precision_recall_curve(a, b[:300])
    with pytest.raises(ValueError, match=r"\(K, D\)"):
        feature_statistics(a[0])
