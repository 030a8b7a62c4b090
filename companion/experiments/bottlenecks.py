"""Bottlenecks from real numbers to bits: the paper's, and its relatives (Sections 2 and 3.1).

All give the same bits once trained, b = f_b(z) (Eq. 1). They differ in training: in the surrogate
whose derivative replaces that of the sign, and in the noise that is added.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import hardtanh

from lbae_lib.bits import signs
from lbae_lib.latent.draws import draw_normals, draw_uniforms
from lbae_lib.models.binarization import bernoulli_bottleneck, replaced, straight_through_sign

TEMPERATURES = (1.0, 0.5)  # of the binary concrete distribution, at the start and at the end
SLOPES = (1.0, 5.0)  # of the annealed hard tanh
NOISE = 0.3  # standard deviation of the noise before the sign


def _uniforms(like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers in (0, 1)."""
    return draw_uniforms(like.shape, generator, like).clamp(1e-6, 1 - 1e-6)


def _stochastic(logits: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    mean = torch.tanh(logits)
    return replaced(mean, signs(mean - (2 * _uniforms(mean, generator) - 1)))


def _concrete(logits: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    uniform = _uniforms(logits, generator)
    logistic = uniform.log() - (-uniform).log1p()
    temperature = _between(TEMPERATURES, progress)
    return straight_through_sign(torch.tanh((2 * logits + logistic) / (2 * temperature)))


def _noisy(logits: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    noise = draw_normals(logits.shape, generator, logits)
    return straight_through_sign(torch.tanh(logits) + NOISE * noise)


def _between(ends: tuple[float, float], progress: float) -> float:
    """From the first number to the second one, linearly in the progress of the training."""
    return ends[0] + (ends[1] - ends[0]) * progress


class Kind(NamedTuple):
    """A kind of bottleneck."""

    label: str  # for tables and figures
    # From logits (B, N), the progress of the training in [0, 1] and the generator of noise to bits
    # (B, N) in {-1, +1} with a gradient
    bits: Callable[[Tensor, float, torch.Generator], Tensor]


KINDS: Mapping[str, Kind] = {
    # Figure 1; gradient 1 - tanh²(z)
    "tanh": Kind("tanh, STE (paper)", lambda z, p, g: bernoulli_bottleneck(z)),
    # Bengio et al. 2013; gradient 1
    "identity": Kind("STE", lambda z, p, g: straight_through_sign(z)),
    # Gradient 1 for |z| < 1, else 0, as in binarised networks (Hubara et al. 2016)
    "clipped": Kind("clipped STE", lambda z, p, g: straight_through_sign(hardtanh(z))),
    # P(+1) = (1 + tanh z) / 2, the gradient of the mean (Bengio et al. 2013; Raiko et al. 2015)
    "stochastic": Kind("stochastic bits, STE", _stochastic),
    # Straight-through Gumbel with two classes (Jang et al. 2017; Maddison et al. 2017)
    "concrete": Kind("straight-through Gumbel", _concrete),
    # Gradient a for |z| < 1/a, else 0, with a growing slope a (Chung et al. 2017)
    "annealed": Kind(
        "slope annealing", lambda z, p, g: straight_through_sign(hardtanh(_between(SLOPES, p) * z))
    ),
    # The paper's, with Gaussian noise between tanh and sign
    "noisy": Kind("tanh, noise, STE", _noisy),
}


class BinaryBottleneck(nn.Module):
    """N logits to N bits, by a key of :data:`KINDS`.

    Example:
        >>> import torch
        >>> bottleneck = BinaryBottleneck("tanh", 2)
        >>> bits, _ = bottleneck(torch.tensor([[0.3, -2.0]]), 0.0, torch.Generator())
        >>> bits.tolist()
        [[1.0, -1.0]]
    """

    def __init__(self, kind: str, latent_size: int) -> None:
        super().__init__()
        self.kind = KINDS[kind]
        self.inputs = self.outputs = latent_size

    def forward(
        self, logits: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Bits of logits (B, N), with a gradient, and an additional loss, which is 0.

        ``progress`` is the share of the training that is done, in [0, 1].
        """
        return self.kind.bits(logits, progress, generator), logits.new_zeros(())

    def code(self, logits: Tensor) -> Tensor:
        """Bits of encoder outputs (B, N) after training: their signs."""
        return signs(logits)

    def values(self, bits: Tensor) -> Tensor:
        """What the decoder gets for bits (B, N): the bits."""
        return bits

    def nearest(self, values: Tensor) -> Tensor:
        """The bits nearest to decoder inputs (B, N) that may lie between bits."""
        return signs(values)
