"""One run in a folder at a time. Quick to import, as the command line starts with it.

The lock is ``flock``'s, not the package filelock's: a child process that inherits the descriptor
keeps it (filelock's release would also take it from the child), and a file system without locks is
an error (filelock would fall back to a marker file, which a killed process leaves behind).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lbae_lib.errors import WriteError


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[int]:
    """Reserve a folder for one run; the system releases the lock when the process ends.

    Args:
        folder: made if it is missing.
        wait: until a run that is using it has ended.

    Yields:
        A file descriptor; a child that inherits it holds the lock too.

    Raises:
        WriteError: if another run is using the folder, or it is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(folder / ".lock", "a", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise WriteError(f"{folder} cannot be written to ({error}): check permissions") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise WriteError(
                f"another run is using {folder}: wait until it has ended, or stop it"
            ) from None
        except OSError as error:
            raise WriteError(f"{folder} is on a file system without locks ({error})") from None
        yield handle.fileno()
