"""A trained model as a directory of its own, and by name from this project's results.

The directory holds ``model.safetensors``, ``config.json`` (format, version, network, the weights'
SHA-256), a ``README.md`` for those who find it, the training's ``record.json`` where there is
one, and on request encoder and decoder as programs of ``torch.export``, which run without this
library.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from torch import Tensor, nn

from lbae_lib.data.registry import dataset_slug
from lbae_lib.errors import CheckpointError
from lbae_lib.files import (
    check_format,
    read_json,
    replacing,
    sha256_file,
    write_json,
    write_text,
)
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.binarization import bernoulli_bottleneck
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.model_files import MODEL_FILE, load_autoencoder, save_model

FORMAT = "lbae-shared-model"
VERSION = 1
CONFIG_FILE = "config.json"
RECORD_FILE = "record.json"
PROGRAMS = ("encoder", "decoder")

_CARD = """---
library_name: lbae_lib
tags: [autoencoder, binary-latents, lbae]
---

# {title}

{kind} with {size} for {channels} x {side} x {side} images, of the companion to *Latent Bernoulli
Autoencoder* (Fajtl, Argyriou, Monekosso and Remagnino, ICML 2020).

```python
from lbae_lib.models.sharing import load_shared

model = load_shared("{folder}")
latents = model.encode(images)  # images (B, {channels}, {side}, {side}) in [0, 1]
images = model.decode(latents)
```
{about}
"""


def pretrained(
    dataset: str, profile: str = "laptop", model: str = "lbae", root: Path | None = None
) -> LBAE | VAE:
    """A trained model of this project's results by name, for those who do not want to train.

    Args:
        dataset: "mnist", "digits", …, or "folder:PATH" as it was trained.
        profile: a file in ``config/``.
        model: "lbae", "vae" or "lbae-N".
        root: the project's folder; None finds it.

    Raises:
        CheckpointError: if results has no such model; says which there are.
    """
    results = (root or Path(__file__).resolve().parents[2]) / "results"
    path = results / profile / dataset_slug(dataset) / model / MODEL_FILE
    if not path.exists():
        found = sorted(results.glob(f"*/*/*/{MODEL_FILE}"))
        names = ["/".join(p.parts[-4:-1]) for p in found]
        kept = ", ".join(n for n in names if n.split("/")[2] not in ("extractor", "prior"))
        raise CheckpointError(
            f"no trained {model} of {dataset} in profile {profile}: there are {kept or 'none'} "
            f"(profile/data set/model); `lbae train -d {dataset} -p {profile}` makes it"
        )
    return load_autoencoder(path)[0]


def export_model(source: Path, target: Path, programs: bool = False) -> None:
    """Copy a trained model to a directory of its own.

    Args:
        source: where training left ``model.safetensors``.
        target: the directory; made if it is not there.
        programs: whether to add ``encoder.pt2`` and ``decoder.pt2``.

    Raises:
        CheckpointError: if there is no readable model, or the directory holds anything but an
            earlier export.
    """
    model, about = load_autoencoder(source / MODEL_FILE)
    if target.is_dir() and any(target.iterdir()):
        _read_config(target)  # of an earlier export; another directory is left alone
    for name in (MODEL_FILE, RECORD_FILE):
        if (source / name).exists():
            content = (source / name).read_bytes()
            with replacing(target / name) as scratch:
                scratch.write_bytes(content)
        else:
            (target / name).unlink(missing_ok=True)  # of the earlier export
    for name in PROGRAMS:
        (target / f"{name}.pt2").unlink(missing_ok=True)
    if programs:
        export_programs(model, target)
    _describe(target, model.config, about)


def export_programs(model: LBAE | VAE, target: Path) -> None:
    """Write encoder and decoder with ``torch.export``, for batches of any size.

    ``encoder.pt2`` maps images in [0, 1] to an LBAE's bits or a VAE's posterior means,
    ``decoder.pt2`` latents to images.
    """
    config = model.config
    images = torch.zeros(2, config.channels, config.image_size, config.image_size)
    examples = {"encoder": images, "decoder": torch.ones(2, config.latent_size)}
    for name in PROGRAMS:
        part = _Encoder(model) if name == "encoder" else _Decoder(model)
        batch = {"rows": {0: torch.export.Dim("batch", min=1)}}
        program = torch.export.export(part.eval(), (examples[name],), dynamic_shapes=batch)
        with replacing(target / f"{name}.pt2") as scratch:
            torch.export.save(program, scratch)


def load_shared(folder: Path | str, device: torch.device | str = "cpu") -> LBAE | VAE:
    """Read what :func:`export_model` wrote, for evaluation.

    Raises:
        CheckpointError: if the directory is not one, is of a newer version, or its weights are
            not those it describes.
    """
    folder = Path(folder)
    config = _read_config(folder)
    path = folder / MODEL_FILE
    if path.is_file() and sha256_file(path) != config.get("model_sha256"):
        raise CheckpointError(
            f"{path} is not the file that {CONFIG_FILE} describes: copy the directory again"
        )
    return load_autoencoder(path, device)[0]


def _read_config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / CONFIG_FILE, "description of a shared model")
    check_format(config, folder / CONFIG_FILE, "a model that `lbae export` wrote", FORMAT, VERSION)
    return config


class HubModel(ModelHubMixin, library_name="lbae_lib", tags=["lbae"]):
    """A model that the Hugging Face Hub can keep: ``push_to_hub`` and ``from_pretrained``.

    Attributes:
        model: the autoencoder, in eval mode.
    """

    def __init__(self, model: LBAE | VAE) -> None:
        self.model = model

    def _save_pretrained(self, save_directory: Path) -> None:
        state, config = self.model.state_dict(), self.model.config
        save_model(save_directory / MODEL_FILE, state, config, {}, halve=False)
        _describe(save_directory, config, {})

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> HubModel:
        """Read a local directory, or download one."""
        if Path(model_id).is_dir():
            return cls(load_shared(model_id))
        kept = ("revision", "cache_dir", "force_download", "local_files_only", "token")
        wanted = {key: options[key] for key in kept if key in options}
        return cls(load_shared(snapshot_download(model_id, **wanted)))


class _Encoder(nn.Module):
    """A model's encoder alone: what is exported has no weight of the decoder."""

    def __init__(self, model: LBAE | VAE) -> None:
        super().__init__()
        self.trunk = model.trunk
        self.binary = isinstance(model, LBAE)
        self.head = model.head if isinstance(model, LBAE) else model.mean

    def forward(self, rows: Tensor) -> Tensor:
        latents: Tensor = self.head(self.trunk(rows))
        return bernoulli_bottleneck(latents) if self.binary else latents


class _Decoder(nn.Module):
    def __init__(self, model: LBAE | VAE) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(self, rows: Tensor) -> Tensor:
        images: Tensor = self.decoder(rows)
        return images


def _describe(folder: Path, network: NetworkConfig, about: dict[str, Any]) -> None:
    """Write what goes beside the weights."""
    config = {
        "format": FORMAT,
        "version": VERSION,
        "network": dataclasses.asdict(network),
        "about": about,
        "model_sha256": sha256_file(folder / MODEL_FILE),
    }
    write_json(folder / CONFIG_FILE, config)
    facts = "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in about.items())
    binary = network.kind == "lbae"
    card = _CARD.format(
        title=f"{network.kind.upper()} of the LBAE companion",
        kind="A Latent Bernoulli Autoencoder" if binary else "A variational autoencoder",
        size=f"{network.latent_size} {'bits' if binary else 'latent numbers'}",
        channels=network.channels,
        side=network.image_size,
        folder=folder.resolve().name,
        about=f"\n{facts}" if facts else "",
    )
    write_text(folder / "README.md", card.rstrip() + "\n")
