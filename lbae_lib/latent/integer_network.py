"""The autoregressive prior: a masked network in integers.

Its arithmetic is exact, so that a probability is the same on every machine, with any number of
threads, in any batch. It stays on the processor. Integers are kept in float64, in which products
and sums are exact below 2^53.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache

import torch
from torch import Tensor

from lbae_lib.bits import check_bits
from lbae_lib.latent.bit_models import ONE, SequentialState, draw
from lbae_lib.latent.masked_network import MaskedNetwork, adjacency, units_below

_WEIGHT_STEPS = 1 << 12  # weights and biases are multiples of 2^-12
_STEPS = 1 << 8  # activities and logits are multiples of 2^-8 …
_LARGEST_ACTIVITY = 1 << 16  # … activities in [0, 2^16] of them …
_LARGEST_LOGIT = 12 * _STEPS  # … logits limited to where a probability is one unit from certain
_EXACT = 2**53
_BLOCK = 32  # positions at a time whose sums over all that is known are one product
_CHUNK = 1024  # latents at a time, so that their activities stay in cache


@dataclass(frozen=True)
class Autoregressive:
    """A masked network over the bits (MADE), in integers; see :mod:`.masked_network`.

    The logits are those of a logistic regression on all earlier bits (the skip connections), plus
    what the last hidden layer adds. All tensors are on the processor.

    Attributes:
        order: the bit at each position, int64 (N,).
        weights: of each hidden layer, in units of 2^-12, as are all below.
        biases: of each hidden layer.
        output: weights of the outputs, (N, H); (N, 0) if there is no hidden layer.
        skip: weights of the skip connections, (N, N), strictly lower triangular.
        output_bias: of the outputs, (N,).

    Raises:
        ValueError: if the tensors do not form such a network, or are too large for exact
            arithmetic.
    """

    order: Tensor
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    output: Tensor
    skip: Tensor
    output_bias: Tensor

    def __post_init__(self) -> None:
        size = len(self.order)
        if not torch.equal(self.order.sort().values, torch.arange(size, device="cpu")):
            raise ValueError(f"the order must hold each of the {size} bits once")
        matrices = (*self.weights, self.output, self.skip)
        biases = (*self.biases, self.output_bias)
        for tensor in (*matrices, *biases):
            if tensor.dtype != torch.float64 or not bool((tensor == tensor.round()).all()):
                raise ValueError("weights must be integers, kept as float64")
        for matrix, mask in zip(matrices, adjacency(size, self.hidden), strict=True):
            if matrix.shape != mask.shape:
                raise ValueError(
                    f"a weight matrix is {tuple(matrix.shape)}, but must be {tuple(mask.shape)}"
                )
            if bool(matrix[~mask].any()):
                raise ValueError("a unit has a weight for a bit that comes after it")
        # Sums beyond what float64 holds exactly would differ between machines.
        weight = sum(float(matrix.abs().sum(1).max()) for matrix in matrices if matrix.numel())
        bias = sum(float(bias.abs().max()) for bias in biases)
        if weight * _LARGEST_ACTIVITY + bias * _STEPS >= _EXACT:
            raise ValueError("the weights are too large for exact arithmetic")

    @classmethod
    def rounded(cls, network: MaskedNetwork) -> Autoregressive:
        """A real-valued network, on any device, with weights rounded to multiples of 2^-12."""

        def whole(tensor: Tensor) -> Tensor:
            return (tensor.detach().double().cpu() * _WEIGHT_STEPS).round()

        *weights, output, skip = map(whole, network.matrices())
        biases = tuple(map(whole, network.biases))
        return cls(
            network.order.cpu(), tuple(weights), biases, output, skip, whole(network.output_bias)
        )

    @property
    def hidden(self) -> list[int]:
        """Number of units of each hidden layer."""
        return [len(bias) for bias in self.biases]

    def probabilities(self, bits: Tensor) -> Tensor:
        """See :meth:`.bit_models.BitModel.probabilities`; all positions are computed at once.

        Raises:
            ValueError: if an entry is not -1 or +1.
        """
        check_bits(bits, "latents")
        result = torch.empty(bits.shape, dtype=torch.int64, device="cpu")
        for rows, part in zip(result.split(_CHUNK), bits.cpu().split(_CHUNK), strict=True):
            ordered = part.double()[:, self.order]  # (K, N), by position
            activity = ordered
            for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
                activity = _activity(activity @ weight.T, bias, layer)
            above = activity[:, : self.output.shape[1]] @ self.output.T
            logits = _logits(above, ordered @ self.skip.T + self.output_bias)
            rows[:, self.order] = _logistic(logits)
        return result

    def begin(self, count: int) -> SequentialState:
        """See :meth:`.bit_models.BitModel.begin`."""
        return _AutoregressiveState(self, count)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}, on the processor."""
        return draw(self, count, generator)


