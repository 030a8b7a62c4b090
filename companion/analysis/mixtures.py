"""Mixtures of Gaussians that are kept on disk, by what they are fitted to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from lbae_lib.files import read_tensors, sha256_tensor, write_tensors
from lbae_lib.latent.gaussians import GaussianMixture

VERSION = 1  # of the fit; raised by hand when it gives another mixture


def fitted_mixture(latents: Tensor, components: int, cache: Path | None) -> GaussianMixture:
    """A mixture of Gaussians fitted to latents, (K, N), from the cache if it has it.

    The name of an entry is a hash of the latents, so that it is never out of date.
    """
    if cache is None:
        return GaussianMixture.fit(latents, components)
    entry = cache / f"{sha256_tensor(latents)}-{components}-{VERSION}.safetensors"
    if entry.exists():
        tensors, about = read_tensors(entry, "mixture of Gaussians", "delete this file")
        fields: dict[str, Any] = {k: v.to(latents.device) for k, v in tensors.items()}
        return GaussianMixture(**fields, **about)
    mixture = GaussianMixture.fit(latents, components)
    tensors = {k: v for k, v in vars(mixture).items() if isinstance(v, Tensor)}
    write_tensors(entry, tensors, {k: v for k, v in vars(mixture).items() if k not in tensors})
    return mixture
