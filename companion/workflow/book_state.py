"""Whether the book shows what there is."""

import hashlib
import json
from pathlib import Path

from companion.experiments.records import RECORD_FILE, SCORES, TABLES, comparable
from companion.experiments.sources import module_sources, sources_hash
from companion.project import in_force, project_root
from companion.workflow.notebooks import executed_notebooks
from companion.workflow.staleness import page_reasons
from lbae_lib.files import sha256_file

BOOK_INDEX = Path("build/_build/html/index.html")
_STATE = Path("build/book.sha256")
_PAGES = (
    "_config.yml", "book/**/*.md", "book/*.bib", "book/images/*.png", "book/_static/*",
    "companion/site/explorer/*", "companion/paper/*.yaml", "*/*/*/explorer.json",
    "*/performance/*.json", "*/reliability/*.json",
    "lbae_lib/*.py", "lbae_lib/*/*.py",  # the reference
)  # fmt: skip


def tables_page(profile: str) -> Path | None:
    """The page on all data sets that the book shows: the profile's own, or else another's."""
    profiles = (profile, "accelerator", "laptop", "quick")
    found = (in_force(Path(name, f"{TABLES}.ipynb")) for name in profiles)
    return next((page for page in found if page.exists()), None)


def pages_in_force(profile: str) -> list[Path]:
    """The executed notebooks that the book of a profile shows: the user's own, else published.

    Results of the profile ``smoke`` do not count elsewhere.
    """
    root, across = project_root(), tables_page(profile)
    pages = executed_notebooks("*/*")
    found = [page for page in pages if comparable(page.relative_to(root).parts[1], profile)]
    return [*found, across] if across else found


def stale_pages(profile: str) -> dict[str, list[str]]:
    """Why pages of the book are out of date, by document; those that are not are left out."""
    root = project_root()
    found = {page: page_reasons(page) for page in pages_in_force(profile)}
    scores = [page.parent for page, reasons in found.items() if reasons and page.stem == SCORES]
    for page, reasons in found.items():
        if page.stem == TABLES and scores:
            names = ", ".join(f"{folder.name} ({folder.parent.name})" for folder in scores)
            reasons.append(f"it shows scores that are out of date: {names}")
    return {
        page.relative_to(root).with_suffix("").as_posix(): reasons
        for page, reasons in found.items()
        if reasons
    }


def book_digest(profile: str) -> str:
    """SHA-256 of everything that the book is built from."""
    root = project_root()
    files = {file for pattern in _PAGES for file in root.glob(pattern) if file.is_file()}
    pages = pages_in_force(profile)
    # A run leaves another record, also where only figures, which are files, have changed.
    files |= {*pages, *filter(Path.exists, (p.with_suffix("") / RECORD_FILE for p in pages))}
    content = {file.relative_to(root).as_posix(): sha256_file(file) for file in sorted(files)}
    code = sources_hash(module_sources("companion.site.build", "companion.site.sphinx_extension"))
    whole = [profile, content, code, stale_pages(profile)]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def book_reasons(profile: str) -> list[str]:
    """Why the book has to be built; [] if it shows what there is."""
    root = project_root()
    if not (root / BOOK_INDEX).exists() or not (root / _STATE).exists():
        return ["it is missing"]
    same = (root / _STATE).read_text("utf-8").strip() == book_digest(profile)
    return [] if same else ["its pages or its code have changed"]


def keep_digest(digest: str) -> None:
    """Note what a finished book was built from."""
    (project_root() / _STATE).write_text(digest + "\n", "utf-8")
