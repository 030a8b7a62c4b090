"""Moments, sampling and interpolation against a plain NumPy transcription of the formulas.

    python benchmarks/latent.py [--bits 1500] [--latents 60000] [--samples 10000] [--pairs 200]

Each side of each task runs in a process of its own, which also tells its peak memory above what
it began with. Prints seconds (the best of the repetitions), ratios and memory, then the repairs of
a Gram matrix with negative eigenvalues, and writes a record to results/performance/. The latents
are drawn from a mixture of bit patterns, as correlated as real ones. The NumPy side stands here
whole: Eq. 4 as one matrix product; one hyperplane, one step of one pair at a time, as the
equations are written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import OUTPUT, machine, write_record

from lbae_lib.bits import pack_bits, unpack_bits
from lbae_lib.latent.correlation import clip, factor, gram_matrix, nearest
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.latent.moments import moments, moments_of_packed

TASKS = ("moments", "sample", "interpolate")


def correlated_bits(count: int, width: int) -> torch.Tensor:
    """Patterns of 50 classes, a fifth of the bits flipped."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randint(2, (50, width), generator=generator) * 2.0 - 1
    bits = patterns[torch.randint(50, (count,), generator=generator)]
    return torch.where(torch.rand(count, width, generator=generator) < 0.2, -bits, bits)


def numpy_moments(latents: np.ndarray) -> np.ndarray:
    """M of Eq. 4."""
    rows = np.concatenate([latents, np.ones((len(latents), 1))], axis=1)
    return rows.T @ rows / len(rows)


def numpy_sample(vectors: np.ndarray, count: int) -> np.ndarray:
    """Eqs. 9-12, one hyperplane after another."""
    rng = np.random.default_rng(0)
    result = np.empty((count, len(vectors) - 1))
    for row in result:
        products = vectors @ rng.standard_normal(vectors.shape[1])
        side = 1.0 if products[-1] >= 0 else -1.0
        row[:] = np.where(products[:-1] * side >= 0, 1.0, -1.0)
    return result


def numpy_interpolate(
    vectors: np.ndarray, source: np.ndarray, target: np.ndarray, steps: int
) -> np.ndarray:
    """Slerp between normals, and the bits of each point."""
    result = np.empty((len(source), steps, len(vectors) - 1))
    for pair, (a, b) in enumerate(zip(source, target, strict=True)):
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        angle = np.arccos(np.clip(a @ b, -1, 1))
        for step, t in enumerate(np.linspace(0, 1, steps)):
            normal = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
            products = vectors @ normal
            side = 1.0 if products[-1] >= 0 else -1.0
            result[pair, step] = np.where(products[:-1] * side >= 0, 1.0, -1.0)
    return result


def job(task: str, side: str, options: argparse.Namespace) -> Callable[[], object]:
    """The work of one process, its inputs ready."""
    if task == "moments":
        packed = pack_bits(correlated_bits(options.latents, options.bits))
        if side == "numpy":
            unpacked = unpack_bits(packed, options.bits, torch.int8).numpy()
            return lambda: numpy_moments(unpacked)
        return lambda: moments_of_packed(packed, options.bits).matrix.numpy()
    generator = torch.Generator().manual_seed(0)
    size = options.bits + 1
    vectors = torch.randn(size, size, generator=generator, dtype=torch.float64)
    vectors = torch.nn.functional.normalize(vectors + 0.5 * vectors[:50].mean(0), dim=1)
    sampler = HyperplaneSampler(vectors)
    if task == "sample":
        if side == "numpy":
            return lambda: numpy_sample(vectors.numpy(), options.samples)
        return lambda: sampler.sample(options.samples, generator)
    a, b = (sampler.normals(options.pairs, generator) for _ in range(2))
    if side == "numpy":
        return lambda: numpy_interpolate(vectors.numpy(), a.numpy(), b.numpy(), options.steps)
    return lambda: interpolate_bits(sampler, a, b, options.steps)


def measure(task: str, side: str, options: argparse.Namespace) -> None:
    """Print seconds, peak memory and a digest of the result, as JSON."""
    work = job(task, side, options)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of now
    before = _peak_kib()
    seconds = []
    for _ in range(options.repeat):
        began = time.perf_counter()
        result = np.asarray(work())
        seconds.append(time.perf_counter() - began)
    peak = _peak_kib() - before
    digest = float(np.abs(result.mean(0, dtype=np.float64)).mean())
    print(json.dumps({"seconds": min(seconds), "MiB": peak / 1024, "digest": digest}))


def _peak_kib() -> int:
    """Most memory the process has held since the mark, on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("bits", 1500), ("latents", 60_000), ("samples", 10_000), ("pairs", 200),
                          ("steps", 10), ("repeat", 5)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--side", choices=("numpy", "lbae_lib"))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    if options.task:
        measure(options.task, options.side, options)
        return

    on, rows = machine(), []
    print(f"N = {options.bits}, {on}")
    what = {
        "moments": f"moments of {options.latents:,} latents",
        "sample": f"{options.samples:,} samples",
        "interpolate": f"{options.steps} steps between {options.pairs:,} pairs",
    }
    for task in TASKS:
        found = {}
        for side in ("numpy", "lbae_lib"):
            command = [sys.executable, __file__, "--task", task, "--side", side, *sys.argv[1:]]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[side] = json.loads(done.stdout)
        ours, theirs = found["lbae_lib"], found["numpy"]
        if task != "sample":  # samples are drawn from different generators
            assert abs(ours["digest"] - theirs["digest"]) < 1e-9, found
        row = {"task": f"{what[task]}, N = {options.bits:,}", "reference": "NumPy"}
        row |= {key: [theirs[key], ours[key]] for key in ("seconds", "MiB")}
        rows.append(row)
        print(
            f"{task:12} NumPy {theirs['seconds']:7.2f} s {theirs['MiB']:7.0f} MiB   "
            f"lbae_lib {ours['seconds']:7.2f} s {ours['MiB']:7.0f} MiB   "
            f"{theirs['seconds'] / ours['seconds']:6.1f} ×"
        )

    gram = gram_matrix(moments(correlated_bits(2 * options.bits, options.bits)).matrix)
    negative = int((torch.linalg.eigvalsh(gram) < 0).sum())
    print(f"{negative} of {len(gram)} eigenvalues negative")
    repairs = []
    for name, repair in (("clipping", clip), ("Newton", nearest)):
        began = time.perf_counter()
        matrix, iterations = repair(gram)
        seconds = time.perf_counter() - began
        error = float((matrix - gram).norm())
        repairs.append(
            {"repair": name, "seconds": seconds, "iterations": iterations, "off_H": error}
        )
        print(f"{name:12} {seconds:7.2f} s   {iterations} iterations   off H by {error:.6f}")
        factor(matrix)
    found = {"rows": rows, "repairs": repairs, "negative": [negative, len(gram)]}
    write_record(options.output, "latent", on, found)


if __name__ == "__main__":
    main()
