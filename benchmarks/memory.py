"""Peak memory of training at 64 pixels, with few images and with as many as CelebA has.

    python benchmarks/memory.py [--images 10000 162770] [--batch 64] [--seconds 30]

The images are random and kept in memory as bytes, as in any training. Each number of images has a
training in a process of its own. Prints a table and writes a record to runs/performance/.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from machine import OUTPUT, machine, measure_apart, peak_mib, write_record

from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.training import train

NETWORK = NetworkConfig(image_size=64, channels=3, latent_size=1500)
VALIDATION = 500


def measure(count: int, batch: int, seconds: float) -> dict[str, float]:
    """Memory of the images, and the peak of a training on them, in MiB."""
    shape = (count, NETWORK.channels, NETWORK.image_size, NETWORK.image_size)
    images = torch.randint(256, shape, dtype=torch.uint8)
    training = TrainingConfig(loss="mse", epochs=10**6, batch_size=batch)
    with tempfile.TemporaryDirectory() as folder:
        train(
            NETWORK, training, images[VALIDATION:], images[:VALIDATION], Path(folder),
            time_limit=seconds,
        )  # fmt: skip
    return {"images_MiB": images.numel() / 2**20, "peak_MiB": peak_mib()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 162_770])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measure(options.images[0], options.batch, options.seconds)))
        return
    rows = []
    for count in options.images:
        words = ("--batch", str(options.batch), "--seconds", str(options.seconds))
        found = measure_apart(__file__, "--alone", "--images", str(count), *words)
        rows.append((count, round(found["images_MiB"]), round(found["peak_MiB"])))
    header = ("training images", "size of the images, MiB", "peak memory, MiB")
    caption = (
        f"Random images of 3 × 64 × 64 pixels, network of width {NETWORK.width}, batches of "
        f"{options.batch}."
    )
    write_record(options.output, "memory", machine(), header, rows, caption)


if __name__ == "__main__":
    main()
