"""Priors: distributions over latents as products of conditional probabilities of their bits.

A prior samples and compresses alike. An entropy coder needs probabilities that are the same on
every machine, with any number of threads, in any batch. They are therefore integers in units of
2^-16, and computed on the processor.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.latent.draws import draw_integers
from lbae_lib.latent.moments import Moments

PRECISION = 16
ONE = 1 << PRECISION  # probabilities are k / ONE with 1 <= k < ONE

_CHUNK = 1024  # latents at a time, so that the activities of a network stay in cache


# Bit by bit, in the model's order: yields the probability of +1 of the next bit in units of 2^-16,
# int64 (K,); is sent that bit of each latent, (K,) in {-1, +1}. ``send(None)`` starts it.
Conditionals = Generator[Tensor, Any, None]


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

        Raises:
            ValueError: if an entry is not -1 or +1, or the model has a different number of bits.
        """
        ...

    def conditionals(self, count: int) -> Conditionals:
        """The same for ``count`` latents that are drawn or decoded bit by bit."""
        ...


@dataclass(frozen=True)
class Factorised:
    """Independent bits with P(+1) = ``numerators`` / 2^16: int64 (N,) in [1, 2^16), on the CPU."""

    numerators: Tensor

    @classmethod
    def fit(cls, truth: Moments) -> Factorised:
        """Fit to training latents, by Laplace's rule: a bit constant in training may still change.

        P(+1) = (number of +1, plus 1) / (number of latents, plus 2).
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
        check_latents(bits, empty=True, size=len(self.numerators))
        return self.numerators.expand(len(bits), -1)

    def conditionals(self, count: int) -> Conditionals:
        """See :meth:`BitModel.conditionals`."""
        for numerator in self.numerators:
            yield numerator.expand(count)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}, on the processor."""
        return draw(self, count, generator)


def draw(model: BitModel, count: int, generator: torch.Generator) -> Tensor:
    """Random latents by ancestral sampling, float32 (count, N) in {-1, +1}, on the processor."""
    order = model.order.tolist()
    result = torch.empty(count, len(order), device="cpu")
    for rows in result.split(_CHUNK):
        conditionals, drawn = model.conditionals(len(rows)), None
        for bit in order:
            probability = conditionals.send(drawn)
            chance = draw_integers(ONE, len(rows), generator, "cpu")
            drawn = torch.where(chance < probability, 1.0, -1.0)
            rows[:, bit] = drawn
    return result


def code_lengths(model: BitModel, bits: Tensor) -> Tensor:
    """-log2 p of each latent, the length in bits of its ideal code: float64 (K,), on the processor.

    ``bits`` are (K, N), on any device; errors are those of :meth:`BitModel.probabilities`.
    """
    lengths = []
    for part in bits.cpu().split(_CHUNK):
        positive = model.probabilities(part)
        own = torch.where(part > 0, positive, ONE - positive).double()
        lengths.append(PRECISION * part.shape[1] - own.log2().sum(1))
    return torch.cat(lengths)


def entropy(model: BitModel, bits: Tensor) -> float:
    """Cross-entropy of latents under a model: the mean of :func:`code_lengths`, bits per latent.

    Raises:
        ValueError: unless ``bits`` are (K, N) in {-1, +1} with K >= 1 and the model's N.
    """
    check_latents(bits)
    return math.fsum(code_lengths(model, bits).tolist()) / len(bits)
