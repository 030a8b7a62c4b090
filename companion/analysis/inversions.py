"""The inversions that the pages compare: key, label and function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.latent import inversion
from lbae_lib.latent.algorithm_1 import authors_procedure, restored_algorithm_1
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.inversion import Inversion


@dataclass(frozen=True)
class InversionMethod:
    """A way from latents back to hyperplane normals.

    Attributes:
        label: for tables and figures.
        invert: from latents (K, N), a sampler and the generator of random margins.
        full_rank: whether it needs a sampler of full rank; see
            :func:`lbae_lib.latent.inversion.full_rank`.
        boundary: whether bits are those of Eq. 12; if not, the raw signs.
    """

    label: str
    invert: Callable[[Tensor, HyperplaneSampler, torch.Generator], Inversion]
    full_rank: bool = False
    boundary: bool = True


INVERSIONS: Mapping[str, InversionMethod] = {
    "algorithm_1": InversionMethod(
        "Algorithm 1", lambda bits, sampler, _: inversion.algorithm_1(bits, sampler)
    ),
    "centroids": InversionMethod(
        "difference of centroids (Eq. 14)",
        lambda bits, sampler, _: inversion.centroid_difference(bits, sampler),
    ),
    "both_halves": InversionMethod(
        "Eq. 14 applied to Algorithm 1",
        lambda bits, sampler, _: inversion.both_halves(bits, sampler),
    ),
    "least_change": InversionMethod(
        "Algorithm 1, wrong bits corrected",
        lambda bits, sampler, _: inversion.least_change(
            bits, sampler, inversion.algorithm_1(bits, sampler)
        ),
        full_rank=True,
    ),
    "unit_margins": InversionMethod(
        "exact, equal margins",
        lambda bits, sampler, _: inversion.exact(bits, sampler, None),
        full_rank=True,
    ),
    "exact": InversionMethod("exact, random margins", inversion.exact, full_rank=True),
    "authors": InversionMethod(
        "the authors' procedure",
        lambda bits, sampler, _: authors_procedure(bits, sampler),
        boundary=False,
    ),
    "restored": InversionMethod(
        "Algorithm 1, sign restored",
        lambda bits, sampler, _: restored_algorithm_1(bits, sampler),
    ),
}
LABELS = {key: method.label for key, method in INVERSIONS.items()}
