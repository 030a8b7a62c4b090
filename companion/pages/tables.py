"""Tables as HTML, CSV and LaTeX."""

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from companion.analysis.spread import Spread

Rows = Sequence[Sequence[object]]
_ROUNDING = 1e-12  # smaller numbers are rounding errors of zero

# What LaTeX reserves, and the characters of this book that its fonts do not have.
_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"±": r"$\pm$", "×": r"$\times$", "–": "--", "→": r"$\to$", "³": "$^3$", "μ": r"$\mu$"}
    | {"Σ": r"$\Sigma$", "²": "$^2$", "σ": r"$\sigma$", "é": r"\'e", "…": r"\dots{}", "<": "$<$"}
)


def html_table(header: Sequence[str], rows: Rows) -> str:
    """A table as HTML, everything escaped; floats in four significant digits, None as a dash."""
    frame = _frame(map(html.escape, header), rows).map(_html_cell)
    look: Any = {"justify": "left", "border": 0, "classes": "table lbae-table"}
    with pd.option_context("display.max_colwidth", None):
        table = frame.to_html(index=False, escape=False, **look)
    # Wide tables scroll on a phone: the keyboard must reach what scrolls.
    return f'<div class="lbae-table-box" role="group" aria-label="table" tabindex="0">{table}</div>'


def csv_table(header: Sequence[str], rows: Rows) -> str:
    """A table as CSV: full precision, None empty, a :class:`Spread` as two columns."""
    columns: list[tuple[str, list[object]]] = []
    for title, cells in _frame(header, rows).items():
        if any(isinstance(cell, Spread) for cell in cells):
            spreads = [cell if isinstance(cell, Spread) else Spread(cell, None) for cell in cells]
            columns.append((title, [spread.mean for spread in spreads]))
            columns.append((f"{title}, s.d.", [spread.deviation for spread in spreads]))
        else:
            columns.append((title, list(cells)))
    titles, values = zip(*columns, strict=True)
    return _frame(titles, list(zip(*values, strict=True))).to_csv(index=False, lineterminator="\n")


def latex_table(header: Sequence[str], rows: Rows) -> str:
    """A table as LaTeX, for the package booktabs; everything escaped."""
    table, alignment = _frame(map(_latex, header), rows), "l" + "r" * (len(header) - 1)
    return table.map(_latex).to_latex(index=False, escape=False, column_format=alignment)


def download_links(files: dict[str, str]) -> str:
    """Links that save files, content by name, held by the page itself, as HTML."""
    links = [
        f'<a download="{html.escape(name, quote=True)}" href="data:text/plain;base64,'
        f'{base64.b64encode(content.encode()).decode()}">{html.escape(name)}</a>'
        for name, content in files.items()
    ]
    return f'<p class="lbae-downloads">Download: {", ".join(links)}</p>'


def shown(value: object) -> str:
    """A cell's text."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{0.0 if abs(value) < _ROUNDING else value:.4g}"
    return str(value)


def _frame(header: Iterable[str], rows: Rows) -> pd.DataFrame:
    # Of another type, pandas would turn None and whole numbers into floats.
    return pd.DataFrame(rows, columns=list(header), dtype=object)


def _html_cell(value: object) -> str:
    text = html.escape(shown(value))
    return text if isinstance(value, str) else f'<span class="lbae-number">{text}</span>'


def _latex(value: object) -> str:
    return shown(value).translate(_LATEX)
