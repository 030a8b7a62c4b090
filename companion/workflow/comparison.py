"""Comparing two runs of a notebook: the numbers in their records, and their figures."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageOps, ImageStat

# Results that depend on the machine, not on the method.
_MEASURED = ("seconds", "images_per_second", "MiB", "evidence", "device")
_TINY = 1e-6  # below it, two numbers count as equal
_FIGURE_TOLERANCE = 0.1  # mean difference of a drawn pixel, as a share of black to white


@dataclass(frozen=True)
class Check:
    """The outcome of one check, e.g. of "03_sampling, run again"; ``found`` says it in words."""

    what: str
    found: str
    passed: bool


@dataclass(frozen=True)
class Difference:
    """How two records' results compare.

    Attributes:
        equal: how many numbers are the same to the last bit.
        largest: relative difference, 0 if all are equal; ``where`` is its path.
        other: paths at which something other than a number differs.
    """

    numbers: int
    equal: int
    largest: float
    where: str
    other: tuple[str, ...]

    def within(self, tolerance: float) -> bool:
        """Whether numbers differ by no more than this, relatively, and nothing else does."""
        return not self.other and self.largest <= tolerance

    def __str__(self) -> str:
        text = f"{self.equal} of {self.numbers} numbers equal"
        if self.largest:
            text += f", largest relative difference {self.largest:.2g} ({self.where})"
        if self.other:
            text += f"; not as recorded: {', '.join(self.other[:5])}"
            text += f" and {len(self.other) - 5} more" if len(self.other) > 5 else ""
        return text


def compare_results(recorded: Any, found: Any) -> Difference:
    """Compare two records' "results", number by number; times and evidence do not count."""
    left, right = dict(_leaves(recorded)), dict(_leaves(found))
    other = sorted(left.keys() ^ right.keys())
    numbers = equal = 0
    largest, where = 0.0, ""
    for path in left.keys() & right.keys():
        a, b = left[path], right[path]
        if not (_is_number(a) and _is_number(b)):
            other += [path] if a != b else []
            continue
        numbers += 1
        equal += a == b
        scale = max(abs(a), abs(b))
        difference = 0.0 if scale < _TINY else abs(a - b) / scale
        if difference > largest:
            largest, where = difference, path
    return Difference(numbers, equal, largest, where, tuple(sorted(other)))


def compare_figures(recorded: Path, found: Path, differences: Path) -> Check:
    """Compare the PNG figures in two runs' folders.

    Where they differ, ``differences`` gets old, new and difference, side by side.
    """
    names = sorted({p.name for folder in (recorded, found) for p in folder.glob("*.png")})
    equal, largest, missing = 0, 0.0, []
    for name in names:
        try:
            pictures = [Image.open(folder / name).convert("RGB") for folder in (recorded, found)]
        except OSError:  # missing or damaged
            missing.append(name)
            continue
        size = (max(p.width for p in pictures), max(p.height for p in pictures))
        old, new = (Image.new("RGB", size, "white") for _ in pictures)
        for page, picture in zip((old, new), pictures, strict=True):
            page.paste(picture)
        difference = ImageChops.difference(old, new)
        # Where either picture has ink: most of a plot is white in both.
        ink = ImageChops.invert(ImageChops.darker(old, new)).convert("L")
        drawn = ink.point(lambda level: 255 if level else 0)
        share = sum(ImageStat.Stat(difference, drawn).mean) / (3 * 255) if drawn.getbbox() else 0.0
        equal += share == 0
        largest = max(largest, share)
        if share:
            differences.mkdir(parents=True, exist_ok=True)
            both = Image.new("RGB", (3 * size[0], size[1]))
            for index, picture in enumerate((old, new, ImageOps.invert(difference))):
                both.paste(picture, (index * size[0], 0))
            both.save(differences / name)
    text = f"{equal} of {len(names)} figures equal"
    if largest:
        text += f", largest mean difference of a drawn pixel {largest:.2%}; see {differences}"
    if missing:
        text += f"; only one of the runs has a readable {', '.join(missing)}"
    return Check(f"{recorded.name}, figures", text, not missing and largest <= _FIGURE_TOLERANCE)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text with its path, except for those that depend on the machine."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not any(key == word or key.endswith(f"_{word}") for word in _MEASURED):
                yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
