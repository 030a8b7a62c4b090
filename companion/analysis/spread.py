"""Repeated measurements: mean and deviation, and whether one is clearly below another."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CLEAR = 2  # standard deviations beyond which a difference is clear


@dataclass(frozen=True)
class Spread:
    """A mean with its standard deviation over repetitions."""

    mean: float  # of the values
    deviation: float | None  # sample standard deviation; None for a single value

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation)

    def __str__(self) -> str:
        """Rounded to the deviation's first digit: "11.36 ± 0.04", "0.912 ± 0.013", "1210 ± 30"."""
        if not self.deviation:
            return f"{self.mean:.4g}"
        exponent = math.floor(math.log10(self.deviation))
        first_digit = round(self.deviation / 10**exponent)
        places = -exponent + (1 if first_digit == 1 else 0)
        mean, deviation = round(self.mean, places), round(self.deviation, places)
        decimals = max(places, 0)
        return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"


def joint_deviation(*spreads: Spread, noise: float | None = None) -> float | None:
    """Standard deviation of a sum or difference of means over single draws; None if not known.

    ``noise`` is the deviation of a measure that does not depend on the seed.
    """
    deviations = [noise if s.deviation is None else s.deviation for s in spreads]
    return None if None in deviations else math.hypot(*filter(None, deviations))


def lower(a: Spread, b: Spread, noise: float | None = None) -> bool | None:
    """Whether a mean is lower than another; None if the difference may be noise.

    A difference is clear if it exceeds twice the standard deviation of the difference of two
    draws. With three seeds, equal distributions then pass for different ones in 3 cases of 100.
    Without a deviation, as from a single seed, nothing is decided.
    """
    deviation = joint_deviation(a, b, noise=noise)
    clear = deviation is not None and abs(a.mean - b.mean) > CLEAR * deviation
    return a.mean < b.mean if clear else None
