"""Experiments: what is trained on which images, and how; read from ``config/<profile>.yaml``.

Quick to import: neither torch nor numpy.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from companion.experiments.bounds import mistake
from companion.experiments.datasets import dataset_info, results_name
from companion.experiments.folder_contents import no_folder
from companion.project import RUNS, project_root
from lbae_lib.data.registry import FOLDER_PREFIX, DatasetInfo, dataset_slug, folder_path
from lbae_lib.errors import ConfigError, unknown
from lbae_lib.models.config import MODELS, Loss, NetworkConfig, TrainingConfig

LATENT_SIZE = "lbae-"  # and a number: the name of an LBAE of one of the other latent sizes
_MANY = 10**12


class _Keys(BaseModel):
    """Keys of a mapping in a profile; others are errors, and a value must have the exact type."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def _whole(value: Any) -> Any:
    """A choice between whole numbers would take True for 1 and 32.0 for 32."""
    return value if type(value) is int else str(value)


_Size = Annotated[int, Field(ge=1, le=2**20)]
_Count = Annotated[int, Field(ge=1, le=_MANY)]
_Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)
]


class Schedule(_Keys):
    """A model's latent size and training; a VAE's replace the LBAE's."""

    # An entry leaves to the profile's defaults what it needs itself.
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))

    latent_size: _Size = Field(description="bits of an LBAE's latent, numbers of a VAE's")
    epochs: _Count = Field(description="passes over the training images")
    batch_size: int = Field(
        TrainingConfig.batch_size, ge=2, le=_MANY, description="images per step"
    )
    learning_rate: float = Field(TrainingConfig.learning_rate, gt=0, le=_MANY, description="Adam's")
    cooldown_epochs: int = Field(
        0, ge=0, le=_MANY, description="final epochs, in which the learning rate falls to zero"
    )
    seed: int = Field(0, ge=0, le=_MANY, description="of weights, order of images, and noise")
    kl_weight: float = Field(0.0, ge=0, le=_MANY, description="of a VAE's KL term")
    mirror: bool = Field(False, description="mirror half of the training images, at random")


class Study(_Keys):
    """A study that trains small networks, each several times."""

    latent_size: _Size = Field(description="bits of a latent")
    epochs: _Count = Field(description="passes over the training images")
    width: _Size = Field(8, description="channels of the first layer")
    batch_size: int = Field(32, ge=2, le=_MANY, description="images per step")
    learning_rate: float = Field(1e-3, gt=0, le=_MANY, description="Adam's")
    cooldown_epochs: int = Field(0, ge=0, le=_MANY, description="final epochs of a falling rate")
    seeds: int = Field(3, ge=2, le=100, description="trainings of each variant")
    images: _Count = Field(_MANY, description="images of each split, at most")
    token_bits: int = Field(8, ge=2, le=12, description="bits of an index of a quantiser")


class ScoredStudy(Study):
    """A study whose images are scored by two evaluators."""

    second_scored: int = Field(
        1000, ge=0, le=_MANY, description="images scored by the second evaluator; 0 for none"
    )


class SeedStudy(ScoredStudy):
    """A study that trains the LBAE and the VAE with the same seeds."""

    vae_latent_size: _Size = Field(description="numbers of the VAE's latent")
    kl_weight: float = Field(ge=0, le=_MANY, description="of the VAE's KL term")
    entry_channels: _Size | None = Field(
        None, description="4×4 maps at the decoder's entrance; null mirrors the encoder"
    )
    scored: int = Field(10_000, ge=4, le=_MANY, description="at most so many images of each kind")
    clusterings: int = Field(10, ge=1, le=_MANY, description="of each precision/recall curve")


class Studies(_Keys):
    """The studies of one data set; null for none."""

    bottlenecks: Study | None = Field(default=None, description="one network, several bottlenecks")
    quantisers: ScoredStudy | None = Field(
        default=None, description="one network, several quantisers"
    )
    seeds: SeedStudy | None = Field(
        default=None, description="LBAE and VAE, several training seeds"
    )
    sizes: Study | None = Field(default=None, description="several latent sizes and entrances")


