"""Precision and recall of distributions (PRD): histograms of two sets over common clusters.

Precision says how much of the generated images looks like the reference, recall how much of the
reference they cover. Table 4 reports two numbers from this curve: F1/8, close to the largest
precision, and F8, close to the largest recall.

Reference:
    Sajjadi et al. (2018), *Assessing generative models via precision and recall*.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbae_lib.metrics.checks import checked_pair
from lbae_lib.metrics.mini_batch_k_means import mini_batch_k_means


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """The PRD curve: precision and recall, float64 (angles,) in [0, 1], means over clusterings."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    def f_beta(self, beta: float) -> float:
        """Largest F_β on the curve; β > 1 weighs recall, β < 1 precision."""
        p, r = self.precision, self.recall
        with np.errstate(invalid="ignore", divide="ignore"):
            f = (1 + beta**2) * p * r / (beta**2 * p + r)
        return float(np.nan_to_num(f).max())

    @property
    def recall_f8(self) -> float:
        """F8: recall, the second number of the paper's Table 4."""
        return self.f_beta(8)

    @property
    def precision_f8(self) -> float:
        """F1/8: precision, the first number of the paper's Table 4."""
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
    """PRD: cluster both sets together, and compare their histograms over the clusters.

    For a slope λ, precision is α(λ) = Σ_c min(λ P(c), Q(c)) and recall is α(λ) / λ. P(c) is the
    share of the reference in cluster c, Q(c) the share of the generated images.

    Args:
        reference: features (K, D).
        generated: features (K, D), as many: different sizes bias the histograms.
        clusters: of mini-batch k-means, which takes the best of 10 starts.
        angles: slopes λ = tan φ, with φ evenly spaced in (0, π/2).
        runs: clusterings whose curves are averaged.
        batch_size: of mini-batch k-means.
        seed: of the first clustering; each further one adds 1.

    Raises:
        ValueError: if the sets differ in size, or are smaller than the number of clusters.
    """
    reference, generated = checked_pair(reference, generated, at_least=clusters)
    if len(reference) != len(generated):
        raise ValueError(
            f"{len(reference)} reference and {len(generated)} generated images: PRD compares "
            "histograms and needs as many of both; take the same number from each"
        )
    slopes = np.tan(np.linspace(1e-10, math.pi / 2 - 1e-10, angles))
    union = torch.cat([generated, reference])
    if len(union) < union.shape[1]:
        # Few images span few dimensions: a rotation into them keeps all distances.
        union = torch.linalg.qr(union.T).R.T
    union = union.float()  # half the time of double precision
    precision, recall = np.zeros(angles), np.zeros(angles)
    for labels in mini_batch_k_means(union, clusters, batch_size, range(seed, seed + runs)):
        halves = labels.cpu().numpy().reshape(2, -1)
        q, p = (np.bincount(half, minlength=clusters) / len(generated) for half in halves)
        alpha = np.minimum(slopes[:, None] * p, q).sum(1)
        precision += alpha.clip(0, 1) / runs  # of the generated images, Q
        recall += (alpha / slopes).clip(0, 1) / runs  # of the reference, P
    return PrecisionRecallCurve(precision, recall)
