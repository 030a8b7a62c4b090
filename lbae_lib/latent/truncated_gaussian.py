"""Gaussian vectors with given signs, by Gibbs sampling.

J. Geweke (1991), *Efficient simulation from the multivariate normal and Student-t distributions
subject to linear constraints*, Computing Science and Statistics: 23rd Symposium on the Interface.
"""

import math

import torch
from torch import Tensor

from lbae_lib.latent.draws import draw_uniforms

_BLOCK = 64  # coordinates updated one after another, before the products with all others are
_FARTHEST = 37.0  # standard deviations: the normal tail beyond underflows in double precision
_SMALLEST = 1e-12  # smallest size of a coordinate, because zero would have no sign


def truncated_gaussian(
    start: Tensor, precision: Tensor, sweeps: int, generator: torch.Generator
) -> Tensor:
    """Draw y ~ N(0, Q⁻¹), (K, D), under the condition that y has the signs of its start.

    Args:
        start: (K, D), float64; no entry is zero.
        precision: Q, the inverse of the covariance, (D, D).
        sweeps: number of passes over all D coordinates.

    Raises:
        ValueError: if Q has another shape.
    """
    if precision.shape != (start.shape[-1],) * 2:
        raise ValueError(
            f"the precision has shape {tuple(precision.shape)}, but vectors have "
            f"{start.shape[-1]} numbers"
        )
    signs, values = start.sign().T, start.T.clone()  # a coordinate of all K is contiguous
    precision, diagonal = precision.contiguous(), precision.diagonal()
    weights, spreads = diagonal.reciprocal().tolist(), diagonal.rsqrt().tolist()
    for _ in range(sweeps):
        for first in range(0, len(values), _BLOCK):
            block = slice(first, first + _BLOCK)
            among = precision[block, block].unbind(1)
            pull = precision[block] @ values  # Q y, kept up to date within the block
            uniform = 1 - draw_uniforms(pull.shape, generator, values)  # in (0, 1]
            indices = range(first, first + len(pull))
            for i, column, pulled, share in zip(indices, among, pull, uniform, strict=True):
                sign, value = signs[i], values[i]
                # Given the others, s y is Gaussian with this mean, truncated to above zero.
                mean = torch.sub(value, pulled, alpha=weights[i]).mul_(sign)
                least = mean.div(-spreads[i]).clamp_(max=_FARTHEST)
                tail = least.mul(math.sqrt(0.5)).erfc_().mul_(share).mul_(0.5)
                drawn = torch.special.ndtri(tail).neg_().maximum(least)
                moved = mean.add_(drawn, alpha=spreads[i]).clamp_(min=_SMALLEST).mul_(sign)
                pull.addr_(column, moved - value)
                value.copy_(moved)
    return values.T
