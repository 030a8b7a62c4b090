"""The snippets that users copy."""

import re

import pytest
from conftest import PROJECT

PAGES = ("README.md", "book/library.md")


@pytest.mark.parametrize("page", PAGES)
def test_snippets_run(page):
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / page).read_text(), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for code in blocks:
        exec(compile(code, page, "exec"), names)
