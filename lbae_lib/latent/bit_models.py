"""Distributions of latents that give every bit a probability from those before it.

Such a model samples and compresses alike. All arithmetic after training is on whole numbers, so
that a probability is the same on every machine, with any number of threads, in any batch: an
entropy coder needs nothing less. Whole numbers are kept in float64, whose products and sums are
exact below 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from lbae_lib.bits import check_bits
from lbae_lib.latent.moments import Moments

PRECISION = 16  # probabilities are k / 2^16 with 1 <= k < 2^16
ONE = 1 << PRECISION

_LOGIT_STEPS = 1 << 8  # logits are whole multiples of 1/256 …
_LARGEST_LOGIT = 12 * _LOGIT_STEPS  # … and capped where the probability is a unit from certain
_WEIGHT_STEPS = 1 << 12
_ACTIVITY_STEPS = 1 << 8
_LARGEST_ACTIVITY = 1 << 16
_EXACT = 2**53
_CHUNK = 1024  # latents walked at a time: their activities stay in cache


class Walk(Protocol):
    """Latents under way, bit by bit in the model's order."""

    def probability(self) -> Tensor:
        """Of the next bit being +1, in units of 2^-16: int64 (K,) in [1, 2^16)."""
        ...

    def append(self, bits: Tensor) -> None:
        """The next bit of each latent, (K,) in {-1, +1}."""
        ...


class BitModel(Protocol):
    """A distribution of latents as a product of conditional probabilities.

    Attributes:
        order: bits in the order in which they are drawn, int64 (N,).
    """

    @property
    def order(self) -> Tensor:
        """Bits in the order in which they are drawn, int64 (N,)."""
        ...

    def probabilities(self, bits: Tensor) -> Tensor:
        """Of each bit being +1 given those before it, in units of 2^-16.

        Args:
            bits: (K, N) in {-1, +1}.

        Returns:
            int64 (K, N) in [1, 2^16); columns as in ``bits``.
        """
        ...

    def walk(self, count: int) -> Walk:
        """Begin ``count`` latents."""
        ...


