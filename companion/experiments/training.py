"""An experiment's model, trained or imported, with a record."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.experiments.artifacts import MODEL
from companion.experiments.datasets import images_identity
from companion.experiments.images import Images, load_images, remember_images
from companion.experiments.profiles import Experiment, completed
from companion.experiments.records import (
    IMPORTED,
    RECORD_FILE,
    add_inputs,
    environment,
    has_inputs,
    is_imported,
    kept_record,
    recorded_run,
    write_record,
)
from lbae_lib.errors import CheckpointError
from lbae_lib.files import sha256_file
from lbae_lib.models.authors_weights import read_authors_weights
from lbae_lib.models.autoencoders import LBAE, VAE, build_model
from lbae_lib.models.config import Loss
from lbae_lib.models.encoding import reconstruction_losses
from lbae_lib.models.hardware import ONE_DEVICE, Hardware, choose_device
from lbae_lib.models.model_files import load_autoencoder, save_model
from lbae_lib.models.training_state import CHECKPOINT_FILE

if TYPE_CHECKING:
    from lbae_lib.models.training import TrainingResult


def train_experiment(
    experiment: Experiment,
    data_root: Path,
    *,
    hardware: Hardware = ONE_DEVICE,
    time_limit: float | None = None,
) -> TrainingResult:
    """Train the experiment's model; once finished, score it on all splits and write the record.

    The record of a run that was finished before stays: it says when and how the model was made.
    On several devices the first process does the scoring.
    """
    from lbae_lib.models.training import train  # Lightning takes seconds to import

    # At the start: the commit may move on during a long run.
    made_in = environment(choose_device(hardware.device))
    folder, path = experiment.model_folder, MODEL.target(experiment)
    if is_imported(folder):
        raise CheckpointError(
            f"{folder} holds imported weights: remove it to train, or choose another profile"
        )
    identity = images_identity(experiment.dataset, attributes=False)
    images = load_images(experiment, data_root)
    remember_images(experiment, images, [path, folder / CHECKPOINT_FILE])
    result = train(
        experiment.network,
        experiment.training,
        images.splits["train"].images,
        images.splits["validation"].images,
        folder,
        hardware=hardware,
        time_limit=time_limit,
    )
    if not (result.finished and result.first_process):
        return result
    digest = sha256_file(path)  # before it is read
    options = experiment.options() | {"version": MODEL.version}
    if _is_recorded(folder / RECORD_FILE, options, images.hashes, digest):
        add_inputs(folder / RECORD_FILE, identity)
    else:
        model, _ = load_autoencoder(path, result.device)
        write_record(
            folder / RECORD_FILE,
            kind="train",
            options=options | {"hardware": dataclasses.asdict(hardware)},
            inputs=images.hashes | identity,
            results={
                **result.for_record(),
                **model_scores(model, images, experiment.training.loss),
                "model_sha256": digest,
            },
            seconds=result.seconds,
            made_in=made_in,
        )
    return result


def _is_recorded(path: Path, options: dict[str, Any], pixels: dict[str, str], digest: str) -> bool:
    """Whether a record is that of this model, of these options and of images with these hashes."""
    if not has_inputs(record := kept_record(path), pixels):
        return False
    own, theirs = json.loads(json.dumps(options)), completed(record["options"])
    same = {key: theirs.get(key) for key in own} == own
    return same and record["results"].get("model_sha256") == digest


def import_authors_weights(
    experiment: Experiment, path: Path, data_root: Path, member: str | None = None
) -> Path:
    """Take the authors' published weights as an experiment's model, and write its record.

    ``path`` is a ``last.cp``, its folder, or an archive of such folders; ``member`` is the folder
    of an archive that has several.
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
                f"config/{experiment.profile}.yaml ({', '.join(differ)}): choose another data set "
                "or profile, or change this one"
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


def model_scores(model: LBAE | VAE, images: Images, loss: Loss) -> dict[str, Any]:
    """Mean reconstruction loss and number of images of each split, for records."""
    return {
        "reconstruction_loss": {
            name: float(reconstruction_losses(model, part.images, loss).mean())
            for name, part in images.splits.items()
        },
        "images": {name: len(part) for name, part in images.splits.items()},
        **({"reading": reading.for_record()} if (reading := images.dataset.reading) else {}),
    }
