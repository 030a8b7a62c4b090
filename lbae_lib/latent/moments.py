"""First and second moments of latents (Eq. 4)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.bits import check_latents, unpack_bits

_CHUNK = 1 << 12  # sums of this many products of ±1 are exact in float32 (below 2^24)
_BLOCK = 512  # columns of M at a time


@dataclass(frozen=True)
class Moments:
    """The matrix M of Eq. 4, exact for the latents that were counted.

    Attributes:
        matrix: M, float64 (N+1, N+1) in [-1, 1]; E[Y] in the last row and column, corner 1.
        count: K, the number of latents.
    """

    matrix: Tensor
    count: int

    @property
    def first(self) -> Tensor:
        """E[Y], float64 (N,) in [-1, 1]."""
        return self.matrix[:-1, -1]

    @property
    def second(self) -> Tensor:
        """E[Y Yᵀ], float64 (N, N) in [-1, 1], with ones on the diagonal."""
        return self.matrix[:-1, :-1]

    @property
    def pairs(self) -> Tensor:
        """E[b_i b_j] for i < j, row by row: float64 (N(N-1)/2,) in [-1, 1]."""
        return upper_triangle(self.second)

    @property
    def covariance(self) -> Tensor:
        """Σ = E[Y Yᵀ] - E[Y] E[Y]ᵀ (Section 3.2), float64 (N, N) in [-1, 1]."""
        return self.second - torch.outer(self.first, self.first)


def moments(bits: Tensor) -> Moments:
    """Moments of latents Y, (K, N) in {-1, +1} (Eq. 4), computed on their device.

    Raises:
        ValueError: if there are no latents, or an entry is not -1 or +1.

    Example:
        >>> moments(torch.tensor([[1.0, 1.0], [1.0, -1.0]])).first.tolist()
        [1.0, 0.0]
    """
    check_latents(bits)
    return _counted([bits], bits.shape[1], bits.device)


def moments_of_packed(packed: Tensor, latent_size: int) -> Moments:
    """Moments of latents packed by :func:`lbae_lib.bits.pack_bits`, unpacked in chunks.

    Raises:
        ValueError: if there are no latents, or rows are not the uint8 bytes of N bits.
    """
    dtype = _dtype(packed.device)
    batches = (unpack_bits(chunk, latent_size, dtype) for chunk in packed.split(_CHUNK))
    return _counted(batches, latent_size, packed.device)


def _counted(batches: Iterable[Tensor], latent_size: int, device: torch.device) -> Moments:
    """Sums of products of ±1 are integers: added without rounding, in batches of any size."""
    count = 0
    sums = torch.zeros(latent_size + 1, latent_size + 1, dtype=torch.float64, device=device)
    for batch in batches:
        for chunk in batch.to(_dtype(device)).split(_CHUNK):
            multiply = torch.matmul if chunk.is_floating_point() else torch._int_mm
            # M is symmetric: only blocks on and above its diagonal are computed.
            for start in range(0, latent_size, _BLOCK):
                block = slice(start, start + _BLOCK)
                sums[:-1, :-1][block, start:] += multiply(chunk[:, block].T, chunk[:, start:])
            sums[:-1, -1] += chunk.sum(0)
            count += len(chunk)
    if count == 0:
        raise ValueError("no latents were counted: give at least one")
    matrix = sums.triu() / count
    matrix += matrix.triu(1).T
    matrix.fill_diagonal_(1.0)  # exact for bits, where PyTorch's product of (1, K) by (K, 1) is not
    return Moments(matrix, count)


def _dtype(device: torch.device) -> torch.dtype:
    """The dtype in which products of ±1 are fastest; both are exact."""
    vectors_of_bytes = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.int8 if device.type == "cpu" and vectors_of_bytes else torch.float32


def upper_triangle(matrix: Tensor) -> Tensor:
    """The entries above the diagonal of a square matrix (N, N), row by row: (N(N-1)/2,)."""
    rows, columns = matrix.shape
    return matrix[tuple(torch.triu_indices(rows, columns, offset=1, device=matrix.device))]


@dataclass(frozen=True)
class MomentErrors:
    """Root-mean-square differences of N first moments and of N(N-1)/2 pair moments, in [0, 2]."""

    first: float
    pairs: float


def moment_errors(found: Moments, target: Moments) -> MomentErrors:
    """Root-mean-square errors of first and pair moments."""
    first, pairs = found.first - target.first, found.pairs - target.pairs
    return MomentErrors(_root_mean(first.square()), _root_mean(pairs.square()))


def sampling_noise(truth: Moments, samples: int) -> MomentErrors:
    """The errors that independent samples of the true distribution have on average.

    A bit, or product of bits, with mean m has variance 1 - m²; its mean over K samples, (1 - m²)/K.
    """
    first, pairs = 1 - truth.first.square(), 1 - truth.pairs.square()
    return MomentErrors(_root_mean(first, samples), _root_mean(pairs, samples))


def _root_mean(squares: Tensor, samples: int = 1) -> float:
    """Zero without squares: latents of one bit have no pairs."""
    return float((squares.mean() / samples).sqrt()) if squares.numel() else 0.0


def marginal_entropy(first: Tensor) -> Tensor:
    """Entropy in bits of each bit on its own: float64 (N,) in [0, 1].

    The sum over bits is an upper bound of the entropy of the latents, reached by independent bits.
    ``first`` is E[b], (N,) in [-1, 1].
    """
    p = (1 + first.double()) / 2
    return -(torch.xlogy(p, p) + torch.special.xlog1py(1 - p, -p)) / math.log(2)
