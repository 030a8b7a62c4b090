import dataclasses
from collections import Counter

import pytest
import torch

from lbae_lib.metrics import evaluate as module
from lbae_lib.metrics.evaluate import (
    DEFAULT_PROTOCOL,
    PAPER_PROTOCOL,
    ReferenceStatistics,
    evaluate,
)
from lbae_lib.metrics.frechet import feature_statistics, frechet_distance
from lbae_lib.metrics.knn_precision_recall import manifold_precision_recall

FAST = dataclasses.replace(DEFAULT_PROTOCOL, kernel_subsets=5, clusters=5, angles=101, runs=2)


@pytest.fixture
def sets(generator):
    return [torch.randn(n, 12, generator=generator) for n in (260, 240)]


def test_scores_are_those_of_the_metrics(sets):
    a, b = sets
    reference = ReferenceStatistics(b)
    scores = evaluate(a, reference, FAST)
    expected = frechet_distance(feature_statistics(a), feature_statistics(b))
    assert scores.frechet == pytest.approx(expected)
    assert scores.kernel.subset_size == 120  # half of the smaller set
    again = evaluate(a, ReferenceStatistics(b), FAST)
    assert scores.manifold == manifold_precision_recall(b[:240], a[:240])
    assert (again.kernel, again.manifold) == (scores.kernel, scores.manifold)
    assert (again.curve.precision == scores.curve.precision).all()
    assert evaluate(a, reference, FAST, seed=1).kernel != scores.kernel


def test_worse_images_score_worse(sets):
    a, b = sets
    reference = ReferenceStatistics(b)
    near, far = evaluate(a, reference, FAST), evaluate(a * 0.3 + 1.5, reference, FAST)
    assert far.frechet > 5 * near.frechet
    assert far.kernel.mean > near.kernel.mean
    assert far.curve.precision_f8 < near.curve.precision_f8
    assert far.manifold.recall < near.manifold.recall


def test_the_papers_protocol_drops_the_last_batch(sets):
    a, b = sets
    paper = dataclasses.replace(PAPER_PROTOCOL, kernel_subsets=5, clusters=5, angles=101, runs=2)
    expected = frechet_distance(feature_statistics(a[:200]), feature_statistics(b[:200]))
    assert evaluate(a, ReferenceStatistics(b), paper).frechet == pytest.approx(expected)
    assert (PAPER_PROTOCOL.kernel_subsets, PAPER_PROTOCOL.kernel_subset_size) == (100, 1000)
    assert (PAPER_PROTOCOL.prd_batch_size, PAPER_PROTOCOL.jpeg) == (100, True)


def test_statistics_of_a_reference_are_computed_once(sets, monkeypatch):
    counts = Counter()

    def counted(name):
        original = getattr(module, name)

        def call(*args):
            counts[name] += 1
            return original(*args)

        return call

    for name in ("feature_statistics", "neighbour_radii"):
        monkeypatch.setattr(module, name, counted(name))
    a, b = sets
    reference = ReferenceStatistics(b)
    for seed in range(3):
        evaluate(a, reference, FAST, seed)
    assert counts == {"feature_statistics": 3 + 1, "neighbour_radii": 1}
    evaluate(a[:100], reference, FAST)  # as many of the reference have other radii
    assert counts == {"feature_statistics": 4 + 1, "neighbour_radii": 2}
