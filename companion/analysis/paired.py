"""Differences between two methods over the same seeds, with 95% confidence intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import t

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval by Student's distribution."""

    mean: float  # of the values
    half: float  # half of the interval's length
    least: float = -math.inf  # that the measure can be; what is shown is cut here
    most: float = math.inf

    @classmethod
    def of(
        cls, values: Sequence[float], least: float = -math.inf, most: float = math.inf
    ) -> Interval:
        """The interval of the mean of at least two values, one for each seed."""
        if len(values) < 2:
            raise ValueError(f"{len(values)} values have no interval: give at least 2")
        error = statistics.stdev(values) / math.sqrt(len(values))
        quantile = float(t.ppf((1 + LEVEL) / 2, len(values) - 1))
        return cls(statistics.fmean(values), quantile * error, least, most)

    @classmethod
    def difference(cls, a: Sequence[float], b: Sequence[float]) -> Interval:
        """Of a - b, paired by seed."""
        return cls.of([x - y for x, y in zip(a, b, strict=True)])

    def below(self, bound: float = 0.0) -> bool | None:
        """Whether the mean is below a bound; None if the interval contains the bound."""
        if abs(self.mean - bound) <= self.half:
            return None
        return self.mean < bound

    def __str__(self) -> str:
        """The mean with the interval in brackets, cut at the measure's range: "3.1 (0 to 7.2)"."""
        low, high = max(self.mean - self.half, self.least), min(self.mean + self.half, self.most)
        return f"{_short(self.mean)} ({_short(low)} to {_short(high)})"


def by_seed(values: Sequence[float]) -> str:
    """The values themselves, in the order of the seeds: "73.9, 73.9, 60"."""
    return ", ".join(map(_short, values))


def _short(value: float) -> str:
    """Three significant digits, or a whole number."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