STUDIES = tuple(Studies.model_fields)


class Entry(Schedule):
    """What a profile says of one data set."""

    validation_images: _Count = Field(description="training images held out to choose the epoch")
    width: _Size = Field(NetworkConfig.width, description="channels of the first layer")
    entry_channels: _Size | None = Field(
        None, description="4×4 maps at the decoder's entrance; null mirrors the encoder"
    )
    extractor_epochs: _Count = Field(10, description="epochs of the in-domain feature extractor")
    vae: Schedule | None = Field(None, description="the baseline, where it differs from the LBAE")
    latent_sizes: list[_Size] = Field([], description="other latent sizes of the LBAE")
    notebooks: dict[str, _Parameters] = Field({}, description="parameters by notebook")
    studies: Studies = Field(Studies(), description="studies by name")
    # Of image folders alone; the other data sets are what they are.
    image_size: Annotated[Literal[32, 64], BeforeValidator(_whole)] = Field(
        64, description="folders: side in pixels"
    )
    channels: Annotated[Literal[1, 3], BeforeValidator(_whole)] = Field(
        3, description="folders: 1 for grey images, 3 for colour"
    )
    title: str = Field("", description="folders: name in captions; by default the folder's")
    stands_for: str = Field("", description="folders: data set of the paper that it stands for")
    source: str = Field("", description="folders: one sentence on what the images are")
    loss: Loss = Field("mse", description="folders: reconstruction loss")
    named: bool = Field(False, description="folders: whether images have classes or attributes")

    @model_validator(mode="before")
    @classmethod
    def _complete_vae(cls, options: Any) -> Any:
        vae = options.get("vae") if isinstance(options, dict) else None
        if not isinstance(vae, dict):
            return options
        shared = {key: options[key] for key in Schedule.model_fields if key in options}
        return options | {"vae": shared | vae}


_FOLDER_KEYS = {"image_size", "channels", "title", "stands_for", "source", "loss", "named"}


class Profile(_Keys):
    """``config/<name>.yaml``: each entry is completed by the defaults."""

    description: str = Field("", description="one sentence")
    defaults: Entry | None = Field(None, description="options of every data set without its own")
    datasets: dict[str, Entry] = Field(
        description="by name; folder-NAME for the images in a folder NAME, folder for any other"
    )

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        defaults, entries = content.get("defaults") or {}, content.get("datasets") or {}
        if not isinstance(defaults, dict) or not isinstance(entries, dict):
            return content
        complete = {
            name: defaults | (own or {}) if isinstance(own, dict | None) else own
            for name, own in entries.items()
        }
        return content | {"defaults": None, "datasets": complete}


@dataclass(frozen=True)
class Experiment:
    """One data set in one profile; ``model`` is "lbae", "vae" or "lbae-N" (another latent size)."""

    profile: str
    dataset: DatasetInfo
    network: NetworkConfig
    training: TrainingConfig
    entry: Entry
    model: str = "lbae"

    @property
    def folder(self) -> Path:
        """``runs/<profile>/<data set>`` of the project, where its steps write."""
        return project_root() / RUNS / self.place

    @property
    def place(self) -> Path:
        """``<profile>/<data set>``, where its results are below ``runs/`` and ``results/``."""
        return Path(self.profile, results_name(self.dataset.name))

    @property
    def model_folder(self) -> Path:
        """Where a training writes the model, its latents and its record."""
        return self.folder / self.model

    def options(self) -> dict[str, Any]:
        """What training depends on, as JSON values."""
        return {
            "profile": self.profile,
            "dataset": dataclasses.asdict(self.dataset),
            "network": dataclasses.asdict(self.network),
            "training": dataclasses.asdict(self.training),
            "validation_images": self.entry.validation_images,
        }


def completed(options: Mapping[str, Any]) -> dict[str, Any]:
    """A model's options in a record; what it does not know of the training had its default."""
    fields = dataclasses.fields(TrainingConfig)
    defaults = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    return {**options, "training": defaults | (options.get("training") or {})}


