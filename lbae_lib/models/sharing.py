"""A trained model as a directory of its own: exported, on the Hugging Face Hub, or by name.

The directory holds ``model.safetensors``, ``config.json`` (format, version, network, SHA-256 of the
weights) and a ``README.md`` for those who find it. It may also hold the training's ``record.json``,
and encoder and decoder as programs of ``torch.export``, which run without this library.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from lbae_lib.errors import CheckpointError, WriteError, extra, unknown
from lbae_lib.files import check_format, read_json, replacing, sha256_file, write_json, write_text
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.binarization import bernoulli_bottleneck
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.model_files import MODEL_FILE, load_autoencoder, save_model

FORMAT = "lbae-shared-model"
VERSION = 1
CONFIG_FILE = "config.json"
RECORD_FILE = "record.json"
PROGRAMS = ("encoder", "decoder")
_CARD_FILE = "README.md"

_CARD = """---
library_name: lbae_lib
tags: [autoencoder, binary-latents, lbae]
---

# {title}

{kind} with {size} for {channels} x {side} x {side} images, of the companion to *Latent Bernoulli
Autoencoder* (Fajtl, Argyriou, Monekosso and Remagnino, ICML 2020).

```python
from lbae_lib.models.sharing import HubModel

model = HubModel.from_pretrained("{name}").model
latents = model.encode(images)  # images (B, {channels}, {side}, {side}) in [0, 1]
images = model.decode(latents)
```
{about}
"""


def export_model(
    source: Path | str, target: Path | str, programs: bool = False, force: bool = False
) -> None:
    """Copy a trained model to a directory of its own.

    Args:
        source: the folder in which training left ``model.safetensors``.
        target: the directory; created if it does not exist.
        programs: whether to add ``encoder.pt2`` (images in [0, 1] to an LBAE's bits or a VAE's
            posterior means) and ``decoder.pt2`` (latents to images), for batches of any size.
        force: write into a directory that holds other files as well.

    Raises:
        CheckpointError: if there is no readable model.
        WriteError: if the directory is the source, or holds anything but an earlier export.
    """
    source, target = Path(source), Path(target)
    model, about = load_autoencoder(source / MODEL_FILE)  # an error before anything is written
    if target.resolve() == source.resolve():
        raise WriteError(f"{target} is the model's own folder: name another directory")
    _prepare(target, force)
    for path in (source / MODEL_FILE, source / RECORD_FILE):
        if path.exists():
            with replacing(target / path.name) as scratch:
                shutil.copyfile(path, scratch)
    if programs:
        _export_programs(model, target)
    _describe(target, model.config, about, target.resolve().name)


def load_shared(folder: Path | str, device: torch.device | str = "cpu") -> LBAE | VAE:
    """Read what :func:`export_model` or :class:`HubModel` wrote, for evaluation.

    Raises:
        CheckpointError: if the directory holds no such model or one of a newer version, or its
            weights are not those that it describes.
    """
    path, config = Path(folder) / MODEL_FILE, _read_config(Path(folder))
    if path.is_file() and sha256_file(path) != config.get("model_sha256"):
        raise CheckpointError(
            f"{path} is not the file that {CONFIG_FILE} describes: copy the directory again"
        )
    return load_autoencoder(path, device)[0]


def pretrained(
    dataset: str, profile: str = "accelerator", model: str = "lbae", root: Path | str | None = None
) -> LBAE | VAE:
    """A trained model that a clone of the project keeps, by name.

    Args:
        dataset: a folder of ``results/PROFILE/``: "mnist", "digits", …
        profile: a folder of ``results/``.
        model: "lbae", "vae", or "lbae-N" for another latent size of N bits.
        root: the clone's folder; None for the one that this library is in.

    Raises:
        CheckpointError: if there are no results, or no such model among them; the message says
            which there are.
    """
    root = Path(__file__).resolve().parents[2] if root is None else Path(root)
    if not (root / "results").is_dir():
        raise CheckpointError(
            f"no results/ in {root}: trained models are in the project's repository, not in the "
            f"installed package. Clone it and call pretrained({dataset!r}, root=CLONE), or call "
            f"torch.hub.load(OWNER/REPOSITORY, 'lbae', {dataset!r}), which downloads it"
        )
    paths = {"/".join(p.parts[-4:-1]): p for p in root.glob(f"results/*/*/*/{MODEL_FILE}")}
    kept = {name: p for name, p in paths.items() if p.parent.name not in ("extractor", "prior")}
    name = f"{profile}/{dataset}/{model}"
    if name not in kept:
        raise CheckpointError(
            f"{unknown('trained model', name, sorted(kept))} (profile/data set/model); `lbae "
            "train` trains others, which load_model reads"
        )
    return load_autoencoder(kept[name])[0]


@dataclass(frozen=True)
class HubModel:
    """A model as the Hugging Face Hub keeps it; its methods have the Hub's usual names."""

    model: LBAE | VAE  # in eval mode

    def save_pretrained(self, save_directory: Path | str, repo_id: str | None = None) -> None:
        """Write a directory as :func:`export_model` does, with weights in float32.

        Its README.md loads the model as ``repo_id`` of the Hub, or else by the directory's name.

        Raises:
            WriteError: if it is a file, or holds anything but an earlier export.
        """
        folder, network = Path(save_directory), self.model.config
        _prepare(folder, force=False)
        save_model(folder / MODEL_FILE, self.model.state_dict(), network, {}, halve=False)
        _describe(folder, network, {}, repo_id or folder.resolve().name)

    @classmethod
    def from_pretrained(cls, model_id: Path | str, **options: Any) -> HubModel:
        """Read a local directory, or download one.

        Args:
            model_id: a directory, or "owner/name" on the Hub.
            **options: of ``huggingface_hub.snapshot_download``: ``revision``, ``token``, …

        Raises:
            CheckpointError: as :func:`load_shared`, or if there is neither.
            LbaeError: if huggingface-hub is needed and not installed.
        """
        if Path(model_id).is_dir():
            return cls(load_shared(model_id))
        try:
            folder = _hub().snapshot_download(str(model_id), **options)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{model_id} is not a folder, and no model could be read from the Hub ({reason}): "
                "check the name and the connection"
            ) from None
        return cls(load_shared(folder))

    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, token: str | None = None, **options: Any
    ) -> str:
        """Upload the model, to a new repository if there is none; returns the commit's address.

        Args:
            repo_id: "owner/name".
            private: whether a new repository is private; None is the owner's default.
            token: for authentication; None takes the one that is logged in.
            **options: of ``huggingface_hub.HfApi.upload_folder``: ``commit_message``, …

        Raises:
            LbaeError: if huggingface-hub is not installed.
        """
        api = _hub().HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder, repo_id)
            commit: str = api.upload_folder(repo_id=repo_id, folder_path=folder, **options)
        return commit


