"""The progress of a report: steps done of all, what runs, time spent and left."""

import re
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import TextIO

from companion.experiments.records import RECORD_FILE
from companion.project import in_force, project_root
from companion.workflow.plan import Step, stamp
from lbae_lib.errors import LbaeError
from lbae_lib.files import read_json

_UNKNOWN_SECONDS = 10.0  # of a step whose kind was never run
_BAR = re.compile(r"(?:epoch (\d+)/(\d+): *)?(\d+)%\|")  # of a step, on a line of its own
_ERROR = "lbae: "  # begins the line that says why a step failed


class ReportProgress:
    """Follows Snakemake and its steps: one line on a terminal, one line for each step elsewhere.

    The log takes everything that Snakemake and the steps write.
    """

    def __init__(self, steps: dict[str, Step], profile: str, log: TextIO) -> None:
        self._steps = steps
        self._log: TextIO | None = log
        self._stamps = {key: project_root() / stamp(profile, key) for key in steps}
        self._expected = _expected_seconds(steps, profile)
        self._done: list[str] = []
        self._begun: dict[str, float] = {}
        self._share: dict[str, float] = {}
        self._started = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._writing = threading.Lock()

    def read(self, lines: Iterable[str]) -> None:
        """Take every line that is written: progress of steps, errors, and Snakemake's own."""
        for line in lines:
            self._keep(line)
            key, _, rest = line.partition(", ")
            if key in self._steps:
                self._begun.setdefault(key, time.monotonic())
                if found := _BAR.search(rest):
                    epoch, epochs, percent = (int(n) if n else 1 for n in found.groups())
                    self._share[key] = (epoch - 1 + percent / 100) / epochs
            elif line.startswith(_ERROR):
                self._write(line.rstrip())

    def _keep(self, line: str) -> None:
        """Write a line to the log; one that cannot be written must not hold up the steps."""
        if self._log is None:
            return
        try:
            print(line, end="", file=self._log, flush=True)
        except OSError as error:
            self._log = None
            self._write(f"the log ends here, as it cannot be written: {error.strerror}")

    def look(self) -> None:
        """See which steps have ended, and write what is new."""
        for key, step in self._steps.items():
            if key not in self._done and self._stamps[key].exists():
                self._done.append(key)
                begun = self._begun.get(key, self._started)
                took = _clock(time.monotonic() - begun)
                if not self._terminal:
                    self._write(f"{self._count()} {step.title}: {took}{self._left()}")
        if self._terminal:
            self._draw()

    def close(self) -> None:
        """End the line on a terminal, and write what was still to be written."""
        self.look()
        if self._terminal:
            print(file=sys.stderr)

    def _count(self) -> str:
        return f"[{len(self._done)}/{len(self._steps)}]"

    def _left(self) -> str:
        ended = sum(self._expected[key] for key in self._done)
        ended += sum(
            self._expected[key] * self._share.get(key, 0.0)
            for key in self._begun
            if key not in self._done
        )
        if not ended or len(self._done) == len(self._steps):
            return ""
        spent, total = time.monotonic() - self._started, sum(self._expected.values())
        return f", about {_clock(time_left(spent, ended, total))} left"

    def _draw(self) -> None:
        running = [key for key in self._begun if key not in self._done]
        texts = [
            f"{self._steps[key].title} …"
            + (f" {self._share[key]:.0%}" if key in self._share else "")
            for key in running[:2]
        ]
        spent = _clock(time.monotonic() - self._started)
        line = f"{self._count()} {', '.join(texts) or 'starting …'} {spent}{self._left()}"
        with self._writing:
            print(f"\r\x1b[2K{line[:150]}", end="", file=sys.stderr, flush=True)

    def _write(self, line: str) -> None:
        with self._writing:
            start = "\r\x1b[2K" if self._terminal else ""
            print(f"{start}{line}", file=sys.stderr, flush=True)


def time_left(spent: float, ended: float, total: float) -> float:
    """Seconds left of steps that took ``total`` before, of which ``ended`` took ``spent`` now.

    It assumes that a tenth of the work went as expected: one unusual step says little of others.
    """
    expected = total / 10
    return max(0.0, total - ended) * (spent + expected) / (ended + expected)


def _expected_seconds(steps: dict[str, Step], profile: str) -> dict[str, float]:
    """How long each step took when it was last run, or else steps of its kind."""
    known: dict[str, float] = {}
    for key, step in steps.items():
        folder = key.rpartition("/")[0] if step.kind == "train" else key
        try:
            record = read_json(in_force(Path(profile, folder, RECORD_FILE)), "record")
            known[key] = float(record["seconds"])
        except (LbaeError, KeyError, TypeError, ValueError):
            continue

    def usual(kind: str) -> float:
        alike = [seconds for key, seconds in known.items() if steps[key].kind == kind]
        return mean(alike or [_UNKNOWN_SECONDS])

    return {k: known[k] if k in known else usual(step.kind) for k, step in steps.items()}


def _clock(seconds: float) -> str:
    """Minutes and seconds, or hours: 1:53, 2:04:10."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
