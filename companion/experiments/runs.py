"""The steps of an experiment that are not notebooks: training and encoding, with records."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from torch import Tensor
from torch.nn.functional import one_hot

from companion.experiments.datasets import load_dataset
from companion.experiments.profiles import Experiment
from companion.experiments.records import (
    IMPORTED,
    RECORD_FILE,
    environment,
    is_imported,
    write_record,
)
from lbae_lib.bits import unpack_bits
from lbae_lib.coding.codec import Codec, load_priors, save_priors
from lbae_lib.coding.container import CODERS
from lbae_lib.data.folder import read_images
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import CheckpointError, ConfigError, DataError, FormatError
from lbae_lib.files import read_tensors, replacing, sha256_file, sha256_tensor, write_tensors
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import Factorised, entropy
from lbae_lib.latent.moments import moments
from lbae_lib.locks import locked
from lbae_lib.metrics.classifier import (
    ClassifierFeatures,
    accuracy,
    load_classifier,
    save_classifier,
    weights_hash,
)
from lbae_lib.metrics.classifier_training import rotations, train_classifier
from lbae_lib.models.authors_weights import read_authors_weights
from lbae_lib.models.autoencoders import LBAE, VAE, build_model
from lbae_lib.models.encoding import (
    BATCH_SIZE,
    decode,
    encode,
    encode_posterior,
    reconstruction_losses,
)
from lbae_lib.models.hardware import ONE_DEVICE, Hardware, choose_device
from lbae_lib.models.model_files import (
    MODEL_FILE,
    load_autoencoder,
    load_model,
    load_vae,
    save_model,
)
from lbae_lib.models.training_state import CHECKPOINT_FILE
from lbae_lib.progress import progress_bar

if TYPE_CHECKING:
    from lbae_lib.models.training import TrainingResult

LATENTS_FILE = "latents.safetensors"
SPLITS = ("train", "validation", "test")


def train_experiment(
    experiment: Experiment,
    data_root: Path,
    *,
    hardware: Hardware = ONE_DEVICE,
    time_limit: float | None = None,
) -> TrainingResult:
    """Train the experiment's model; once finished, score it on all splits and write the record.

    On several devices the first process does the scoring.

    Raises:
        LbaeError: see :func:`lbae_lib.models.training.train` and ``load_dataset``.
    """
    from lbae_lib.models.training import train  # Lightning takes seconds to import

    began_in = environment()  # the commit may move on while a long run is under way
    folder = experiment.model_folder
    if is_imported(folder):
        raise CheckpointError(
            f"{folder} holds imported weights: remove it to train, or choose another profile"
        )
    dataset = load_dataset(experiment.dataset, data_root)
    splits = split_images(dataset, experiment)
    result = train(
        experiment.network,
        experiment.training,
        splits["train"].images,
        splits["validation"].images,
        folder,
        hardware=hardware,
        time_limit=time_limit,
    )
    if result.finished and result.first_process:
        digest = sha256_file(folder / MODEL_FILE)  # before it is read
        model, _ = load_autoencoder(folder / MODEL_FILE, result.device)
        loss = experiment.training.loss
        losses = {
            name: float(reconstruction_losses(model, part.images, loss).mean())
            for name, part in splits.items()
        }
        write_record(
            folder / RECORD_FILE,
            kind="train",
            options=experiment_options(experiment) | {"hardware": dataclasses.asdict(hardware)},
            inputs={name: sha256_tensor(part.images) for name, part in splits.items()},
            results={
                **result.for_record(),
                "reconstruction_loss": losses,
                "images": {name: len(part) for name, part in splits.items()},
                "model_sha256": digest,
            },
            seconds=result.seconds,
            made_in=began_in,
        )
    return result


def import_authors_weights(
    experiment: Experiment, path: Path, data_root: Path, member: str | None = None
) -> Path:
    """Take the authors' published weights for an experiment's model, and write its record.

    Args:
        experiment: whose network they must fit.
        path: a ``last.cp``, its folder, or an archive of such folders.
        data_root: where torchvision's data sets are.
        member: which folder of an archive, where it has several.

    Returns:
        The model's file, in float32.

    Raises:
        CheckpointError: if the weights cannot be read or do not fit, or a model is there already.
    """
    started, began_in = time.monotonic(), environment()
    folder = experiment.model_folder
    with locked(folder):
        for name in (MODEL_FILE, CHECKPOINT_FILE):
            if (folder / name).exists():
                raise CheckpointError(
                    f"{folder} holds a model or a run already: remove it, or choose another profile"
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
        splits = split_images(load_dataset(experiment.dataset, data_root), experiment)
        loss = experiment.training.loss
        losses = {
            name: float(reconstruction_losses(model, part.images, loss).mean())
            for name, part in splits.items()
        }
        about = {"imported": found.origin, "epoch": found.epoch}
        save_model(folder / MODEL_FILE, found.state, found.network, about, halve=False)
        write_record(
            folder / RECORD_FILE,
            kind=IMPORTED,
            options=experiment_options(experiment) | {"origin": found.origin},
            inputs={name: sha256_tensor(part.images) for name, part in splits.items()},
            results={
                "imported": found.origin,
                "epochs": found.epoch,
                "reconstruction_loss": losses,
                "images": {name: len(part) for name, part in splits.items()},
                "model_sha256": sha256_file(folder / MODEL_FILE),
            },
            seconds=time.monotonic() - started,
            made_in=began_in,
        )
    return folder / MODEL_FILE


def split_images(dataset: Dataset, experiment: Experiment) -> dict[str, ImageSet]:
    """The images behind "train", "validation" and "test"."""
    train_part, validation = dataset.train.split(experiment.validation_images)
    return {"train": train_part, "validation": validation, "test": dataset.test}


def experiment_options(experiment: Experiment) -> dict[str, Any]:
    """The experiment as JSON values, for records."""
    return {
        "profile": experiment.profile,
        "dataset": dataclasses.asdict(experiment.dataset),
        "network": dataclasses.asdict(experiment.network),
        "training": dataclasses.asdict(experiment.training),
        "validation_images": experiment.validation_images,
    }


@dataclass(frozen=True)
class Trained:
    """A trained model with its images and latents.

    Attributes:
        model: in eval mode.
        images: by split.
        packed: uint8 (K, ceil(N/8)), by split.
        dataset: the data set the images are of.
    """

    model: LBAE
    images: dict[str, ImageSet]
    packed: dict[str, Tensor]
    dataset: Dataset

    def bits(self, split: str) -> Tensor:
        """Latents of a split, float32 (K, N) in {-1, +1}."""
        return unpack_bits(self.packed[split], self.model.config.latent_size)

    def with_test(self, chosen: Tensor) -> Trained:
        """The same with these test images alone."""
        images = self.images | {"test": self.images["test"].select(chosen)}
        packed = self.packed | {"test": self.packed["test"][chosen]}
        return dataclasses.replace(self, images=images, packed=packed)


def encode_experiment(experiment: Experiment, data_root: Path, device: str = "cpu") -> Path:
    """Encode all splits with the experiment's model into one file.

    Of an LBAE it holds packed bits by split; of a VAE, "SPLIT.mean" and "SPLIT.log_variance".

    Raises:
        CheckpointError: if there is no model.
        ConfigError: if the machine has no such device.
        WriteError: if another run is at work in the model's folder.
    """
    device = choose_device(device)
    folder = experiment.model_folder
    path = folder / LATENTS_FILE
    with locked(folder):
        digest = sha256_file(_made(folder / MODEL_FILE, experiment, "train"))
        model, _ = load_autoencoder(folder / MODEL_FILE, device)
        splits = split_images(load_dataset(experiment.dataset, data_root), experiment)
        latents: dict[str, Tensor] = {}
        for name, part in splits.items():
            if isinstance(model, VAE):
                mean, log_variance = encode_posterior(model, part.images, show_progress=True)
                latents |= {f"{name}.mean": mean, f"{name}.log_variance": log_variance}
            else:
                latents[name] = encode(model, part.images, show_progress=True)
        write_tensors(
            path,
            latents,
            {
                "latent_size": experiment.network.latent_size,
                "model_sha256": digest,
                "images_sha256": {
                    name: sha256_tensor(part.images) for name, part in splits.items()
                },
            },
        )
    return path


def load_trained(experiment: Experiment, data_root: Path, device: str = "cpu") -> Trained:
    """The experiment's model, images and latents.

    Raises:
        CheckpointError: if model or latents are missing, or the latents are of another model.
    """
    packed, dataset, images = _load_latents(experiment, data_root)
    model, _ = load_model(experiment.model_folder / MODEL_FILE, device)
    return Trained(model, images, packed, dataset)


@dataclass(frozen=True)
class Baseline:
    """A trained VAE with its images and posteriors.

    Attributes:
        model: in eval mode.
        images: by split.
        means: posterior means, float32 (K, N), by split.
        log_variances: posterior log-variances, float32 (K, N), by split.
    """

    model: VAE
    images: dict[str, ImageSet]
    means: dict[str, Tensor]
    log_variances: dict[str, Tensor]

    def with_test(self, chosen: Tensor) -> Baseline:
        """The same with these test images alone."""
        return dataclasses.replace(
            self,
            images=self.images | {"test": self.images["test"].select(chosen)},
            means=self.means | {"test": self.means["test"][chosen]},
            log_variances=self.log_variances | {"test": self.log_variances["test"][chosen]},
        )


def load_baseline(experiment: Experiment, data_root: Path, device: str = "cpu") -> Baseline:
    """The VAE of an experiment (of ``load_experiment(profile, dataset, "vae")``).

    Raises:
        CheckpointError: as :func:`load_trained`.
    """
    latents, _, images = _load_latents(experiment, data_root)
    model, _ = load_vae(experiment.model_folder / MODEL_FILE, device)
    means, log_variances = (
        {name: latents[f"{name}.{kind}"] for name in SPLITS} for kind in ("mean", "log_variance")
    )
    return Baseline(model, images, means, log_variances)


def train_extractor(experiment: Experiment, data_root: Path, device: str = "cpu") -> Path:
    """Train the in-domain feature extractor on the training split, and write its record.

    It learns classes, or else attributes. Images without either are turned by quarters, and it
    learns which.

    Returns:
        The model's file.

    Raises:
        ConfigError: if the machine has no such device.
        WriteError: if another run is at work in the extractor's folder.
    """
    started, began_in = time.monotonic(), environment()
    device = choose_device(device)
    path = experiment.extractor_folder / MODEL_FILE
    with locked(experiment.extractor_folder):
        splits = split_images(load_dataset(experiment.dataset, data_root), experiment)
        tasks = {name: extractor_task(part) for name, part in splits.items()}
        epochs = experiment.extractor_epochs
        images, labels, learns = tasks["train"]
        model = train_classifier(images, labels, epochs=epochs, device=device).cpu()
        slug = experiment.folder.name
        about = {"dataset": slug if learns != "quarter turns" else f"{slug}-rotation"}
        save_classifier(path, model, about)
        write_record(
            experiment.extractor_folder / RECORD_FILE,
            kind="extractor",
            options={
                "profile": experiment.profile,
                "dataset": experiment.dataset.name,
                "epochs": epochs,
                "seed": 0,
                "labels": learns,
            },
            inputs={name: sha256_tensor(part.images) for name, part in splits.items()},
            results={
                "weights_sha256": weights_hash(model),
                "model_sha256": sha256_file(path),
                "accuracy": {
                    name: accuracy(model, *tasks[name][:2]) for name in ("validation", "test")
                },
            },
            seconds=time.monotonic() - started,
            made_in=began_in,
        )
    return path


def fit_priors(experiment: Experiment, data_root: Path) -> Path:
    """Fit the distributions of the training latents, and write their record.

    Returns:
        Their file.

    Raises:
        CheckpointError: as :func:`load_trained`.
        WriteError: if another run is at work in the priors' folder.
    """
    started, began_in = time.monotonic(), environment()
    folder = experiment.model_folder
    path = experiment.prior_folder / MODEL_FILE
    with locked(experiment.prior_folder):
        made_of = {
            "model": sha256_file(_made(folder / MODEL_FILE, experiment, "train")),
            "latents": sha256_file(_made(folder / LATENTS_FILE, experiment, "encode")),
        }
        trained = load_trained(experiment, data_root)
        bits = {name: trained.bits(name) for name in SPLITS}
        factorised = Factorised.fit(moments(bits["train"]))
        fitted = fit_autoregressive(bits["train"], bits["validation"])
        save_priors(path, factorised, fitted.model, {"model_sha256": made_of["model"]})
        write_record(
            experiment.prior_folder / RECORD_FILE,
            kind="prior",
            options={"profile": experiment.profile, "dataset": experiment.dataset.name, "seed": 0},
            inputs={"latents": made_of["latents"]},
            results={
                "model_sha256": sha256_file(path),
                "hidden": fitted.model.hidden,
                "epoch": fitted.epoch,
                "train": fitted.train,
                "validation": fitted.validation,
                "bits": {
                    name: {split: entropy(prior, part) for split, part in bits.items()}
                    for name, prior in (
                        ("factorised", factorised),
                        ("autoregressive", fitted.model),
                    )
                },
            },
            seconds=time.monotonic() - started,
            made_in=began_in,
        )
    return path


def load_codec(experiment: Experiment) -> Codec:
    """What turns latents of the experiment's model into files and back.

    Raises:
        CheckpointError: if model or priors are missing, or the priors are of another model.
    """
    model, path = (f / MODEL_FILE for f in (experiment.model_folder, experiment.prior_folder))
    for file, command in ((model, "train"), (path, "prior")):
        _made(file, experiment, command)
    factorised, autoregressive, about, digest = load_priors(path)
    own = sha256_file(model)
    if about.get("model_sha256") != own:
        raise CheckpointError(
            f"{path} was fitted to another model's latents: run "
            f"`{_command('prior', experiment)}` again"
        )
    network = experiment.network
    return Codec(factorised, autoregressive, own, digest, network.channels, network.image_size)


def compress_images(
    experiment: Experiment, paths: Sequence[Path], output: Path, coder: str, device: str = "cpu"
) -> tuple[int, int]:
    """Encode image files into one ``.lbae`` file, written whole or not at all.

    Returns:
        Bytes of the file, and number of images.

    Raises:
        LbaeError: if the coder is unknown, an image cannot be read, or model or priors are missing.
    """
    device = choose_device(device)
    chosen = next((known for known in CODERS if known == coder), None)
    if chosen is None:
        raise ConfigError(f"no coder {coder!r}: there are {', '.join(CODERS)}")
    codec = load_codec(experiment)
    network = experiment.network
    images = read_images(paths, network.image_size, network.channels)
    model, _ = load_model(experiment.model_folder / MODEL_FILE, device)
    bits = unpack_bits(encode(model, images, show_progress=True), network.latent_size)
    content = codec.compress(bits, chosen)
    with replacing(output) as scratch:
        scratch.write_bytes(content)
    return len(content), len(images)


def decompress_images(experiment: Experiment, file: Path, folder: Path, device: str = "cpu") -> int:
    """Decode an ``.lbae`` file to PNG files 000001.png, 000002.png, …

    Returns:
        Number of images.

    Raises:
        LbaeError: if the file is missing, damaged, or of another model or other priors.
    """
    device = choose_device(device)
    if not file.is_file():
        raise FormatError(f"there is no file {file}")
    packed = load_codec(experiment).decompress(file.read_bytes())
    model, _ = load_model(experiment.model_folder / MODEL_FILE, device)
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar(len(packed), "decoding", "img") as bar:
        for start in range(0, len(packed), BATCH_SIZE):
            bits = unpack_bits(packed[start : start + BATCH_SIZE], experiment.network.latent_size)
            for index, image in enumerate(decode(model, bits), start=start + 1):
                with replacing(folder / f"{index:06}.png") as scratch:
                    Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy()).save(scratch)
                bar.update()
    return len(packed)


def extractor_task(part: ImageSet) -> tuple[Tensor, Tensor, str]:
    """Images, labels and what they are, for the in-domain feature extractor."""
    if part.labels is not None:
        return part.images, part.labels, "classes"
    if part.attributes is not None and part.attributes.shape[1]:
        return part.images, part.attributes, "attributes"
    return *rotations(part.images), "quarter turns"


def attribute_table(dataset: Dataset, part: ImageSet) -> tuple[tuple[str, ...], Tensor]:
    """What the images of a part have: attributes, or else classes as attributes.

    Returns:
        The names, and bool (K, A).

    Raises:
        DataError: if the data set has neither.
    """
    if part.attributes is not None and dataset.attribute_names:
        return dataset.attribute_names, part.attributes.bool()
    if part.labels is not None and dataset.class_names:
        return dataset.class_names, one_hot(part.labels, len(dataset.class_names)).bool()
    raise DataError(
        f"{dataset.title} has neither attributes nor classes: add an attributes.csv or class "
        "folders"
    )


def load_extractor(experiment: Experiment) -> ClassifierFeatures:
    """The in-domain feature extractor that stands in for Inception.

    Raises:
        CheckpointError: if it was not trained yet.
    """
    path = _made(experiment.extractor_folder / MODEL_FILE, experiment, "extractor")
    model, about = load_classifier(path)
    return ClassifierFeatures(model, about["dataset"])


def _load_latents(
    experiment: Experiment, data_root: Path
) -> tuple[dict[str, Tensor], Dataset, dict[str, ImageSet]]:
    """Latents of the experiment's model, and the images they are of."""
    folder = experiment.model_folder
    for file, command in ((MODEL_FILE, "train"), (LATENTS_FILE, "encode")):
        _made(folder / file, experiment, command)
    latents, about = read_tensors(folder / LATENTS_FILE, "latents")
    dataset = load_dataset(experiment.dataset, data_root)
    images = split_images(dataset, experiment)
    found = {name: sha256_tensor(part.images) for name, part in images.items()}
    if about["model_sha256"] != sha256_file(folder / MODEL_FILE) or about["images_sha256"] != found:
        raise CheckpointError(
            f"{folder / LATENTS_FILE} was encoded by another model or from other images: "
            f"run `{_command('encode', experiment)}` again"
        )
    return latents, dataset, images


def _made(path: Path, experiment: Experiment, command: str) -> Path:
    """The path of what a command makes; raises ``CheckpointError`` if it is not there."""
    if not path.exists():
        raise CheckpointError(
            f"no {path.name} in {path.parent}: make it with `{_command(command, experiment)}`"
        )
    return path


def _command(name: str, experiment: Experiment) -> str:
    plain = experiment.model == "lbae" or name in ("extractor", "prior")
    model = "" if plain else f" -m {experiment.model}"
    return f"lbae {name} -d {experiment.dataset.name} -p {experiment.profile}{model}"
