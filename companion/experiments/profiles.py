"""Experiments: what is trained on which images, and how; read from ``config/<profile>.yaml``.

This module imports neither torch nor numpy, so that the command line and the workflow start
at once.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from companion.experiments.datasets import dataset_info
from companion.project import project_root
from lbae_lib.data.registry import FOLDER_PREFIX, DatasetInfo, dataset_slug
from lbae_lib.errors import ConfigError
from lbae_lib.models.config import MODELS, NetworkConfig, TrainingConfig


@dataclass(frozen=True)
class Experiment:
    """One data set in one profile.

    Attributes:
        profile: name of the profile.
        dataset: the data set.
        network: the autoencoder's shape.
        training: its schedule.
        validation_images: how many training images are set apart for choosing the epoch.
        notebooks: parameters by notebook, where they differ from the notebook's own.
        extractor_epochs: passes over the training images for the in-domain feature extractor.
        has_baseline: whether the profile has a VAE for the data set.
        model: "lbae", "vae", or "lbae-N" for an LBAE of one of the other sizes.
        rates: other latent sizes of the LBAE, for the rate-distortion curve.
    """

    profile: str
    dataset: DatasetInfo
    network: NetworkConfig
    training: TrainingConfig
    validation_images: int
    notebooks: Mapping[str, Mapping[str, Any]]
    extractor_epochs: int = 10
    has_baseline: bool = False
    model: str = "lbae"
    rates: tuple[int, ...] = ()

    @property
    def folder(self) -> Path:
        """``results/<profile>/<data set>`` of the project."""
        return results_folder(self.profile, self.dataset.name)

    @property
    def model_folder(self) -> Path:
        """Where the model, its latents and its record are kept."""
        return self.folder / self.model

    @property
    def extractor_folder(self) -> Path:
        """Where the in-domain feature extractor is kept."""
        return self.folder / "extractor"

    @property
    def prior_folder(self) -> Path:
        """Where the distributions of the LBAE's latents are kept."""
        return self.folder / "prior"


def results_folder(profile: str, dataset: str) -> Path:
    """``results/<profile>/<data set>`` of the project."""
    return project_root() / "results" / profile / dataset_slug(dataset)


def profile_names() -> list[str]:
    """The profiles in ``config/``."""
    return sorted(path.stem for path in (project_root() / "config").glob("*.yaml"))


def load_profile(name: str) -> dict[str, Any]:
    """The content of ``config/<name>.yaml``: ``description``, ``defaults``, ``datasets``.

    Raises:
        ConfigError: if there is no such profile, or it has an unknown key.
    """
    _check_known(name, profile_names(), "profile")
    path = project_root() / "config" / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"config/{name}.yaml cannot be read: {error}") from None
    where = f"config/{name}.yaml"
    content = _mapping(content, where)
    for key in content:
        _check_known(key, ("description", "defaults", "datasets"), f"key in {where}")
    if "datasets" not in content:
        raise ConfigError(f"{where} has no datasets: add at least one")
    defaults = _mapping(content.get("defaults"), f"defaults in {where}")
    datasets = {
        _text(entry, f"a data set's name in {where}"): _mapping(own, f"{entry} in {where}")
        for entry, own in _mapping(content["datasets"], f"datasets in {where}").items()
    }
    return {**content, "defaults": defaults, "datasets": datasets}


