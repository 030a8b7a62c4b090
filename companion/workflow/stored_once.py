"""Figures are stored once: an executed notebook refers to its files instead of holding them."""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DATA = re.compile(r"data:[\w/+.-]+(?:;charset=[\w-]+)?;base64,([A-Za-z0-9+/=]+)")


def refer_to_files(notebook: Mapping[str, Any], folder: Path) -> None:
    """Make outputs refer to files in a folder for content that they hold too.

    References begin with the folder's name, so that they hold for a notebook beside it.
    """
    files = {path.read_bytes(): path.name for path in sorted(folder.iterdir()) if path.is_file()}

    def reference(match: re.Match[str]) -> str:
        try:
            name = files.get(base64.b64decode(match.group(1), validate=True))
        except binascii.Error:
            name = None
        return f"{folder.name}/{name}" if name else match.group(0)

    for output in (o for cell in notebook["cells"] for o in cell.get("outputs", [])):
        data = output.get("data", {})
        if "text/html" in data:
            data["text/html"] = _DATA.sub(reference, data["text/html"])
