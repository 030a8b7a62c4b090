"""Peak memory of training at 64 pixels, for a small set of images and for one as large as CelebA.

    python benchmarks/memory.py [--images 10000 162770] [--batch 64] [--seconds 30]

The images are random bytes, as many as asked for, and kept in memory as bytes as in any training.
Each number of images is trained on in a process of its own. Prints a table and writes a record to
results/performance/.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from machine import OUTPUT, machine, write_record

from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.training import train

NETWORK = NetworkConfig(image_size=64, channels=3, latent_size=1500)
VALIDATION = 500


def measure(count: int, batch: int, seconds: float) -> dict[str, float]:
    """Peak memory of the process (without an accelerator) or of the accelerator, in MiB."""
    shape = (count, NETWORK.channels, NETWORK.image_size, NETWORK.image_size)
    images = torch.randint(256, shape, dtype=torch.uint8)
    training = TrainingConfig(loss="mse", epochs=10**6, batch_size=batch)
    with tempfile.TemporaryDirectory() as folder:
        train(
            NETWORK, training, images[VALIDATION:], images[:VALIDATION], Path(folder),
            time_limit=seconds,
        )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 2**20
    return {"images": count, "images_MiB": images.numel() / 2**20, "peak_MiB": peak}


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
        command = [sys.executable, __file__, "--alone", "--images", str(count)]
        command += ["--batch", str(options.batch), "--seconds", str(options.seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(f"{count:9,} images, {row['images_MiB']:7,.0f} MiB: {row['peak_MiB']:7,.0f} MiB")
    found = {"batch": options.batch, "width": NETWORK.width, "rows": rows}
    write_record(options.output, "memory", machine(), found)


if __name__ == "__main__":
    main()
