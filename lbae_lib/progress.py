"""Progress of long work: a bar on a terminal, a line every 20 seconds in a log.

Several steps of a report run at the same time. The environment variable ``LBAE_STEP`` names the
step of a process, which then writes lines that begin with this name.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn, TextIO

from tqdm import tqdm

_LINE_INTERVAL = 20.0  # seconds between lines where there is no terminal


class _Lines:
    """A stream for tqdm that ends each refresh with a newline instead of rewinding."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        text = text.strip("\r\n ")
        if text:
            self._stream.write(text + "\n")

    def flush(self) -> None:
        self._stream.flush()


def progress_bar(
    total: int, description: str, unit: str, initial: int = 0, enabled: bool = True
) -> tqdm[NoReturn]:
    """A tqdm bar on standard error, or lines in a log and in a step of a report."""
    step = os.environ.get("LBAE_STEP", "")
    terminal = sys.stderr.isatty() and not step
    return tqdm(
        total=total,
        initial=initial,
        desc=f"{step}, {description}" if step else description,
        unit=unit,
        unit_scale=True,
        disable=not enabled,
        file=sys.stderr if terminal else _Lines(sys.stderr),
        mininterval=0.5 if terminal else _LINE_INTERVAL,
        maxinterval=_LINE_INTERVAL,
        dynamic_ncols=terminal,
        ncols=None if terminal else 120,
    )
