"""What is trained, by name."""

from __future__ import annotations

from companion.experiments.artifacts import MODEL
from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import RECORD_FILE, read_record
from companion.project import results_in_force
from lbae_lib.errors import LbaeError


def trained_models() -> dict[str, Experiment]:
    """The experiments with a trained LBAE, by a name for people.

    Models whose record is damaged, or whose profile no longer has them, are left out.
    """
    found = {}
    for path in results_in_force(f"*/*/{MODEL.files[0].format(model='lbae*')}"):
        try:
            record = read_record(
                path.with_name(RECORD_FILE), {"options.profile": str, "options.dataset.name": str}
            )
            options = record["options"]
            name = options["dataset"]["name"]
            experiment = load_experiment(options["profile"], name, path.parent.name)
        except LbaeError:
            continue
        found[model_name(experiment)] = experiment
    return found


def model_name(experiment: Experiment) -> str:
    """For example "Digits, 64 bits (quick)"."""
    size = experiment.network.latent_size
    return f"{experiment.dataset.title}, {size} bits ({experiment.profile})"
