"""The distributions of a model's latents that coder and decoder share, as one file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lbae_lib.coding.coders import decode_bits, encode_bits
from lbae_lib.coding.container import HASH_BYTES, Coder, Container
from lbae_lib.errors import CheckpointError, FormatError
from lbae_lib.files import read_tensors, sha256_file, write_tensors
from lbae_lib.latent.bit_models import Autoregressive, BitModel, Factorised

VERSION = 1


@dataclasses.dataclass(frozen=True)
class Codec:
    """Everything that turns latents of one model into files and back.

    Attributes:
        factorised: independent bits.
        autoregressive: of the same training latents.
        model: SHA-256 of the autoencoder's file, in hexadecimal.
        priors: SHA-256 of the priors' file.
        channels: of the images.
        image_size: of the images.
    """

    factorised: Factorised
    autoregressive: Autoregressive
    model: str
    priors: str
    channels: int
    image_size: int

    @property
    def latent_size(self) -> int:
        """N."""
        return len(self.factorised.shares)

    def bit_model(self, coder: Coder) -> BitModel | None:
        """The distribution behind a coder; None for the packed one."""
        return {
            "packed": None,
            "factorised": self.factorised,
            "autoregressive": self.autoregressive,
        }[coder]

    def compress(self, bits: Tensor, coder: Coder = "autoregressive") -> bytes:
        """Latents (K, N) in {-1, +1} as a file."""
        model = self.bit_model(coder)
        priors = bytes(HASH_BYTES) if model is None else _short(self.priors)
        payload = encode_bits(bits, model)
        return Container(
            coder, self.channels, self.image_size, self.latent_size, len(bits),
            _short(self.model), priors, payload,
        ).to_bytes()  # fmt: skip

    def decompress(self, content: bytes) -> Tensor:
        """Packed latents of a file, uint8 (K, ceil(N/8)).

        Raises:
            FormatError: if the file is not whole, or not of this model and these priors.
        """
        found = Container.from_bytes(content)
        for what, own, other in (
            ("autoencoder", _short(self.model), found.model),
            ("priors", _short(self.priors), found.priors),
        ):
            if own != other and not (what == "priors" and found.coder == "packed"):
                raise FormatError(
                    f"the file was made with other {what} ({other.hex()}…) than are here "
                    f"({own.hex()}…): name the data set and profile it was made with"
                )
        shape = (found.channels, found.image_size, found.latent_size)
        if shape != (self.channels, self.image_size, self.latent_size):
            raise FormatError(
                f"the file's images and latents, {shape}, do not fit the model's, "
                f"{(self.channels, self.image_size, self.latent_size)}"
            )
        model = self.bit_model(found.coder)
        return decode_bits(found.payload, found.count, found.latent_size, model)


def save_priors(
    path: Path, factorised: Factorised, autoregressive: Autoregressive, about: dict[str, Any]
) -> None:
    """Write both distributions, whole or not at all.

    Args:
        path: safetensors file.
        factorised: independent bits.
        autoregressive: the learned one.
        about: e.g. the hash of the model whose latents they are of.
    """
    tensors = {"shares": factorised.shares.to(torch.int32), "order": autoregressive.order}
    for name, tensor in _numbers(autoregressive).items():
        narrow = bool((tensor.abs() < 2**15).all())
        tensors[name] = tensor.to(torch.int16 if narrow else torch.int32)
    write_tensors(path, tensors, about | {"version": VERSION})


def load_priors(path: Path) -> tuple[Factorised, Autoregressive, dict[str, Any], str]:
    """Read what :func:`save_priors` wrote.

    Returns:
        Both distributions, the description, and the file's SHA-256.

    Raises:
        CheckpointError: if the file is missing, damaged or of another version.
    """
    tensors, about = read_tensors(path, "prior")
    if about.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has version {about.get('version')}, but this library reads {VERSION}"
        )
    try:
        layers = range(sum(name.startswith("weight.") for name in tensors))
        numbers = {name: tensor.double() for name, tensor in tensors.items()}
        shares = tensors["shares"].to(torch.int64)
        autoregressive = Autoregressive(
            tensors["order"],
            tuple(numbers[f"weight.{layer}"] for layer in layers),
            tuple(numbers[f"bias.{layer}"] for layer in layers),
            numbers["output"],
            numbers["direct"],
            numbers["offsets"],
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the prior at {path} does not fit together ({error})") from None
    return Factorised(shares), autoregressive, about, sha256_file(path)


def _numbers(model: Autoregressive) -> dict[str, Tensor]:
    found = {f"weight.{layer}": weight for layer, weight in enumerate(model.weights)}
    found |= {f"bias.{layer}": bias for layer, bias in enumerate(model.biases)}
    return found | {"output": model.output, "direct": model.direct, "offsets": model.offsets}


def _short(sha256: str) -> bytes:
    return bytes.fromhex(sha256)[:HASH_BYTES]