class _AutoregressiveState:
    """Computes each unit once, as soon as all bits within its degree are set: one pass in all.

    At the first of every 32 positions, one product adds up what all bits and units before it give
    to these positions; then only the few since then are added for each. Sums are exact, so their
    order does not matter.
    """

    def __init__(self, model: Autoregressive, count: int) -> None:
        self._model = model
        self._position = 0
        size = len(model.order)
        # Units are rows, so that those already computed are one block.
        self._bits, *self._layers = (
            torch.zeros(units, count, dtype=torch.float64, device="cpu")
            for units in (size, *model.hidden)
        )
        # Rows of bits and of each layer that are computed, by position.
        hidden = [units_below(size, units) for units in model.hidden]
        self._known = [[*range(size)], *hidden]
        self._begin_block()

    def _begin_block(self) -> None:
        """Sums over everything that is known, for the next positions and their units."""
        model, start = self._model, self._position
        self._start, end = start, min(start + _BLOCK, len(model.order))
        self._logits_before = model.skip[start:end, :start] @ self._bits[:start]
        self._logits_before += model.output_bias[start:end, None]
        last = self._known[-1][start] if self._layers else 0
        above = model.output[start:end, :last]
        self._above_before = above @ self._layers[-1][:last] if last else above.sum(1, True) * 0
        self._sums_before = []
        for layer, weight in enumerate(model.weights):
            own = self._known[layer + 1]
            rows = slice(own[start], own[min(end, len(own) - 1)])
            known = self._known[layer][start]
            below = self._layers[layer - 1] if layer else self._bits
            self._sums_before.append(weight[rows, :known] @ below[:known])

    def probability(self) -> Tensor:
        model, i, start = self._model, self._position, self._start
        skip = self._logits_before[i - start] + model.skip[i, start:i] @ self._bits[start:i]
        if not self._layers:
            return _logistic(_logits(torch.zeros_like(skip), skip))
        new = slice(self._known[-1][start], self._known[-1][i])
        above = self._above_before[i - start] + model.output[i, new] @ self._layers[-1][new]
        return _logistic(_logits(above, skip))

    def append(self, bits: Tensor) -> None:
        model, i, start = self._model, self._position, self._start
        self._bits[i] = bits
        self._position = i + 1
        if self._position == len(model.order):
            return
        below = self._bits
        for layer, activity in enumerate(self._layers):
            own = self._known[layer + 1]
            new = slice(own[i], own[i + 1])
            since = slice(self._known[layer][start], self._known[layer][i + 1])
            before = self._sums_before[layer][own[i] - own[start] : own[i + 1] - own[start]]
            sums = before + model.weights[layer][new, since] @ below[since]
            activity[new] = _activity(sums, model.biases[layer][new, None], layer)
            below = activity
        if self._position == start + _BLOCK:
            self._begin_block()


def _activity(sums: Tensor, bias: Tensor, layer: int) -> Tensor:
    """Activities of a hidden layer, rectified; the first layer's inputs are ±1."""
    return _rescaled(sums, bias, 1 if layer == 0 else _STEPS).clamp_(0, _LARGEST_ACTIVITY)


def _logits(above: Tensor, skip: Tensor) -> Tensor:
    """Logits from sums over the last hidden layer and over the bits."""
    return _rescaled(above, skip, _STEPS).clamp_(-_LARGEST_LOGIT, _LARGEST_LOGIT)


def _rescaled(sums: Tensor, bias: Tensor, input_steps: int) -> Tensor:
    """Sums over inputs in units of 1 / input_steps, plus a bias, in units of 2^-8, rounded down."""
    steps = (sums + bias * input_steps) * (_STEPS / (_WEIGHT_STEPS * input_steps))
    return steps.floor_()


def _logistic(logits: Tensor) -> Tensor:
    return _logistic_table()[(logits + _LARGEST_LOGIT).to(torch.int64)]


@lru_cache(maxsize=1)
def _logistic_table() -> Tensor:
    """2^16 / (1 + exp(-logit)) at each logit, rounded; by decimals, as libraries' exp differ."""
    with localcontext() as context:
        context.prec = 30
        step = (Decimal(-1) / _STEPS).exp()
        power = step ** (-_LARGEST_LOGIT)
        table = []
        for _ in range(2 * _LARGEST_LOGIT + 1):
            table.append(int((ONE / (1 + power)).to_integral_value()))
            power *= step
    return torch.tensor(table, device="cpu").clamp(1, ONE - 1)