@dataclass(frozen=True)
class Factorised:
    """Independent bits.

    Attributes:
        shares: probability of +1 in units of 2^-16, int64 (N,) in [1, 2^16).
    """

    shares: Tensor

    @classmethod
    def fit(cls, truth: Moments) -> Factorised:
        """To the first moments of training latents; a bit seen in one state alone may still change.

        Laplace's rule: (number of +1, plus 1) / (number of latents, plus 2).
        """
        ones = ((1 + truth.first) / 2 * truth.count).round() + 1
        shares = (ones * ONE / (truth.count + 2)).round().clamp(1, ONE - 1)
        return cls(shares.to(torch.int64))

    @property
    def order(self) -> Tensor:
        """As they are numbered."""
        return torch.arange(len(self.shares))

    def probabilities(self, bits: Tensor) -> Tensor:
        """See :class:`BitModel`."""
        return self.shares.expand(len(bits), -1)

    def walk(self, count: int) -> Walk:
        """See :class:`BitModel`."""
        return _FactorisedWalk(self.shares, count)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}."""
        return draw(self, count, generator)


class _FactorisedWalk:
    def __init__(self, shares: Tensor, count: int) -> None:
        self._shares = shares
        self._count = count
        self._position = 0

    def probability(self) -> Tensor:
        return self._shares[self._position].expand(self._count)

    def append(self, bits: Tensor) -> None:
        self._position += 1


@dataclass(frozen=True)
class Autoregressive:
    """A masked network over the bits, in whole numbers.

    A hidden layer's units are in the order of the last bit they see, so that all masks are lower
    staircases: unit u of H sees the first :func:`seen` bits. Logits are those of a logistic
    regression on all earlier bits, plus what the last hidden layer adds.

    Attributes:
        order: bit at each position, int64 (N,).
        weights: of each hidden layer on the one below it, the first on the bits.
        biases: of each hidden layer.
        output: of the logits on the last hidden layer, (N, H); (N, 0) if there is none.
        direct: of the logits on the bits, (N, N), strictly lower triangular.
        offsets: of the logits, (N,).

    Reference:
        M. Germain et al. (2015), *MADE: masked autoencoder for distribution estimation*.
    """

    order: Tensor
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    output: Tensor
    direct: Tensor
    offsets: Tensor

    def __post_init__(self) -> None:
        size, hidden = len(self.order), self.hidden
        if not torch.equal(self.order.sort().values, torch.arange(size)):
            raise ValueError(f"the order must hold each of the {size} bits once")
        matrices = (*self.weights, self.output, self.direct)
        for tensor in (*matrices, *self.biases, self.offsets):
            if tensor.dtype != torch.float64 or not bool((tensor == tensor.round()).all()):
                raise ValueError("weights must be whole numbers, kept as float64")
        expected = masks(size, hidden)
        for matrix, mask in zip(matrices, expected, strict=True):
            if matrix.shape != mask.shape:
                raise ValueError(
                    f"a weight matrix is {tuple(matrix.shape)}, not {tuple(mask.shape)}"
                )
            if bool(matrix[~mask].any()):
                raise ValueError("a unit has a weight on what comes after it")
        # Beyond what float64 holds exactly, sums would differ between machines.
        largest = sum(float(m.abs().sum(1).max()) for m in matrices if m.numel())
        offsets = sum(float(bias.abs().max()) for bias in (*self.biases, self.offsets))
        if (largest * _LARGEST_ACTIVITY + offsets * _ACTIVITY_STEPS) >= _EXACT:
            raise ValueError("the weights are too large for exact arithmetic")

    @classmethod
    def rounded(
        cls,
        order: Tensor,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        output: Tensor,
        direct: Tensor,
        offsets: Tensor,
    ) -> Autoregressive:
        """From real weights, rounded to multiples of 2^-12."""

        def whole(tensor: Tensor) -> Tensor:
            return (tensor.detach().double().cpu() * _WEIGHT_STEPS).round()

        return cls(
            order.cpu(),
            tuple(whole(weight) for weight in weights),
            tuple(whole(bias) for bias in biases),
            whole(output),
            whole(direct),
            whole(offsets),
        )

    @property
    def hidden(self) -> list[int]:
        """Units of each hidden layer."""
        return [len(bias) for bias in self.biases]

    def probabilities(self, bits: Tensor) -> Tensor:
        """See :class:`BitModel`."""
        check_bits(bits, "latents")
        result = torch.empty(bits.shape, dtype=torch.int64)
        for start in range(0, len(bits), _CHUNK):
            part = bits[start : start + _CHUNK].double().cpu()[:, self.order]
            activity = part
            for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
                activity = _activity(activity @ weight.T, bias, layer)
            above = activity @ self.output.T if self.hidden else torch.zeros_like(part)
            logits = _logits(above, part @ self.direct.T + self.offsets)
            result[start : start + _CHUNK, self.order] = _shares(logits)
        return result

    def walk(self, count: int) -> Walk:
        """See :class:`BitModel`."""
        return _AutoregressiveWalk(self, count)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}."""
        return draw(self, count, generator)


class _AutoregressiveWalk:
    """Each unit is computed once, as soon as the bits it sees are known: one pass in all."""

    def __init__(self, model: Autoregressive, count: int) -> None:
        self._model = model
        self._position = 0
        size = len(model.order)
        # Units by rows, so that those already known are one block.
        self._bits = torch.zeros(size, count, dtype=torch.float64)
        self._layers = [torch.zeros(n, count, dtype=torch.float64) for n in model.hidden]
        self._known = [known_units(size, n) for n in model.hidden]

    def probability(self) -> Tensor:
        model, i = self._model, self._position
        direct = model.direct[i, :i] @ self._bits[:i] + model.offsets[i]
        if not self._layers:
            return _shares(_logits(torch.zeros_like(direct), direct))
        known = self._known[-1][i]
        return _shares(_logits(model.output[i, :known] @ self._layers[-1][:known], direct))

    def append(self, bits: Tensor) -> None:
        model, i = self._model, self._position
        self._bits[i] = bits
        self._position = i + 1
        if self._position == len(model.order):
            return
        below = self._bits[: i + 1]
        for layer, (activity, known) in enumerate(zip(self._layers, self._known, strict=True)):
            new = slice(known[i], known[i + 1])
            sums = model.weights[layer][new, : len(below)] @ below
            activity[new] = _activity(sums, model.biases[layer][new, None], layer)
            below = activity[: known[i + 1]]


