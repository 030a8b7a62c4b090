"""What is missing or out of date, and why: for the plan of a report, and for the book's notes.

Quick to import: neither torch nor numpy.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from companion.experiments.artifacts import (
    EXPLORER,
    EXTRACTOR,
    LATENTS,
    MODEL,
    PRIOR,
    ROLES,
    Artifact,
    needed_artifacts,
    offers,
)
from companion.experiments.datasets import IMAGES, images_identity
from companion.experiments.profiles import STUDIES, Experiment, completed, load_experiment
from companion.experiments.records import (
    RECORD_FILE,
    SCORES,
    TABLES,
    comparable,
    is_imported,
    read_record,
)
from companion.experiments.sources import code_hash, notebook_hash
from companion.project import is_published, project_root, results_in_force
from companion.workflow.notebooks import notebook_needs, notebook_parameters
from lbae_lib.errors import ConfigError, DataError
from lbae_lib.files import read_description, read_json, sha256_file


def artifact_reasons(artifact: Artifact, experiment: Experiment, model: str = "lbae") -> list[str]:
    """Why an artefact has to be made; [] if it is there and up to date."""
    path = artifact.path(experiment, model)
    if not path.exists() or not path.with_name(Path(artifact.files[-1]).name).exists():
        return ["it is missing"]
    if artifact in (LATENTS, EXPLORER):
        if artifact is LATENTS:
            about, maker = {"version": 1} | read_description(path, "latents"), "encoder"
        else:
            about, maker = read_json(path, "summary of latents"), "page"
        found = about.get("version"), about.get("model_sha256")
        wanted = artifact.version, _digest(MODEL.path(experiment, model))
        return [] if found == wanted else [f"the model or the {maker} has changed"]
    record = read_record(path.parent / RECORD_FILE)
    if is_imported(path.parent):
        return []
    return [text for text, changed in _changes(artifact, experiment, model, record) if changed]


def _changes(
    artifact: Artifact, experiment: Experiment, model: str, record: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    """What may have changed since an artefact was made, and whether it has."""
    options, inputs = record["options"], record["inputs"]
    yield "the code that makes it has changed", options.get("version", 1) != artifact.version
    of_attributes = artifact is EXTRACTOR
    yield "the images have changed", _other_images(experiment, inputs, of_attributes)
    if artifact is MODEL:
        own = load_experiment(experiment.profile, experiment.dataset.name, model).options()
        of_images, known = own.pop("dataset"), options.get("dataset") or {}
        # A title, and the name of a folder that was renamed, change nothing.
        changed = any(
            known.get(key) != of_images[key] for key in ("image_size", "channels", "loss")
        )
        theirs = completed(options)
        changed |= any(theirs.get(key) != own[key] for key in own)
        yield "its options have changed", changed
    name = artifact.command.split()[-1]
    if name in STUDIES:
        own = getattr(experiment.entry.studies, name).model_dump()
        yield "its options have changed", options.get("study") != json.loads(json.dumps(own))
    if EXTRACTOR in artifact.made_of:
        extractor = EXTRACTOR.path(experiment)
        known = extractor.exists() and EXTRACTOR.command in inputs
        changed = known and inputs[EXTRACTOR.command] != _digest(extractor)
        yield "the feature extractor has changed", changed
    if artifact is EXTRACTOR:
        epochs = experiment.entry.extractor_epochs
        yield "its options have changed", options.get("epochs") != epochs
    if artifact is PRIOR:
        # Not the latents' hash: another processor may give some of them another bit.
        known = read_description(artifact.path(experiment), "priors").get("model_sha256")
        yield "the model has changed", known != _digest(MODEL.path(experiment))


def page_reasons(executed: Path) -> list[str]:
    """Why the results of an executed notebook, in ``runs/`` or ``results/``, are out of date.

    Latents, which are not kept, cannot have changed while they are missing.
    """
    name = executed.stem
    path = executed.with_suffix("") / RECORD_FILE
    if not path.exists():
        return ["its record is missing"]
    needed = {"options.profile": str, "options.parameters": dict}
    if name != TABLES:
        needed["options.dataset"] = str
    record = read_record(path, needed)
    inputs = record["inputs"]
    notebook = project_root() / "notebooks" / f"{name}.ipynb"
    if not notebook.exists():
        return ["its notebook was removed"]
    reasons = []
    if inputs.get("notebook") != notebook_hash(notebook):
        reasons.append("the notebook has changed")
    if inputs.get("code") != code_hash(notebook):
        reasons.append("the library has changed")
    if name != TABLES:
        return reasons + _input_reasons(executed, notebook, record)
    profile = executed.parent.name
    scores = results_in_force(f"*/*/{SCORES}/{RECORD_FILE}")
    kept = {_digest(path) for path in scores if comparable(path.parents[2].name, profile)}
    if kept != set(inputs.values()) - {inputs.get("notebook"), inputs.get("code")}:
        reasons.append("scores have changed")
    return reasons


def missing_run(executed: Path) -> list[str]:
    """Why the user has no run of a page: it was not run here, or the page is a published one."""
    if not executed.exists():
        return ["it is missing"]
    return ["it was published, not run here"] if is_published(executed) else []


def _input_reasons(executed: Path, notebook: Path, record: Mapping[str, Any]) -> list[str]:
    """What has changed of a page's parameters, and of the models that it is made of."""
    inputs, options = record["inputs"], record["options"]
    try:
        experiment = load_experiment(options["profile"], options["dataset"])
    except ConfigError as error:
        return [f"its profile cannot be used ({error})"]
    wanted = notebook_parameters(notebook) | experiment.entry.notebooks.get(executed.stem, {})
    # What its run was given on the command line stays in force.
    about = read_json(executed, "page").get("metadata", {})
    wanted |= about.get("papermill", {}).get("overrides", {})
    own = options["parameters"]
    # The device of a run is its own affair: the numbers are the same up to rounding.
    compared = own.keys() & wanted.keys() - {"device"}
    changed = any(own[key] != wanted[key] for key in compared)
    reasons = ["its parameters have changed"] if changed else []
    if _other_images(experiment, inputs, attributes=True):
        reasons.append("the images or their attributes have changed")
    for role, (artifact, model) in ROLES.items():
        product = artifact.path(experiment, model)
        if role in inputs and product.exists() and inputs[role] != _digest(product):
            reasons.append(f"the {role} {'have' if role.endswith('s') else 'has'} changed")
    needs = notebook_needs(notebook)
    gone = [n for n in needs if not n.endswith("?") and not offers(experiment, n)]
    if gone:
        return [*reasons, f"its profile no longer has {', '.join(gone)}"]
    for artifact, model in needed_artifacts(experiment, needs):
        for made in (*artifact.made_of, artifact):
            kept = made.path(experiment, model).exists()
            why = artifact_reasons(made, experiment, model) if kept else []
            reasons += [f"{made.doing(model)}: {text}" for text in why]
    return list(dict.fromkeys(reasons))


def _other_images(experiment: Experiment, inputs: Mapping[str, str], attributes: bool) -> bool:
    """Whether a folder has other images than a record names; not if either is not known."""
    if IMAGES not in inputs:
        return False
    try:
        return inputs[IMAGES] != _identity(experiment.dataset, attributes)[IMAGES]
    except DataError:  # the folder is not at hand
        return False


_identity = lru_cache(maxsize=16)(images_identity)  # a process looks once at a folder


def _digest(path: Path) -> str:
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, _size: int, _time: int) -> str:
    return sha256_file(path)
