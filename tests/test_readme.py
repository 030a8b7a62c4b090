import re

import pytest
from conftest import PROJECT

BLOCKS = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS)
def test_snippets_of_the_readme_run(code):
    exec(compile(code, "README.md", "exec"), {})


def test_the_readme_has_snippets():
    assert BLOCKS
