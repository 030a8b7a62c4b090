"""One run in a folder at a time. Light, as the command line starts with it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lbae_lib.errors import WriteError


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep a folder for one run at a time; the system lifts the lock when its process ends.

    Yields:
        A file descriptor; a child that inherits it keeps the lock too.

    Raises:
        WriteError: if another run has the folder, or it may not be written to.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(path, "a", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise WriteError(f"{folder} cannot be written to ({error})") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WriteError(
                f"another run is at work in {folder}: wait until it has ended, or stop it"
            ) from None
        except OSError as error:
            raise WriteError(f"{folder} is on a file system without locks ({error})") from None
        yield handle.fileno()
