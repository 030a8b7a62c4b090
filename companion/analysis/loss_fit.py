"""A power law through the losses of a training run: how far from flat is it?"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit

FEWEST = 6  # epochs of constant learning rate: three parameters, and as many to test them
# The first epoch is left out: the statistics of batch normalisation are still those of its start.
_FIRST = 2


@dataclass(frozen=True)
class LossFit:
    """L = a + b·t^(-c), with t in epochs."""

    values: tuple[float, float, float]  # a, b and c
    errors: tuple[float, float, float]  # standard errors; infinite if not determined
    epochs: int  # the last epoch that was fitted

    def at(self, epoch: float) -> float:
        """The loss by the fit."""
        return float(_power_law(np.array([epoch]), *self.values)[0])

    def describe(self) -> list[str]:
        """a, b and c with their standard errors, for a table."""
        return [
            f"{value:.4g} ± {error:.2g}" if error < abs(value) else "not determined"
            for value, error in zip(self.values, self.errors, strict=True)
        ]


def constant_rate(history: Sequence[Mapping[str, Any]], cooldown: int) -> list[dict[str, Any]]:
    """The epochs before the learning rate falls: in a cooldown the loss leaves its power law."""
    return [dict(line) for line in history[: max(0, len(history) - cooldown)]]


def caption_of_fits(fits: Mapping[str, LossFit | None]) -> str:
    """What a caption says of the fits that a figure has; "" if it has none."""
    return "; dashed: fit, extended to twice as many epochs" if any(fits.values()) else ""


def fit_losses(losses: Sequence[float]) -> LossFit | None:
    """Fit the losses of epochs 2, 3, … at a constant rate; None with too few, or without a fit."""
    if len(losses) < FEWEST:
        return None
    epochs = np.arange(_FIRST, len(losses) + 1, dtype=np.float64)
    found = np.asarray(losses[_FIRST - 1 :], dtype=np.float64)
    start = (found.min(), max(found[0] - found.min(), 1e-9), 1.0)
    bounds = ([0.0, 0.0, 0.01], [np.inf, np.inf, 10.0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)  # the errors are then infinite
            values, covariance = curve_fit(
                _power_law, epochs, found, start, bounds=bounds, maxfev=20_000
            )
    except RuntimeError:  # did not converge
        return None
    a, b, c = (float(v) for v in values)
    da, db, dc = (float(v) for v in np.sqrt(np.diag(covariance)))
    return LossFit((a, b, c), (da, db, dc), len(losses))


def _power_law(t: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
    return np.asarray(a + b * t**-c)
