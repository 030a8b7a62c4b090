"""Figures are stored once: an executed notebook refers to its files instead of holding them."""

import base64
import binascii
import re
from pathlib import Path
from typing import TypeVar

from lbae_lib.files import read_json

Cell = TypeVar("Cell")

_DATA = re.compile(r"data:[\w/+.-]+(?:;charset=[\w-]+)?;base64,([A-Za-z0-9+/=]+)")


def refer_to_files(cell: Cell, folder: Path) -> Cell:
    """A cell whose outputs refer to files in a folder for content that they hold too.

    References begin with the folder's name, so that they hold for a notebook beside it.
    """
    files = {path.read_bytes(): path.name for path in sorted(folder.iterdir()) if path.is_file()}

    def reference(match: re.Match[str]) -> str:
        try:
            name = files.get(base64.b64decode(match.group(1), validate=True))
        except binascii.Error:
            name = None
        return f"{folder.name}/{name}" if name else match.group(0)

    for output in cell.get("outputs", []):  # type: ignore[attr-defined]
        shown = output.get("data", {}).get("text/html")
        if shown is not None:
            output["data"]["text/html"] = _DATA.sub(reference, shown)
    return cell


def referred_files(notebook: Path) -> list[Path]:
    """The files beside an executed notebook to which its outputs refer."""
    folder, found = notebook.with_suffix(""), set()
    for cell in read_json(notebook, "notebook")["cells"]:
        for output in cell.get("outputs", []):
            shown = "".join(output.get("data", {}).get("text/html", ""))
            found |= set(re.findall(rf"[\"'(]{re.escape(folder.name)}/([^\"')/]+)[\"')]", shown))
    return [folder / name for name in sorted(found) if (folder / name).exists()]
