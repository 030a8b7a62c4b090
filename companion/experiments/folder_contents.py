"""What a folder of images consists of: an identity for its images, and how they changed.

Imports neither torch nor numpy.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lbae_lib.data.folder_listing import TABLES, list_folder
from lbae_lib.errors import CheckpointError, DataError, WriteError, first_names
from lbae_lib.files import read_json, sha256_file, write_json

_DIGITS = 16  # of each file's SHA-256: enough to tell files from others
_SETTLED_SECONDS = 2.0  # a file changed later than this before it was hashed may change unseen
_LABELS = {"attributes.csv", "list_attr_celeba.txt", "list_attr_celeba.csv"}


@dataclass(frozen=True)
class FolderContents:
    """The files that decide on the images of a folder: images and tables.

    Attributes:
        files: path below the folder -> first digits of the content's SHA-256.
    """

    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Identity of the images: changes with any path or content, not with the folder's name."""
        text = json.dumps(sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def without_attributes(self) -> FolderContents:
        """The files that decide on the images and their splits, but not on their attributes."""
        return FolderContents({n: h for n, h in self.files.items() if _name(n) not in _LABELS})

    def changes_since(self, earlier: Mapping[str, str]) -> str:
        """What has changed since the files were others, as the beginning of a sentence; "" if none.

        Example:
            >>> now = FolderContents({"a.png": "1", "b.png": "2", "c.png": "9"})
            >>> now.changes_since({"a.png": "1", "c.png": "3"})
            '1 image was added (b.png) and 1 changed (c.png)'
        """
        added = sorted(self.files.keys() - earlier.keys())
        removed = sorted(earlier.keys() - self.files.keys())
        common = sorted(self.files.keys() & earlier.keys())
        changed = [name for name in common if self.files[name] != earlier[name]]
        parts: list[str] = []
        for what, names in (("added", added), ("removed", removed), ("changed", changed)):
            if names:
                count = f"{len(names):,} {what}" if parts else f"{_counted(names)} {what}"
                parts.append(f"{count} ({first_names(names, 3)})")
        return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _counted(names: list[str]) -> str:
    what = "table" if all(_name(path) in TABLES for path in names) else "image"
    return f"{len(names):,} {what}{' was' if len(names) == 1 else 's were'}"


def _name(path: str) -> str:
    return path.rpartition("/")[2].lower()


def folder_contents(folder: Path | str, memory: Path | None = None) -> FolderContents:
    """The contents of a folder of images.

    Args:
        folder: where the images are; links are followed.
        memory: a JSON file that keeps hashes, so that only files with another size or time of
            change are read again. It is left alone where it may not be written.

    Raises:
        DataError: if the folder is missing, or a file may not be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"no folder at {folder}: folder:PATH needs an existing image folder")
    listing = list_folder(folder)
    known: dict[str, list[object]] = {}
    if memory is not None:
        with suppress(CheckpointError):  # missing or damaged: everything is hashed again
            known = read_json(memory, "memory of hashes")
    now = time.time()
    found: dict[str, list[object]] = {}
    for parts in (*listing.files, *sorted(listing.own_tables)):
        name = "/".join(parts)
        path = folder.joinpath(*parts)
        try:
            state = path.stat()
            stamp = [state.st_size, state.st_mtime_ns, state.st_ino]
            before = known.get(name)
            if isinstance(before, list) and before[:-1] == stamp:
                found[name] = before
                continue
            digest = sha256_file(path)[:_DIGITS]
        except (OSError, CheckpointError) as error:
            raise DataError(f"{path} cannot be read ({error})") from None
        settled = now - state.st_mtime > _SETTLED_SECONDS
        found[name] = [*(stamp if settled else (-1, -1, -1)), digest]
    if memory is not None and found != known:
        with suppress(WriteError):
            write_json(memory, found)
    # A path whose bytes are no text becomes text.
    named = ((os.fsencode(name).decode(errors="backslashreplace"), e) for name, e in found.items())
    return FolderContents({name: str(entry[-1]) for name, entry in named})