def seen(latent_size: int, units: int) -> Tensor:
    """How many of the first bits each unit of a hidden layer sees, 1 to N-1: int64 (units,)."""
    return 1 + torch.arange(units) * (latent_size - 1) // units


def known_units(latent_size: int, units: int) -> list[int]:
    """Units of a hidden layer that are known once 0, 1, …, N-1 bits are."""
    return torch.searchsorted(
        seen(latent_size, units), torch.arange(latent_size), right=True
    ).tolist()


def masks(latent_size: int, hidden: Sequence[int]) -> list[Tensor]:
    """Which weights a masked network has: of hidden layers, output, direct ones; bool."""
    positions = torch.arange(latent_size)
    below = positions + 1  # a bit is seen by units that see so many
    found = []
    for units in hidden:
        own = seen(latent_size, units)
        found.append(own[:, None] >= below)
        below = own
    last = below if hidden else torch.empty(0)
    return [*found, positions[:, None] >= last, positions[:, None] > positions]


def _activity(sums: Tensor, bias: Tensor, layer: int) -> Tensor:
    """Rectified, in units of 1/256."""
    below = 1 if layer == 0 else _ACTIVITY_STEPS
    steps = (sums + bias * below) * (_ACTIVITY_STEPS / (_WEIGHT_STEPS * below))
    return steps.floor_().clamp_(0, _LARGEST_ACTIVITY)


def _logits(above: Tensor, direct: Tensor) -> Tensor:
    """In units of 1/256."""
    below = _ACTIVITY_STEPS
    steps = (above + direct * below) * (_LOGIT_STEPS / (_WEIGHT_STEPS * below))
    return steps.floor_().clamp_(-_LARGEST_LOGIT, _LARGEST_LOGIT)


def _shares(logits: Tensor) -> Tensor:
    return _logistic_table()[(logits + _LARGEST_LOGIT).to(torch.int64)]


@lru_cache(maxsize=1)
def _logistic_table() -> Tensor:
    """2^16 / (1 + exp(-logit)) at every logit, rounded; in decimals, as libraries' exp differ."""
    with localcontext() as context:
        context.prec = 30
        step = (Decimal(-1) / _LOGIT_STEPS).exp()
        power = step ** (-_LARGEST_LOGIT)
        table = []
        for _ in range(2 * _LARGEST_LOGIT + 1):
            table.append(int((ONE / (1 + power)).to_integral_value()))
            power *= step
    return torch.tensor(table).clamp(1, ONE - 1)


def draw(model: BitModel, count: int, generator: torch.Generator) -> Tensor:
    """Random latents, float32 (count, N) in {-1, +1}, by ancestral sampling."""
    order = model.order
    result = torch.empty(count, len(order))
    for start in range(0, count, _CHUNK):
        rows = result[start : start + _CHUNK]
        walk = model.walk(len(rows))
        for bit in order.tolist():
            drawn = torch.randint(ONE, (len(rows),), generator=generator)
            rows[:, bit] = torch.where(drawn < walk.probability(), 1.0, -1.0)
            walk.append(rows[:, bit])
    return result


def code_lengths(model: BitModel, bits: Tensor) -> Tensor:
    """Ideal length of each latent's code, -log2 p, in bits.

    Args:
        model: of bits.
        bits: (K, N) in {-1, +1}.

    Returns:
        float64 (K,).
    """
    lengths = []
    for part in bits.split(_CHUNK):
        shares = model.probabilities(part)
        own = torch.where(part > 0, shares, ONE - shares).double()
        lengths.append(PRECISION * part.shape[1] - own.log2().sum(1))
    return torch.cat(lengths) if lengths else torch.empty(0, dtype=torch.float64)


def entropy(model: BitModel, bits: Tensor) -> float:
    """Mean of :func:`code_lengths`: the cross-entropy in bits per latent."""
    return math.fsum(code_lengths(model, bits).tolist()) / len(bits)
