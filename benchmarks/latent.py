"""Time and memory of the latent mathematics, beside the authors' procedures in NumPy.

    python benchmarks/latent.py [--bits 1500] [--latents 60000] [--samples 10000] [--pairs 200]

The authors' procedures are written from a description of them, not from their code: moments as one
product in double precision; H made positive semi-definite by its singular values (Higham 1988),
and jitter until Cholesky's factorisation works; samples as one product with that factor; and, for a
latent, both halves tilted by their own rows alone. Each side of each task runs in a process of its
own with one thread, and measures seconds of the processor and its peak memory above the start. The
fit is also compared with its bound, one product and one symmetric eigendecomposition, and samples
with one product. The latents are drawn from a mixture of bit patterns, as correlated as real ones.
Prints a table, and writes a record to runs/performance/.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import OUTPUT, measure_apart, measured, processor, write_record
from torch import Tensor

from lbae_lib.bits import pack_bits
from lbae_lib.latent.algorithm_1 import authors_procedure, restored_algorithm_1
from lbae_lib.latent.correlation import Method, gram_matrix
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.latent.inversion import Inversion
from lbae_lib.latent.moments import moments_of_packed

TASKS = ("moments", "fit", "fit, nearest", "samples", "exact paths", "published paths")
SIDES = ("authors", "lbae_lib", "bound")
STEPS = 10  # of a path
ROUNDS = 10  # of tilting a half, at most


def correlated_bits(count: int, width: int) -> torch.Tensor:
    """Patterns of 50 classes, a fifth of the bits flipped."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randint(2, (50, width), generator=generator) * 2.0 - 1
    bits = patterns[torch.randint(50, (count,), generator=generator)]
    return torch.where(torch.rand(count, width, generator=generator) < 0.2, -bits, bits)


def authors_moments(latents: np.ndarray) -> np.ndarray:
    """M of Eq. 4."""
    rows = np.concatenate([latents, np.ones((len(latents), 1))], axis=1)
    return rows.T @ rows / len(rows)


def authors_factor(moment_matrix: np.ndarray) -> np.ndarray:
    """H (Eq. 9), the nearest positive semi-definite matrix, and jitter until Cholesky works."""
    gram = np.cos(np.pi / 2 * (1 - moment_matrix))
    _, values, basis = np.linalg.svd(gram)
    polar = basis.T @ (values[:, None] * basis)
    near = (gram + (polar + polar.T) / 2) / 2
    jitter = np.spacing(np.linalg.norm(gram))
    while True:
        try:
            return np.linalg.cholesky(near + jitter * np.eye(len(near)))
        except np.linalg.LinAlgError:
            jitter *= 2


def authors_samples(vectors: np.ndarray, count: int) -> np.ndarray:
    """Eqs. 11 and 12, all hyperplanes at once."""
    normals = np.random.default_rng(0).standard_normal((count, vectors.shape[1]))
    products = normals @ vectors.T
    return np.where(products[:, :-1] * products[:, -1:] >= 0, 1.0, -1.0)


