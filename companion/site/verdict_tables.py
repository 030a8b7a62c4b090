"""The verdicts of all pages at a glance."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import TypeVar

from companion.paper.claims import all_claims
from companion.paper.decisions import Outcome, Verdict, by_claim, combined, outcome_of
from companion.paper.limits import LIMITS
from companion.site.results import ResultSet, cell, markdown_table, notebook_title

Column = TypeVar("Column", bound=Hashable)

_CLASSES = {Outcome.HOLDS: "lbae-holds", Outcome.FAILS: "lbae-fails"}  # others: lbae-open


def verdict_tables(sets: list[ResultSet], stale: Collection[str] = ()) -> str:
    """Every claim and its verdict on each data set, one table per notebook, as Markdown.

    A claim with several readings has a row for each of them below its own. Pages that are out of
    date are marked so.
    """
    parts = []
    for notebook in sorted({name for result in sets for name in result.notebooks}):
        executed = [result for result in sets if notebook in result.notebooks]
        found = {result: by_claim(result.verdicts(notebook)) for result in executed}
        rows = [
            [cell(words), *(_cell(own, result, notebook, stale) for own, result in row)]
            for words, row in _rows(found)
        ]
        if rows:
            title = notebook_title(executed[0].file(notebook))
            header = ("claim of the paper", *(result.label for result in executed))
            table = markdown_table(header, rows)
            parts.append(f"## {title}\n\n:::{{container}} lbae-wide\n{table}:::\n")
    return "\n".join(parts)


def page_verdicts(verdicts: list[Verdict], evidence: str) -> str:
    """The verdicts of one page, with a link to the id of its evidence, as Markdown; "" if none."""
    if not verdicts:
        return ""
    rows = [(cell(words), mark(own)) for words, [(own, _)] in _rows({"": by_claim(verdicts)})]
    header = ("claim of the paper", f'verdict (<a href="#{evidence}">evidence</a>)')
    table = markdown_table(header, rows)
    return f":::{{container}} lbae-verdicts\n{table}:::\n"


def mark(verdicts: list[Verdict], page: str = "") -> str:
    """The outcome of a claim or reading, in its colour, as Markdown; linked to a page, if given."""
    # A row of a reading that decides nothing still has its own outcome.
    outcome = combined(v.outcome for v in [v for v in verdicts if v.decides] or verdicts)
    shown = f"[{outcome}](/{page})" if page else outcome
    return f"[{shown}]{{.{_CLASSES.get(outcome, 'lbae-open')}}}"


def counts_table(sets: list[ResultSet]) -> str:
    """How many claims have which outcome on each data set, as Markdown; numbers are links."""
    rows = []
    for result in sets:
        found = [v for name in result.notebooks for v in result.verdicts(name)]
        number = Counter(outcome_of(verdicts) for verdicts in by_claim(found).values())
        linked = (f"[{number[o]}](verdicts.md)" if number[o] else "0" for o in Outcome)
        rows.append((result.label, *linked))
    return markdown_table(("data", *Outcome), rows)


def limits_table() -> str:
    """Every limit behind a verdict, with its reason, as Markdown."""
    rows = [(limit.rule, limit.reason) for limit in LIMITS.values()]
    return markdown_table(("rule", "why there"), rows)


def _rows(
    found: Mapping[Column, dict[str, list[Verdict]]],
) -> Iterator[tuple[str, list[tuple[list[Verdict], Column]]]]:
    """The words of each row, and its verdicts by column."""
    order = [*all_claims()]
    keys = dict.fromkeys(key for own in found.values() for key in own)
    for key in sorted(keys, key=lambda k: order.index(k) if k in order else len(order)):
        claims = {result: own.get(key, []) for result, own in found.items()}
        words = next(own[0].words for own in claims.values() if own)
        yield words, [(own, result) for result, own in claims.items()]
        readings = dict.fromkeys(v.reading for own in claims.values() for v in own)
        if len(readings) < 2:
            continue
        for reading in readings:
            parts = {r: [v for v in own if v.reading == reading] for r, own in claims.items()}
            decides = any(v.decides for own in parts.values() for v in own)
            suffix = " (decides)" if decides else ""
            yield f"↳ {reading}{suffix}", [(own, result) for result, own in parts.items()]


def _cell(verdicts: list[Verdict], result: ResultSet, notebook: str, stale: Collection[str]) -> str:
    """A claim's outcome as a link to its page; "" if the page does not judge it."""
    if not verdicts:
        return ""
    page = result.page(notebook)
    return mark(verdicts, page) + " (out of date)" * (page in stale)
