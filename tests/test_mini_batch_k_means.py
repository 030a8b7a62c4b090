"""Mini-batch k-means has the clusters of scikit-learn for the same seeds."""

import numpy as np
import pytest
import torch
from sklearn.cluster import MiniBatchKMeans

from lbae_lib.metrics import prd
from lbae_lib.metrics.mini_batch_k_means import mini_batch_k_means as k_means


@pytest.mark.parametrize(
    ("rows", "width", "clusters", "batch_size"),
    [
        (3000, 24, 20, 200),  # starts use random subsets
        (400, 8, 20, 1024),  # starts use all rows
        (600, 300, 20, 100),
        (300, 5, 40, 10),  # 3 clusters' worth of rows instead of 3 batches; reassignments
    ],
)
def test_clusters_are_those_of_scikit_learn(rows, width, clusters, batch_size, generator):
    centres = 3 * torch.randn(12, width, generator=generator)
    chosen = torch.randint(12, (rows,), generator=generator)
    features = 100 + centres[chosen] + torch.randn(rows, width, generator=generator)
    seeds = range(5)
    found = list(k_means(features.double(), clusters, batch_size, seeds))
    for labels, seed in zip(found, seeds, strict=True):
        means = MiniBatchKMeans(clusters, n_init=10, batch_size=batch_size, random_state=seed)
        expected = means.fit(features.double().numpy()).labels_
        assert (labels.numpy() == expected).all()


def test_single_precision_is_equal_in_distribution(generator):
    """F8 and F1/8 over 40 seeds, from clusters in double precision and in single: means agree."""
    reference, generated = torch.randn(2, 600, 40, generator=generator)
    generated = generated * torch.linspace(0.5, 1.5, 40)
    options = {"clusters": 20, "batch_size": 100}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prd, "mini_batch_k_means", lambda rows, *rest: k_means(rows.double(), *rest))
        double = f_scores(reference, generated, **options)
    single = f_scores(reference, generated, **options)
    error = (double.var(0) / 40 + single.var(0) / 40).sqrt()
    assert ((double.mean(0) - single.mean(0)).abs() < 3 * error).all()
    assert ((double - single).abs() < 0.01).all(1).double().mean() > 0.8  # most are the same


def f_scores(reference, generated, **options):
    curves = [
        prd.precision_recall_curve(reference, generated, runs=1, seed=seed, **options)
        for seed in range(40)
    ]
    return torch.tensor([(c.recall_f8, c.precision_f8) for c in curves])


def test_labels_of_equal_rows(generator):
    """Fewer different rows than clusters: every row still has a label."""
    (labels,) = k_means(torch.ones(50, 4), 20, 10, [0])
    assert labels.shape == (50,) and np.isin(labels.numpy(), range(20)).all()
