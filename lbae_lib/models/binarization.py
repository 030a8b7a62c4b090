"""The latent bottleneck: tanh, sign, straight-through gradient (Section 3.1, Figure 1)."""

from typing import Any

import torch
from torch import Tensor

from lbae_lib.bits import signs


class _Replaced(torch.autograd.Function):
    """One tensor forward, the gradient to another one: f_b and a surrogate f_s of Section 3.1."""

    @staticmethod
    def forward(ctx: Any, surrogate: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return grad_outputs[0], None


def replaced(surrogate: Tensor, value: Tensor) -> Tensor:
    """``value``, whose gradient goes to ``surrogate``, a tensor of the same shape."""
    return _Replaced.apply(surrogate, value)


def straight_through_sign(z: Tensor) -> Tensor:
    """Bits of real numbers (Eq. 1), of their shape and dtype, with the gradient of the identity.

    VQ-VAE and lookup-free quantisation (LFQ) use the same gradient with additional losses, such as
    the commitment loss; the LBAE needs none.

    Reference:
        Bengio, Léonard and Courville (2013), *Estimating or propagating gradients through
        stochastic neurons for conditional computation*.
    """
    return replaced(z, signs(z))


def bernoulli_bottleneck(logits: Tensor) -> Tensor:
    """tanh followed by :func:`straight_through_sign`: the bottleneck of Figure 1.

    The bits do not depend on tanh. Its derivative, 1 - tanh², damps the gradient that reaches the
    encoder and keeps the optimisation from overshooting. From (B, N) to bits (B, N) in {-1, +1}.
    """
    return straight_through_sign(torch.tanh(logits))
