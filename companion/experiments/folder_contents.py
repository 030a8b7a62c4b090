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
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lbae_lib.data.attribute_table import find_table, read_table
from lbae_lib.data.folder_layout import arranged
from lbae_lib.data.folder_listing import TABLES, Parts, list_folder
from lbae_lib.errors import CheckpointError, DataError, WriteError, first_names
from lbae_lib.files import read_json, sha256_file, write_json

_DIGITS = 16  # of each file's SHA-256: enough to tell files from others
_SETTLED_SECONDS = 2.0  # a file changed later than this before it was hashed may change unseen
_LABELS = {"attributes.csv", "list_attr_celeba.txt", "list_attr_celeba.csv"}


@dataclass(frozen=True)
class FolderContents:
    """The files that decide on the images of a folder: images and tables."""

    files: Mapping[str, str]  # path below the folder -> first digits of the content's SHA-256
    # The same for ``attributes.csv`` where it leaves out images or has their splits, of these alone
    choice: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Identity of the images: changes with any path or content, not with the folder's name."""
        text = json.dumps(sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def without_attributes(self) -> FolderContents:
        """The files that decide on the images and their splits, but not on their attributes."""
        kept = {n: h for n, h in self.files.items() if _name(n) not in _LABELS}
        return FolderContents(kept | dict(self.choice))

    def changes_since(self, earlier: Mapping[str, str]) -> str:
        """What has changed since an earlier state, as the beginning of a sentence; "" if nothing.

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


def no_folder(path: Path) -> str:
    """The message for the PATH of a "folder:PATH" that is not one of a folder; "" if it is."""
    if path.is_dir():
        return ""
    what = ", which is a file" if path.exists() else ""
    return f"no folder at {path}{what}: folder:PATH needs an existing image folder"


def folder_contents(folder: Path | str, memory: Path | None = None) -> FolderContents:
    """The contents of a folder of images.

    Args:
        folder: where the images are; links are followed.
        memory: a JSON file that keeps hashes, so that only files with another size or time of
            change are read again. It is left alone where it may not be written.

    Raises:
        DataError: if the folder is missing, a file may not be read, or the table does not fit.
    """
    folder = Path(folder)
    if why := no_folder(folder):
        raise DataError(why)
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
            raise DataError(f"{path} cannot be read ({error}): check its permissions") from None
        settled = now - state.st_mtime > _SETTLED_SECONDS
        found[name] = [*(stamp if settled else (-1, -1, -1)), digest]
    if memory is not None and found != known:
        with suppress(WriteError):
            write_json(memory, found)
    digests = {name: str(entry[-1]) for name, entry in found.items()}
    choice: dict[str, str] = {}
    table = find_table(listing)
    if table is not None and table.name.lower() in _LABELS:
        name = table.relative_to(folder).as_posix()
        chosen = _choice(folder, tuple(listing.files), digests[name])
        choice = {name: chosen} if chosen else {}
    return FolderContents(_as_text(digests), _as_text(choice))


def _as_text(digests: Mapping[str, str]) -> dict[str, str]:
    """A path whose bytes are no text becomes text."""
    return {os.fsencode(n).decode(errors="backslashreplace"): h for n, h in digests.items()}


@lru_cache(maxsize=8)
def _choice(folder: Path, _files: tuple[Parts, ...], _table: str) -> str:
    """Digits for the images and splits that a folder's table chooses; "" if it changes nothing."""
    listing = list_folder(folder)
    path = find_table(listing)
    assert path is not None
    chosen = {(image.parts, image.split) for image in read_table(path, listing).rows}
    with suppress(DataError):  # subfolders that would have two meanings without the table
        if chosen == {(image.parts, image.split) for image in arranged(listing, classes=False)}:
            return ""
    text = json.dumps(sorted(chosen))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
