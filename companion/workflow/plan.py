"""The plan that the Snakefile reads: the files a step needs, and the options that change it.

Quick to import: Snakemake reads it at every call, even when there is nothing to do.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from companion.experiments.artifacts import MODEL, Artifact, needed_artifacts
from companion.experiments.profiles import STUDIES, Experiment, StudyName, load_experiment
from companion.experiments.records import IMPORTED, SCORES, TABLES, comparable, is_imported
from companion.experiments.sources import module_sources, notebook_sources
from companion.project import project_root
from companion.workflow.gpus import GPUS
from companion.workflow.notebooks import (
    executed_notebooks,
    notebook_metadata,
    notebook_names,
    notebook_needs,
    notebook_path,
)
from lbae_lib.errors import LbaeError

BOOK_INDEX = Path("build/_build/html/index.html")
_MINUTES_ON_TOP = 20  # of a training's time limit: to load the images, and to score the model
BOOK_PAGES = (
    "_config.yml",
    "book/**/*.md",
    "book/*.bib",
    "book/images/*.png",
    "book/_static/*.css",
    "results/performance/*.json",
    "results/reliability/*.json",
    "lbae_lib/*/*.py",  # the reference
)


class Plan:
    """The report's steps for one profile and its data sets.

    Args:
        config: of Snakemake: "profile", "datasets" (names, space-separated), "data" (folder),
            "time_limit" (of one run of a training, H:MM:SS).
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.profile = str(config["profile"])
        self.data = str(config.get("data") or "")
        self.time_limit = str(config.get("time_limit") or "")
        self._experiments: dict[str, Experiment] = {}
        for name in shlex.split(str(config["datasets"])):
            experiment = load_experiment(self.profile, name)
            self._experiments[experiment.folder.name] = experiment

    @property
    def slugs(self) -> list[str]:
        """Folder names of the data sets under ``results/<profile>/``."""
        return list(self._experiments)

    def command(self, step: str, slug: str, model: str | None = None) -> str:
        """``lbae STEP`` with data set, profile and data folder, quoted for the shell."""
        name = shlex.quote(f"{slug} {model or step}")  # begins its lines of progress
        words = [sys.executable, "-m", "companion.cli", *step.split()]
        words += ["-d", self._experiments[slug].dataset.name, "-p", self.profile]
        words += ["-m", model] if model else []
        words += ["--data", self.data] if self.data else []
        words += ["--time-limit", self.time_limit] if self.time_limit and step == "train" else []
        return f"LBAE_STEP={name} {shlex.join(words)}"

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

    def outputs(self, artifact: Artifact) -> list[str]:
        """What making an artefact leaves, with the wildcards {slug} and {model}."""
        return [f"results/{self.profile}/{{slug}}/{file}" for file in artifact.files]

    def inputs(self, artifact: Artifact, slug: str, model: str = "lbae") -> list[str]:
        """What an artefact is made of, and the library files that decide on its content."""
        experiment = self._experiments[slug]
        if artifact is MODEL and is_imported(experiment.folder / model):
            return []
        made_of = [source.path(experiment, model) for source in artifact.made_of]
        return _relative([*made_of, *module_sources(*artifact.modules)])

    def training_options(self, slug: str, model: str) -> str:
        """Everything in the configuration that training depends on, as one string."""
        experiment = self._experiments[slug]
        if is_imported(experiment.folder / model):
            return IMPORTED
        experiment = load_experiment(self.profile, experiment.dataset.name, model)
        return json.dumps(experiment.options() | {"model": model}, sort_keys=True)

    def extractor_options(self, slug: str) -> str:
        """What the feature extractor depends on in the configuration, as one string."""
        entry = self._experiments[slug].entry
        return json.dumps([entry.extractor_epochs, entry.validation_images])

    def study_options(self, slug: str, study: StudyName) -> str:
        """What a study depends on in the configuration, as one string."""
        entry = self._experiments[slug].entry
        return json.dumps([entry.studies[study].model_dump(), entry.validation_images])

    def notebook_options(self, slug: str, notebook: str) -> str:
        """The parameters a notebook is run with, as one string."""
        return json.dumps(self._experiments[slug].entry.notebooks.get(notebook, {}), sort_keys=True)

    def notebook_inputs(self, slug: str, notebook: str) -> list[str]:
        """The notebook, what it says it needs, and the library files it imports."""
        path, experiment = notebook_path(notebook), self._experiments[slug]
        made = [  # the last file, which is there once the step has ended
            experiment.folder / artifact.files[-1].format(model=model)
            for artifact, model in needed_artifacts(experiment, notebook_needs(path))
        ]
        return _relative([path, *made, *notebook_sources(path)])

    def notebooks(self, computing: bool) -> list[str]:
        """The notebooks that compute for minutes, by their metadata, or all others."""
        names = {name: notebook_metadata(notebook_path(name)) for name in notebook_names()}
        return [
            name for name, about in names.items() if (about.get("threads") == "many") == computing
        ]

    def tables_inputs(self) -> list[str]:
        """What the page across data sets is made of: the scores of all results."""
        path = notebook_path(TABLES)
        made = {name.removesuffix(".ipynb") for name in self.executed() if SCORES in name}
        found = {str(p.parent) for p in Path("results").glob(f"*/*/{SCORES}/record.json")}
        records = [
            Path(folder) / "record.json"
            for folder in sorted(made | found)
            if comparable(Path(folder).parts[1], self.profile)
        ]
        return _relative([path, *records, *notebook_sources(path)])

    def executed(self) -> list[str]:
        """The executed notebooks this plan makes for its data sets."""
        paths = {name: notebook_path(name) for name in notebook_names() if name != TABLES}
        return [
            f"results/{self.profile}/{slug}/{name}.ipynb"
            for slug, experiment in self._experiments.items()
            for name, path in paths.items()
            if not notebook_metadata(path).get("interactive")
            and _suits(experiment, notebook_needs(path))
        ]

    def tables(self) -> list[str]:
        """The executed page across data sets, if there is anything to put on it."""
        scored = any(SCORES in notebook for notebook in self.executed())
        return [f"results/{self.profile}/{TABLES}.ipynb"] if scored else []

    def book_sources(self) -> list[str]:
        """Everything the book is built from: this plan's notebooks, pages, other results."""
        pages = [str(page) for pattern in BOOK_PAGES for page in Path().glob(pattern)]
        folders = [p for p in Path("results").glob("*/*") if comparable(p.parts[1], "")]
        others = [str(p) for folder in folders for p in executed_notebooks(folder)]
        code = _relative(module_sources("companion.site.build"))
        return sorted({*self.executed(), *self.tables(), *pages, *others, *code})


def parse_duration(text: str) -> float:
    """Seconds in "[H:]MM:SS" or in plain seconds.

    Raises:
        LbaeError: if ``text`` is neither.
    """
    if not re.fullmatch(r"\d+(:[0-5]?\d){0,2}", text):
        raise LbaeError(f"{text!r} is not a duration: write [H:]MM:SS, e.g. 1:30:00 or 9:00")
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return float(seconds)


def _suits(experiment: Experiment, needs: list[str]) -> bool:
    """Whether the data set and its profile have what a notebook needs."""
    baseline = "vae" not in needs or experiment.entry.vae
    studied = all(study in experiment.entry.studies for study in STUDIES if study in needs)
    return bool(baseline and studied) and ("attributes" not in needs or experiment.dataset.named)


def _relative(files: list[Path]) -> list[str]:
    """Inside the project as relative paths; others, of a library installed elsewhere, unchanged."""
    root = project_root()
    return [str(f.relative_to(root) if f.is_relative_to(root) else f) for f in files]
