"""Distributions of bits as the paper's Figure 2 shows them, and how far two of them are apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lbae_lib.latent.higher_order import total_variation, weight_distribution
from lbae_lib.latent.moments import Moments, moments

BINS = 40  # of the pair moments, from -1 to 1; each is 0.05 wide


class Differences(NamedTuple):
    """Total variation distances between two sets of bits, in [0, 1]."""

    positive: float  # of the number of positive bits
    pairs: float  # of the pair moments, in bins of 0.05


def differences(bits: Tensor, truth: Tensor) -> Differences:
    """How far samples (K, N) and latents (L, N) are apart in what Figure 2 can show."""
    positive = total_variation(weight_distribution(bits), weight_distribution(truth))
    pairs = total_variation(pair_density(moments(bits)), pair_density(moments(truth)))
    return Differences(positive, pairs)


def pair_density(found: Moments) -> Tensor:
    """Shares of the pair moments in each of ``BINS`` bins, float64 with sum 1."""
    counts = torch.histc(found.pairs.double().cpu(), BINS, -1, 1)
    return counts / counts.sum()