def profile_names() -> list[str]:
    """The profiles in ``config/``."""
    return sorted(path.stem for path in (project_root() / "config").glob("*.yaml"))


def load_profile(name: str) -> Profile:
    """Read ``config/<name>.yaml``; a ``ConfigError`` names an unknown key or a wrong value."""
    if name not in profile_names():
        raise ConfigError(unknown("profile", name, profile_names()))
    file = project_root() / f"config/{name}.yaml"
    return _read_profile(file, f"config/{name}.yaml", file.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read_profile(file: Path, where: str, _changed: int) -> Profile:
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
        return Profile.model_validate({} if content is None else content)
    except ValidationError as error:
        raise ConfigError(_first_mistake(error, where)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where} cannot be read ({error}): correct the file") from None


def _first_mistake(error: ValidationError, file: str) -> str:
    """One line: the place in the file, the key, its value, and what it must be."""
    # A misspelt key comes before the one that is missing for that reason.
    found = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    *path, key = (file, *map(str, found["loc"]))
    place = ", ".join(path)
    if found["type"] == "extra_forbidden":
        kinds: dict[str, type[BaseModel]] = {"vae": Schedule, "studies": Studies}
        kinds |= dict.fromkeys(STUDIES, Study) | {"quantisers": ScoredStudy, "seeds": SeedStudy}
        model = Profile if len(path) == 1 else kinds.get(path[-1], Entry)
        return f"{place}: {unknown('key', key, model.model_fields)}"
    if found["type"] == "missing":
        return f"{place} has no {key}: add it"
    return f"{place}{': ' * bool(place)}{mistake(key, found)}"


def load_experiment(profile: str, dataset: str, model: str = "lbae") -> Experiment:
    """The experiment of a data set in a profile; ``ConfigError`` if one is unknown.

    ``dataset`` is a registered name or "folder:PATH"; a folder's entry is its own (for "folder:My
    Cats", ``folder-my-cats``) or the one that folders share, ``folder``. ``model`` is "lbae"; "vae"
    where the entry has one, whose options replace the LBAE's; or "lbae-N" where the entry has N
    among its ``latent_sizes``.
    """
    entries = load_profile(profile).datasets
    own = dataset.startswith(FOLDER_PREFIX)
    name = dataset_slug(dataset) if own else dataset_info(dataset).name
    if own and name not in entries:
        name = "folder"
    if name not in entries:
        if own and (why := no_folder(folder_path(dataset, project_root()))):
            raise ConfigError(why)
        raise ConfigError(
            f"profile {profile!r} has no data set {name!r}: it has {', '.join(entries) or 'none'}; "
            f"choose another profile or add it to config/{profile}.yaml"
        )
    entry, where = entries[name], f"config/{profile}.yaml, datasets, {name}"
    sizes = {f"{LATENT_SIZE}{size}": size for size in entry.latent_sizes}
    if model not in (*MODELS, *sizes):
        raise ConfigError(f"{where}: {unknown('model', model, (*MODELS, *sizes))}")
    schedule = entry.vae if model == "vae" else entry
    if schedule is None:
        raise ConfigError(f"{where} has no vae: add its options")
    folder = entry.model_dump(include=_FOLDER_KEYS, exclude_unset=True)
    if folder and not own:
        raise ConfigError(f"{where}: {', '.join(folder)} cannot be changed: remove it")
    info = dataset_info(dataset, **folder)
    shape = entry.model_dump(include={"width", "entry_channels"})
    shape["latent_size"] = sizes.get(model, schedule.latent_size)
    shape["kind"] = "vae" if model == "vae" else "lbae"
    options = schedule.model_dump(include=set(Schedule.model_fields) - {"latent_size"})
    try:
        network = NetworkConfig(info.image_size, info.channels, **shape)
        training = TrainingConfig(info.loss, **options)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return Experiment(profile, info, network, training, entry, model)
