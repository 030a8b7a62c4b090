"""A Sphinx extension: what each page of results is made of, and where to run it oneself.

``lbae_repository`` in ``_config.yml``, or the environment variable ``GITHUB_REPOSITORY`` that
GitHub's workflows set, names the repository as "owner/name"; without it there are no launch links.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

_BINDER = "https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/notebooks/{name}.ipynb"


def links(page: str, repository: str, branch: str = "main") -> str:
    """A page's last line, as MyST Markdown.

    Args:
        page: of executed results, e.g. "results/quick/digits/03_sampling".
        repository: "owner/name" on GitHub, or "".
        branch: that Binder takes the notebook from, and ``.binder/``, which encodes the digits.
    """
    name = PurePosixPath(page).name
    parts = [f"{{download}}`record of this page, with all numbers <{name}/record.json>`"]
    parts += [f"notebook `notebooks/{name}.ipynb`"]
    if repository:
        where = {"repository": repository, "branch": branch, "name": name}
        parts += [f"run it [on the digits, on Binder]({_BINDER.format(**where)})"]
    return f"---\n\n{' · '.join(parts)}\n"


def with_links(text: str, page: str, repository: str, branch: str) -> str:
    """A notebook's JSON with the links in a last cell."""
    content = json.loads(text)
    source = links(page, repository, branch)
    cell = {"cell_type": "markdown", "id": "links", "metadata": {}, "source": source}
    content["cells"].append(cell)
    return json.dumps(content)


def setup(app: Any) -> Mapping[str, Any]:
    """What Sphinx calls."""
    app.add_config_value("lbae_repository", os.environ.get("GITHUB_REPOSITORY", ""), "env", [str])
    app.add_config_value("lbae_branch", "main", "env", [str])

    def read(_app: Any, page: str, source: list[str]) -> None:
        if page.startswith("results/"):
            config = app.config
            source[0] = with_links(source[0], page, config.lbae_repository, config.lbae_branch)

    app.connect("source-read", read)
    return {"parallel_read_safe": True}
