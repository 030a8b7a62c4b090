"""Latents of one model as ``.lbae`` files, and the file of the priors that both sides share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.coding.coders import decode_bits, encode_bits
from lbae_lib.coding.container import CODERS, HASH_BYTES, Coder, Container
from lbae_lib.errors import CheckpointError, FormatError, unknown
from lbae_lib.files import read_tensors, sha256_file, write_tensors
from lbae_lib.latent.bit_models import BitModel, Factorised
from lbae_lib.latent.integer_network import Autoregressive

VERSION = 1  # of files of priors


@dataclass(frozen=True)
class Codec:
    """Everything that turns latents of one model into files and back.

    Attributes:
        factorised: the prior of independent bits.
        autoregressive: the learned prior, of the same training latents.
        model: SHA-256 of the autoencoder's file, in hexadecimal.
        priors: SHA-256 of the file of priors, in hexadecimal.
        channels: of the images, 1 or 3.
        image_size: height and width of the images, 32 or 64.
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
        return len(self.factorised.numerators)

    def bit_model(self, coder: Coder) -> BitModel | None:
        """The prior that a coder uses, None for "packed"; another name is a ``ValueError``."""
        if coder not in CODERS:
            raise ValueError(unknown("coder", coder, CODERS))
        return None if coder == "packed" else getattr(self, coder)

    def compress(self, bits: Tensor, coder: Coder = "autoregressive") -> bytes:
        """Latents, (K, N) in {-1, +1}, as the content of a file.

        Raises:
            ValueError: if they are not bits, of another width, too many for the container's header,
                or the coder is unknown.
        """
        check_latents(bits, empty=True, size=self.latent_size)
        model = self.bit_model(coder)
        priors = bytes(HASH_BYTES) if model is None else _short(self.priors)
        payload = encode_bits(bits, model)
        return Container(
            coder, self.channels, self.image_size, self.latent_size, len(bits),
            _short(self.model), priors, payload,
        ).to_bytes()  # fmt: skip

    def decompress(self, content: bytes) -> Tensor:
        """Packed latents of a file, uint8 (K, ceil(N / 8)).

        Raises:
            FormatError: if the file is damaged, or was written with another model or other priors.
        """
        found = Container.from_bytes(content)
        hashes = [("another autoencoder", _short(self.model), found.model)]
        if found.coder != "packed":
            hashes.append(("other priors", _short(self.priors), found.priors))
        for what, own, other in hashes:
            if own != other:
                raise FormatError(
                    f"the file was written with {what} (hash {other.hex()}…, here {own.hex()}…): "
                    "name the data set and profile that it was written with"
                )
        sizes = (found.channels, found.image_size, found.latent_size)
        expected = (self.channels, self.image_size, self.latent_size)
        if sizes != expected:
            raise FormatError(
                f"the file has (channels, image size, bits) {sizes}, but the model has {expected}: "
                "name the data set and profile that it was written with"
            )
        model = self.bit_model(found.coder)
        return decode_bits(found.payload, found.count, found.latent_size, model)


def save_priors(
    path: Path | str, factorised: Factorised, autoregressive: Autoregressive, about: dict[str, Any]
) -> None:
    """Write both priors of a model, and a description of them, as one safetensors file.

    ``about`` are JSON values; errors are those of :func:`lbae_lib.files.write_tensors`.
    """
    integers = {
        **{f"weight.{layer}": weight for layer, weight in enumerate(autoregressive.weights)},
        **{f"bias.{layer}": bias for layer, bias in enumerate(autoregressive.biases)},
        "output": autoregressive.output,
        "direct": autoregressive.skip,
        "offsets": autoregressive.output_bias,
    }
    tensors = {"shares": factorised.numerators.to(torch.int32), "order": autoregressive.order}
    tensors |= {name: _narrowed(tensor) for name, tensor in integers.items()}
    write_tensors(path, tensors, about | {"version": VERSION})


def load_priors(path: Path | str) -> tuple[Factorised, Autoregressive, dict[str, Any], str]:
    """Both priors, the description, and the SHA-256 of a file that :func:`save_priors` wrote.

    Raises:
        CheckpointError: if the file is missing, damaged or of another version.
    """
    tensors, about = read_tensors(path, "prior")
    if about.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has version {about.get('version')}, but this library reads {VERSION}: "
            "fit the prior again"
        )
    try:
        layers = range(sum(name.startswith("weight.") for name in tensors))
        integers = {name: tensor.double() for name, tensor in tensors.items()}
        factorised = Factorised(tensors["shares"].to(torch.int64))
        autoregressive = Autoregressive(
            order=tensors["order"],
            weights=tuple(integers[f"weight.{layer}"] for layer in layers),
            biases=tuple(integers[f"bias.{layer}"] for layer in layers),
            output=integers["output"],
            skip=integers["direct"],
            output_bias=integers["offsets"],
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the prior at {path} is not valid ({error}): fit it again") from None
    return factorised, autoregressive, about, sha256_file(path)


def _narrowed(integers: Tensor) -> Tensor:
    """Integers as int16 if they fit, else as int32."""
    return integers.to(torch.int16 if bool((integers.abs() < 2**15).all()) else torch.int32)


def _short(sha256: str) -> bytes:
    return bytes.fromhex(sha256)[:HASH_BYTES]
