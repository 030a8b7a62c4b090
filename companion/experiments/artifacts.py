"""What `lbae` commands make of a data set: where, by which command, from what; without torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from companion.experiments.profiles import LATENT_SIZE, STUDIES, Experiment
from companion.experiments.records import RECORD_FILE
from companion.project import in_force, is_published
from lbae_lib.errors import CheckpointError


@dataclass(frozen=True)
class Artifact:
    """Something that an `lbae` command makes of a data set's images."""

    command: str  # as a user types it, after "lbae"
    task: str  # what the command does, for progress and messages; "{model}" is the model's name
    # What the command leaves in the data set's folder, the artefact first; "{model}" is "lbae",
    # "vae" (the baseline) or "lbae-N" (another latent size)
    files: tuple[str, ...]
    made_of: tuple[Artifact, ...] = ()  # artefacts that it is made of, beside images
    # Of what the command does; raised by hand when that changes, so that what was made stays valid
    # when code is moved or reworded
    version: int = 1

    def target(self, experiment: Experiment, model: str | None = None) -> Path:
        """Where the command writes the artefact, of the experiment's model unless named."""
        return experiment.folder / self.files[0].format(model=model or experiment.model)

    def path(self, experiment: Experiment, model: str | None = None) -> Path:
        """The artefact's file: the user's own if there is one, else the published one."""
        # The last file is there when the command has ended.
        last = in_force(experiment.place / self.files[-1].format(model=model or experiment.model))
        own = self.target(experiment, model)
        published = is_published(last) and not own.exists()
        return last.parent / own.name if published else own

    def doing(self, model: str) -> str:
        """The task, e.g. "training the VAE" or "encoding with the LBAE of 16 bits"."""
        kind, _, size = model.partition("-")
        return self.task.format(model=f"{kind.upper()} of {size} bits" if size else kind.upper())

    def record(self, experiment: Experiment, model: str | None = None) -> Path:
        """The artefact's record, beside it."""
        return self.path(experiment, model).parent / RECORD_FILE

    def required(self, experiment: Experiment) -> Path:
        """The artefact's file; ``CheckpointError`` names the command if it is missing."""
        path = self.path(experiment)
        if not path.exists():
            command = self.command_line(experiment)
            raise CheckpointError(
                f"no {path.name} in {path.parent} or among the published results: make it with "
                f"`{command}`"
            )
        return path

    def command_line(self, experiment: Experiment) -> str:
        """The `lbae` command that makes it, as a user types it."""
        plain = experiment.model == "lbae" or "{model}" not in self.files[0]
        model = "" if plain else f" -m {experiment.model}"
        return f"lbae {self.command} -d {experiment.dataset.name} -p {experiment.profile}{model}"


MODEL = Artifact(
    "train", "training the {model}", ("{model}/model.safetensors", "{model}/record.json")
)
LATENTS = Artifact(
    "encode", "encoding with the {model}", ("{model}/latents.safetensors",), made_of=(MODEL,)
)
EXTRACTOR = Artifact(
    "extractor", "training the feature extractor",
    ("extractor/model.safetensors", "extractor/record.json"),
)  # fmt: skip
PRIOR = Artifact(
    "prior", "fitting the prior", ("prior/model.safetensors", "prior/record.json"),
    made_of=(LATENTS,),
)  # fmt: skip
EXPLORER = Artifact(
    "explorer", "summarising the latents for the explorer in the book", ("explorer.json",),
    made_of=(LATENTS,), version=2,
)  # fmt: skip
BOTTLENECKS = Artifact(
    "study bottlenecks", "training with each bottleneck", ("bottlenecks/record.json",), version=2
)
QUANTISERS = Artifact(
    "study quantisers", "training with each quantiser", ("quantisers/record.json",),
    made_of=(EXTRACTOR,), version=5,
)  # fmt: skip
SEEDS = Artifact(
    "study seeds", "training the LBAE and the VAE with several seeds", ("seeds/record.json",),
    made_of=(EXTRACTOR,), version=2,
)  # fmt: skip
SIZES = Artifact(
    "study sizes", "training LBAEs of several sizes", ("sizes/record.json",), version=3
)
# Inputs in the record of a page -> the artefact, and of which model.
ROLES = {
    "model": (MODEL, "lbae"),
    "latents": (LATENTS, "lbae"),
    "baseline": (MODEL, "vae"),
    "extractor": (EXTRACTOR, "lbae"),
    "prior": (PRIOR, "lbae"),
    "bottlenecks": (BOTTLENECKS, "lbae"),
    "quantisers": (QUANTISERS, "lbae"),
    "seeds": (SEEDS, "lbae"),
    "sizes": (SIZES, "lbae"),
}
# What a notebook's metadata may name; all need the LBAE's latents. A need that ends with "?" is
# read where the data set and its profile have it.
NEEDS = ("vae", "latent_sizes", "extractor", "prior", "attributes", *STUDIES)


def offers(experiment: Experiment, need: str) -> bool:
    """Whether the data set and its profile have what a notebook needs."""
    if need in STUDIES:
        return getattr(experiment.entry.studies, need) is not None
    if need == "attributes":
        return experiment.dataset.named
    return need != "vae" or experiment.entry.vae is not None


def needed_artifacts(experiment: Experiment, needs: Collection[str]) -> list[tuple[Artifact, str]]:
    """What a notebook reads, by its needs: artefacts, and of which model."""
    needs = {
        need.removesuffix("?")
        for need in needs
        if not need.endswith("?") or offers(experiment, need.removesuffix("?"))
    }
    models = ["lbae", *(["vae"] if "vae" in needs else [])]
    if "latent_sizes" in needs:
        models += [f"{LATENT_SIZE}{size}" for size in experiment.entry.latent_sizes]
    others = [ROLES[need] for need in ("extractor", "prior", *STUDIES) if need in needs]
    return [*((LATENTS, model) for model in models), *others]
