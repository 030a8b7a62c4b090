"""What the Snakefile asks: which files a step needs, and which options change it.

Only light imports: Snakemake reads this at every call, also when there is nothing to do.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import IMPORTED, SCORES, TABLES, belongs_beside, is_imported
from companion.experiments.sources import module_sources, notebook_sources
from companion.project import project_root
from lbae_lib.errors import ConfigError, LbaeError

BOOK_INDEX = Path("build/_build/html/index.html")
# What a notebook may need -> the last file that its making leaves, in the data set's folder.
_PRODUCTS = {
    "lbae": "lbae/latents.safetensors",
    "vae": "vae/latents.safetensors",
    "extractor": "extractor/record.json",
    "prior": "prior/record.json",
}
_MINUTES_ON_TOP = 20  # of a training's time limit: to load the images, and to score the model
_NEEDS = (*_PRODUCTS, "rates", "attributes")
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
        name = shlex.quote(f"{slug} {model or step}")  # what its lines of progress begin with
        words = [sys.executable, "-m", "companion.cli", *step.split()]
        words += ["-d", self._experiments[slug].dataset.name, "-p", self.profile]
        words += ["-m", model] if model else []
        words += ["--data", self.data] if self.data else []
        words += ["--time-limit", self.time_limit] if self.time_limit and step == "train" else []
        return f"LBAE_STEP={name} {shlex.join(words)}"

    def training_resources(self) -> dict[str, int]:
        """A cluster's limit for a job of training, in minutes, where training has a limit."""
        if not self.time_limit:
            return {}
        return {"runtime": math.ceil(parse_duration(self.time_limit) / 60) + _MINUTES_ON_TOP}

    def training_options(self, slug: str, model: str) -> str:
        """Everything in the configuration that training depends on, as one string."""
        if is_imported(Path("results") / self.profile / slug / model):
            return IMPORTED
        experiment = load_experiment(self.profile, self._experiments[slug].dataset.name, model)
        options = dataclasses.asdict(experiment)
        for key in ("notebooks", "extractor_epochs", "has_baseline", "rates"):
            del options[key]
        return json.dumps(options, sort_keys=True)

    def extractor_options(self, slug: str) -> str:
        """What the feature extractor depends on in the configuration, as one string."""
        experiment = self._experiments[slug]
        return json.dumps([experiment.extractor_epochs, experiment.validation_images])

    def notebook_options(self, slug: str, notebook: str) -> str:
        """The parameters a notebook is run with, as one string."""
        return json.dumps(self._experiments[slug].notebooks.get(notebook, {}), sort_keys=True)

    def training_sources(self, slug: str, model: str) -> list[str]:
        """Library files that the trained weights depend on; imported ones on none."""
        if is_imported(Path("results") / self.profile / slug / model):
            return []
        return _relative(module_sources("lbae_lib.models.training", "lbae_lib.data.registry"))

    def encoding_sources(self) -> list[str]:
        """Library files that the latents depend on."""
        return _relative(module_sources("lbae_lib.models.encoding", "lbae_lib.models.model_files"))

    def extractor_sources(self) -> list[str]:
        """Library files that the feature extractor depends on."""
        return _relative(
            module_sources("lbae_lib.metrics.classifier_training", "lbae_lib.data.registry")
        )

    def prior_sources(self) -> list[str]:
        """Library files that the distributions of the latents depend on."""
        return _relative(module_sources("lbae_lib.latent.autoregressive"))

    def notebook_inputs(self, slug: str, notebook: str) -> list[str]:
        """The notebook, the library files it imports, and the models it says it needs."""
        path = Path("notebooks") / f"{notebook}.ipynb"
        folder = f"results/{self.profile}/{slug}"
        needs = ("lbae", *notebook_needs(path))
        made = [f"{folder}/{_PRODUCTS[need]}" for need in needs if need in _PRODUCTS]
        if "rates" in needs:
            sizes = self._experiments[slug].rates
            made += [f"{folder}/lbae-{size}/latents.safetensors" for size in sizes]
        return [str(path), *made, *_relative(notebook_sources(path))]

    def threads(self, cores: int) -> int:
        """Threads of a step that computes: half the cores.

        Two small networks trained side by side see a third more images than one after the other.
        """
        return 1 if self.profile == "smoke" else max(1, cores // 2)

    def notebooks(self, computing: bool) -> list[str]:
        """The notebooks that compute for minutes, by their metadata, or all others."""
        return [
            path.stem
            for path in _notebooks()
            if (_about(path).get("threads") == "many") == computing
        ]

    def tables_inputs(self) -> list[str]:
        """What the page across data sets is made of: the scores of every result there is."""
        path = Path("notebooks") / f"{TABLES}.ipynb"
        made = [n.removesuffix(".ipynb") for n in self.executed() if SCORES in n]
        found = [str(p.parent) for p in Path("results").glob(f"*/*/{SCORES}/record.json")]
        records = {f"{folder}/record.json" for folder in [*made, *found]}
        records = {r for r in records if belongs_beside(Path(r).parts[1], self.profile)}
        return [str(path), *sorted(records), *_relative(notebook_sources(path))]

    def executed(self) -> list[str]:
        """The executed notebooks this plan makes for its data sets."""
        return [
            f"results/{self.profile}/{slug}/{path.stem}.ipynb"
            for slug, experiment in self._experiments.items()
            for path in _notebooks()
            if path.stem != TABLES
            and not _about(path).get("interactive")
            and _suits(experiment, notebook_needs(path))
        ]

    def tables(self) -> list[str]:
        """The executed page across data sets, if there is anything to put on it."""
        scored = any(SCORES in notebook for notebook in self.executed())
        return [f"results/{self.profile}/{TABLES}.ipynb"] if scored else []

    def book_sources(self) -> list[str]:
        """Everything the book is built from: this plan's notebooks, pages, other results."""
        pages = [str(page) for pattern in BOOK_PAGES for page in Path().glob(pattern)]
        others = [str(p) for p in Path("results").glob("*/*/[0-9]*.ipynb") if _is_result(p)]
        code = _relative(module_sources("companion.site.build"))
        return sorted({*self.executed(), *self.tables(), *pages, *others, *code})


def parse_duration(text: str) -> float:
    """Seconds in "[H:]MM:SS" or in plain seconds.

    Raises:
        LbaeError: if ``text`` is neither.
    """
    if not re.fullmatch(r"\d+(:[0-5]?\d){0,2}", text):
        raise LbaeError(f"{text!r} is no duration: write [H:]MM:SS, e.g. 1:30:00 or 9:00")
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return float(seconds)


def notebook_needs(notebook: Path) -> list[str]:
    """What a notebook needs beside the LBAE, by its metadata: "vae", "extractor",
    "prior", "rates", "attributes".

    Raises:
        ConfigError: if it names something else.
    """
    needs = list(_about(notebook).get("needs", []))
    for need in needs:
        if need not in _NEEDS:
            raise ConfigError(f"{notebook} needs {need!r}; there are {', '.join(_NEEDS)}")
    return needs


def _suits(experiment: Experiment, needs: Sequence[str]) -> bool:
    """Whether the data set and its profile have what a notebook needs."""
    baseline = "vae" not in needs or experiment.has_baseline
    return baseline and ("attributes" not in needs or experiment.dataset.named)


def _notebooks() -> list[Path]:
    return sorted(Path("notebooks").glob("[0-9]*.ipynb"))


def _about(notebook: Path) -> dict[str, Any]:
    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    return dict(metadata.get("lbae", {}))


def _is_result(path: Path) -> bool:
    return not path.name.endswith(".log.ipynb") and belongs_beside(path.parts[1], "")


def _relative(files: list[Path]) -> list[str]:
    """Inside the project as relative paths; an installed library elsewhere as it is."""
    root = project_root()
    return [str(f.relative_to(root) if f.is_relative_to(root) else f) for f in files]
