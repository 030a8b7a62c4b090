"""Tables as HTML, CSV and LaTeX."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Sequence

from companion.analysis.spread import Spread

Rows = Sequence[Sequence[object]]

_LATEX_ESCAPES = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"±": r"$\pm$", "×": r"$\times$", "–": "--", "→": r"$\to$", "³": "$^3$", "μ": r"$\mu$"}
    | {"Σ": r"$\Sigma$", "²": "$^2$", "σ": r"$\sigma$", "é": r"\'e", "…": r"\dots{}", "<": "$<$"}
)


def html_table(header: Sequence[str], rows: Rows) -> str:
    """A table as HTML, everything escaped; floats in four significant digits, None as a dash."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(_html_cell(value) for value in row) + "</tr>" for row in rows)
    return (
        # Wide tables scroll on a phone: the keyboard must reach what scrolls.
        '<div class="lbae-table-box" role="region" aria-label="table" tabindex="0">'
        '<table class="table lbae-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def csv_table(header: Sequence[str], rows: Rows) -> str:
    """A table as CSV: full precision, None empty, a :class:`Spread` as two columns."""
    spread = [any(isinstance(row[i], Spread) for row in rows) for i in range(len(header))]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    titles: list[str] = []
    for title, two in zip(header, spread, strict=True):
        titles += [title, f"{title}, s.d."] if two else [title]
    writer.writerow(titles)
    for row in rows:
        cells: list[object] = []
        for value, two in zip(row, spread, strict=True):
            mean, deviation = (
                (value.mean, value.deviation) if isinstance(value, Spread) else (value, None)
            )
            cells += [mean, deviation] if two else [mean]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return buffer.getvalue()


def latex_table(header: Sequence[str], rows: Rows) -> str:
    """A table as LaTeX, for the package booktabs; everything escaped."""
    lines = [" & ".join(_latex(shown(cell)) for cell in row) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}",
            r"\toprule",
            " & ".join(_latex(title) for title in header) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def download_links(files: dict[str, str]) -> str:
    """Links that save files held by the page itself, as HTML.

    Args:
        files: content by file name.
    """
    links = [
        f'<a download="{html.escape(name, quote=True)}" href="data:text/plain;base64,'
        f'{base64.b64encode(content.encode()).decode()}">{html.escape(name)}</a>'
        for name, content in files.items()
    ]
    return f'<p class="lbae-downloads">Download: {", ".join(links)}</p>'


def _html_cell(value: object) -> str:
    kind = "" if isinstance(value, str) else ' class="lbae-number"'
    return f"<td{kind}>{html.escape(shown(value))}</td>"


def shown(value: object) -> str:
    """A cell's text."""
    if value is None:
        return "–"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _latex(text: str) -> str:
    return text.translate(_LATEX_ESCAPES)
