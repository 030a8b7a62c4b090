"""LBAE and VAE trained with the same seeds: what a comparison of the two needs for its noise.

Another training gives another model, so that one training of each decides nothing. The study
trains pairs of small models with the library's own training, as `lbae train` does, and scores
their images as the page of scores does.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from companion.analysis.evaluators import Evaluator, evaluators, second_stand_in
from companion.analysis.image_source import ImageSource
from companion.analysis.image_sources import interpolations, reconstructions, sampled, vae_sources
from companion.analysis.samplers import FittedSamplers
from companion.analysis.scoring import METRICS, Scoreboard
from companion.experiments.artifacts import SEEDS
from companion.experiments.extractor import load_extractor
from companion.experiments.images import Images
from companion.experiments.profiles import Experiment, SeedStudy
from companion.experiments.study_training import Task
from companion.experiments.trained import Baseline, Trained
from companion.project import project_root
from lbae_lib.files import sha256_tensor
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.metrics.corruptions import sharpness
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.encoding import encode, encode_posterior, reconstruction_losses
from lbae_lib.models.hardware import Hardware
from lbae_lib.models.model_files import MODEL_FILE, PROGRESS_FILE, load_autoencoder

LABELS: Mapping[str, str] = {"lbae": "LBAE", "vae": "VAE (ours)"}
VAE_ROWS = ("reco", "standard", "mixture", "interp")
_CURVES = ("train_loss", "validation_loss", "seconds")


def run(variant: str, task: Task, images: Images, experiment: Experiment) -> dict[str, Any]:
    """Train a model, and score its reconstructions, samples and interpolations: JSON values.

    "curves" are by epoch, "sharpness" is relative to test images, "scored" has the number of images
    by evaluator, and "scores" leads from evaluator to row to metric, as on the page of scores.
    """
    study = task.study
    assert isinstance(study, SeedStudy)
    model, history, facts = _trained(variant, task, study, experiment)
    test = images.splits["test"]
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    pair: Trained | Baseline
    if isinstance(model, LBAE):
        packed = {name: encode(model, part.images) for name, part in images.splits.items()}
        pair = Trained(model, images.splits, packed, images.dataset)
    else:
        found = {name: encode_posterior(model, p.images) for name, p in images.splits.items()}
        means, log_variances = ({n: both[i] for n, both in found.items()} for i in (0, 1))
        pair = Baseline(model, images.splits, means, log_variances)
    samplers = FittedSamplers(pair.bits("train")) if isinstance(pair, Trained) else None
    boards = [
        _board(evaluator, pair.with_test(chosen[:count]), task.seed, samplers)
        for evaluator, count in _evaluators(study, experiment, task.device)
    ]
    reco = boards[0].rows[f"{variant}_reco"].sample
    real = boards[0].reference[: len(reco)]
    return {
        "curves": {name: [line[name] for line in history] for name in _CURVES},
        **facts,
        "test_loss": float(reconstruction_losses(model, test.images, task.loss).mean()),
        "sharpness": float(sharpness(reco).mean() / sharpness(real).mean()),
        "scored": {board.evaluators[0].key: len(board.reference) for board in boards},
        "scores": {
            evaluator.key: {
                key: {metric: row.values(evaluator, metric)[0] for metric in METRICS}
                for key, row in board.rows.items()
            }
            for board in boards
            for evaluator in board.evaluators
        },
    }


def configurations(
    variant: str, task: Task, study: SeedStudy
) -> tuple[NetworkConfig, TrainingConfig]:
    """Shape and schedule of a model; those of both models differ in nothing but the bottleneck."""
    is_vae = variant == "vae"
    network = dataclasses.replace(
        task.network,
        latent_size=study.vae_latent_size if is_vae else study.latent_size,
        entry_channels=study.entry_channels,
        kind="vae" if is_vae else "lbae",
    )
    training = TrainingConfig(
        task.loss, study.epochs, study.batch_size, study.learning_rate, study.cooldown_epochs,
        task.seed, study.kl_weight if is_vae else 0.0,
    )  # fmt: skip
    return network, training


def _trained(
    variant: str, task: Task, study: SeedStudy, experiment: Experiment
) -> tuple[LBAE | VAE, list[dict[str, float]], dict[str, Any]]:
    """Train a model in a folder of its own, or resume; with a line per epoch and facts on it."""
    from lbae_lib.models.training import train  # Lightning takes seconds to import

    network, training = configurations(variant, task, study)
    hashes = [sha256_tensor(part) for part in (task.train, task.validation)]
    # A training of other options or images has another folder, as its checkpoint would be refused.
    options = [dataclasses.asdict(network), dataclasses.asdict(training), hashes]
    digest = hashlib.sha256(json.dumps(options).encode()).hexdigest()[:12]
    folder = SEEDS.target(experiment).parent / f"models/{variant}-{task.seed}-{digest}"
    for other in {*folder.parent.glob(f"{variant}-{task.seed}-*")} - {folder}:
        shutil.rmtree(other)
    result = train(
        network, training, task.train, task.validation, folder,
        hardware=Hardware(task.device), show_progress=False,
    )  # fmt: skip
    if not result.finished:  # a signal stopped it, and it has left a checkpoint
        raise KeyboardInterrupt
    model, _ = load_autoencoder(folder / MODEL_FILE, task.device)
    lines = (folder / PROGRESS_FILE).read_text(encoding="utf-8").splitlines()
    facts = {"best_epoch": result.best_epoch, "images_per_second": result.images_per_second}
    return model, [json.loads(line) for line in lines], facts


def _evaluators(
    study: SeedStudy, experiment: Experiment, device: str
) -> Iterator[tuple[Evaluator, int]]:
    """The evaluators of the page of scores that are at hand, with their numbers of images."""
    extractor = load_extractor(experiment)
    extractor.model.to(device)
    for evaluator in evaluators(extractor, False, study.clusterings, device):
        yield evaluator, study.scored
    second = second_stand_in(study.clusterings, device) if study.second_scored else None
    if second is not None:
        yield second, study.second_scored


def _board(
    evaluator: Evaluator, model: Trained | Baseline, seed: int, samplers: FittedSamplers | None
) -> Scoreboard:
    """The scores of a model's images; one draw of each kind, by the training's seed."""
    reference = model.images["test"].images
    board = Scoreboard([evaluator], reference, (seed,), project_root() / "build/features")
    if isinstance(model, Trained):
        assert samplers is not None
        board.score(_lbae_rows(model, samplers), "lbae")
    else:
        sources = vae_sources(model)
        board.score({key: sources[key] for key in VAE_ROWS}, "vae")
    return board


def _lbae_rows(trained: Trained, samplers: FittedSamplers) -> dict[str, ImageSource]:
    """The paper's columns: reconstructions, hyperplanes, a mixture, the authors' interpolation."""
    hyperplanes = HyperplaneSampler(samplers.hyperplane_fit("clip").vectors)
    return {
        "reco": reconstructions(trained.model, trained.bits("test")),
        "clip": sampled(trained, samplers, "clip"),
        "mixture": sampled(trained, samplers, "mixture"),
        "interp_authors": interpolations(trained, hyperplanes, "authors"),
    }
