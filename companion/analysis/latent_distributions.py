"""What an eye compares in Figure 2: histograms of latents and of their moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbae_lib.bits import hamming_distance
from lbae_lib.latent.moments import Moments

_BINS = 40  # at most, of distances and of first moments
PAIR_EDGES = np.linspace(-1, 1, 41)  # of pair moments, as in the verdict on what an eye sees
_PAIRS = 50_000  # of latents, whose distance is taken
NAMES = ("positive", "distances", "pairs", "first")


@dataclass(frozen=True)
class LatentDistributions:
    """Four distributions of a set of latents."""

    positive: Tensor  # number of positive bits of each latent, (K,)
    distances: Tensor  # Hamming distances of random pairs of latents, (P,)
    pairs: Tensor  # E[b_i b_j] of each pair of bits, (N (N-1) / 2,)
    first: Tensor  # E[b_i] of each bit, (N,)

    @classmethod
    def of(cls, latents: Tensor, found: Moments, generator: torch.Generator) -> LatentDistributions:
        """From latents (K, N) in {-1, +1} and their moments; pairs of latents are random."""
        count = min(_PAIRS, len(latents))
        one, other = (torch.randperm(len(latents), generator=generator)[:count] for _ in range(2))
        one, other = one[one != other], other[one != other]  # a latent makes no pair with itself
        distances = hamming_distance(latents[one], latents[other])
        positive = (latents > 0).sum(1)
        return cls(positive.cpu(), distances.cpu(), found.pairs.cpu(), found.first.cpu())

    def edges(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Bins around nearly all values of a distribution: at most 40, fewer for few values.

        The number of positive bits and the pair moments have the bins of the verdicts: a bin for
        each number, and those of :data:`PAIR_EDGES`.
        """
        values = getattr(self, name).double().numpy()
        bins = min(_BINS, round(2 * len(values) ** (1 / 3)))  # Rice's rule
        low, high = np.quantile(values, [0.001, 0.999])
        margin = 0.15 * (high - low) + 1e-6
        if name == "pairs":
            inside = np.searchsorted(PAIR_EDGES, [low - margin, high + margin])
            return PAIR_EDGES[max(0, inside[0] - 1) : inside[1] + 1]
        if getattr(self, name).is_floating_point():
            return np.linspace(low - margin, high + margin, bins + 1)
        width = max(1, int(np.ceil((high - low + 2 * margin) / bins)))  # a whole number of counts
        width = 1 if name == "positive" else width
        return np.arange(np.floor(low - margin) - 0.5, high + margin + width, width)

    def shares(self, name: str, edges: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Tensor:
        """Shares of the values in bins; what lies outside counts in the first and last."""
        values = getattr(self, name).double().numpy()
        inside = np.clip(values, np.nextafter(edges[0], np.inf), np.nextafter(edges[-1], -np.inf))
        return torch.from_numpy(np.histogram(inside, edges)[0] / len(values))

    def rms_error(self, name: str, truth: LatentDistributions) -> float | None:
        """Root-mean-square difference of single moments; None for counts and distances."""
        if name not in ("pairs", "first"):
            return None
        difference = getattr(self, name) - getattr(truth, name)
        return float(difference.double().square().mean().sqrt())
