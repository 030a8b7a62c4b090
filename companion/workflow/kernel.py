"""The kernel that runs a notebook: this Python, and nothing of what else is installed or set."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

# What a user has set for other programs, or JupyterLab, from which pages can be made, for its own
# kernels: figures and text do not depend on it.
_IGNORED = ("MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP", "JPY_SESSION_NAME")
_LONGEST_SOCKET_FOLDER = 60  # characters: the system allows 107 for a socket's path


class OwnKernel(AsyncKernelManager):
    """Starts a kernel of this Python: one named "python3" may belong to another."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How this Python starts a kernel."""
        launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=launch, display_name="Python 3", language="python")

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """Start it in an environment without the user's settings for other programs."""
        kept = {key: value for key, value in os.environ.items() if key not in _IGNORED}
        await super().start_kernel(env=kept | {"PYTHONUTF8": "1"}, **options)


def socket_folder() -> str | None:
    """A folder for temporary sockets: the system's, unless its name is too long for them."""
    return "/tmp" if len(tempfile.gettempdir()) > _LONGEST_SOCKET_FOLDER else None
