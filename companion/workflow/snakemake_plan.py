"""The plan of a report as the Snakefile reads it: stamps, commands, resources."""

import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from companion.experiments.records import TABLES
from companion.workflow.gpus import GPUS
from companion.workflow.plan import BOOK, make_plan, parse_duration, remove_stamps, stamp

_MINUTES_ON_TOP = 20  # of a training's time limit: to load the images, and to score the model


class SnakemakePlan:
    """The steps that a report has to run.

    A stamp marks a step that has ended. Snakemake's main process removes the stamps of steps that
    have to run, so that exactly these are run; its jobs leave them.

    Snakemake's configuration has "profile"; "datasets", a list or names separated by spaces; and
    may have "data", a folder, and "time_limit" of one training job, [H:]MM:SS.
    """

    def __init__(self, config: Mapping[str, Any], main: bool = True) -> None:
        self.profile = str(config["profile"])
        self.data = str(config.get("data") or "")
        self.time_limit = str(config.get("time_limit") or "")
        names = config["datasets"]
        names = shlex.split(names) if isinstance(names, str) else [str(name) for name in names]
        self._steps = make_plan(self.profile, names)
        if main:
            remove_stamps(self.profile, self._steps)

    def stamp(self, key: str) -> str:
        """The file that marks the end of a step."""
        return stamp(self.profile, key)

    def stamps(self) -> list[str]:
        """The stamps of all steps that have to run."""
        return [*map(self.stamp, self._steps)]

    def before(self, key: str) -> list[str]:
        """The stamps of the steps that a step waits for."""
        return [*map(self.stamp, self._steps[key].waits_for)]

    def pattern(self, *kinds: str) -> str:
        """A regular expression for the keys of the steps of these kinds."""
        keys = [re.escape(key) for key, step in self._steps.items() if step.kind in kinds]
        return "|".join(keys) or "(?!)"  # matches nothing

    def command(self, key: str) -> str:
        """The step's `lbae` command, quoted for the shell."""
        words = [sys.executable, "-m", "companion.cli", *self._steps[key].words, "-p", self.profile]
        about_data = key not in (TABLES, BOOK)
        words += ["--data", self.data] if self.data and about_data else []
        train = self._steps[key].kind == "train"
        words += ["--time-limit", self.time_limit] if self.time_limit and train else []
        return f"LBAE_STEP={shlex.quote(key)} {shlex.join(words)}"

    @property
    def gpu(self) -> dict[str, int]:
        """What a step that computes takes of the machine's GPUs: one, if there are any."""
        return {"gpu": 1} if os.environ.get(GPUS) else {}

    @property
    def runtime(self) -> dict[str, int]:
        """A cluster's limit for a training job, in minutes, where training has a limit."""
        if not self.time_limit:
            return {}
        return {"runtime": math.ceil(parse_duration(self.time_limit) / 60) + _MINUTES_ON_TOP}

    def threads(self, cores: int) -> int:
        """Threads of a step that computes: half the cores.

        Two small networks trained side by side see a third more images than one after the other.
        """
        return 1 if self.profile == "smoke" else max(1, cores // 2)
