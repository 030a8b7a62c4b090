"""How likely a latent is under random hyperplane rounding: an orthant probability.

A hyperplane with normal r ~ N(0, I) generates the latent s if all products sᵢ Vᵢ·r and V_{N+1}·r
are positive, or all negative (Eq. 12). The products are Gaussian with the covariance H = V Vᵀ, so

    p(s) = 2 P(x in the orthant of [s, 1]),    x ~ N(0, H).

The probability is estimated by sequential Monte Carlo. With H = L Lᵀ the products are x = L y for
y ~ N(0, I). One coordinate of y after another is drawn from its truncated normal distribution,
and a particle weighs the probability of the half-line it was drawn from. Where few particles
carry the weight they are resampled, and a sweep of Gibbs sampling moves each. The estimate of p(s)
is unbiased; its logarithm is too low by about half the variance of the relative error.

References:
    J. Geweke (1991), see :mod:`.truncated_gaussian`, and V. Hajivassiliou and D. McFadden (1998),
    *The method of simulated scores for the estimation of LDV models*, Econometrica 66, 863-896,
    for drawing and weighing (the GHK simulator); J. Ridgway (2016), *Computation of Gaussian
    orthant probabilities in high dimension*, Statistics and Computing 26, 899-916, for the rest.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from lbae_lib.bits import check_latents
from lbae_lib.latent.draws import draw_uniforms
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.inversion import full_rank_vectors

_LEAST = 1e-300  # a coordinate that rounding puts on the orthant's border
_FEW = 0.5  # of the particles in effect: then they are resampled and moved


@dataclass(frozen=True)
class Likelihood:
    """Estimated probabilities of latents.

    Attributes:
        bits: -log₂ p(s), float64 (K,): the length of each latent's ideal code.
        standard_error: of each, in bits, from the spread of the repetitions.
    """

    bits: Tensor
    standard_error: Tensor

    @property
    def mean(self) -> float:
        """Cross-entropy: mean length in bits."""
        return float(self.bits.mean())


def likelihood(
    latents: Tensor,
    sampler: HyperplaneSampler,
    generator: torch.Generator,
    *,
    particles: int = 400,
    repetitions: int = 3,
) -> Likelihood:
    """-log₂ p(s) of latents under a hyperplane sampler.

    Args:
        latents: s, (K, N) in {-1, +1}.
        sampler: V of full rank N+1; see :func:`lbae_lib.latent.inversion.full_rank`. A sampler of
            lower rank gives most latents no probability at all.
        generator: on the processor.
        particles: in each repetition, at least 2; time and memory grow with them.
        repetitions: independent estimates, at least 2, of which the mean is taken.

    Raises:
        ValueError: if there are no latents, they are not bits or do not fit the sampler, V does not
            have full rank, or there are too few particles or repetitions.
    """
    check_latents(latents)
    latents = sampler.checked(latents)
    if particles < 2 or repetitions < 2:
        raise ValueError(
            f"particles is {particles} and repetitions is {repetitions}: both must be at least 2"
        )
    with full_rank_vectors(sampler) as vectors:
        gram = vectors @ vectors.T
        order = torch.arange(len(gram), device=gram.device).roll(1)  # the boundary vector is first
        root = torch.linalg.cholesky(gram[order][:, order])
    targets = pad(latents, (0, 1), value=1.0)[:, order]  # (K, N+1)
    logs = torch.stack([
        torch.stack([_log_orthant(row, root, particles, generator) for row in targets])
        for _ in range(repetitions)
    ])  # fmt: skip
    mean = torch.logsumexp(logs, 0) - math.log(repetitions)
    relative = (logs - mean).exp().std(0) / math.sqrt(repetitions)
    return Likelihood(-mean / math.log(2) - 1, relative / math.log(2))


def _log_orthant(
    target: Tensor, root: Tensor, particles: int, generator: torch.Generator
) -> Tensor:
    """Estimate of log P(x in the orthant of ``target``, (D,)), x ~ N(0, L Lᵀ), as a scalar."""
    # In the coordinates y ∘ target the orthant is the positive one.
    root = target[:, None] * root * target
    size = len(root)
    y = torch.zeros(size, particles, dtype=root.dtype, device=root.device)
    weight = torch.zeros(particles, dtype=root.dtype, device=root.device)  # logarithms
    found = torch.zeros((), dtype=root.dtype, device=root.device)
    for i in range(size):
        least = -(root[i, :i] @ y[:i]) / root[i, i]  # y_i must be above it
        y[i] = _above(least, 1 - draw_uniforms((particles,), generator, y))
        weight += torch.special.log_ndtr(-least)
        total = torch.logsumexp(weight, 0)
        share = (weight - total).exp()
        if i + 1 < size and float(1 / share.square().sum()) < _FEW * particles:
            found += total - math.log(particles)
            y[: i + 1] = y[: i + 1, _systematic(share, generator)]
            weight.zero_()
            _move(y[: i + 1], root[: i + 1, : i + 1], generator)
    return found + torch.logsumexp(weight, 0) - math.log(particles)


def _move(y: Tensor, root: Tensor, generator: torch.Generator) -> None:
    """One sweep of Gibbs sampling: y, (I, M) ~ N(0, I) given that L y > 0, in place."""
    products = (root @ y).T.clamp(min=_LEAST).contiguous()  # x = L y, (M, I), kept above 0
    ratios = torch.empty_like(products)
    for j in range(len(y)):
        column, rows, ratio = root[j:, j].contiguous(), products[:, j:], ratios[:, j:]
        # Row k lets y_j change by d while x_k + L_kj d > 0: d > -x_k / L_kj for L_kj > 0, and
        # d < -x_k / L_kj for L_kj < 0. The extreme ratios L_kj / x_k have the narrowest bounds.
        torch.div(column, rows, out=ratio)
        most, least = ratio.amax(1), ratio.amin(1)
        low = torch.where(most > 0, y[j] - 1 / most, -math.inf)
        high = torch.where(least < 0, y[j] - 1 / least, math.inf)
        drawn = _between(low, high, 1 - draw_uniforms((y.shape[1],), generator, y))
        rows.addr_(drawn - y[j], column).clamp_(min=_LEAST)
        y[j] = drawn


def _tail(x: Tensor) -> Tensor:
    """P(Z > x) of a standard normal Z; ``ndtr`` has no digits left beyond 8 standard deviations."""
    return torch.special.erfc(x * math.sqrt(0.5)) / 2


def _above(least: Tensor, chance: Tensor) -> Tensor:
    """Standard normal numbers above a bound, by inversion of the upper tail."""
    tail = _tail(least) * chance
    drawn = -torch.special.ndtri(tail)
    return torch.where(tail > 0, torch.maximum(drawn, least), least)


def _between(low: Tensor, high: Tensor, chance: Tensor) -> Tensor:
    """Standard normal numbers between bounds; from the tail that keeps its precision.

    Rounding must not choose the tail: many bounds are zero, none is 1.
    """
    mirrored = low > 1
    a, b = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
    below, above = _tail(-a), _tail(-b)
    drawn = torch.special.ndtri(below + (above - below) * chance).clamp(a, b)
    drawn = torch.where(drawn.isfinite(), drawn, torch.where(a.isfinite(), a, b))
    return torch.where(mirrored, -drawn, drawn)


def _systematic(share: Tensor, generator: torch.Generator) -> Tensor:
    """Indices of resampled particles, int64 (M,)."""
    count = len(share)
    start = draw_uniforms((), generator, share)
    places = (torch.arange(count, dtype=share.dtype, device=share.device) + start) / count
    return torch.searchsorted(share.cumsum(0), places).clamp(max=count - 1)