def _hub() -> Any:
    with extra("hub", "huggingface-hub", "models on the Hugging Face Hub"):
        import huggingface_hub
    return huggingface_hub


class _Encoder(nn.Module):
    """A model's encoder alone: what is exported has no weight of the decoder."""

    def __init__(self, model: LBAE | VAE) -> None:
        super().__init__()
        self.trunk, self.binary = model.trunk, isinstance(model, LBAE)
        self.head = model.head if isinstance(model, LBAE) else model.mean

    def forward(self, images: Tensor) -> Tensor:
        latents: Tensor = self.head(self.trunk(images))
        return bernoulli_bottleneck(latents) if self.binary else latents


def _read_config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / CONFIG_FILE, "description of a shared model")
    check_format(config, folder / CONFIG_FILE, "a model that `lbae export` wrote", FORMAT, VERSION)
    return config


def _prepare(folder: Path, force: bool) -> None:
    """Remove what an earlier export left; what a user may want to keep is an error."""
    if folder.exists() and not folder.is_dir():
        raise WriteError(f"{folder} is a file: name a directory")
    card, earlier = folder / _CARD_FILE, True
    try:
        written = _read_config(folder).get("readme_sha256")  # the first exports had none
    except CheckpointError:
        written, earlier = None, False
    if not (force or earlier) and folder.is_dir() and any(folder.iterdir()):
        raise WriteError(
            f"{folder} holds other files than an earlier export: name a new directory; "
            f"`lbae export --force` or force=True replaces {MODEL_FILE}, {CONFIG_FILE}, "
            f"{_CARD_FILE} and {RECORD_FILE}"
        )
    if not force and written is not None and card.is_file() and sha256_file(card) != written:
        raise WriteError(
            f"{card} has been edited since it was exported: name a new directory; "
            "`lbae export --force` or force=True replaces it"
        )
    for name in (RECORD_FILE, *(f"{name}.pt2" for name in PROGRAMS)) if earlier else ():
        (folder / name).unlink(missing_ok=True)


def _export_programs(model: LBAE | VAE, folder: Path) -> None:
    channels, side = model.config.channels, model.config.image_size
    images = torch.zeros(2, channels, side, side, device="cpu")
    latents = torch.ones(2, model.config.latent_size, device="cpu")
    batch = ({0: torch.export.Dim("batch", min=1)},)
    parts = (_Encoder(model).eval(), model.decoder)
    for name, part, example in zip(PROGRAMS, parts, (images, latents), strict=True):
        program = torch.export.export(part, (example,), dynamic_shapes=batch)
        with replacing(folder / f"{name}.pt2") as scratch:
            torch.export.save(program, scratch)


def _describe(folder: Path, network: NetworkConfig, about: dict[str, Any], name: str) -> None:
    """Write what goes beside ``model.safetensors``; README.md loads the model by its name."""
    facts = "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in about.items())
    binary = network.kind == "lbae"
    card = _CARD.format(
        title=f"{network.kind.upper()} of the LBAE companion",
        kind="A Latent Bernoulli Autoencoder" if binary else "A variational autoencoder",
        size=f"{network.latent_size} {'bits' if binary else 'latent numbers'}",
        channels=network.channels,
        side=network.image_size,
        name=name,
        about=f"\n{facts}" if facts else "",
    )
    write_text(folder / _CARD_FILE, card.rstrip() + "\n")
    config = {
        "format": FORMAT,
        "version": VERSION,
        "network": asdict(network),
        "about": about,
        "model_sha256": sha256_file(folder / MODEL_FILE),
        "readme_sha256": sha256_file(folder / _CARD_FILE),
    }
    write_json(folder / CONFIG_FILE, config)
