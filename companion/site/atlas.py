"""The atlas: from each item and claim of the paper to the page that has it, and how faithfully."""

from collections import Counter

from companion.experiments.records import SCORES, TABLES
from companion.paper.claims import all_claims
from companion.paper.coverage import coverage
from companion.paper.decisions import Outcome, by_claim, outcome_of
from companion.site.results import ResultSet, cell, markdown_table


def atlas_table(sets: list[ResultSet], across: str | None) -> str:
    """Figures, tables, algorithms, equations and claims, with their pages, as Markdown.

    ``across`` is the page on all data sets, which has all tables, if there is one.
    """
    items: list[tuple[str, ...]] = []
    equations: list[tuple[str, ...]] = []
    for item in coverage():
        name, about = item.name.replace("Equation", "Eq."), (item.shows, cell(item.how))
        if name == item.name:
            items.append((name, *about, _links(item.page, sets, across)))
        else:
            function = f"{{py:obj}}`~lbae_lib.{item.function}`"
            equations.append((name, *about, f"[method](/{item.page})", function))
    claims = [
        (str(number), cell(claim.words), claim.where, _links(claim.page, sets, across, False))
        for number, claim in enumerate(all_claims().values(), start=1)
    ]
    parts = (
        ("Figures, tables, algorithms",
         ("paper", "shows", "faithful, or how it departs", "here, and claims that hold"), items),
        ("Equations",
         ("paper", "shows", "faithful, or how it departs", "derived", "function"), equations),
        ("Claims", ("no.", "claim", "where", "tested on"), claims),
    )  # fmt: skip
    return "\n".join(
        f"## {title}\n\n:::{{container}} lbae-cards lbae-{title.split(',')[0].lower()}\n"
        f"{markdown_table(header, rows)}:::\n"
        for title, header, rows in parts
    )


def _links(
    notebook: str, sets: list[ResultSet], across: str | None, with_tally: bool = True
) -> str:
    """A notebook's pages, by data set."""
    links = [
        f"[{result.label}](/{result.page(notebook)})"
        + (_tally(result, notebook) if with_tally else "")
        for result in sets
        if notebook in result.notebooks
    ]
    if across and notebook in (SCORES, TABLES):
        links.insert(0, f"[all data](/{across})")
    return ", ".join(links) or "not yet"


def _tally(result: ResultSet, notebook: str) -> str:
    """How many of a page's claims hold, of those that it decides: " (2 of 3)"."""
    claims = by_claim(result.verdicts(notebook)).values()
    found = Counter(outcome_of(verdicts) for verdicts in claims)
    holds, fails = found[Outcome.HOLDS], found[Outcome.FAILS]
    return f" ({holds} of {holds + fails})" if holds + fails else ""
