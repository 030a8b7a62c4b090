"""The autoregressive prior: a masked network in integers, on the processor.

Its arithmetic is exact, as :mod:`.bit_models` requires: integers in float64, exact below 2^53.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.latent.bit_models import ONE, Conditionals, draw
from lbae_lib.latent.masked_network import MaskedNetwork, adjacency, units_below

_WEIGHT_STEPS = 1 << 12  # weights and biases are multiples of 2^-12
_STEPS = 1 << 8  # activities and logits are multiples of 2^-8 …
_LARGEST_ACTIVITY = 1 << 16  # … activities in [0, 2^16] of them …
_LARGEST_LOGIT = 12 * _STEPS  # … logits limited to where a probability is one unit from certain
_EXACT = 2**53
_BLOCK = 32  # positions at a time whose sums over all that is known are one product


@dataclass(frozen=True)
class Autoregressive:
    """A masked network over the bits (MADE), in integers; see :mod:`.masked_network`.

    The logits are those of a logistic regression on all earlier bits (the skip connections), plus
    what the last hidden layer adds. Weights and biases are in units of 2^-12, as float64.

    Attributes:
        order: the bit at each position, int64 (N,).
        weights: of each hidden layer, (units, inputs): from the bits, or the layer below.
        biases: of each hidden layer, (units,).
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
                raise ValueError("weights must be integers, kept as float64: see rounded")
        for matrix, mask in zip(matrices, adjacency(size, self.hidden), strict=True):
            if matrix.shape != mask.shape:
                raise ValueError(
                    f"a weight matrix is {tuple(matrix.shape)}, but must be {tuple(mask.shape)}"
                )
            if bool(matrix[~mask].any()):
                raise ValueError("a unit sees a bit that comes after it: its weight must be 0")
        # Sums beyond what float64 holds exactly would differ between machines.
        weight = sum(float(matrix.abs().sum(1).max()) for matrix in matrices if matrix.numel())
        bias = sum(float(bias.abs().max()) for bias in biases)
        if weight * _LARGEST_ACTIVITY + bias * _STEPS >= _EXACT:
            raise ValueError(
                "the weights are too large for exact arithmetic: scale them down until no sum can "
                "reach 2^53"
            )

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
        """See :meth:`.bit_models.BitModel.probabilities`; all positions are computed at once."""
        check_latents(bits, empty=True, size=len(self.order))
        ordered = bits.cpu().double()[:, self.order]  # (K, N), by position
        activity = ordered
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            activity = _activity(activity @ weight.T, bias, layer)
        above = activity[:, : self.output.shape[1]] @ self.output.T
        logits = _logits(above, ordered @ self.skip.T + self.output_bias)
        return _logistic(logits)[:, self.order.argsort()]

    def conditionals(self, count: int) -> Conditionals:
        """See :meth:`.bit_models.BitModel.conditionals`.

        Each unit is computed once, as soon as all bits within its degree are set. At the first of
        every 32 positions, one product adds up what all bits and units before it give to these
        positions; then only the few since then are added for each.
        """
        size = len(self.order)
        # Bits and units are rows, by position, so that those already computed are one block.
        bits, *layers = (
            torch.zeros(units, count, dtype=torch.float64, device="cpu")
            for units in (size, *self.hidden)
        )
        # Rows of the bits and of each layer that are computed, by position.
        known = [[*range(size)], *(units_below(size, units) for units in self.hidden)]
        last, last_known = (layers[-1], known[-1]) if layers else (bits[:0], [0] * size)
        for start in range(0, size, _BLOCK):
            end = min(start + _BLOCK, size)
            skip_before = self.skip[start:end, :start] @ bits[:start]
            skip_before += self.output_bias[start:end, None]
            above_known = last_known[start]
            above_before = self.output[start:end, :above_known] @ last[:above_known]
            sums_before = [
                weight[own[start] : own[min(end, size - 1)], : lower[start]] @ below[: lower[start]]
                for weight, own, lower, below in zip(
                    self.weights, known[1:], known, [bits, *layers], strict=False
                )
            ]
            for i in range(start, end):
                skip = skip_before[i - start] + self.skip[i, start:i] @ bits[start:i]
                new = slice(above_known, last_known[i])
                above = above_before[i - start] + self.output[i, new] @ last[new]
                bits[i] = yield _logistic(_logits(above, skip))
                if i + 1 == size:
                    return
                below = bits
                for layer, activity in enumerate(layers):
                    own, lower = known[layer + 1], known[layer]
                    new, since = slice(own[i], own[i + 1]), slice(lower[start], lower[i + 1])
                    sums = sums_before[layer][own[i] - own[start] : own[i + 1] - own[start]]
                    sums = sums + self.weights[layer][new, since] @ below[since]
                    activity[new] = _activity(sums, self.biases[layer][new, None], layer)
                    below = activity

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}, on the processor."""
        return draw(self, count, generator)


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
