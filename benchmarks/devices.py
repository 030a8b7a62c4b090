"""The library's functions on an accelerator, each against the same call on the processor.

    python benchmarks/devices.py [--device cuda] [--small]

At the sizes of MNIST (N = 200) and CelebA (N = 1,500): the largest difference, the share of values
that differ, and seconds on both, the device's without the first call. Prints a table, and writes a
record to runs/performance/.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import OUTPUT, machine, write_record
from torch import Tensor
from training import blobs

from lbae_lib.bits import pack_bits, signs, unpack_bits
from lbae_lib.latent import inversion
from lbae_lib.latent.correlation import gram_matrix, repair
from lbae_lib.latent.hyperplane import hyperplane_sampler
from lbae_lib.latent.moments import moments
from lbae_lib.metrics.classifier import FeatureClassifier
from lbae_lib.models.autoencoders import LBAE, build_model
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.encoding import decode, encode
from lbae_lib.models.hardware import choose_device


def compare(device: str, small: bool) -> list[list[str | float]]:
    """Rows of the table: function, N, largest difference, share of different values, seconds."""
    rows: list[list[str | float]] = []
    for size, channels, bits in ((32, 1, 24),) if small else ((32, 1, 200), (64, 3, 1500)):
        network = NetworkConfig(image_size=size, channels=channels, latent_size=bits,
                                width=4 if small else 64)  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = build_model(network).eval().requires_grad_(False)
        images = blobs(64 if small else 512, channels, size)
        generator = torch.Generator().manual_seed(1)
        classes = signs(torch.randn(12, bits, generator=generator))
        chosen = torch.randint(12, (4000,), generator=generator)
        flipped = torch.rand(4000, bits, generator=generator) < 0.15
        latents = torch.where(flipped, -classes[chosen], classes[chosen])
        assert isinstance(model, LBAE)
        for name, function in _functions(model, images, latents).items():
            function(device)  # the first call compiles and allocates
            (theirs, slow), (ours, fast) = (_timed(function, where) for where in ("cpu", device))
            difference = (ours - theirs).abs()
            different = float((difference > 0).double().mean())
            rows.append([name, bits, float(difference.max()), different, slow, fast])
    return rows


def _timed(function: Callable[[str], Tensor], where: str) -> tuple[Tensor, float]:
    """Its result on the processor in double precision, and the seconds until it is there."""
    began = time.perf_counter()
    result = function(where).cpu().double()
    return result, time.perf_counter() - began


def _functions(model: LBAE, images: Tensor, latents: Tensor) -> dict[str, Callable[[str], Tensor]]:
    """What is compared, as functions of a device that give a tensor."""
    count, bits = 64, latents.shape[1]
    truth = moments(latents)
    sampler, _ = hyperplane_sampler(truth, "clip")
    blended = inversion.full_rank(sampler)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = FeatureClassifier(images.shape[1], 10).eval().requires_grad_(False)

    def normals(where: str) -> Tensor:
        on = type(blended)(blended.vectors.to(where))
        return inversion.exact(
            latents[:count].double().to(where), on, torch.Generator().manual_seed(3), 3
        ).normals

    return {
        "encode": lambda d: encode(model.to(d), images),
        "decode": lambda d: decode(model.to(d), latents[:count]),
        "features": lambda d: classifier.to(d).features(images.to(d)),
        "moments": lambda d: moments(latents.to(d)).matrix,
        "repair": lambda d: repair(gram_matrix(truth.matrix.to(d)), "nearest").matrix,
        "sample": lambda d: type(sampler)(sampler.vectors.to(d)).sample(
            1000, torch.Generator().manual_seed(2)
        ),
        "inversion": normals,
        "unpack": lambda d: unpack_bits(pack_bits(latents).to(d), bits),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--small", action="store_true", help="one tiny network")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    rows = compare(choose_device(options.device), options.small)
    header = ["function", "N", "largest difference", "share different", "processor, s", "device, s"]
    caption = (
        "Each function on the device against the same call on this machine's processor, in "
        f"{torch.get_num_threads()} threads; the device's seconds are without the first call. "
        "Latents: 4,000 of 12 classes with 15% of their bits flipped."
    )
    write_record(options.output, "devices", machine(), header, rows, caption)


if __name__ == "__main__":
    main()
