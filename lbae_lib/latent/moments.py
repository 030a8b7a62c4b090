"""First and second moments of latents (Eq. 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.bits import check_bits, unpack_bits

# Sums of so many products of ±1 are exact in float32 (below 2^24).
_CHUNK = 1 << 12
_BLOCK = 256  # columns of M at a time


@dataclass(frozen=True)
class Moments:
    """The matrix M of Eq. 4, exact for the latents it was counted on.

    Attributes:
        matrix: float64 (N+1, N+1) in [-1, 1]; the last row and column hold the first moments
            E[Y], the corner is 1.
        count: number of latents.
    """

    matrix: Tensor
    count: int

    @property
    def first(self) -> Tensor:
        """E[Y], shape (N,)."""
        return self.matrix[:-1, -1]

    @property
    def second(self) -> Tensor:
        """E[YYᵀ], shape (N, N), ones on the diagonal."""
        return self.matrix[:-1, :-1]

    @property
    def pairs(self) -> Tensor:
        """E[b_i b_j] for i < j, shape (N(N-1)/2,)."""
        return upper_triangle(self.second)

    @property
    def covariance(self) -> Tensor:
        """Σ = E[YYᵀ] - E[Y] E[Y]ᵀ, shape (N, N)."""
        return self.second - torch.outer(self.first, self.first)


class MomentCounter:
    """Counts moments over batches of latents; the result does not depend on the batches.

    Sums of products of ±1 are whole numbers, so they are added without rounding.

    Args:
        latent_size: N.
        device: where to count.
    """

    def __init__(self, latent_size: int, device: torch.device | str = "cpu") -> None:
        self._sums = torch.zeros(
            latent_size + 1, latent_size + 1, dtype=torch.float64, device=device
        )
        self._count = 0

    def update(self, bits: Tensor) -> None:
        """Add latents, (K, N) in {-1, +1}."""
        check_bits(bits, "latents")
        self._add(bits)

    def _add(self, bits: Tensor) -> None:
        for chunk in bits.to(self._sums.device, torch.float32).split(_CHUNK):
            # M is symmetric: blocks on and above its diagonal are enough.
            for start in range(0, chunk.shape[1], _BLOCK):
                block = slice(start, start + _BLOCK)
                self._sums[:-1, :-1][block, start:] += chunk[:, block].T @ chunk[:, start:]
            self._sums[:-1, -1] += chunk.sum(0)
            self._count += len(chunk)

    def result(self) -> Moments:
        """The moments so far.

        Raises:
            ValueError: if no latent was counted.
        """
        if self._count == 0:
            raise ValueError("no latents were counted: moments need at least one")
        matrix = self._sums.triu() / self._count
        matrix += matrix.triu(1).T
        matrix[-1, -1] = 1.0
        return Moments(matrix, self._count)


def moments(bits: Tensor) -> Moments:
    """Moments of latents, (K, N) in {-1, +1}.

    Example:
        >>> moments(torch.tensor([[1.0, 1.0], [1.0, -1.0]])).first.tolist()
        [1.0, 0.0]
    """
    counter = MomentCounter(bits.shape[1], bits.device)
    counter.update(bits)
    return counter.result()


def moments_of_packed(packed: Tensor, latent_size: int) -> Moments:
    """Moments of latents packed by :func:`lbae_lib.bits.pack_bits`, never unpacked whole."""
    counter = MomentCounter(latent_size, packed.device)
    for chunk in packed.split(_CHUNK):
        counter._add(unpack_bits(chunk, latent_size))
    return counter.result()


def upper_triangle(matrix: Tensor) -> Tensor:
    """The entries above the diagonal of a square matrix, row by row."""
    rows, columns = matrix.shape
    return matrix[tuple(torch.triu_indices(rows, columns, offset=1, device=matrix.device))]


@dataclass(frozen=True)
class MomentErrors:
    """Root-mean-square differences of two moment matrices, in units of a bit product.

    Attributes:
        first: over the N first moments.
        pairs: over the N(N-1)/2 pair moments.
    """

    first: float
    pairs: float


def moment_errors(found: Moments, target: Moments) -> MomentErrors:
    """RMS errors of first and pair moments."""
    return MomentErrors(
        first=float((found.first - target.first).square().mean().sqrt()),
        pairs=float((found.pairs - target.pairs).square().mean().sqrt()),
    )


def sampling_noise(truth: Moments, samples: int) -> MomentErrors:
    """RMS errors that samples of the very distribution have, by their number alone.

    A product of bits with mean m has variance 1 - m², its mean over K samples a K-th of that.

    Args:
        truth: moments of the distribution.
        samples: K, drawn independently.
    """
    return MomentErrors(
        first=float(((1 - truth.first.square()).mean() / samples).sqrt()),
        pairs=float(((1 - truth.pairs.square()).mean() / samples).sqrt()),
    )


def marginal_entropy(first: Tensor) -> Tensor:
    """Entropy in bits of coins with first moments E[b], shape (N,), values in [0, 1].

    Their sum bounds the entropy of the latents from above; independence would reach it.
    """
    p = (1 + first.double()) / 2
    return -(torch.xlogy(p, p) + torch.special.xlog1py(1 - p, -p)) / math.log(2)
