"""The ``.lbae`` container: a header that says what the payload is, the payload, a checksum.

All numbers are little-endian. Version 2:

========  =====  ==========================================================
offset    bytes  content
========  =====  ==========================================================
0         4      ``LBAE``
4         1      version of the container
5         1      coder: 0 packed, 1 factorised, 2 autoregressive
6         1      channels of the images
7         1      version of the coders' payloads
8         2      height and width of the images
10        2      N, bits per latent
12        4      K, number of latents
16        8      first bytes of the SHA-256 of the autoencoder
24        8      the same of the file of priors; zeros for the packed coder
32        4      bytes of the payload
36        n      payload, see :mod:`lbae_lib.coding.coders`
36 + n    8      first bytes of the SHA-256 of everything before
========  =====  ==========================================================

Version 1 has 0 at offset 7 and payloads of coder version 1; it can still be read.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from lbae_lib.errors import FormatError

Coder = Literal["packed", "factorised", "autoregressive"]
CODERS: tuple[Coder, ...] = get_args(Coder)

MAGIC = b"LBAE"
VERSION = 2
# Raise this when the same latents and prior no longer give the same payload, for example because
# constriction changes its range coder (a golden file in the tests shows it), and keep decoding the
# earlier ones.
CODER_VERSION = 1
HASH_BYTES = 8
# Decoding takes memory for K × N bits, which a few bytes of payload may claim to hold.
LARGEST = 1 << 31

_HEADER = struct.Struct(f"<4sBBBBHHI{HASH_BYTES}s{HASH_BYTES}sI")
OVERHEAD = _HEADER.size + HASH_BYTES  # bytes besides the payload


@dataclass(frozen=True)
class Container:
    """The content of a file; the table above says what each field is."""

    coder: Coder
    channels: int
    image_size: int
    latent_size: int
    count: int
    model: bytes
    priors: bytes
    payload: bytes

    def to_bytes(self) -> bytes:
        """The file, in the current version.

        Raises:
            ValueError: if a number does not fit into the header.
        """
        try:
            body = _HEADER.pack(
                MAGIC, VERSION, CODERS.index(self.coder), self.channels, CODER_VERSION,
                self.image_size, self.latent_size, self.count, self.model, self.priors,
                len(self.payload),
            )  # fmt: skip
        except struct.error:
            raise ValueError(
                f"{self.count:,} latents of {self.latent_size:,} bits do not fit into a file: it "
                "holds at most 65,535 bits per latent, and 4 GiB"
            ) from None
        body += self.payload
        return body + _checksum(body)

    @classmethod
    def from_bytes(cls, content: bytes) -> Container:
        """Read a file of any version; the header is used only after the checksum is verified.

        Raises:
            FormatError: if the file is of another format, damaged or too new, or K × N is above
                ``LARGEST``.
        """
        if content[: len(MAGIC)] != MAGIC:
            raise FormatError("not an .lbae file: it does not begin with «LBAE»; name another")
        if len(content) > len(MAGIC):
            _check_version("format", content[len(MAGIC)], VERSION)
        if len(content) < OVERHEAD:
            raise FormatError(
                f"the file is cut off: it has {len(content)} bytes, but a header and checksum "
                f"have {OVERHEAD}; copy it again"
            )
        body, checksum = content[:-HASH_BYTES], content[-HASH_BYTES:]
        if _checksum(body) != checksum:
            raise FormatError("the file is damaged or cut off (checksum mismatch): copy it again")
        _, version, coder, channels, coder_version, image_size, *rest = _HEADER.unpack_from(body)
        latent_size, count, model, priors, length = rest
        payload = body[_HEADER.size :]
        _check_version("coder", coder_version, CODER_VERSION)
        for name, value, valid in (
            ("version", version, version >= 1),
            ("coder", coder, coder < len(CODERS)),
            ("channels", channels, channels in (1, 3)),
            ("coder version", coder_version, (coder_version == 0) == (version == 1)),
            ("image size", image_size, image_size in (32, 64)),
            ("number of bits", latent_size, latent_size > 0),
            ("length", length, length == len(payload)),
        ):
            if not valid:
                raise FormatError(f"the file's header is wrong ({name} {value}): write it again")
        if count * latent_size > LARGEST:
            raise FormatError(
                f"the file claims {count:,} latents of {latent_size} bits, but at most "
                f"{LARGEST:,} bits are decoded at once: raise {__name__}.LARGEST if you trust the "
                "file"
            )
        return cls(CODERS[coder], channels, image_size, latent_size, count, model, priors, payload)


def is_container(path: Path | str) -> bool:
    """Whether a file begins as a container does; False for one that cannot be read."""
    try:
        with open(path, "rb") as handle:
            return handle.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _check_version(what: str, found: int, newest: int) -> None:
    if found > newest:
        raise FormatError(
            f"the file has {what} version {found}, but this library reads up to {newest}: "
            "update lbae_lib"
        )


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:HASH_BYTES]
