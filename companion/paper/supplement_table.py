"""The supplement's Table 1, recomputed from the networks."""

import math
from dataclasses import dataclass

from companion.experiments.profiles import load_experiment
from companion.paper.tables import published

# The codes of van den Oord et al. (2017) on CIFAR-10: 8×8×10 indices of 512 embeddings.
VQ_VAE = (8 * 8 * 10, 512)


@dataclass(frozen=True)
class Arithmetic:
    """A row of the supplement's Table 1: bits counted, not coded."""

    method: str  # as in the paper
    published: float  # bits of a latent
    counted: int  # bits of a latent of the networks of the profile ``paper``
    published_ratio: float  # bits of an image over bits of its latent
    ratio: float  # the same ratio, from the networks
    ratio_of_bytes: float  # the same ratio if every value of an image counts as 8 bits
    fid: float | None  # published FID of reconstructions; None where the paper leaves it out


def arithmetic(data: str) -> list[Arithmetic]:
    """The supplement's Table 1 for "mnist", "cifar10" or "celeba", recomputed."""
    lbae, vae = (load_experiment("paper", data, model).network for model in ("lbae", "vae"))
    values = lbae.channels * lbae.image_size**2
    depth = _cell("Image", data, "bits") / values  # the paper counts MNIST's pixels as 1 bit
    indices, embeddings = VQ_VAE
    counted = {"LBAE (ours)": lbae.latent_size, "VAE (ours)": 32 * vae.latent_size}
    if data == "cifar10":
        counted["VQ-VAE"] = indices * math.ceil(math.log2(embeddings))
    rows = []
    for method, bits in counted.items():
        fid = published("supplement_table_1", method, data, "fid")
        rows.append(
            Arithmetic(
                method,
                published=_cell(method, data, "bits"),
                counted=bits,
                published_ratio=_cell(method, data, "ratio"),
                ratio=depth * values / bits,
                ratio_of_bytes=8 * values / bits,
                fid=fid if isinstance(fid, float) else None,
            )
        )
    return rows


def _cell(method: str, data: str, column: str) -> float:
    value = published("supplement_table_1", method, data, column)
    if not isinstance(value, int | float):
        raise ValueError(f"the supplement's Table 1 has no number {column} of {method} on {data}")
    return float(value)
