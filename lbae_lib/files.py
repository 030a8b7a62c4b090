"""Files written whole or not at all, and their hashes."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from lbae_lib.errors import CheckpointError, WriteError

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)

_METADATA_KEY = "lbae"
_DIGEST_KEY = "content_sha256"
REMEDY = "write it again, or copy it again"  # for a damaged file
_ABANDONED_SECONDS = 3600.0  # writing a file never takes this long


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a scratch path beside ``path``; rename it to ``path`` if the block succeeds.

    A reader sees the old file or the new one, never a part; the scratch file keeps the suffix
    of ``path`` and is removed if the block fails. The file has the permissions that the user's
    umask gives, whatever the block does.

    Raises:
        WriteError: if the disk is full, or the folder is not writable.
    """
    scratch = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        with open(scratch, "wb") as handle:
            mode = os.fstat(handle.fileno()).st_mode
        yield scratch
        scratch.chmod(mode & 0o777)  # safetensors writes for the owner alone
        with open(scratch, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(scratch, path)
    except (OSError, SafetensorError) as error:
        raise WriteError(
            f"{path} cannot be written ({error}); the old file is unchanged: check free space and "
            "permissions"
        ) from None
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove scratch files of ``path`` that killed processes left, once they are an hour old."""
    for old in path.parent.glob(f".{glob.escape(path.stem)}.*{path.suffix}"):
        number = old.name.removeprefix(f".{path.stem}.").removesuffix(path.suffix)
        with suppress(OSError):
            if number.isdigit() and time.time() - old.stat().st_mtime > _ABANDONED_SECONDS:
                old.unlink()


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all; errors are those of :func:`replacing`."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """:func:`write_text` of indented JSON; NaN and infinity are a ``ValueError``."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]
) -> None:
    """Write tensors and a JSON description as one safetensors file, whole or not at all.

    The description also holds a SHA-256 of the content, which :func:`read_tensors` checks.

    Raises:
        WriteError: if the disk is full, or the folder is not writable.
        ValueError: if the description holds NaN or infinity; ``TypeError`` for what is not JSON.
    """
    from safetensors.torch import save_file  # imports torch, which reading records does not need

    stored, owned = {}, set[int]()
    for name, tensor in tensors.items():
        stored[name] = tensor.detach().cpu().contiguous()
        memory = stored[name].untyped_storage().data_ptr()
        if memory in owned:  # safetensors refuses tensors that share memory
            stored[name] = stored[name].clone()
        owned.add(memory)
    described = json.loads(json.dumps(dict(metadata), allow_nan=False))  # as it will be read
    described |= {_DIGEST_KEY: _content_digest(stored, described)}
    header = {_METADATA_KEY: json.dumps(described)}
    with replacing(Path(path)) as scratch:
        save_file(stored, scratch, metadata=header)


def cache_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a cache; log a warning if the folder is read-only."""
    try:
        write_tensors(path, tensors, metadata)
    except WriteError as error:
        _log.warning("the cache was not written: %s", error)


def read_tensors(
    path: Path | str, what: str, remedy: str = REMEDY
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_tensors` wrote.

    Errors name its role, ``what`` ("model", "latents"), and the remedy for a damaged file.

    Raises:
        CheckpointError: if the file is missing, damaged, not written by lbae, or may not be read.
    """
    path = Path(path)
    with explained(path, what):
        open(path, "rb").close()  # so that what follows is about the content
    try:
        with safe_open(path, framework="pt") as handle:
            header = handle.metadata() or {}
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"the {what} at {path} cannot be read: it is cut off or not a safetensors file "
            f"({error}); {remedy}"
        ) from None
    try:
        metadata = dict(json.loads(header[_METADATA_KEY]))
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{path} is a safetensors file, but not a {what} written by lbae: "
            f"its header has no readable '{_METADATA_KEY}' entry; name another file"
        ) from None
    digest = metadata.pop(_DIGEST_KEY, None)  # the first files had none
    if digest is not None and digest != _content_digest(tensors, metadata):
        raise CheckpointError(f"the {what} at {path} is damaged (checksum mismatch): {remedy}")
    return tensors, metadata


def read_description(path: Path | str, what: str) -> dict[str, Any]:
    """The description in a file that :func:`write_tensors` wrote; the content is not checked.

    Raises:
        CheckpointError: if the file is missing, cut off, or not written by lbae.
    """
    try:
        with safe_open(path, framework="np") as handle:
            described = dict(json.loads((handle.metadata() or {})[_METADATA_KEY]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"no {what} can be read from {path} ({error}): write it again"
        ) from None
    described.pop(_DIGEST_KEY, None)
    return described


def read_json(path: Path | str, what: str) -> dict[str, Any]:
    """Read a JSON file that holds an object; ``what`` is its role, e.g. "record", for errors.

    Raises:
        CheckpointError: if it is missing or damaged, or may not be read.
    """
    path = Path(path)
    try:
        with explained(path, what):
            content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"the {what} at {path} cannot be read ({error}): regenerate it"
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"the {what} at {path} is not a JSON object: regenerate it")
    return content


@contextmanager
def explained(path: Path, what: str = "file") -> Iterator[None]:
    """A context for reading a file: each cause of failure has its own message.

    Raises:
        CheckpointError: if the file is missing, is a folder, or may not be read.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"no {what} at {path}: check the path, or make it first") from None
    except IsADirectoryError:
        raise CheckpointError(f"no {what} at {path}, which is a folder: name a file") from None
    except PermissionError:
        raise CheckpointError(
            f"the {what} at {path} may not be read by this user: ask its owner for permission "
            "(chmod a+r, and a+x for its folders)"
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"the {what} at {path} cannot be read ({error}): copy it again, or write it again"
        ) from None


def check_format(found: Mapping[str, Any], path: Path, what: str, name: str, version: int) -> None:
    """Raise ``CheckpointError`` unless a file's description is of our format and a version we read.

    Args:
        found: the description, with "format" and "version".
        path: of the file, for the error message.
        what: the expected content, for the error message: "a model".
        name: of the format.
        version: the newest that this library reads.
    """
    if found.get("format") != name:
        raise CheckpointError(
            f"{path} holds {found.get('format')!r}, not {what} ({name!r}): name another file"
        )
    if found.get("version") not in range(1, version + 1):
        raise CheckpointError(
            f"{path} has format version {found.get('version')}, but this version of lbae_lib "
            f"reads 1 to {version}: update lbae_lib, or write the file again"
        )


def _content_digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {sha256_tensor(tensors[name])}".encode())
    return digest.hexdigest()


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        CheckpointError: if the file is missing, or may not be read.
    """
    with explained(Path(path)), open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_tensor(tensor: Tensor) -> str:
    """SHA-256 of a tensor's dtype, shape and bytes, in hexadecimal."""
    import torch  # which reading records does not need

    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
