"""Priors: distributions over latents as products of conditional probabilities of their bits.

A prior samples and compresses alike. An entropy coder needs probabilities that are the same on
every machine, with any number of threads, in any batch. They are therefore integers in units of
2^-16, and computed on the processor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.latent.draws import draw_integers
from lbae_lib.latent.moments import Moments

PRECISION = 16
ONE = 1 << PRECISION  # probabilities are k / ONE with 1 <= k < ONE

_CHUNK = 1024  # latents at a time, so that the activities of a network stay in cache


class SequentialState(Protocol):
    """Latents that are drawn or decoded bit by bit, in the model's order."""

    def probability(self) -> Tensor:
        """Probability of +1 of the next bit, in units of 2^-16: int64 (K,) in [1, 2^16)."""
        ...

    def append(self, bits: Tensor) -> None:
        """Set the next bit of each latent, (K,) in {-1, +1}."""
        ...


class BitModel(Protocol):
    """A distribution over latents that gives each bit a probability given those before it."""

    @property
    def order(self) -> Tensor:
        """The bit at each position: the order of the factors, int64 (N,), on the processor."""
        ...

    def probabilities(self, bits: Tensor) -> Tensor:
        """Probability of +1 of each bit given the bits before it, in units of 2^-16.

        Args:
            bits: (K, N) in {-1, +1}, on any device.

        Returns:
            int64 (K, N) in [1, 2^16), on the processor; columns as in ``bits``.
        """
        ...

    def begin(self, count: int) -> SequentialState:
        """The state before the first bit of ``count`` latents, on the processor."""
        ...


@dataclass(frozen=True)
class Factorised:
    """Independent bits.

    Attributes:
        numerators: probability of +1 in units of 2^-16, int64 (N,) in [1, 2^16), on the processor.
    """

    numerators: Tensor

    @classmethod
    def fit(cls, truth: Moments) -> Factorised:
        """Fit to the first moments of training latents, by Laplace's rule.

        P(+1) = (number of +1, plus 1) / (number of latents, plus 2), so that a bit which is
        constant in training may still change.
        """
        ones = ((1 + truth.first.cpu()) / 2 * truth.count).round() + 1
        numerators = (ones * ONE / (truth.count + 2)).round().clamp(1, ONE - 1)
        return cls(numerators.to(torch.int64))

    @property
    def order(self) -> Tensor:
        """Bits by number, int64 (N,)."""
        return torch.arange(len(self.numerators), device="cpu")

    def probabilities(self, bits: Tensor) -> Tensor:
        """See :meth:`BitModel.probabilities`."""
        return self.numerators.expand(len(bits), -1)

    def begin(self, count: int) -> SequentialState:
        """See :meth:`BitModel.begin`."""
        return _FactorisedState(self.numerators, count)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}, on the processor."""
        return draw(self, count, generator)


class _FactorisedState:
    def __init__(self, numerators: Tensor, count: int) -> None:
        self._columns = numerators[:, None].expand(-1, count)  # (N, K)
        self._position = 0

    def probability(self) -> Tensor:
        return self._columns[self._position]

    def append(self, bits: Tensor) -> None:
        self._position += 1


def draw(model: BitModel, count: int, generator: torch.Generator) -> Tensor:
    """Random latents by ancestral sampling, float32 (count, N) in {-1, +1}, on the processor."""
    order = model.order.tolist()
    result = torch.empty(count, len(order), device="cpu")
    for rows in result.split(_CHUNK):
        state = model.begin(len(rows))
        for bit in order:
            drawn = draw_integers(ONE, len(rows), generator, "cpu")
            rows[:, bit] = torch.where(drawn < state.probability(), 1.0, -1.0)
            state.append(rows[:, bit])
    return result


def code_lengths(model: BitModel, bits: Tensor) -> Tensor:
    """-log2 p of each latent, the length in bits of its ideal code: float64 (K,), on the processor.

    Args:
        model: p.
        bits: (K, N) in {-1, +1}, on any device.
    """
    lengths = []
    for part in bits.cpu().split(_CHUNK):
        positive = model.probabilities(part)
        own = torch.where(part > 0, positive, ONE - positive).double()
        lengths.append(PRECISION * part.shape[1] - own.log2().sum(1))
    return torch.cat(lengths)


def entropy(model: BitModel, bits: Tensor) -> float:
    """Cross-entropy of latents under a model: the mean of :func:`code_lengths`, bits per latent.

    Args:
        model: a prior.
        bits: (K, N) in {-1, +1}, with K >= 1.

    Raises:
        ValueError: if these are no such latents.
    """
    check_latents(bits)
    return math.fsum(code_lengths(model, bits).tolist()) / len(bits)
