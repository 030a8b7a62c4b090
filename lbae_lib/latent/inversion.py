"""From a latent back to a hyperplane that generates it (Section 3.3, Algorithm 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from lbae_lib.bits import check_bits, hamming_distance
from lbae_lib.latent.hyperplane import HyperplaneSampler

_BLOCK = 64  # products updated one after another, before all others are told
_FARTHEST = 37.0  # standard deviations: the normal tail beyond is zero in double precision
_SMALLEST = 1e-12  # a margin; zero would have no sign


@dataclass(frozen=True)
class Inversion:
    """Hyperplane normals for latents.

    Attributes:
        normals: (K, R).
        wrong_bits: int64 (K,), Hamming distance of each latent from its hyperplane's bits
            (Eq. 16).
        steps: int64 (K,), correction steps taken; 0 for closed forms.
    """

    normals: Tensor
    wrong_bits: Tensor
    steps: Tensor


def algorithm_1(latents: Tensor, sampler: HyperplaneSampler, max_steps: int = 1000) -> Inversion:
    """The paper's Algorithm 1, as published, for a batch.

    Starts at the sum of the positive vectors (Eq. 13) and adds the vectors of the wrong bits
    until their number no longer falls. As published it returns the normal of the last step,
    the one that brought no gain.

    Args:
        latents: s, (K, N) in {-1, +1}.
        sampler: gives V.
        max_steps: a bound; each step lowers an integer, so N steps always suffice.
    """
    latents = _prepared(latents, sampler)
    start = _positive_part(latents) @ sampler.vectors[:-1]
    return _tilted(start, latents, sampler, max_steps)


def _tilted(
    normals: Tensor, latents: Tensor, sampler: HyperplaneSampler, max_steps: int
) -> Inversion:
    """Algorithm 1 from given normals (K, R)."""
    rows = sampler.vectors[:-1]
    best = torch.full((len(latents),), sampler.latent_size, device=latents.device)
    active = torch.ones(len(latents), dtype=torch.bool, device=latents.device)
    steps = torch.zeros_like(best)
    for _ in range(max_steps):
        errors = sampler.bits(normals) != latents  # Eq. 15
        distance = errors.sum(1)
        active &= distance < best
        if not bool(active.any()):
            break
        best = torch.where(active, distance, best)
        corrected = normalize(normals + errors.to(rows) @ rows, dim=1)
        normals = torch.where(active[:, None], corrected, normals)
        steps += active
    return _judged(normals, latents, sampler, steps)


def centroid_difference(latents: Tensor, sampler: HyperplaneSampler) -> Inversion:
    """r = r_p/‖r_p‖ - r_n/‖r_n‖, sums of the positive and negative vectors (Eqs. 13-14)."""
    latents = _prepared(latents, sampler)
    rows = sampler.vectors[:-1]
    positive = normalize(_positive_part(latents) @ rows, dim=1)
    negative = normalize(_positive_part(-latents) @ rows, dim=1)
    normals = positive - negative
    return _judged(normals, latents, sampler)


def both_halves(latents: Tensor, sampler: HyperplaneSampler, max_steps: int = 1000) -> Inversion:
    """Eq. 14 of normals by Algorithm 1, begun at the positive and at the negative vectors.

    The fullest reading of Section 3.3, which tilts r_p towards the vectors behind it, makes r_n
    «similarly», and takes their difference. A normal and its opposite generate the same bits
    (Eq. 12), so that r_n, too, is judged by s. Steps are those of both.

    Args:
        latents: s, (K, N) in {-1, +1}.
        sampler: gives V.
        max_steps: a bound, for each.
    """
    latents = _prepared(latents, sampler)
    rows = sampler.vectors[:-1]
    positive, negative = (
        _tilted(_positive_part(half) @ rows, latents, sampler, max_steps)
        for half in (latents, -latents)
    )
    normals = normalize(positive.normals, dim=1) - normalize(negative.normals, dim=1)
    return _judged(normals, latents, sampler, positive.steps + negative.steps)


def exact(
    latents: Tensor,
    sampler: HyperplaneSampler,
    generator: torch.Generator | None,
    sweeps: int = 10,
) -> Inversion:
    """A normal with no wrong bit: V r = [s, 1] ∘ m for margins m > 0.

    With ``generator`` the normal is a random one given its bits, r ~ N(0, I) under the condition
    that it generates s with the boundary vector on the positive side: V r ~ N(0, V Vᵀ) truncated
    to the orthant of [s, 1], by Gibbs sampling. Without, all margins are 1: the «degenerate»
    normal r = V⁻¹[s, 1] of Section 3.3, between two of which every differing bit crosses zero at
    the same angle.

    Args:
        latents: s, (K, N) in {-1, +1}.
        sampler: must have full rank R = N + 1; see :func:`full_rank`.
        generator: of the normals, or None for margins of 1.
        sweeps: of Gibbs sampling, from the margins of random hyperplanes whatever their bits;
            with 0 these are the margins.

    Raises:
        ValueError: if V is not square and well conditioned, or sweeps is negative.

    Reference:
        J. Geweke (1991), *Efficient simulation from the multivariate normal and Student-t
        distributions subject to linear constraints*.
    """
    if sweeps < 0:
        raise ValueError(f"sweeps is {sweeps}, but must be at least 0")
    latents = _prepared(latents, sampler)
    vectors = sampler.vectors
    _check_square(vectors)
    target = pad(latents, (0, 1), value=1.0)
    if generator is not None:
        products = target * (sampler.normals(len(latents), generator) @ vectors.T).abs()
        inverse = torch.cholesky_inverse(_lower_factor(vectors))
        target = _truncated_gaussian(products, inverse, sweeps, generator)
    normals = torch.linalg.solve(vectors, target.T).T
    return _judged(normals, latents, sampler)


def _lower_factor(vectors: Tensor) -> Tensor:
    return torch.linalg.cholesky(vectors @ vectors.T)


def _truncated_gaussian(
    start: Tensor, precision: Tensor, sweeps: int, generator: torch.Generator
) -> Tensor:
    """Gaussian vectors of mean zero that keep the signs of their start, by Gibbs sampling.

    Args:
        start: float64 (K, D), no entry zero.
        precision: Q, the inverse of the covariance, (D, D).
        sweeps: over all D coordinates.
        generator: of the draws.

    Returns:
        (K, D).
    """
    signs, values = start.sign().T, start.T.clone()  # a coordinate of all K is contiguous
    diagonal = precision.diagonal()
    weights, spreads = diagonal.reciprocal().tolist(), diagonal.rsqrt().tolist()
    blocks = torch.arange(len(values), device=values.device).split(_BLOCK)
    for _ in range(sweeps):
        for block in blocks:
            among = precision[block][:, block].unbind(1)
            before = values[block]
            pull = precision[block] @ values  # Q y, kept up to date within the block
            chance = 1 - torch.rand(
                before.shape, generator=generator, dtype=values.dtype, device=values.device
            )
            rows = zip(block.tolist(), among, pull.unbind(), chance.unbind(), strict=True)
            for i, column, pulled, share in rows:
                sign, value = signs[i], values[i]
                # Given the others, s y is Gaussian with this mean, above zero.
                mean = torch.sub(value, pulled, alpha=weights[i]).mul_(sign)
                least = mean.div(-spreads[i]).clamp_(max=_FARTHEST)
                tail = least.mul(math.sqrt(0.5)).erfc_().mul_(share).mul_(0.5)
                drawn = torch.special.ndtri(tail).neg_().maximum(least)
                moved = mean.add_(drawn, alpha=spreads[i]).clamp_(min=_SMALLEST).mul_(sign)
                pull.addr_(column, moved - value)
                value.copy_(moved)
    return values.T


def least_change(
    latents: Tensor, sampler: HyperplaneSampler, start: Inversion, share: float = 0.1
) -> Inversion:
    """An exact normal near another one: only margins of wrong bits change.

    A bit that ``start`` gets right keeps its margin; a wrong one gets ``share`` of the latent's
    mean margin, on the right side.

    Args:
        latents: s, (K, N) in {-1, +1}.
        sampler: must have full rank; see :func:`full_rank`.
        start: e.g. of :func:`algorithm_1` with the same sampler.
        share: above 0.

    Raises:
        ValueError: if V is not square, or share is not positive.
    """
    if not share > 0:
        raise ValueError(f"share is {share}, but must be above 0")
    latents = _prepared(latents, sampler)
    _check_square(sampler.vectors)
    signed = pad(latents, (0, 1), value=1.0)
    products = start.normals.to(sampler.vectors) @ sampler.vectors.T
    # The hyperplane -r has the same bits: the boundary vector's side is the positive one.
    margins = signed * products * torch.where(products[:, -1:] >= 0, 1.0, -1.0)
    least = share * margins.abs().mean(1, keepdim=True)
    target = signed * torch.where(margins > 0, margins, least)
    return _judged(torch.linalg.solve(sampler.vectors, target.T).T, latents, sampler)


def full_rank(sampler: HyperplaneSampler, weight: float = 0.01) -> HyperplaneSampler:
    """The sampler of (1 - weight) H + weight I, which can reach every latent.

    Args:
        sampler: any sampler.
        weight: share of the identity; 0.01 moves a pair moment of 0.5 by about 0.006.
    """
    if not 0 < weight <= 1:
        raise ValueError(f"weight is {weight}, but must be in (0, 1]")
    gram = sampler.vectors @ sampler.vectors.T
    blended = ((1 - weight) * gram).fill_diagonal_(1.0)
    return HyperplaneSampler(torch.linalg.cholesky(blended))


def _judged(
    normals: Tensor, latents: Tensor, sampler: HyperplaneSampler, steps: Tensor | None = None
) -> Inversion:
    wrong = hamming_distance(sampler.bits(normals), latents)
    return Inversion(normals, wrong, torch.zeros_like(wrong) if steps is None else steps)


def _check_square(vectors: Tensor) -> None:
    if vectors.shape[0] != vectors.shape[1]:
        raise ValueError(
            f"V has rank {vectors.shape[1]} of {vectors.shape[0]}: not every latent has a "
            "hyperplane; blend it with full_rank(sampler) first"
        )


def _positive_part(latents: Tensor) -> Tensor:
    """u(s) = (1 + s) / 2 of Eq. 13."""
    return (1 + latents) / 2


def _prepared(latents: Tensor, sampler: HyperplaneSampler) -> Tensor:
    check_bits(latents, "latents")
    if latents.ndim != 2 or latents.shape[1] != sampler.latent_size:
        raise ValueError(
            f"latents have shape {tuple(latents.shape)}, but the sampler is for "
            f"(K, {sampler.latent_size})"
        )
    return latents.to(sampler.vectors)
