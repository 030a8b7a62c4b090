"""What the command line sets right before anything else: a user without a name or a home."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from companion.project import project_root
from lbae_lib.errors import ConfigError


def settle_environment() -> None:
    """Give libraries the user name and the cache folder that they fail without.

    In a container the user's number often has no name, and the home folder is not writable.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", f"user-{os.getuid()}")
    home = os.environ.get("HOME") or "/"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path(home, ".cache"))
    parents = (folder for folder in (cache, *cache.parents) if folder.exists())
    if not os.access(next(parents), os.W_OK):
        try:
            own = project_root() / "build/cache"
        except ConfigError:  # outside a project; the command says so
            return
        os.environ["XDG_CACHE_HOME"] = str(own)
        os.environ.setdefault("MPLCONFIGDIR", str(own / "matplotlib"))
        os.environ.setdefault("IPYTHONDIR", str(own / "ipython"))