def load_experiment(profile: str, dataset: str, model: str = "lbae") -> Experiment:
    """The experiment of a data set in a profile.

    Args:
        profile: name of a file in ``config/``, without its suffix.
        dataset: a registered name or "folder:PATH"; a folder's entry is its own (for "folder:My
            Cats", ``folder-my-cats``) or the one that folders share, ``folder``.
        model: "lbae"; "vae" where the data set's entry has one: its options stand over the LBAE's;
            or "lbae-N" where the entry has N among its ``rates``.

    Raises:
        ConfigError: if profile, data set or a key is unknown, or a value out of bounds.
    """
    content = load_profile(profile)
    own = dataset.startswith(FOLDER_PREFIX)
    entry = dataset_slug(dataset) if own else dataset_info(dataset).name
    if own and entry not in content["datasets"]:
        entry = "folder"
    if entry not in content["datasets"]:
        raise ConfigError(
            f"profile {profile!r} has no data set {entry!r}: it has "
            f"{', '.join(content['datasets'])}; choose another profile or add it to "
            f"config/{profile}.yaml"
        )
    options = {**content["defaults"], **content["datasets"][entry]}
    where = f"key of {entry} in config/{profile}.yaml"
    for key, value in options.items():
        _check_known(key, _EXPERIMENT_KEYS, where)
        _check_type(key, value, f"{key} of {entry} in config/{profile}.yaml")
    rates = tuple(options.pop("rates", ()))
    sizes = {f"lbae-{size}": size for size in rates}
    _check_known(model, (*MODELS, *sizes), "model")
    baseline = options.pop("vae", None)
    if model == "vae":
        if baseline is None:
            raise ConfigError(f"{entry} in config/{profile}.yaml has no vae: add its options there")
        for key, value in baseline.items():
            _check_known(key, ("latent_size", *_TRAINING_KEYS), f"{where} under vae")
            _check_type(key, value, f"{key} under vae of {entry} in config/{profile}.yaml")
        options |= baseline
    elif model in sizes:
        options["latent_size"] = sizes[model]
    for key in ("latent_size", "validation_images", "epochs"):
        if key not in options:
            raise ConfigError(f"{entry} in config/{profile}.yaml has no {key}: add it")
    described = {k: options[k] for k in _FOLDER_KEYS if k in options}
    if described and not own:
        raise ConfigError(f"{', '.join(described)} of {entry} cannot be changed: remove it")
    info = dataset_info(dataset, **described)
    if info.loss not in ("bce", "mse"):
        raise ConfigError(f"loss of {entry} is {info.loss!r}, but must be bce or mse")
    network = NetworkConfig(
        image_size=info.image_size,
        channels=info.channels,
        **{k: options[k] for k in ("latent_size", "width", "entry_channels") if k in options},
        kind="vae" if model == "vae" else "lbae",
    )
    schedule = {k: v for k, v in options.items() if k in _TRAINING_KEYS}
    return Experiment(
        profile=profile,
        dataset=info,
        network=network,
        training=TrainingConfig(loss=info.loss, **schedule),
        validation_images=options["validation_images"],
        notebooks=options.get("notebooks", {}),
        extractor_epochs=options.get("extractor_epochs", 10),
        has_baseline=baseline is not None,
        model=model,
        rates=rates,
    )


_TRAINING_KEYS = tuple(
    field.name for field in dataclasses.fields(TrainingConfig) if field.name != "loss"
)
_FOLDER_KEYS = ("image_size", "channels", "title", "stands_for", "source", "loss", "named")
_EXPERIMENT_KEYS = (
    *_FOLDER_KEYS,
    "latent_size",
    "width",
    "entry_channels",
    "validation_images",
    "notebooks",
    "extractor_epochs",
    "vae",
    "rates",
    *_TRAINING_KEYS,
)


_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("learning_rate", "kl_weight"), (int, float)),
    **dict.fromkeys(("title", "stands_for", "source", "loss"), str),
    **dict.fromkeys(("notebooks", "vae"), dict),
    "named": bool,
    "rates": list,
    "entry_channels": (int, type(None)),
    "vae": (dict, type(None)),
}
_LOWEST = {"validation_images": 1, "extractor_epochs": 1, "seed": 0, "kl_weight": 0}


def _check_type(key: str, value: object, where: str) -> None:
    """Raise ``ConfigError`` unless an option has its type; bounds of others are checked later."""
    wanted = _TYPES.get(key, int)
    right = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    if not right:
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        names = " or ".join({type(None): "null"}.get(kind, kind.__name__) for kind in kinds)
        raise ConfigError(f"{where} is {value!r}, but must be of type {names}")
    if isinstance(value, int | float) and not _LOWEST.get(key, value) <= value <= 1e12:
        raise ConfigError(f"{where} is {value!r}, but must be from {_LOWEST.get(key, '…')} to 1e12")
    if key == "notebooks":
        for name, parameters in _mapping(value, where).items():
            _mapping(parameters, f"{name} in {where}")
    if key == "rates":
        for size in value if isinstance(value, list) else ():
            _check_type("latent_size", size, f"one of {where}")


def _mapping(value: object, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict | None):
        raise ConfigError(f"{where} is {value!r}, but must have keys and values")
    return dict(value or {})


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where} is {value!r}, but must be text")
    return value


def _check_known(name: str, known: Iterable[str], what: str) -> None:
    known = list(known)
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"no {what} {name!r}: {hint}There are {', '.join(known)}")
