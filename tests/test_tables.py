import base64
import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.analysis.spread import Spread
from companion.pages.tables import csv_table, download_links, html_table, latex_table, shown

HEADER = ("method", "FD[digits-cnn-v1]", "n")
ROWS = [("LBAE & <co>", Spread.of([1.0, 1.5, 2.0]), 3), ("VAE_x", None, 4)]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([11.3567, 11.4012, 11.32], "11.36 ± 0.04"),
        ([0.9123, 0.9251, 0.8990], "0.912 ± 0.013"),
        ([1213.0, 1250.0, 1190.0], "1220 ± 30"),
        ([5.0, 5.0], "5"),
        ([0.12345678], "0.1235"),
        ([0.0095, 0.0096, 0.0295], "0.016 ± 0.012"),
    ],
)
def test_a_spread_is_rounded_where_it_begins(values, text):
    assert str(Spread.of(values)) == text


def test_csv_keeps_full_precision_and_the_deviation():
    read = list(csv.reader(io.StringIO(csv_table(HEADER, ROWS))))
    assert read[0] == ["method", "FD[digits-cnn-v1]", "FD[digits-cnn-v1], s.d.", "n"]
    assert read[1] == ["LBAE & <co>", "1.5", "0.5", "3"]
    assert read[2] == ["VAE_x", "", "", "4"]


def test_latex_is_escaped_and_rectangular():
    lines = latex_table(HEADER, ROWS).splitlines()
    assert lines[0] == r"\begin{tabular}{lrr}"
    body = [line for line in lines if line.endswith(r"\\")]
    assert body[1] == r"LBAE \& $<$co> & 1.5 $\pm$ 0.5 & 3 \\"
    assert body[2] == r"VAE\_x & -- & 4 \\"
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {2}


def test_html_is_escaped():
    page = html_table(HEADER, ROWS)
    assert "LBAE &amp; &lt;co&gt;" in page
    assert "1.5 ± 0.5" in page
    assert page.count("<tr") == 3


class Cells(HTMLParser):
    """The text of each cell."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th"):
            self.found.append("")

    def handle_data(self, data):
        if self.found:
            self.found[-1] += data


TEXT = st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), min_size=1)
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False), st.none())


@settings(deadline=None)
@given(st.lists(st.tuples(TEXT, NUMBERS, NUMBERS), min_size=1))
def test_every_cell_is_in_every_form(rows):
    header = ("text <&>", "a", "b")
    read = list(csv.reader(io.StringIO(csv_table(header, rows))))
    assert read == [list(header), *(["" if c is None else str(c) for c in row] for row in rows)]
    cells = [text.strip() for text in Cells(html_table(header, rows)).found]
    assert cells == [*header, *(shown(cell) for row in rows for cell in row)]
    body = [line for line in latex_table(header, rows).splitlines() if line.endswith(r"\\")]
    assert len(body) == 1 + len(rows)
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {2}


def test_downloads_hold_the_file():
    page = download_links({"a.csv": "x,y\n1,±\n"})
    (held,) = re.findall(r'base64,([^"]+)"', page)
    assert base64.b64decode(held).decode() == "x,y\n1,±\n"
