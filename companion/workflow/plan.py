"""What a report has to do: the steps that are missing or out of date, in their order, and why.

The command ``lbae report`` and the Snakefile read the same plan. Quick to import: Snakemake reads
it at every call, even when there is nothing to do.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from companion.experiments.artifacts import EXPLORER, LATENTS, Artifact, needed_artifacts, offers
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import SCORES, TABLES
from companion.project import in_force, project_root
from companion.workflow.book_state import book_reasons
from companion.workflow.notebooks import (
    notebook_metadata,
    notebook_names,
    notebook_needs,
    notebook_path,
)
from companion.workflow.staleness import artifact_reasons, missing_run, page_reasons
from lbae_lib.errors import LbaeError

BOOK = "book"
STAMPS = ".snakemake/lbae"


@dataclass(frozen=True)
class Step:
    """An `lbae` command of a report, and why it has to run.

    Attributes:
        key: names the step, e.g. "digits/vae/encode" or "digits/03_sampling".
        title: for progress, e.g. "digits: training the VAE".
        kind: what the Snakefile tells apart, e.g. "train" or "computing_notebook".
        words: of the command after `lbae`, without profile and data folder.
        waits_for: keys of the plan's steps that have to end before.
    """

    key: str
    title: str
    kind: str
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    waits_for: tuple[str, ...] = ()


def make_plan(profile: str, datasets: Sequence[str]) -> dict[str, Step]:
    """The steps of a report, by key, each after those that it waits for.

    Published models count as made where they are up to date; pages are run here, so that every
    number of a report was computed by its user.
    """
    steps: dict[str, Step] = {}
    scored = False
    for name in datasets:
        experiment = load_experiment(profile, name)
        for notebook in pages(experiment):
            scored |= notebook == SCORES
            _plan_page(steps, experiment, notebook)
        _plan_artifact(steps, experiment, EXPLORER, "lbae", lazily=False)
    executed = in_force(Path(profile, f"{TABLES}.ipynb"))
    waits = tuple(key for key in steps if key.endswith(f"/{SCORES}"))
    reasons = missing_run(executed) or page_reasons(executed) if scored else []
    if scored and (reasons or waits):
        reasons = reasons or ["scores are measured again"]
        title = f"all data: notebook {TABLES}"
        steps[TABLES] = Step(TABLES, title, "tables", ("tables",), tuple(reasons), waits)
    if steps or (found := book_reasons(profile)):
        why = ("its pages are regenerated",) if steps else tuple(found)
        steps[BOOK] = Step(BOOK, "the book", "book", ("book",), why, tuple(steps))
    return steps


def pages(experiment: Experiment) -> list[str]:
    """The notebooks on one data set that a report runs for it."""
    return [
        name
        for name in notebook_names()
        if name != TABLES
        and not notebook_metadata(notebook_path(name)).get("interactive")
        and all(
            need.endswith("?") or offers(experiment, need)
            for need in notebook_needs(notebook_path(name))
        )
    ]


def _plan_page(steps: dict[str, Step], experiment: Experiment, name: str) -> None:
    """Add a page if it has to run, after what it needs."""
    path, slug = notebook_path(name), experiment.folder.name
    executed = in_force(experiment.place / f"{name}.ipynb")
    reasons = missing_run(executed) or page_reasons(executed)
    needed = needed_artifacts(experiment, notebook_needs(path))

    def plan_needed(lazily: bool) -> tuple[str, ...]:
        again = (_plan_artifact(steps, experiment, *each, lazily) for each in needed)
        return tuple(chain.from_iterable(again))

    waits = plan_needed(lazily=not reasons)
    if not reasons and waits:
        # What it needs will change; then all that it needs has to be there.
        reasons = [f"{steps[key].title} comes first" for key in waits]
        waits = plan_needed(lazily=False)
    if reasons:
        many = notebook_metadata(path).get("threads") == "many"
        key = f"{slug}/{name}"
        steps[key] = Step(
            key,
            f"{slug}: notebook {name}",
            "computing_notebook" if many else "notebook",
            ("notebook", name, "-d", experiment.dataset.name),
            tuple(reasons),
            waits,
        )


def _plan_artifact(
    steps: dict[str, Step], experiment: Experiment, artifact: Artifact, model: str, lazily: bool
) -> tuple[str, ...]:
    """Add an artefact if it has to be made, after what it is made of.

    While nothing has to be computed from them, latents are ``lazily`` left out: they are not kept.
    Returns the key of its step, or of those before it; () if it is up to date.
    """
    slug = experiment.folder.name
    single = "{model}" not in artifact.files[0]
    command = artifact.command.split()
    key = f"{slug}/{command[-1]}" if single else f"{slug}/{model}/{command[0]}"
    if key in steps:
        # Latents that were only missing change nothing for what was made of them.
        same = lazily and artifact is LATENTS and not steps[key].waits_for
        return () if same else (key,)
    reasons = artifact_reasons(artifact, experiment, model)
    before = tuple(
        made
        for source in artifact.made_of
        for made in _plan_artifact(steps, experiment, source, model, lazily=not reasons)
    )
    if not before and (not reasons or (lazily and artifact is LATENTS)):
        return ()
    words = (*command, "-d", experiment.dataset.name, *(() if single else ("-m", model)))
    reasons = reasons or [f"{steps[before[0]].title} comes first"]
    title = f"{slug}: {artifact.doing(model)}"
    steps[key] = Step(key, title, command[0], words, tuple(reasons), before)
    return (key,)


def stamp(profile: str, key: str) -> str:
    """The file that marks the end of a step, relative to the project."""
    return f"{STAMPS}/{profile}/{key}.done"


def remove_stamps(profile: str, steps: Iterable[str]) -> None:
    """Remove the stamps of steps, by their keys, so that Snakemake runs them."""
    for key in steps:
        (project_root() / stamp(profile, key)).unlink(missing_ok=True)


def parse_duration(text: str) -> float:
    """Seconds in "[H:]MM:SS"; a number alone, which may mean minutes elsewhere, is an error."""
    if not re.fullmatch(r"\d+(:[0-5]?\d){1,2}", text):
        raise LbaeError(f"{text!r} is not a duration: write [H:]MM:SS, e.g. 1:30:00 or 9:00")
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return float(seconds)
