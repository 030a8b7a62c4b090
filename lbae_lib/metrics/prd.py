"""Precision and recall of distributions (PRD)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbae_lib.metrics.checks import check_same_width, checked

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """The PRD curve, mean of several clusterings.

    Attributes:
        precision: float64 (angles,), how much of the generated images is like the reference.
        recall: float64 (angles,), how much of the reference the generated images cover.
    """

    precision: _Array
    recall: _Array

    def f_beta(self, beta: float) -> float:
        """Largest F_β on the curve; β > 1 weighs recall, β < 1 precision."""
        p, r = self.precision, self.recall
        with np.errstate(invalid="ignore", divide="ignore"):
            f = (1 + beta**2) * p * r / (beta**2 * p + r)
        return float(np.nan_to_num(f).max())

    @property
    def recall_f8(self) -> float:
        """F8: recall, as the second number of the paper's Table 4."""
        return self.f_beta(8)

    @property
    def precision_f8(self) -> float:
        """F1/8: precision, as the first number of the paper's Table 4."""
        return self.f_beta(1 / 8)


def precision_recall_curve(
    reference: Tensor,
    generated: Tensor,
    *,
    clusters: int = 20,
    angles: int = 1001,
    runs: int = 10,
    batch_size: int = 1024,
    seed: int = 0,
) -> PrecisionRecallCurve:
    """PRD: both sets are clustered together, and their histograms over the clusters compared.

    For a slope λ, precision is α(λ) = Σ_c min(λ P(c), Q(c)) and recall is α(λ) / λ, with P the
    reference's and Q the generated images' share of cluster c.

    Args:
        reference: features (K, D).
        generated: features (K, D), as many: other sizes bias the histograms.
        clusters: of mini-batch k-means, best of 10 starts.
        angles: slopes λ = tan φ, φ evenly in (0, π/2).
        runs: clusterings whose curves are averaged.
        batch_size: of mini-batch k-means.
        seed: of the clusterings.

    Raises:
        ValueError: if the sets differ in size, or are smaller than the number of clusters.

    Reference:
        Sajjadi et al. (2018), *Assessing generative models via precision and recall*.
    """
    reference = checked(reference, "reference", clusters)
    generated = checked(generated, "generated", clusters)
    check_same_width(reference, generated)
    if len(reference) != len(generated):
        raise ValueError(
            f"{len(reference)} reference and {len(generated)} generated images: PRD compares "
            "histograms and needs as many of both; take the same number from each"
        )
    slopes = np.tan(np.linspace(1e-10, math.pi / 2 - 1e-10, angles))
    # In float32 scikit-learn converts each small block anew: 1.3 to 1.7 times slower.
    union = torch.cat([generated, reference]).double().cpu().numpy()
    precision, recall = np.zeros(angles), np.zeros(angles)
    for run in range(runs):
        shares = _shares(union, len(generated), clusters, batch_size, seed + run)
        alpha = np.minimum(slopes[:, None] * shares[1], shares[0]).sum(1)
        precision += alpha.clip(0, 1) / runs
        recall += (alpha / slopes).clip(0, 1) / runs
    return PrecisionRecallCurve(precision, recall)


def _shares(
    union: _Array, split: int, clusters: int, batch_size: int, seed: int
) -> tuple[_Array, _Array]:
    """Shares of the clusters in the rows before and from ``split``."""
    from sklearn.cluster import MiniBatchKMeans

    means = MiniBatchKMeans(
        n_clusters=clusters, n_init=10, batch_size=batch_size, random_state=seed
    )
    labels = means.fit(union).labels_
    parts = (labels[:split], labels[split:])
    first, second = (np.bincount(part, minlength=clusters) / len(part) for part in parts)
    return first, second
