"""A page of results as the book shows it: its data, its verdicts and its links are added.

The first heading names the data set. Below it, the page says whether it was published or run here,
whether it is out of date, and its verdicts; then come its own text and the evidence. Names of other
pages in the text become links. Default parameters are folded where a run injected its own.
At the end are links to the record, to both forms of the notebook, and to services that run it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from companion.experiments.records import SCORES
from companion.project import RUNS, in_force, project_root
from companion.site.results import as_text, document

_BINDER = "https://mybinder.org/v2/gh/{}/{}?urlpath=lab/tree/notebooks"
_CODESPACE = "https://codespaces.new/{}?ref={}"
# How notebooks name other pages: those of their data set, and those of the book.
_SIBLINGS = {
    "page on sampling": "03_sampling",
    "page on interpolation": "04_interpolation",
    "page of scores": SCORES,
    "study of samplers": "08_sampler_laboratory",
    "page on compression": "09_compression",
}
_BOOK = {"page of verdicts": "book/verdicts", "page on the method": "book/method"}


def named_pages(page: str) -> dict[str, str]:
    """The documents that a page may name in its text, by these words; itself is left out."""
    place = Path(page).relative_to(Path(page).parts[0]).parent
    files = {words: in_force(place / f"{name}.ipynb") for words, name in _SIBLINGS.items()}
    own = {words: document(file) for words, file in files.items() if file.exists()}
    return {words: other for words, other in (_BOOK | own).items() if other != page}


def arranged(
    notebook: str,
    notes: Sequence[str],
    end: str,
    dataset: str = "",
    evidence: str = "",
    named: Mapping[str, str] = _BOOK,
) -> str:
    """A notebook's JSON as its page has it.

    The notes, MyST Markdown, stand below the title. The data set's title is "" on a page on all
    data sets. The output of the last cell gets ``evidence`` as its id; "" if there are no verdicts.
    ``named`` are those of :func:`named_pages`.
    """
    content = json.loads(notebook)
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _linked("".join(cell["source"]), named)
    first, *cells = content["cells"]
    title, _, text = "".join(first["source"]).partition("\n")
    if dataset:
        title = f"{title} ({dataset})"
    if any("injected-parameters" in _tags(cell) for cell in cells):
        cells = [_folded(cell) if "parameters" in _tags(cell) else cell for cell in cells]
    added = [_cell(f"note-{i}", note) for i, note in enumerate(notes) if note]
    if text.strip():
        added.append(_cell("text", text.strip()))
    if evidence:
        cells.insert(len(cells) - 1, _cell("evidence", f'<span id="{evidence}"></span>'))
    content["cells"] = [{**first, "source": title}, *added, *cells, _cell("links", end)]
    return json.dumps(content)


def _linked(text: str, named: Mapping[str, str]) -> str:
    for words, other in named.items():
        # Code and links stay as they are.
        spaced = r"\s+".join(words.split())
        pattern = rf"`[^`]*`|\[[^\]]*\]\([^)]*\)|\b({spaced})\b"
        text = re.sub(pattern, partial(_link, other), text)
    return text


def _link(other: str, found: re.Match[str]) -> str:
    return f"[{found[1]}](/{other})" if found[1] else found[0]


def stale_note(reasons: Sequence[str]) -> str:
    """What a page that is out of date tells its reader, as MyST Markdown; "" if it is not."""
    if not reasons:
        return ""
    return (
        ":::{warning}\nThe results on this page are out of date: "
        f"{', '.join(reasons)}. Run `lbae report` to regenerate them.\n:::\n"
    )


def origin_note(page: str, record: Mapping[str, Any], data: str) -> str:
    """Where a page's results come from, as MyST Markdown; ``data`` says what images they are of."""
    day, commit = record["finished"][:10], record["environment"]["commit"]["hash"]
    code = f", with the code of commit {commit[:7]}" if commit else ""
    kind = "Your own run" if page.startswith(f"{RUNS}/") else "Published results, computed"
    images = f" Images: {as_text(data)}." if data else ""
    return f"*{kind} on {day}{code}.{images}*\n"


def links(page: str, repository: str, branch: str = "main") -> str:
    """A page's last line, as MyST Markdown."""
    name = PurePosixPath(page).name
    parts = [
        f"{{download}}`record of this page, with all numbers <{name}/record.json>`",
        f"{{download}}`executed notebook <{name}.ipynb>`",
    ]
    if (project_root() / f"notebooks/{name}.ipynb").exists():
        parts.append(f"{{download}}`its source </notebooks/{name}.ipynb>`")
    if repository:
        source = f"https://github.com/{repository}/blob/{branch}/notebooks/{name}.ipynb"
        parts += [
            f"[its source on GitHub]({source})",
            f"run it [on the digits, on Binder]({_BINDER.format(repository, branch)}/{name}.ipynb)",
            f"or [in a codespace]({_CODESPACE.format(repository, branch)})",
        ]
    return f"---\n\n{' · '.join(parts)}\n"


def badges(repository: str, branch: str) -> str:
    """Where to read and run the repository, as MyST Markdown; "" if it is not known."""
    if not repository:
        return ""
    binder, codespace = (url.format(repository, branch) for url in (_BINDER, _CODESPACE))
    return (
        f"[Repository](https://github.com/{repository}) · [Binder]({binder}) · "
        f"[Codespace with the development container]({codespace})\n"
    )


def _folded(cell: Mapping[str, Any]) -> dict[str, Any]:
    """The cell of default parameters, closed until a reader opens it."""
    metadata = cell["metadata"] | {
        "tags": [*_tags(cell), "hide-input"],
        "mystnb": {"code_prompt_show": "Show the parameters' defaults"},
    }
    return {**cell, "metadata": metadata}


def _tags(cell: Mapping[str, Any]) -> Sequence[str]:
    tags: Sequence[str] = cell["metadata"].get("tags", [])
    return tags


def _cell(name: str, text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}
