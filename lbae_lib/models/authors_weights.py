"""The published weights of the paper's authors: read, checked, renamed.

Their training code saves ``last.cp``: the state dicts of encoder ("enc") and decoder ("gen")
beside counters. Their archives hold one folder per experiment, with that file in it. Nothing in
the file is executed: only tensors and plain values are read.
"""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lbae_lib.errors import CheckpointError, ConfigError
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.config import Model, NetworkConfig

CHECKPOINT = "last.cp"
_LARGEST = 2**30  # bytes of a checkpoint; the largest network has 19 million weights
_GRID = 16  # numbers in a map at the decoder's entrance

# Within a residual block: the authors' names, with the block's number, and ours.
_BLOCK = {
    "{kind}c{n}": "resize",
    "bn{n}": "resize_norm",
    "b{n}1": "conv1",
    "bn{n}1": "norm1",
    "b{n}2": "conv2",
    "bn{n}2": "norm2",
}
# What the safe reader must accept beside tensors: NumPy's numbers, e.g. the loss.
_scalar: Any = np.float64(0).__reduce__()[0]
_SAFE: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(code)) for code in "fdil"),
]


@dataclass(frozen=True)
class AuthorsModel:
    """A published checkpoint.

    Attributes:
        network: the shape that the weights have.
        state: our ``state_dict()``, in float32.
        epoch: of the authors' training, or None if the file does not say it.
        origin: the file's name, with that of its archive if there is one.
    """

    network: NetworkConfig
    state: dict[str, Tensor]
    epoch: int | None
    origin: str


