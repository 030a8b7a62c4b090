"""Running a study: every variant with every seed, each kept in a file of its own.

A study that was stopped is resumed by running it again: a training is repeated only if its
options, its images or the version of its code have changed.
"""

import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from companion.analysis import bottleneck_study, quantiser_study, seed_study, size_study
from companion.experiments.artifacts import BOTTLENECKS, QUANTISERS, SEEDS, SIZES, Artifact
from companion.experiments.datasets import images_identity
from companion.experiments.images import Images, load_images
from companion.experiments.profiles import STUDIES, Experiment, Study
from companion.experiments.records import recorded_run
from companion.experiments.study_training import Task
from lbae_lib.data.images import ImageSet
from lbae_lib.errors import CheckpointError, ConfigError, unknown
from lbae_lib.files import read_json, sha256_file, write_text
from lbae_lib.latent.draws import draw_permutation
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.encoding import mean_image_loss
from lbae_lib.models.hardware import choose_device
from lbae_lib.progress import progress_bar


class StudyKind(NamedTuple):
    """How a study is run."""

    artifact: Artifact  # its record
    variants: Mapping[str, str]  # label by key
    run: Callable[[str, Task, Images, Experiment], dict[str, Any]]  # trains and measures a variant


KINDS: Mapping[str, StudyKind] = {
    "bottlenecks": StudyKind(BOTTLENECKS, bottleneck_study.LABELS, bottleneck_study.run),
    "quantisers": StudyKind(QUANTISERS, quantiser_study.LABELS, quantiser_study.run),
    "seeds": StudyKind(SEEDS, seed_study.LABELS, seed_study.run),
    "sizes": StudyKind(SIZES, size_study.LABELS, size_study.run),
}


def run_study(name: str, experiment: Experiment, data_root: Path, device: str = "auto") -> Path:
    """Train and measure what is missing, and write the study's record; returns its path.

    Raises:
        ConfigError: if there is no such study, or the profile has none for the data set.
        CheckpointError: if something that it is made of is missing.
        WriteError: if another run is using the study's folder.
    """
    if name not in KINDS:
        raise ConfigError(unknown("study", name, STUDIES))
    kind, device = KINDS[name], choose_device(device)
    study = getattr(experiment.entry.studies, name)
    if study is None:
        raise ConfigError(
            f"config/{experiment.profile}.yaml has no study {name!r} of {experiment.dataset.name}: "
            "add it to the data set's studies"
        )
    path = kind.artifact.target(experiment)
    made_of = {a.command: sha256_file(a.required(experiment)) for a in kind.artifact.made_of}
    with recorded_run(f"study {name}", path.parent, device) as write:
        whole = load_images(experiment, data_root)
        images = Images(whole.dataset, _drawn(whole, study.images))
        inputs = whole.hashes | made_of | images_identity(experiment.dataset, attributes=False)
        own = {"study": study.model_dump(), "version": kind.artifact.version}
        # More seeds repeat nothing.
        shared = own | {"study": study.model_dump(exclude={"seeds"})}
        shared |= {"loss": experiment.training.loss, "inputs": inputs}
        base, test = _task(experiment, study, images, device), images.splits["test"].images
        runs: dict[str, list[dict[str, Any]]] = {variant: [] for variant in kind.variants}
        seconds = 0.0
        total = study.seeds * len(runs)
        with progress_bar(total, f"{experiment.dataset.title}, {name}", "training") as bar:
            # The trainings of a pair follow each other, so that their times can be compared.
            for seed, variant in itertools.product(range(study.seeds), runs):
                file = path.parent / "runs" / f"{variant}-{seed}.json"
                options = shared | {"variant": variant, "seed": seed}
                content = _kept(file, options)
                if content is None:
                    began, task = time.monotonic(), dataclasses.replace(base, seed=seed)
                    found = _rounded(kind.run(variant, task, images, experiment))
                    took = time.monotonic() - began
                    content = {"options": options, "found": found, "seconds": took}
                    write_text(file, json.dumps(content))
                runs[variant].append(content["found"])
                seconds += content.get("seconds", 0.0)  # the first files had none
                bar.update()
        write(
            options={"profile": experiment.profile, "dataset": experiment.dataset.name} | own,
            inputs=inputs,
            results={
                "images": {n: len(part) for n, part in images.splits.items()},
                "mean_image_test_loss": mean_image_loss(base.train, test, base.loss),
                "runs": runs,
            },
            seconds=seconds,
        )
    return path


def _drawn(whole: Images, count: int) -> dict[str, ImageSet]:
    """At most ``count`` images of each split, in random order: a folder's are in that of classes.

    The first images of a part are therefore a sample of it.
    """
    generator = torch.Generator().manual_seed(0)
    return {
        name: part.select(draw_permutation(len(part), generator, "cpu")[:count])
        for name, part in whole.splits.items()
    }


def _task(experiment: Experiment, study: Study, images: Images, device: str) -> Task:
    """What all trainings have in common; the seed is that of the first one."""
    info = experiment.dataset
    network = NetworkConfig(info.image_size, info.channels, study.latent_size, study.width)
    train, validation = (images.splits[part].images for part in ("train", "validation"))
    if len(train) < study.batch_size:
        raise ConfigError(
            f"{len(train)} training images do not fill a batch of {study.batch_size}: lower the "
            f"study's batch_size in config/{experiment.profile}.yaml"
        )
    return Task(network, study, experiment.training.loss, train, validation, 0, device)


def _kept(file: Path, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The file of an earlier run of the same options; None if there is none, or it is damaged."""
    try:
        content = read_json(file, "run of a study")
    except CheckpointError:
        return None
    same = content.get("options") == json.loads(json.dumps(options))
    return content if same and "found" in content else None


def _rounded(value: Any) -> Any:
    """Numbers with six significant digits, so that records of many curves stay small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
