"""The library files that a module or notebook depends on, read from its imports.

A page is out of date, and its notebook runs again, when the code behind it has changed. Other steps
have version numbers instead: see ``artifacts.py``.
"""

import ast
import atexit
import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from companion.project import project_root
from lbae_lib.errors import CheckpointError, WriteError
from lbae_lib.files import read_json, write_json

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("lbae_lib", "companion")
_LIVE = "companion.widgets.live"
_MEMORY = "build/code.json"
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def module_sources(*modules: str) -> list[Path]:
    """Files of the library that these modules import, directly or not, themselves included."""
    for module in modules:
        if _file(module) is None:
            raise ValueError(f"no module {module!r} in {' or '.join(_PACKAGES)}")
    return _closure(modules)


def notebook_sources(notebook: Path) -> list[Path]:
    """Files of the library that a notebook's code cells import, directly or not.

    Widgets do not count: they are shown in JupyterLab, and not on the page.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return _closure(name for name in _imported(code) if not name.startswith(_LIVE))


def notebook_hash(notebook: Path) -> str:
    """SHA-256 of a notebook's cells: kind, text and tags; outputs, numbers and names do not count.

    Opening and saving a notebook in JupyterLab leaves it as it is.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    content = [
        (cell["cell_type"], "".join(cell["source"]), sorted(cell["metadata"].get("tags", [])))
        for cell in cells
    ]
    # JupyterLab adds an empty cell at the end where the last one is run.
    while content and not content[-1][1].strip():
        content.pop()
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def code_hash(notebook: Path) -> str:
    """SHA-256 of the code in the library files behind a notebook; comments do not count."""
    changed = max(file.stat().st_mtime_ns for p in _PACKAGES for file in (_ROOT / p).rglob("*.py"))
    return _code_hash(notebook, notebook.stat().st_mtime_ns, changed)


@lru_cache(maxsize=64)
def _code_hash(notebook: Path, _saved: int, _changed: int) -> str:
    return sources_hash(notebook_sources(notebook))


def sources_hash(files: Iterable[Path]) -> str:
    """One SHA-256 of the files' code, in hexadecimal.

    Comments, docstrings and layout do not count: rewording them leaves pages up to date.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(_ROOT).as_posix().encode() + b"\0")
        digest.update(str(_about(file)[2]).encode())
    return digest.hexdigest()


def _about(file: Path) -> list[int | str]:
    """Size, time of change, SHA-256 of the code, and the modules of the library that it imports.

    Kept between processes while the file does not change.
    """
    state = file.stat()
    known, stamp = _memory(), [state.st_size, state.st_mtime_ns]
    entry = known.get(str(file))
    if entry is None or entry[:2] != stamp:
        code = file.read_text(encoding="utf-8")
        known[str(file)] = entry = [*stamp, _digest(code), *sorted(_imported(code))]
    return entry


@lru_cache(maxsize=1)
def _memory() -> dict[str, list[int | str]]:
    """What :func:`_about` found, by file; written when the process ends."""
    path = project_root() / _MEMORY
    try:
        known: dict[str, Any] = read_json(path, "memory of hashes")
    except CheckpointError:
        known = {}
    before = dict(known)

    def keep() -> None:
        if known != before and path.parent.is_dir():
            with suppress(WriteError):
                write_json(path, known)

    atexit.register(keep)
    return known


def _digest(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(_shape(tree).encode()).hexdigest()


def _shape(node: object) -> str:
    """A syntax tree as text, the same for every version of Python: empty fields are left out."""
    if isinstance(node, ast.AST):
        whole = isinstance(node, ast.Constant)  # where None is a value
        fields = (
            f"{name}={_shape(value)}"
            for name, value in ast.iter_fields(node)
            if whole or (value is not None and value != [])
        )
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_shape, node))}]"
    return repr(node)


def _closure(modules: Iterable[str]) -> list[Path]:
    found: set[Path] = set()
    waiting = [file for module in modules if (file := _file(module))]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            imported = map(str, _about(file)[3:])
            waiting += [other for module in imported if (other := _file(module))]
    return sorted(found)


def _imported(code: str) -> frozenset[str]:
    """Modules of the library named by import statements anywhere in the code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # "from a.b import c": c may be a name in a.b or the module a.b.c
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in names if name.split(".")[0] in _PACKAGES)


def _file(module: str) -> Path | None:
    base = _ROOT.joinpath(*module.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if module.split(".")[0] in _PACKAGES and file.is_file():
            return file
    return None
