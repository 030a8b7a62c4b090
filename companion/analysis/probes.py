"""Linear probes: how well a linear classifier finds the class, or attributes, in numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from companion.experiments.extractor import extractor_labels, extractor_task
from companion.experiments.images import SPLITS
from companion.experiments.trained import Trained

# Inverse strengths of the ridge penalty; validation images choose.
PENALTIES = (0.001, 0.03, 1.0, 30.0)
_ITERATIONS, _TOLERANCE = 300, 1e-3  # of the gradient of the mean loss

Arrays = Mapping[str, NDArray[Any]]  # by split


@dataclass(frozen=True)
class Probe:
    """The test accuracy of a probe."""

    accuracy: float  # share of test images, or of their attributes, that are right
    error: float  # standard error of the accuracy over test images
    inputs: int  # numbers per image
    penalty: float | None = None  # inverse strength of the ridge penalty; None without one
    converged: bool = True  # whether the fit ended before its limit of iterations

    @classmethod
    def of(
        cls, model: Any, x: Arrays, y: Arrays, penalty: float | None = None, converged: bool = True
    ) -> Probe:
        """Of a fitted classifier."""
        right = _right(model, x["test"], y["test"])
        error = right.std() / math.sqrt(len(right))
        return cls(float(right.mean()), float(error), x["test"].shape[1], penalty, converged)


def not_converged(probes: Mapping[str, Probe]) -> str:
    """What a caption says of fits that stopped at their limit of iterations; "" if none did."""
    names = [name for name, found in probes.items() if not found.converged]
    if not names:
        return ""
    return f" Fits that stopped after {_ITERATIONS} iterations: {', '.join(names)}."


def targets(trained: Trained) -> tuple[str, Arrays]:
    """What a probe learns: ("classes", int64 (K,)) or else ("attributes", bool (K, A)), by split.

    Attributes that all training images have, or none, are left out. Without classes and without
    such attributes the arrays are missing: ("nothing", {}).
    """
    kind = extractor_labels(trained.images["train"])
    if kind == "quarter turns":
        return "nothing", {}
    found = {s: extractor_task(trained.images[s], kind)[1].numpy() for s in SPLITS}
    if kind == "attributes":
        varies = found["train"].min(0) != found["train"].max(0)
        if not varies.any():
            return "nothing", {}
        found = {split: table[:, varies].astype(bool) for split, table in found.items()}
    return kind, found


def probe(inputs: Mapping[str, Tensor], y: Arrays, rows: Tensor) -> Probe:
    """Fit a logistic regression to standardised training inputs, and test it.

    Classes have one multinomial model, attributes one model each. ``inputs`` are (K, D) by split,
    ``y`` is from :func:`targets`; of the training images only ``rows`` are used, int64.
    """
    x, y = _arrays(inputs, y, rows)
    fits: dict[float, Any] = {}
    for penalty in PENALTIES:
        model: Any = LogisticRegression(C=penalty, tol=_TOLERANCE, max_iter=_ITERATIONS)
        if y["train"].ndim == 2:
            model = OneVsRestClassifier(model)
        model = make_pipeline(StandardScaler(), model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the field `converged` says it
            model.fit(x["train"], y["train"])
        fits[penalty] = model
    best = max(fits, key=lambda p: _right(fits[p], x["validation"], y["validation"]).mean())
    return Probe.of(fits[best], x, y, best, _ended(fits[best][-1]))


def _ended(model: Any) -> bool:
    """Whether logistic regressions ended before their limit; one without a choice has no fit."""
    parts = getattr(model, "estimators_", [model])
    return all(np.max(getattr(part, "n_iter_", 0)) < _ITERATIONS for part in parts)


def majority(y: Arrays, rows: Tensor) -> Probe:
    """The baseline without inputs: the most frequent class, or value of each attribute."""
    x, y = _arrays({split: np.zeros((len(y[split]), 0)) for split in SPLITS}, y, rows)
    return Probe.of(DummyClassifier(strategy="most_frequent").fit(x["train"], y["train"]), x, y)


def _arrays(inputs: Mapping[str, Any], y: Arrays, rows: Tensor) -> tuple[Arrays, Arrays]:
    """Inputs and targets as arrays, of the training images only ``rows``."""
    x = {split: np.asarray(inputs[split]) for split in SPLITS}
    chosen = rows.numpy()
    return x | {"train": x["train"][chosen]}, dict(y) | {"train": y["train"][chosen]}


def _right(model: Any, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Whether each image's class is found, or the share of its attributes that are, (K,)."""
    right = (model.predict(x) == y).astype(np.float64)
    return right if right.ndim == 1 else right.mean(1)
