"""How time and memory grow with the bits, the latents, and the images.

    python benchmarks/scaling.py [--bits 100 200 400 800 1500 3000] [--latents 10000 100000 1000000]

Every size has a process of its own. Writes three records and a plot to runs/performance/: the
latent mathematics against N, the moments of packed latents against their number, and training
against side and width. The exponent p of a cost a·Nᵖ is fitted by least squares of the logarithms
over the sizes from 400 on, where fixed costs no longer count.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from latent import correlated_bits
from machine import OUTPUT, machine, measure_apart, measured, write_record
from matplotlib.figure import Figure

from companion.figures.style import ONE_COLUMN, new_figure, styled
from lbae_lib.bits import pack_bits
from lbae_lib.latent.algorithm_1 import restored_algorithm_1
from lbae_lib.latent.correlation import clip, factor, gram_matrix, nearest
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.moments import moments, moments_of_packed
from lbae_lib.models.autoencoders import build_model, reconstruction_loss
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.hardware import choose_precision, keep_freed_memory

SAMPLES, PATHS, COUNTED = 10_000, 100, 20_000
HOUR = 3600.0
FROM = 400  # the smallest N of a fit
# Side and width of the paper's networks, and batch.
NETWORKS = ((32, 16, 128), (32, 32, 128), (32, 64, 128), (64, 32, 64), (64, 64, 64))
# Images x epochs of a training: the paper's CelebA (Table 3), and ImageNet at 128 pixels, the case
# that the supplement leaves unexplored, in a tenth of CelebA's epochs.
PLANS = (("CelebA as in the paper", 64, 162_770 * 500), ("ImageNet", 128, 1_281_167 * 50))


def latent_costs(width: int) -> dict[str, dict[str, float]]:
    """The costs of each step of the latent mathematics at N bits."""
    bits, generator = correlated_bits(COUNTED, width), torch.Generator().manual_seed(0)
    torch.linalg.eigh(torch.eye(8))  # loads the library
    found = {f"moments of {COUNTED:,} latents": measured(partial(moments, bits))}
    gram = gram_matrix(moments(bits).matrix)
    found["repair, clipping"] = measured(partial(clip, gram))
    found["repair, nearest correlation matrix"] = measured(partial(nearest, gram))
    repaired = clip(gram)[0]
    found["factor V of H"] = measured(partial(factor, repaired))
    sampler = HyperplaneSampler(factor(repaired))
    found[f"{SAMPLES:,} samples"] = measured(partial(sampler.sample, SAMPLES, generator))
    invert = partial(restored_algorithm_1, bits[:PATHS], sampler)
    found[f"inversion of {PATHS} latents"] = measured(invert)
    return found


def moment_costs(count: int, width: int = 1500) -> dict[str, float]:
    """The cost of the moments of packed latents, which are unpacked in chunks."""
    packed = pack_bits(correlated_bits(10_000, width)).repeat(math.ceil(count / 10_000), 1)[:count]
    return measured(partial(moments_of_packed, packed, width)) | {"packed": packed.numel() / 2**20}


def training_costs(side: int, width: int, batch: int) -> dict[str, float]:
    """Images per second of training steps, and the floating-point operations of an image."""
    from torch.utils.flop_counter import FlopCounterMode

    config = NetworkConfig(
        image_size=side, channels=3, latent_size=side * side * 3 // 5, width=width
    )
    model = build_model(config, "cpu").to(memory_format=torch.channels_last).train()
    adam = torch.optim.Adam(model.parameters(), fused=True)
    images = torch.rand(batch, 3, side, side)
    mixed = choose_precision("auto", "cpu") == "bf16-mixed"
    keep_freed_memory()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = reconstruction_loss(model(images), images, "mse").mean()
        adam.zero_grad()
        loss.backward()
        adam.step()

    with FlopCounterMode(display=False) as flops:
        step()
    fastest = measured(step, repeat=4)["seconds"]
    return {"images_per_second": batch / fastest, "flops": flops.get_total_flops() / batch}


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """p and a of the cost a·sizeᵖ, by least squares of the logarithms."""
    slope, offset = np.polyfit(np.log(sizes), np.log(costs), 1)
    return float(slope), float(np.exp(offset))


def limit_of(bound: float, sizes: Sequence[float], costs: Sequence[float]) -> int:
    """The size at which the fitted cost reaches a bound, to two digits."""
    power, factor_ = exponent(sizes, costs)
    return int(float(f"{(bound / factor_) ** (1 / power):.1e}"))


@styled
def growth(found: dict[int, dict[str, dict[str, float]]]) -> Figure:
    """Seconds of each step against N, on logarithmic axes."""
    figure, (axis,) = new_figure(width=1.5 * ONE_COLUMN, height=2.9)
    for task in found[min(found)]:
        axis.plot(list(found), [costs[task]["seconds"] for costs in found.values()], "o-", ms=3,
                  label=task)  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="N, bits", ylabel="seconds")
    axis.legend(fontsize=6)
    return figure


def bits_record(sizes: Sequence[int], output: Path) -> None:
    found: dict[int, dict[str, dict[str, float]]] = {}
    for size in sizes:
        print(f"N = {size} …", flush=True)
        found[size] = measure_apart(__file__, "--alone", "bits", str(size))
    large = [size for size in sizes if size >= FROM]
    rows = []
    for task in found[sizes[0]]:
        seconds = [found[size][task]["seconds"] for size in sizes]
        late = seconds[-len(large) :]
        matrices = found[sizes[-1]][task]["MiB"] * 2**17 / sizes[-1] ** 2
        rows.append(
            (task, *seconds, exponent(large, late)[0], limit_of(HOUR, large, late), matrices)
        )
    header = ("step", *(f"N = {size:,}: s" for size in sizes), "exponent", "N in an hour",
              "N × N matrices at the peak")  # fmt: skip
    caption = (
        "Seconds on synthetic latents of 50 patterns with a fifth of the bits flipped; the "
        f"exponent of N from N = {FROM} on, and the N at which the fitted time is an hour, an "
        f"extrapolation; peak memory above the inputs at N = {sizes[-1]:,}, in matrices of float64 "
        "(8 N² bytes)."
    )
    alt = "Seconds of each step of the latent mathematics against the number of bits"
    path = write_record(
        output, "scaling-bits", machine(), header, rows, caption,
        figure={"alt": alt, "caption": f"{alt}, on logarithmic axes."},
    )  # fmt: skip
    growth(found).savefig(path.with_suffix(".png"), dpi=200)


def latents_record(counts: Sequence[int], output: Path) -> None:
    rows = []
    for count in counts:
        print(f"{count:,} latents …", flush=True)
        costs = measure_apart(__file__, "--alone", "latents", str(count))
        rows.append(
            (count, costs["packed"], costs["seconds"], count / costs["seconds"], costs["MiB"])
        )
    header = ("latents", "packed, MiB", "seconds", "latents/s", "peak above the packed bits, MiB")
    power = exponent([row[0] for row in rows], [row[2] for row in rows])[0]
    caption = (
        "Moments of packed latents of 1,500 bits, unpacked 4,096 at a time: time grows with the "
        f"power {power:.2f} of their number, memory does not grow."
    )
    write_record(output, "scaling-latents", machine(), header, rows, caption)


def training_record(output: Path) -> None:
    rows, speed = [], 0.0
    for side, width, batch in NETWORKS:
        print(f"training at {side} pixels, width {width} …", flush=True)
        costs = measure_apart(__file__, "--alone", "training", str(side), str(width), str(batch))
        speed = costs["images_per_second"] * costs["flops"]  # the last is the paper's largest
        rate = costs["images_per_second"]
        rows.append((f"{side} px, width {width}", costs["flops"] / 1e9, rate, speed / 1e9))
    per_image = {
        64: costs["flops"],
        128: 4 * costs["flops"],
    }  # a block more, at four times the pixels
    planned = [
        f"{name} at {side} px, {seen / 1e6:,.0f} million images seen: "
        f"{seen * per_image[side] / 1e18:,.1f} EFLOP, "
        f"{seen * per_image[side] / speed / 86400:,.0f} days on this machine"
        for name, side, seen in PLANS
    ]
    header = ("network", "GFLOP an image", "images/s", "GFLOP/s")
    caption = (
        "Training steps of LBAEs on random images, forward and backward. At the rate of the last "
        f"row: {'; '.join(planned)}. A network for 128 pixels is counted as four times that for 64."
    )
    write_record(output, "scaling-training", machine(), header, rows, caption)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bits", type=int, nargs="+", default=[100, 200, 400, 800, 1500, 3000])
    parser.add_argument("--latents", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--alone", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        what, *numbers = options.alone
        costs: dict[str, Callable[..., object]] = {
            "bits": latent_costs, "latents": moment_costs, "training": training_costs
        }  # fmt: skip
        print(json.dumps(costs[what](*map(int, numbers))))
        return
    bits_record(sorted(options.bits), options.output)
    latents_record(sorted(options.latents), options.output)
    training_record(options.output)


if __name__ == "__main__":
    main()
