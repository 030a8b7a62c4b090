"""The rows of the decoder's first linear layer: an embedding for each bit (Section 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lbae_lib.latent.moments import upper_triangle
from lbae_lib.models.autoencoders import LBAE


@dataclass(frozen=True)
class DecoderRows:
    """The first layer as a dictionary."""

    rows: Tensor  # the vector that each bit adds at +1 and subtracts at -1, float64 (N, F)
    bias: Tensor  # of the layer, float64 (F,)

    @classmethod
    def of(cls, model: LBAE) -> DecoderRows:
        """The rows of a model's decoder, on the processor."""
        layer = model.decoder.linear
        return cls(layer.weight.detach().double().cpu().T, layer.bias.detach().double().cpu())

    @property
    def norms(self) -> Tensor:
        """Length of each row, float64 (N,)."""
        return self.rows.norm(dim=1)

    @property
    def cosines(self) -> Tensor:
        """Cosine of the angle of each pair of rows i < j, float64 (N(N-1)/2,) in [-1, 1]."""
        unit = normalize(self.rows, dim=1)
        return upper_triangle(unit @ unit.T).clamp(-1, 1)  # rounding may exceed 1

    @property
    def singular_values(self) -> Tensor:
        """From the largest, float64 (min(N, F),)."""
        return torch.linalg.svdvals(self.rows)

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy of the normalised singular values, from 1 to min(N, F).

        O. Roy and M. Vetterli (2007), *The effective rank: a measure of effective dimensionality*,
        EUSIPCO.
        """
        shares = self.singular_values / self.singular_values.sum()
        return math.exp(float(torch.special.entr(shares).sum()))

    def sum_of_selected(self, bits: Tensor) -> Tensor:
        """The layer's output for bits (K, N), as a sum of selected rows, float64 (K, F).

        Bits at +1 select their rows, and the layer subtracts the rows of bits at -1. This equals
        twice the sum of the selected rows with a bias that is the same for every latent, the
        layer's less the sum of all rows.
        """
        return 2 * (bits.cpu() > 0).double() @ self.rows + self.bias - self.rows.sum(0)

    @staticmethod
    def untrained_norm(bits: int, features: int) -> float:
        """Expected length of a row before training, root mean square: entries are U(±1/√N)."""
        return math.sqrt(features / (3 * bits))


@torch.inference_mode()
def selection_error(model: LBAE, bits: Tensor) -> float:
    """Largest difference of the layer's output for bits (K, N) from the sum of selected rows.

    Relative to the largest output; rounding in float32 alone gives about 1e-6. The bits are on the
    model's device.
    """
    output = model.decoder.linear(bits.float()).double().cpu()
    difference = output - DecoderRows.of(model).sum_of_selected(bits)
    return float(difference.abs().max() / output.abs().max())