def read_authors_weights(path: Path | str, experiment: str | None = None) -> AuthorsModel:
    """Read a published checkpoint.

    Args:
        path: a ``last.cp``, an experiment's folder, or an archive of such folders.
        experiment: name of the experiment's folder in ``path``, if that holds several.

    Raises:
        CheckpointError: if there is no such file, it holds more than plain data, or a weight is
            missing, unknown, of another shape or not finite.
    """
    path = Path(path)
    try:
        handle, origin = _open(path, experiment)
        with torch.serialization.safe_globals(_SAFE):
            content = torch.load(handle, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception:  # readers of archives and tensors raise all kinds on damage
        raise CheckpointError(
            f"{path} cannot be read as tensors and plain values, and other content is refused: "
            "download it again"
        ) from None
    parts = content if isinstance(content, dict) else {}
    if not all(isinstance(parts.get(part), Mapping) for part in ("enc", "gen")):
        raise CheckpointError(
            f"{origin} has no state dicts 'enc' and 'gen': this is not a published {CHECKPOINT}; "
            "name another file"
        )
    network = _network(parts["enc"], parts["gen"], origin)
    state = _renamed(parts["enc"], parts["gen"], network, origin)
    epoch = parts.get("epoch")
    return AuthorsModel(network, state, int(epoch) if isinstance(epoch, int) else None, origin)


def authors_names(network: NetworkConfig) -> dict[str, tuple[str, str]]:
    """Our modules' names -> the authors' state dict ("enc" or "gen") and name in it."""
    blocks = 3 if network.image_size == 64 else 2
    names = {"trunk.stem": ("enc", "ec0"), "trunk.stem_norm": ("enc", "bn0")}
    names |= {"trunk.final": ("enc", "ec4"), "decoder.linear": ("gen", "l1l")}
    names |= {"decoder.enlarge": ("gen", "dc4"), "decoder.enlarge_norm": ("gen", "bn4")}
    names["decoder.final"] = ("gen", "dc5")
    heads = {"head": "l0l"} if network.kind == "lbae" else {"mean": "l1", "log_variance": "l2"}
    names |= {ours: ("enc", theirs) for ours, theirs in heads.items()}
    for theirs, ours in _BLOCK.items():
        for index in range(blocks):
            encoder, decoder = index + 1, index + 4 - blocks  # the decoder's last block is 3
            names[f"trunk.blocks.{index}.{ours}"] = ("enc", theirs.format(kind="e", n=encoder))
            names[f"decoder.blocks.{index}.{ours}"] = ("gen", theirs.format(kind="d", n=decoder))
    return names


def _open(path: Path, experiment: str | None) -> tuple[io.BytesIO, str]:
    if path.is_dir():
        path = path / (experiment or "") / CHECKPOINT
    if not path.is_file():
        raise CheckpointError(
            f"no {CHECKPOINT} at {path}: name the file, its folder or its archive"
        )
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = _member(archive, path, experiment)
            if name is not None:  # a checkpoint of torch is itself an archive
                _check_size(archive.getinfo(name).file_size, f"{name} in {path.name}")
                return io.BytesIO(archive.read(name)), f"{path.name}/{name}"
            if not any(PurePosixPath(member).name == "data.pkl" for member in archive.namelist()):
                raise CheckpointError(
                    f"{path} holds no {CHECKPOINT}: download the archive of a data set again"
                )
    _check_size(path.stat().st_size, path.name)
    return io.BytesIO(path.read_bytes()), path.name


def _member(archive: zipfile.ZipFile, path: Path, experiment: str | None) -> str | None:
    """The name of an experiment's checkpoint in an archive; None if it has no checkpoint."""
    found = {
        str(PurePosixPath(name).parent): name
        for name in sorted(archive.namelist())
        if PurePosixPath(name).name == CHECKPOINT
    }
    wanted = [k for k in found if experiment in (None, k, PurePosixPath(k).name)]
    if not found or len(wanted) == 1:
        return found[wanted[0]] if found else None
    if not wanted:
        problem = f"has no experiment {experiment!r}"
    else:
        problem = f"holds {len(wanted)} experiments" + (f" {experiment!r}" if experiment else "")
    listed = ", ".join(wanted or found)
    raise CheckpointError(f"{path.name} {problem}: choose one with --experiment: {listed}")


def _check_size(size: int, what: str) -> None:
    if size > _LARGEST:
        raise CheckpointError(
            f"{what} has {size} bytes, but a checkpoint at most {_LARGEST}: name another file"
        )


def _network(encoder: Mapping[str, Any], decoder: Mapping[str, Any], origin: str) -> NetworkConfig:
    """The shape that the weights have."""
    kind: Model = "lbae" if "l0l.weight" in encoder else "vae"
    first = _tensor(encoder, "ec0.weight", 4, origin)
    latent = _tensor(encoder, "l0l.weight" if kind == "lbae" else "l1.weight", 2, origin)
    entry = _tensor(decoder, "l1l.weight", 2, origin)
    width, image_size = len(first), 64 if "ec3.weight" in encoder else 32
    maps = len(entry) // _GRID
    mirrored = 4 * width if image_size == 64 else 2 * width
    if not maps:
        raise CheckpointError(
            f"l1l.weight in {origin} has {len(entry)} rows, but at least {_GRID} are needed: "
            "download it again"
        )
    entry_channels = None if maps == mirrored else maps
    try:
        return NetworkConfig(image_size, first.shape[1], len(latent), width, entry_channels, kind)
    except ConfigError as error:
        raise CheckpointError(
            f"{origin} is not a published LBAE or VAE ({error}): name another file"
        ) from None


def _renamed(
    encoder: Mapping[str, Any], decoder: Mapping[str, Any], network: NetworkConfig, origin: str
) -> dict[str, Tensor]:
    """The weights under our names, every one of them checked."""
    names = authors_names(network)
    expected = build_model(network, "meta").state_dict()
    parts, state, used = {"enc": encoder, "gen": decoder}, {}, set()
    for ours, like in expected.items():
        module, _, leaf = ours.rpartition(".")
        part, theirs = names[module]
        key = f"{theirs}.{leaf}"
        if leaf == "num_batches_tracked" and key not in parts[part]:
            state[ours] = torch.zeros((), dtype=torch.long, device="cpu")  # older PyTorch had none
            continue
        tensor = _tensor(parts[part], key, like.ndim, origin)
        if tensor.shape != like.shape:
            raise CheckpointError(
                f"{part}.{key} of {origin} has shape {tuple(tensor.shape)}, but the shapes of the "
                f"other weights require {tuple(like.shape)}: download it again"
            )
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"{part}.{key} of {origin} holds values that are not finite: download it again"
            )
        state[ours] = tensor.to(like.dtype)
        used.add((part, key))
    unknown = sorted(f"{p}.{k}" for p, own in parts.items() for k in own if (p, k) not in used)
    if unknown:
        raise CheckpointError(
            f"{origin} has weights that the published networks do not have "
            f"({', '.join(unknown)}): name another file"
        )
    return state


def _tensor(part: Mapping[str, Any], key: str, dimensions: int, origin: str) -> Tensor:
    found = part.get(key)
    if not isinstance(found, Tensor) or found.ndim != dimensions:
        what = "is missing" if found is None else f"is not a tensor of {dimensions} dimensions"
        raise CheckpointError(
            f"{key} {what} in {origin}: this is not a published LBAE or VAE; name another file"
        )
    return found
