"""Time of the Fréchet distance and of PRD, beside other implementations in the same run.

    python benchmarks/metrics.py [--images 10000] [--features 2048]

The features are random with a decaying spectrum. Distances are timed from the features on. The
results of the implementations are compared before their times. Prints seconds (the shortest of the
repetitions) and ratios, and writes a record to runs/performance/.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import OUTPUT, machine, write_record
from scipy.linalg import sqrtm
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from lbae_lib.metrics.frechet import feature_statistics, frechet_distance
from lbae_lib.metrics.prd import precision_recall_curve


def timed(function: Callable[[], object], repeat: int) -> tuple[float, object]:
    best, result = math.inf, None
    for _ in range(repeat):
        began = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - began)
    return best, result


def own_frechet(a: Tensor, b: Tensor) -> float:
    return frechet_distance(feature_statistics(a), feature_statistics(b))


def scipy_frechet(a: Tensor, b: Tensor) -> float:
    """The formula as in FID's first implementation."""
    first, second = (np.cov(x.double().numpy(), rowvar=False) for x in (a, b))
    difference = (a.double().mean(0) - b.double().mean(0)).square().sum()
    root = sqrtm(first @ second).real
    return float(difference + first.trace() + second.trace() - 2 * np.trace(root))


def fidelity_frechet(a: Tensor, b: Tensor) -> float:
    statistics = [fid_features_to_statistics(x.double()) for x in (a, b)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def plain_prd(reference: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """PRD straight from its definition, with scikit-learn."""
    slopes = np.tan(np.linspace(1e-10, math.pi / 2 - 1e-10, 1001))
    union = np.concatenate([generated, reference])
    curves = []
    for run in range(10):
        means = MiniBatchKMeans(20, n_init=10, batch_size=1024, random_state=run).fit(union)
        q, p = means.labels_[: len(generated)], means.labels_[len(generated) :]
        q, p = (np.bincount(part, minlength=20) / len(part) for part in (q, p))
        alpha = np.array([np.minimum(slope * p, q).sum() for slope in slopes])
        curves.append((alpha.clip(0, 1), (alpha / slopes).clip(0, 1)))
    return tuple(np.mean([c[i] for c in curves], axis=0) for i in (0, 1))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()

    generator = torch.Generator().manual_seed(0)
    size = (options.images, options.features)
    scale = 1 / (1 + torch.arange(options.features)).sqrt()
    sets = [torch.randn(size, generator=generator) * scale + shift for shift in (0.0, 0.02)]

    on, rows = machine(), []
    ours, value = timed(lambda: own_frechet(*sets), options.repeat)
    for name, function in (("SciPy sqrtm", scipy_frechet), ("torch-fidelity", fidelity_frechet)):
        seconds, other = timed(lambda f=function: f(*sets), options.repeat)  # type: ignore[misc]
        assert math.isclose(value, other, rel_tol=1e-6), (value, other)  # type: ignore[arg-type]
        rows.append(("Fréchet distance", name, seconds, ours, seconds / ours))

    ours, curve = timed(lambda: precision_recall_curve(*sets), options.repeat)
    arrays = [s.double().numpy() for s in sets]
    seconds, other = timed(lambda: plain_prd(*arrays), options.repeat)
    precision = curve.precision  # type: ignore[attr-defined]
    # Single precision moves few rows to another cluster.
    np.testing.assert_allclose(precision, other[0], atol=2e-3)  # type: ignore[index]
    rows.append(("PRD", "scikit-learn", seconds, ours, seconds / ours))
    header = ("task", "reference", "reference, seconds", "lbae_lib, seconds", "ratio")
    caption = f"{options.images:,} images of each kind, {options.features:,} random features."
    write_record(options.output, "metrics", on, header, rows, caption)


if __name__ == "__main__":
    main()
