"""Files of a trained model's test latents: round trip, length and entropy, speed on one core.

    python benchmarks/coding.py [--dataset mnist] [--profile accelerator]

Every coder encodes the whole test set in one stream, and decoding must return every bit. The
shorter time of two runs counts. A second process with a different number of threads decodes the
same file. Prints a table and writes a record to runs/performance/.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from machine import OUTPUT, processor, write_record

from companion.experiments.artifacts import LATENTS
from companion.experiments.prior import load_codec
from companion.experiments.profiles import load_experiment
from lbae_lib.bits import unpack_bits
from lbae_lib.coding.container import CODERS, OVERHEAD
from lbae_lib.files import read_tensors
from lbae_lib.latent.bit_models import entropy

ELSEWHERE = """
import hashlib, sys, torch
from pathlib import Path
from companion.experiments.prior import load_codec
from companion.experiments.profiles import load_experiment
torch.set_num_threads(2)
codec = load_codec(load_experiment(sys.argv[2], sys.argv[3]))
packed = codec.decompress(Path(sys.argv[1]).read_bytes())
print(hashlib.sha256(packed.numpy().tobytes()).hexdigest())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--profile", default="accelerator")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    experiment = load_experiment(options.profile, options.dataset)
    codec = load_codec(experiment)
    latents, _ = read_tensors(LATENTS.path(experiment), "latents")
    packed = latents["test"]
    bits = unpack_bits(packed, experiment.network.latent_size)
    digest = hashlib.sha256(packed.numpy().tobytes()).hexdigest()
    rows = []
    for coder in CODERS:
        times = []
        for _ in range(2):
            began = time.perf_counter()
            content = codec.compress(bits, coder)
            middle = time.perf_counter()
            assert torch.equal(codec.decompress(content), packed)
            times.append((middle - began, time.perf_counter() - middle))
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(content)
            command = [sys.executable, "-c", ELSEWHERE, file.name]
            command += [options.profile, options.dataset]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert done.stdout.strip() == digest
        model = codec.bit_model(coder)
        expected = bits.shape[1] if model is None else entropy(model, bits)
        megabits = bits.numel() / 1e6
        encode, decode = (megabits / min(pair) for pair in zip(*times, strict=True))
        length = 8 * (len(content) - OVERHEAD) / len(bits)
        rows.append((coder, length, expected, encode, decode))
    header = ("coder", "bits per image, in the file", "bits per image, entropy of the model",
              "encoding, Mbit/s", "decoding, Mbit/s")  # fmt: skip
    caption = f"{len(bits):,} test latents of {experiment.dataset.title} in one stream."
    write_record(options.output, "coding", f"{processor()}, 1 thread", header, rows, caption)


if __name__ == "__main__":
    main()
