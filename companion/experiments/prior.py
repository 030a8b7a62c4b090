"""The distributions of a model's bits, which coders and the prior's sampler share."""

from pathlib import Path

from companion.experiments.artifacts import LATENTS, MODEL, PRIOR
from companion.experiments.images import SPLITS
from companion.experiments.profiles import Experiment
from companion.experiments.records import recorded_run
from companion.experiments.trained import load_trained
from lbae_lib.coding.codec import Codec, load_priors, save_priors
from lbae_lib.errors import CheckpointError
from lbae_lib.files import sha256_file
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import BitModel, Factorised, entropy
from lbae_lib.latent.moments import moments
from lbae_lib.models.hardware import choose_device


def fit_priors(experiment: Experiment, data_root: Path, device: str = "auto") -> Path:
    """Fit the distributions of the training latents, and write their record; returns their file."""
    device = choose_device(device)
    path = PRIOR.target(experiment)
    with recorded_run("prior", path.parent, device) as write:
        # Before they are read.
        model, latents = (sha256_file(a.required(experiment)) for a in (MODEL, LATENTS))
        trained = load_trained(experiment, data_root)
        bits = {name: trained.bits(name) for name in SPLITS}
        factorised = Factorised.fit(moments(bits["train"]))
        # The validation latents stay: the fitted model's whole numbers are on the processor.
        fitted = fit_autoregressive(bits["train"].to(device), bits["validation"])
        save_priors(path, factorised, fitted.model, {"model_sha256": model})
        priors: dict[str, BitModel] = {"factorised": factorised, "autoregressive": fitted.model}
        write(
            options={
                "version": PRIOR.version,
                "profile": experiment.profile,
                "dataset": experiment.dataset.name,
                "seed": 0,
            },
            inputs={"latents": latents},
            results={
                "model_sha256": sha256_file(path),
                "hidden": fitted.model.hidden,
                "epoch": fitted.epoch,
                "train": fitted.train,
                "validation": fitted.validation,
                "bits": {
                    name: {split: entropy(prior, part) for split, part in bits.items()}
                    for name, prior in priors.items()
                },
            },
        )
    return path


def load_codec(experiment: Experiment) -> Codec:
    """The codec between latents of the experiment's model and files.

    It raises ``CheckpointError`` if model or prior are missing, or the prior is of another model.
    """
    model, path = (artifact.required(experiment) for artifact in (MODEL, PRIOR))
    factorised, autoregressive, about, digest = load_priors(path)
    own = sha256_file(model)
    if about.get("model_sha256") != own:
        raise CheckpointError(
            f"{path} was fitted to another model's latents: run "
            f"`{PRIOR.command_line(experiment)}` again"
        )
    network = experiment.network
    return Codec(factorised, autoregressive, own, digest, network.channels, network.image_size)
