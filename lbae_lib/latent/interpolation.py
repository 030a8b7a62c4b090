"""Spherical interpolation of hyperplane normals, and the paths of the bits (Section 3.3)."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lbae_lib.bits import hamming_distance
from lbae_lib.latent.hyperplane import HyperplaneSampler

# Below this sine the arc equals its chord up to rounding, or has no direction (antipodes).
_SMALL_SINE = 1e-9
_CHUNK = 160  # points whose products are computed at a time, so that they stay in cache


def slerp(source: Tensor, target: Tensor, steps: int) -> Tensor:
    """Spherical linear interpolation: points at equal angles on the great circle.

    Source and target are (K, R), of any length. Returns unit vectors, float64 (K, T, R), for
    T = ``steps`` >= 2 points, both ends included. Zero has no direction: points on a path from or
    to it have the direction of the other end, and lengths from 0 to 1.

    Raises:
        ValueError: if steps is below 2, R is 1, or a source and its target point in opposite
            directions.

    Reference:
        K. Shoemake (1985), *Animating rotation with quaternion curves*, SIGGRAPH.
    """
    a, b = normalize(source.double(), dim=-1), normalize(target.double(), dim=-1)
    weight_a, weight_b = _weights(a, b, steps)
    return weight_a[..., None] * a[:, None] + weight_b[..., None] * b[:, None]


def interpolate_bits(
    sampler: HyperplaneSampler, source: Tensor, target: Tensor, steps: int, boundary: bool = True
) -> Tensor:
    """The bits along great circles (Eq. 12): ``sampler.bits(slerp(source, target, steps))``.

    Returns float32 (K, T, N) in {-1, +1}; errors are those of :func:`slerp`. ``boundary`` is that
    of :meth:`lbae_lib.latent.hyperplane.HyperplaneSampler.bits`.
    """
    # A point is a weighted sum of the ends: only the products of the ends with V are computed.
    a, b = normalize(source.double(), dim=-1), normalize(target.double(), dim=-1)
    weight_a, weight_b = _weights(a, b, steps)
    vectors = sampler.vectors.double().T
    products_a, products_b = (torch.cat([a, b]) @ vectors)[:, None].chunk(2)  # (K, 1, N+1)
    path = torch.empty(len(a), steps, sampler.latent_size, device=a.device)
    chunk = max(1, _CHUNK // steps)
    for start in range(0, len(a), chunk):
        part = slice(start, start + chunk)
        products = weight_a[part, :, None] * products_a[part]
        products.addcmul_(weight_b[part, :, None], products_b[part])
        path[part] = sampler.bits_of_products(products, boundary)
    return path


def _weights(a: Tensor, b: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The weights of both ends in each point, twice (K, T), for unit vectors (K, R)."""
    _check_steps(steps)
    if a.shape[-1] == 1:
        raise ValueError(
            "normals of one number have no path between them: the sampler has rank 1, as its "
            "latents are all equal; use full_rank(sampler), or other latents"
        )
    # atan2 of chord lengths keeps its precision where acos of a dot product loses it.
    angle = 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))  # (K,)
    sine = torch.sin(angle)
    if bool(((sine < _SMALL_SINE) & (angle > 1)).any()):
        raise ValueError(
            "source and target are antipodes: there is no single shortest path; move one of them"
        )
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)
    parallel = (sine < _SMALL_SINE)[:, None]
    safe = torch.where(parallel, 1.0, sine[:, None])
    weight_a = torch.where(parallel, 1 - t, torch.sin((1 - t) * angle[:, None]) / safe)
    weight_b = torch.where(parallel, t, torch.sin(t * angle[:, None]) / safe)
    return weight_a, weight_b


def _check_steps(steps: int) -> None:
    if steps < 2:
        raise ValueError(f"steps is {steps}, but must be at least 2: a path contains its ends")


def flip_path(source: Tensor, target: Tensor, steps: int, order: Tensor) -> Tensor:
    """Paths on which the differing bits flip one after another, about as many per step.

    A baseline for paths of hyperplanes: it needs no sampler, and its ends are exact.

    Source and target are (K, N) in {-1, +1}. Of the differing bits, those with lower values in
    ``order``, floating-point (K, N), flip first. Returns float32 (K, T, N) in {-1, +1}, for
    T = ``steps`` >= 2 points, both ends included; fewer are a ``ValueError``.
    """
    _check_steps(steps)
    differs = source != target
    place = order.masked_fill(~differs, torch.inf).argsort(1).argsort(1)  # 0 for the first to flip
    number = differs.sum(1, keepdim=True)
    due = (number * torch.linspace(0, 1, steps, device=number.device)).round()  # (K, T)
    flipped = (place[:, None] < due[..., None]) & differs[:, None]
    return torch.where(flipped, target[:, None], source[:, None]).float()


def hamming_path(path: Tensor, ends: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Hamming distances (Eq. 16) along a path, relative to that between its ends (Figure 9).

    Args:
        path: bits, (K, T, N) in {-1, +1}; paths whose ends are equal are left out.
        ends: source and target, (K, N) each, from which distances are measured: the true latents,
            as Section 4.2 says. By default the path's own ends, as in the authors' code, where
            the bits that an inversion gets wrong do not show.

    Returns:
        The distances of each point of the K' other paths from source and target, float64 (K', T).
    """
    first, last = (path[:, 0], path[:, -1]) if ends is None else (end.to(path) for end in ends)
    length = hamming_distance(first, last).double()
    kept = length > 0
    path, first, last, length = path[kept], first[kept], last[kept], length[kept][:, None]
    source = hamming_distance(path, first[:, None]) / length
    target = hamming_distance(path, last[:, None]) / length
    return source, target


def deviation_from_linear(distances: Tensor) -> float | None:
    """Largest difference between the mean path and a linear one; None if there is no path.

    ``distances`` are those from the source, (K, T), as :func:`hamming_path` returns them.
    """
    if not len(distances):
        return None
    line = torch.linspace(0, 1, distances.shape[1], dtype=distances.dtype, device=distances.device)
    return float((distances.mean(0) - line).abs().max())
