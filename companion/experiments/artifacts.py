"""What `lbae` commands make of a data set: where it is kept, by which command, of what.

This module imports neither torch nor numpy.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from companion.experiments.profiles import LATENT_SIZE, STUDIES, Experiment
from lbae_lib.errors import CheckpointError


@dataclass(frozen=True)
class Artifact:
    """Something that an `lbae` command makes of a data set's images.

    Attributes:
        command: the one that makes it.
        files: what the command leaves in the data set's folder, the artefact first; "{model}" is
            "lbae", "vae" (the baseline) or "lbae-N" (another latent size).
        made_of: artefacts it is made of, beside images.
        modules: those whose code, with what they import, decides on its content.
    """

    command: str
    files: tuple[str, ...]
    made_of: tuple[Artifact, ...]
    modules: tuple[str, ...]

    def path(self, experiment: Experiment, model: str | None = None) -> Path:
        """The artefact's file, of the experiment's model unless named."""
        return experiment.folder / self.files[0].format(model=model or experiment.model)

    def required(self, experiment: Experiment) -> Path:
        """The artefact's file.

        Raises:
            CheckpointError: if it is missing; names the command.
        """
        path = self.path(experiment)
        if not path.exists():
            command = self.command_line(experiment)
            raise CheckpointError(f"no {path.name} in {path.parent}: make it with `{command}`")
        return path

    def command_line(self, experiment: Experiment) -> str:
        """The `lbae` command that makes it, as a user types it."""
        plain = experiment.model == "lbae" or "{model}" not in self.files[0]
        model = "" if plain else f" -m {experiment.model}"
        return f"lbae {self.command} -d {experiment.dataset.name} -p {experiment.profile}{model}"


MODEL = Artifact(
    command="train",
    files=("{model}/model.safetensors", "{model}/record.json"),
    made_of=(),
    modules=("lbae_lib.models.training", "lbae_lib.data.registry"),
)
LATENTS = Artifact(
    command="encode",
    files=("{model}/latents.safetensors",),
    made_of=(MODEL,),
    modules=("lbae_lib.models.encoding", "lbae_lib.models.model_files"),
)
EXTRACTOR = Artifact(
    command="extractor",
    files=("extractor/model.safetensors", "extractor/record.json"),
    made_of=(),
    modules=("lbae_lib.metrics.classifier_training", "lbae_lib.data.registry"),
)
PRIOR = Artifact(
    command="prior",
    files=("prior/model.safetensors", "prior/record.json"),
    made_of=(LATENTS,),
    modules=("lbae_lib.latent.autoregressive",),
)
BOTTLENECKS = Artifact(
    command="study bottlenecks",
    files=("bottlenecks/record.json",),
    made_of=(),
    modules=("companion.experiments.bottleneck_study", "lbae_lib.data.registry"),
)
QUANTISERS = Artifact(
    command="study quantisers",
    files=("quantisers/record.json",),
    made_of=(EXTRACTOR,),
    modules=("companion.experiments.quantiser_study", "lbae_lib.data.registry"),
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
}
# What a notebook's metadata may name; all need the LBAE's latents.
NEEDS = ("vae", "latent_sizes", "extractor", "prior", "attributes", *STUDIES)


def needed_artifacts(experiment: Experiment, needs: Collection[str]) -> list[tuple[Artifact, str]]:
    """What a notebook reads, by its needs: artefacts, and of which model."""
    models = ["lbae", *(["vae"] if "vae" in needs else [])]
    if "latent_sizes" in needs:
        models += [f"{LATENT_SIZE}{size}" for size in experiment.entry.latent_sizes]
    others = [(ROLES[need]) for need in ("extractor", "prior", *STUDIES) if need in needs]
    return [*((LATENTS, model) for model in models), *others]
