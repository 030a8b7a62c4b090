import dataclasses

import pytest
import torch

from lbae_lib.metrics.evaluate import DEFAULT, PAPER, evaluate
from lbae_lib.metrics.frechet import feature_statistics, frechet_distance

FAST = dataclasses.replace(DEFAULT, kernel_subsets=5, clusters=5, angles=101, runs=2)


@pytest.fixture
def sets(generator):
    return [torch.randn(n, 12, generator=generator) for n in (260, 240)]


def test_scores_are_those_of_the_metrics(sets):
    a, b = sets
    scores = evaluate(a, b, FAST)
    assert (scores.count, scores.reference_count) == (260, 240)
    expected = frechet_distance(feature_statistics(a), feature_statistics(b))
    assert scores.frechet == pytest.approx(expected)
    assert scores.kernel.subset_size == 120  # half of the smaller set
    again = evaluate(a, b, FAST)
    assert (again.kernel, again.manifold) == (scores.kernel, scores.manifold)
    assert (again.curve.precision == scores.curve.precision).all()
    assert evaluate(a, b, FAST, seed=1).kernel != scores.kernel


def test_worse_images_score_worse(sets):
    a, b = sets
    near, far = evaluate(a, b, FAST), evaluate(a * 0.3 + 1.5, b, FAST)
    assert far.frechet > 5 * near.frechet
    assert far.kernel.mean > near.kernel.mean
    assert far.curve.precision_f8 < near.curve.precision_f8
    assert far.manifold.recall < near.manifold.recall


def test_the_papers_protocol_drops_the_last_batch(sets):
    a, b = sets
    paper = dataclasses.replace(PAPER, kernel_subsets=5, clusters=5, angles=101, runs=2)
    expected = frechet_distance(feature_statistics(a[:200]), feature_statistics(b[:200]))
    assert evaluate(a, b, paper).frechet == pytest.approx(expected)
    assert (PAPER.kernel_subsets, PAPER.prd_batch_size, PAPER.jpeg) == (50, 100, True)
