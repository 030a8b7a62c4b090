"""What was read of a folder of images, and what was not: nothing is left out in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lbae_lib.errors import first_names

_NAMES = 3  # of the files that a reason names
_CLASSES = 6  # that a line names


@dataclass
class Reading:
    """How a folder of images was read; as a string, one line.

    Attributes:
        folder: that was read.
        read: number of images by split: "train", "validation", "test"; "" before they are split.
        skipped: names of the files that were left out, by reason.
        applied: number of images by what was applied to them, e.g. "turned by EXIF".
        classes: names of the classes, where the images have two or more.
        notes: how the folder was understood, e.g. "the test images are a tenth of train/".
    """

    folder: Path
    read: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    applied: Counter[str] = field(default_factory=Counter)
    classes: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def skip(self, reason: str, name: str) -> None:
        """Count a file that is left out."""
        self.skipped.setdefault(reason, []).append(name)

    @property
    def left_out(self) -> str:
        """What was skipped, why, and the first names; "" if nothing was."""
        total = sum(map(len, self.skipped.values()))
        reasons = [
            f"{len(names):,} {reason} ({first_names(names, _NAMES)})"
            for reason, names in self.skipped.items()
        ]
        return f"skipped {total:,}: {', '.join(reasons)}" if total else ""

    def __str__(self) -> str:
        total = sum(self.read.values())
        splits = [f"{name} {count:,}" for name, count in self.read.items() if name]
        shown = f"{self.folder}: read {total:,} image{'s' * (total != 1)}"
        shown += f" ({', '.join(splits)})" if splits else ""
        if self.classes:
            shown += f" of {len(self.classes)} classes ({first_names(self.classes, _CLASSES)})"
        applied = [f"{count:,} {what}" for what, count in self.applied.items()]
        parts = [shown, *filter(None, [", ".join(applied)]), *self.notes, self.left_out]
        return "; ".join(part for part in parts if part)

    def for_record(self) -> Mapping[str, Any]:
        """Counts and reasons as JSON values; it names no file and no folder."""
        content = asdict(self) | {"classes": len(self.classes)}
        content["skipped"] = {reason: len(names) for reason, names in self.skipped.items()}
        del content["folder"]
        return content
