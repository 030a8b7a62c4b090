"""One run in a folder at a time. Quick to import, as the command line starts with it.

The lock is ``flock``'s, not the package filelock's: a child process that inherits the descriptor
keeps it (filelock's release would also take it from the child), and a file system without locks is
an error (filelock would fall back to a marker file, which a killed process leaves behind).
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lbae_lib.errors import WriteError


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[int]:
    """Reserve a folder for one run; the system releases the lock when the process ends.

    Args:
        folder: made if it is missing.
        wait: whether to wait for a run that is using it, instead of raising an error.

    Yields:
        A file descriptor; a child that inherits it holds the lock too.

    Raises:
        WriteError: if another run is using the folder, or it is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):  # now, not after hours of training
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        handle = _open(folder / ".lock")
    except OSError as error:
        raise WriteError(
            f"{folder} cannot be written to ({error.strerror}): check permissions, or work in a "
            "project of your own"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise WriteError(
                f"another run is using {folder}: wait until it has ended, or stop it"
            ) from None
        except OSError as error:
            raise WriteError(
                f"{folder} is on a file system without locks ({error}): work on another one"
            ) from None
        yield handle.fileno()


def _open(path: Path) -> TextIO:
    """The lock file; another user's is opened to read, which suffices for a lock."""
    try:
        return open(path, "a", encoding="utf-8")
    except PermissionError:
        return open(path, encoding="utf-8")