def authors_normal(latent: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The difference of both halves, each tilted by its own rows."""
    return _half(vectors[:-1][latent > 0]) - _half(vectors[:-1][latent < 0])


def _half(rows: np.ndarray) -> np.ndarray:
    """The mean of a list of rows; those behind it are appended until their number stops falling."""
    listed, fewest, best = rows, np.inf, np.zeros(rows.shape[1])
    for _ in range(ROUNDS):
        normal = listed.mean(0)
        normal /= np.linalg.norm(normal)
        behind = listed[listed @ normal < 0]
        if len(behind) >= fewest:
            break
        fewest, best = len(behind), normal
        listed = np.concatenate([listed, behind])
    return best


def authors_paths(vectors: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Normals of both ends, slerp between them, and the raw signs of each point."""
    result = np.empty((len(source), STEPS, len(vectors) - 1))
    for pair, ends in enumerate(zip(source, target, strict=True)):
        a, b = (authors_normal(end, vectors) for end in ends)
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        angle = np.arccos(np.clip(a @ b, -1, 1))
        for step, t in enumerate(np.linspace(0, 1, STEPS)):
            normal = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
            result[pair, step] = np.where(vectors[:-1] @ normal >= 0, 1.0, -1.0)
    return result


def our_paths(
    invert: Callable[..., Inversion], sampler: HyperplaneSampler, source: Tensor, target: Tensor
) -> Tensor:
    normals = invert(torch.cat([source, target]), sampler).normals
    return interpolate_bits(sampler, *normals.chunk(2), STEPS, boundary=False)


def job(task: str, side: str, options: argparse.Namespace) -> Callable[[], Any]:
    """The work of one process, its inputs ready."""
    latents = correlated_bits(options.latents, options.bits)
    packed, generator = pack_bits(latents), torch.Generator().manual_seed(0)
    small = latents.to(torch.int8).numpy()
    known = moments_of_packed(packed, options.bits)
    if task == "moments" or task.startswith("fit"):
        method: Method = "nearest" if "nearest" in task else "clip"
        if side == "authors":
            fit = (lambda matrix: matrix) if task == "moments" else authors_factor
            return lambda: fit(authors_moments(small))
        if side == "lbae_lib":
            if task == "moments":
                return lambda: moments_of_packed(packed, options.bits).matrix
            return lambda: hyperplane_sampler(moments_of_packed(packed, options.bits), method)[0]
        gram = gram_matrix(known.matrix)
        return lambda: (
            moments_of_packed(packed, options.bits),
            task == "moments" or torch.linalg.eigh(gram),
        )
    sampler = hyperplane_sampler(known, "clip")[0]
    if task == "samples" and side == "bound":
        normals, columns = torch.randn(options.samples, options.bits + 1), sampler.vectors.float().T
        return lambda: normals[:, : len(columns)] @ columns
    source, target = latents[: 2 * options.pairs].chunk(2)
    if side == "lbae_lib":
        if task == "samples":
            return lambda: sampler.sample(options.samples, generator)
        invert = restored_algorithm_1 if "exact" in task else authors_procedure
        return lambda: our_paths(invert, sampler, source, target)
    vectors = authors_factor(known.matrix.numpy())
    if task == "samples":
        return lambda: authors_samples(vectors, options.samples)
    return lambda: authors_paths(vectors, source.numpy(), target.numpy())


def measure(task: str, side: str, options: argparse.Namespace) -> None:
    """Print seconds of the processor and the peak memory of the task, as JSON."""
    torch.set_num_threads(1)
    work = job(task, side, options)
    print(json.dumps(measured(work, time.process_time, options.repeat)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("bits", 1500), ("latents", 60_000), ("samples", 10_000), ("pairs", 200),
                          ("repeat", 3)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    if options.task:
        measure(options.task, options.side, options)
        return

    rows = []
    for task in TASKS:
        sides = SIDES[:2] if "paths" in task else SIDES
        found = {
            side: measure_apart(__file__, "--task", task, "--side", side, *sys.argv[1:])
            for side in sides
        }
        theirs, ours = found["authors"], found["lbae_lib"]
        bound = found["bound"]["seconds"] if "bound" in found else None
        rows.append((
            task, theirs["seconds"], ours["seconds"], theirs["seconds"] / ours["seconds"],
            "" if bound is None else f"{ours['seconds'] / bound:.2f}",
            round(theirs["MiB"]), round(ours["MiB"]),
        ))  # fmt: skip
        print(rows[-1], flush=True)
    header = ("task", "authors' procedure, seconds", "lbae_lib, seconds", "ratio",
              "times its bound", "authors' procedure, MiB", "lbae_lib, MiB")  # fmt: skip
    caption = (
        f"N = {options.bits:,} bits, {options.latents:,} latents, {options.samples:,} samples, "
        f"{options.pairs} paths of {STEPS} points. Seconds of one thread. The authors' code "
        "only clips eigenvalues, so that clipping is also the reference for the nearest "
        "correlation matrix. Their paths miss the latents, and are the reference for exact paths "
        "as well."
    )
    write_record(options.output, "latent", f"{processor()}, 1 thread", header, rows, caption)


if __name__ == "__main__":
    main()
