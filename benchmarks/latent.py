"""Time and memory of moments, samples and paths, beside a plain NumPy transcription.

    python benchmarks/latent.py [--bits 1500] [--latents 60000] [--samples 10000] [--pairs 200]

Each side of each task runs in a process of its own and measures its peak memory above the start.
Prints seconds (the shortest of the repetitions), ratios and memory, times the repairs of a Gram
matrix with negative eigenvalues, and writes a record to runs/performance/. The latents are drawn
from a mixture of bit patterns, as correlated as real ones. The NumPy side follows the equations as
they are written: Eq. 4 as one matrix product, one hyperplane at a time, one step of one pair at a
time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import OUTPUT, machine, measure_apart, write_record

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
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
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
    """Peak memory of the process since the last reset, on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def repairs(width: int) -> str:
    """How long the repairs of a Gram matrix take, and how far from it they end."""
    gram = gram_matrix(moments(correlated_bits(2 * width, width)).matrix)
    negative = int((torch.linalg.eigvalsh(gram) < 0).sum())
    measured = []
    for name, repair in (("clipping", clip), ("Newton's method", nearest)):
        began = time.perf_counter()
        matrix, iterations = repair(gram)
        seconds = time.perf_counter() - began
        factor(matrix)
        counted = f"{iterations} iteration{'s' * (iterations != 1)}"
        error = float((matrix - gram).norm())
        measured.append(f"{name} {seconds:.2f} s ({counted}, distance from H {error:.2f})")
    listed = "; ".join(measured)
    return f"Repairs of H with {negative} of {len(gram):,} eigenvalues negative: {listed}."


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
    what = {
        "moments": f"moments of {options.latents:,} latents",
        "sample": f"{options.samples:,} samples",
        "interpolate": f"{options.steps} steps between {options.pairs:,} pairs",
    }
    for task in TASKS:
        theirs, ours = (
            measure_apart(__file__, "--task", task, "--side", side, *sys.argv[1:])
            for side in ("numpy", "lbae_lib")
        )
        if task != "sample":  # samples are drawn from different generators
            assert abs(ours["digest"] - theirs["digest"]) < 1e-9, (ours, theirs)
        seconds = [side["seconds"] for side in (theirs, ours)]
        memory = [round(side["MiB"]) for side in (theirs, ours)]
        rows.append((what[task], *seconds, seconds[0] / seconds[1], *memory))
    header = ("task", "NumPy, seconds", "lbae_lib, seconds", "ratio", "NumPy, MiB", "lbae_lib, MiB")
    caption = f"N = {options.bits:,} bits. {repairs(options.bits)}"
    write_record(options.output, "latent", on, header, rows, caption)


if __name__ == "__main__":
    main()
