"""The authors' published weights in the place of trained ones, with a record."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from companion.experiments.artifacts import MODEL
from companion.experiments.images import load_images
from companion.experiments.profiles import Experiment
from companion.experiments.records import IMPORTED, recorded_run
from companion.experiments.training import model_scores
from lbae_lib.errors import CheckpointError
from lbae_lib.files import sha256_file
from lbae_lib.models.authors_weights import read_authors_weights
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.model_files import save_model
from lbae_lib.models.training_state import CHECKPOINT_FILE


def import_authors_weights(
    experiment: Experiment, path: Path, data_root: Path, member: str | None = None
) -> Path:
    """Take the authors' published weights as an experiment's model, and write its record.

    Args:
        path: a ``last.cp``, its folder, or an archive of such folders.
        member: the folder of an archive that has several.
    """
    folder, target = experiment.model_folder, MODEL.target(experiment)
    with recorded_run(IMPORTED, folder) as write:
        if target.exists() or (folder / CHECKPOINT_FILE).exists():
            raise CheckpointError(
                f"{folder} already holds a model or a run: remove it, or choose another profile"
            )
        found = read_authors_weights(path, member)
        if found.network != experiment.network:
            own, theirs = (dataclasses.asdict(n) for n in (experiment.network, found.network))
            differ = [f"{k} {theirs[k]} where it has {own[k]}" for k in own if own[k] != theirs[k]]
            raise CheckpointError(
                f"{found.origin} does not fit {experiment.dataset.name} in "
                f"config/{experiment.profile}.yaml: {', '.join(differ)}"
            )
        model = build_model(found.network)
        model.load_state_dict(found.state)
        model.eval().requires_grad_(False)
        images = load_images(experiment, data_root)
        scores = model_scores(model, images, experiment.training.loss)
        about = {"imported": found.origin, "epoch": found.epoch}
        save_model(target, found.state, found.network, about, halve=False)
        write(
            options=experiment.options() | {"origin": found.origin},
            inputs=images.hashes,
            results={
                "imported": found.origin,
                "epochs": found.epoch,
                **scores,
                "model_sha256": sha256_file(target),
            },
        )
    return target
