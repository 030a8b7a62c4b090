"""What the Snakefile asks: which files a step needs, and which options change it.

Only light imports: Snakemake reads this at every call, also when there is nothing to do.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lbae_lib.config import Experiment, load_experiment, project_root
from lbae_lib.sources import module_sources, notebook_sources

BOOK_INDEX = Path("build/_build/html/index.html")
BOOK_PAGES = ("book/*.md", "book/*.bib", "book/_static/*.css", "_config.yml")


class Plan:
    """The report's steps for one profile and its data sets.

    Args:
        config: of Snakemake: "profile", "datasets" (names, space-separated), "data" (folder).
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.profile = str(config["profile"])
        self.data = str(config.get("data") or "")
        self._experiments: dict[str, Experiment] = {}
        for name in shlex.split(str(config["datasets"])):
            experiment = load_experiment(self.profile, name)
            self._experiments[experiment.folder.name] = experiment

    @property
    def slugs(self) -> list[str]:
        """Folder names of the data sets under ``results/<profile>/``."""
        return list(self._experiments)

    @property
    def notebooks(self) -> list[str]:
        """Names of the notebooks, in order."""
        return sorted(path.stem for path in Path("notebooks").glob("[0-9]*.ipynb"))

    def command(self, step: str, slug: str) -> str:
        """``lbae STEP`` with data set, profile and data folder, quoted for the shell."""
        words = [sys.executable, "-m", "lbae_lib.cli", *step.split()]
        words += ["-d", self._experiments[slug].dataset.name, "-p", self.profile]
        words += ["--data", self.data] if self.data else []
        return shlex.join(words)

    def training_options(self, slug: str) -> str:
        """Everything in the configuration that training depends on, as one string."""
        experiment = self._experiments[slug]
        options = dataclasses.asdict(experiment)
        del options["notebooks"]
        return json.dumps(options, sort_keys=True)

    def notebook_options(self, slug: str, notebook: str) -> str:
        """The parameters a notebook is run with, as one string."""
        return json.dumps(self._experiments[slug].notebooks.get(notebook, {}), sort_keys=True)

    def training_sources(self) -> list[str]:
        """Library files that the trained weights depend on."""
        return _relative(module_sources("lbae_lib.models.training", "lbae_lib.data.registry"))

    def encoding_sources(self) -> list[str]:
        """Library files that the latents depend on."""
        return _relative(module_sources("lbae_lib.models.encoding", "lbae_lib.models.checkpoints"))

    def notebook_sources(self, notebook: str) -> list[str]:
        """The notebook and the library files it imports."""
        path = Path("notebooks") / f"{notebook}.ipynb"
        return [str(path), *_relative(notebook_sources(path))]

    def executed(self) -> list[str]:
        """The executed notebooks this plan makes."""
        return [
            f"results/{self.profile}/{slug}/{notebook}.ipynb"
            for slug in self.slugs
            for notebook in self.notebooks
        ]

    def book_sources(self) -> list[str]:
        """Everything the book is built from: this plan's notebooks, pages, other results."""
        pages = [str(page) for pattern in BOOK_PAGES for page in Path().glob(pattern)]
        others = [str(p) for p in Path("results").glob("*/*/[0-9]*.ipynb") if _is_result(p)]
        code = _relative(module_sources("lbae_lib.report.book"))
        return sorted({*self.executed(), *pages, *others, *code})


def _is_result(path: Path) -> bool:
    return not path.name.endswith(".log.ipynb") and path.parts[1] != "smoke"


def _relative(files: list[Path]) -> list[str]:
    """Inside the project as relative paths; an installed library elsewhere as it is."""
    root = project_root()
    return [str(f.relative_to(root) if f.is_relative_to(root) else f) for f in files]
