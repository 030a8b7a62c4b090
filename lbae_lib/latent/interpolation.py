"""Spherical interpolation between hyperplane normals, and the path of the bits (Section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lbae_lib.bits import hamming_distance
from lbae_lib.latent.hyperplane import HyperplaneSampler

# Below this sine the arc is a chord to rounding error, or has no direction (antipodes).
_SMALL_SINE = 1e-9
_CHUNK = 160  # points whose products are taken at a time


def slerp(source: Tensor, target: Tensor, steps: int) -> Tensor:
    """Points on the great circle from source to target, at equal angles, ends included.

    Args:
        source: (K, R), any length but zero; only directions count.
        target: (K, R).
        steps: T >= 2 points.

    Returns:
        Unit vectors (K, T, R).

    Raises:
        ValueError: if steps is below 2, or a pair points in opposite directions, between which
            there are infinitely many shortest paths.

    Reference:
        K. Shoemake (1985), *Animating rotation with quaternion curves*, SIGGRAPH.
    """
    a, b = normalize(source.double(), dim=-1), normalize(target.double(), dim=-1)
    weight_a, weight_b = _weights(a, b, steps)
    return weight_a[..., None] * a[:, None] + weight_b[..., None] * b[:, None]


def interpolate_bits(
    sampler: HyperplaneSampler, source: Tensor, target: Tensor, steps: int
) -> Tensor:
    """The bits along great circles: ``sampler.bits(slerp(source, target, steps))``, faster.

    A point of the circle is a sum of its ends, so only their products with V are needed.

    Args:
        sampler: gives V.
        source: normals (K, R).
        target: normals (K, R).
        steps: T >= 2 points.

    Returns:
        (K, T, N) in {-1, +1}.

    Raises:
        ValueError: as :func:`slerp`.
    """
    a, b = normalize(source.double(), dim=-1), normalize(target.double(), dim=-1)
    weight_a, weight_b = _weights(a, b, steps)
    vectors = sampler.vectors.double().T
    in_a, in_b = (torch.cat([a, b]) @ vectors)[:, None].chunk(2)
    path = torch.empty(len(a), steps, sampler.latent_size, device=a.device)
    # A few pairs at a time, so that their products stay in cache.
    chunk = max(1, _CHUNK // steps)
    for start in range(0, len(a), chunk):
        part = slice(start, start + chunk)
        products = weight_a[part, :, None] * in_a[part]
        products.addcmul_(weight_b[part, :, None], in_b[part])
        path[part] = sampler.bits_of_products(products)
    return path


def _weights(a: Tensor, b: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """How much of each end is in each point, twice (K, T), for unit vectors (K, R)."""
    if steps < 2:
        raise ValueError(f"steps is {steps}, but a path needs its 2 ends")
    # atan2 of chord lengths keeps its precision where acos of a dot product loses it.
    angle = 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))  # (K,)
    sine = torch.sin(angle)
    if bool(((sine < _SMALL_SINE) & (angle > 1)).any()):
        raise ValueError("source and target are antipodes: no shortest path between them")
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)
    parallel = (sine < _SMALL_SINE)[:, None]
    safe = torch.where(parallel, 1.0, sine[:, None])
    weight_a = torch.where(parallel, 1 - t, torch.sin((1 - t) * angle[:, None]) / safe)
    weight_b = torch.where(parallel, t, torch.sin(t * angle[:, None]) / safe)
    return weight_a, weight_b


def hamming_path(path: Tensor) -> tuple[Tensor, Tensor]:
    """Distances of each step from both ends, as shares of the distance of the ends (Figure 9).

    Args:
        path: bits (K, T, N); pairs whose ends are equal are left out.

    Returns:
        Two float64 tensors (K', T): distance from the first and from the last step.
    """
    length = hamming_distance(path[:, 0], path[:, -1]).double()
    kept = path[length > 0]
    length = length[length > 0][:, None]
    source = hamming_distance(kept, kept[:, :1]) / length
    target = hamming_distance(kept, kept[:, -1:]) / length
    return source, target


def deviation_from_linear(distances: Tensor) -> float | None:
    """Largest distance of the mean path from a linear one, as a share of the ends' distance.

    Args:
        distances: (K, T), the first of what :func:`hamming_path` gives.

    Returns:
        None if there is no path: no pair's ends differ.
    """
    if not len(distances):
        return None
    line = torch.linspace(0, 1, distances.shape[1], dtype=distances.dtype)
    return float((distances.mean(0) - line).abs().max())
