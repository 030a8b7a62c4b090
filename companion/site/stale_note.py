"""A Sphinx extension: a note on pages whose results are out of date."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from companion.workflow.staleness import STALE_PAGES


def stale_note(reasons: list[str]) -> str:
    """What a reader is told, as MyST Markdown."""
    return (
        ":::{warning}\nThe results on this page are older than what they are made of: "
        f"{', '.join(reasons)} since. `lbae report` makes them anew.\n:::\n"
    )


def mark_page(text: str, reasons: list[str]) -> str:
    """A notebook's JSON with the note behind its first cell, which has the title."""
    content = json.loads(text)
    cell = {"cell_type": "markdown", "id": "stale", "metadata": {}, "source": stale_note(reasons)}
    content["cells"].insert(1, cell)
    return json.dumps(content)


def setup(app: Any) -> Mapping[str, Any]:
    """What Sphinx calls: marks the pages that ``build/generated/stale.json`` names.

    The mapping is a value of the configuration, so that pages are read again when it changes.
    """
    app.add_config_value("lbae_stale", {}, "env", [dict])

    def know(_app: Any, config: Any) -> None:
        path = Path(app.srcdir) / STALE_PAGES
        config.lbae_stale = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def read(_app: Any, page: str, source: list[str]) -> None:
        if page in app.config.lbae_stale:
            source[0] = mark_page(source[0], app.config.lbae_stale[page])

    app.connect("config-inited", know)
    app.connect("source-read", read)
    return {"parallel_read_safe": True}
