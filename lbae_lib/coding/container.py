"""The ``.lbae`` container: a header that says what the payload is, the payload, a checksum.

All numbers are little-endian. Version 1:

========  =====  ==========================================================
offset    bytes  content
========  =====  ==========================================================
0         4      ``LBAE``
4         1      version
5         1      coder: 0 packed, 1 factorised, 2 autoregressive
6         1      channels of the images
7         1      0
8         2      height and width of the images
10        2      N, bits a latent
12        4      K, number of latents
16        8      first bytes of the SHA-256 of the autoencoder
24        8      the same of the priors; zeros for the packed coder
32        4      bytes of the payload
36        n      payload, see :mod:`lbae_lib.coding.coders`
36 + n    8      first bytes of the SHA-256 of all before
========  =====  ==========================================================
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Literal, get_args

from lbae_lib.errors import FormatError

Coder = Literal["packed", "factorised", "autoregressive"]
CODERS: tuple[Coder, ...] = get_args(Coder)

MAGIC = b"LBAE"
VERSION = 1
HASH_BYTES = 8
# Decoding takes memory for K × N bits, which a few bytes of payload may claim to hold.
LARGEST = 1 << 31

_HEADER = struct.Struct(f"<4sBBBBHHI{HASH_BYTES}s{HASH_BYTES}sI")
OVERHEAD = _HEADER.size + HASH_BYTES  # bytes beside the payload


@dataclass(frozen=True)
class Container:
    """A file's content.

    Attributes:
        coder: of the payload.
        channels: of the images, 1 or 3.
        image_size: height and width.
        latent_size: N.
        count: K.
        model: first 8 bytes of the SHA-256 of the autoencoder's file.
        priors: the same of the priors' file; zeros if the coder needs none.
        payload: coded latents.
    """

    coder: Coder
    channels: int
    image_size: int
    latent_size: int
    count: int
    model: bytes
    priors: bytes
    payload: bytes

    def to_bytes(self) -> bytes:
        """The file."""
        body = _HEADER.pack(
            MAGIC, VERSION, CODERS.index(self.coder), self.channels, 0, self.image_size,
            self.latent_size, self.count, self.model, self.priors, len(self.payload),
        )  # fmt: skip
        body += self.payload
        return body + _checksum(body)

    @classmethod
    def from_bytes(cls, content: bytes, largest: int = LARGEST) -> Container:
        """Read a file; nothing of it is believed before the checksum is right.

        Args:
            content: the file.
            largest: bits, K × N, that it may hold.

        Raises:
            FormatError: if it is no such file, damaged, too new or too large.
        """
        if content[: len(MAGIC)] != MAGIC:
            raise FormatError("not an .lbae file: it does not begin with «LBAE»")
        if len(content) > len(MAGIC) and content[len(MAGIC)] > VERSION:
            raise FormatError(
                f"the file has version {content[len(MAGIC)]}, but this library reads up to "
                f"{VERSION}: update it"
            )
        if len(content) < OVERHEAD:
            raise FormatError(
                f"the file is cut off: it has {len(content)} bytes, a header {OVERHEAD}"
            )
        body, checksum = content[:-HASH_BYTES], content[-HASH_BYTES:]
        if _checksum(body) != checksum:
            raise FormatError("the file is damaged or cut off: its checksum is wrong")
        _, version, coder, channels, zero, image_size, latent_size, count, *rest = (
            _HEADER.unpack_from(body)
        )
        model, priors, length = rest
        payload = body[_HEADER.size :]
        for name, value, fine in (
            ("version", version, version == VERSION),
            ("coder", coder, coder < len(CODERS)),
            ("channels", channels, channels in (1, 3)),
            ("reserved byte", zero, zero == 0),
            ("image size", image_size, image_size in (32, 64)),
            ("number of bits", latent_size, latent_size > 0),
            ("length", length, length == len(payload)),
        ):
            if not fine:
                raise FormatError(f"the file's header is wrong: {name} {value}")
        if count * latent_size > largest:
            raise FormatError(
                f"the file claims {count:,} latents of {latent_size} bits, but at most "
                f"{largest:,} bits are decoded at once: raise the limit if you trust it"
            )
        return cls(CODERS[coder], channels, image_size, latent_size, count, model, priors, payload)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:HASH_BYTES]
