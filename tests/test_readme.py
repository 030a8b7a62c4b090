"""The snippets that users copy."""

import re
import shlex

import pytest
from conftest import PROJECT
from typer.main import get_command

from companion.cli import app
from companion.experiments.profiles import load_experiment

PAGES = ("README.md", "book/library.md")


@pytest.mark.parametrize("page", PAGES)
def test_snippets_run(page):
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / page).read_text(), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for code in blocks:
        exec(compile(code, page, "exec"), names)


def test_commands_of_the_tutorial_exist():
    """Every `lbae` line of the page is understood; a profile has an entry for its folder."""
    text = (PROJECT / "book/own_images.md").read_text()
    lines = re.findall(r"^\.venv/bin/lbae (.*)$", text, re.MULTILINE)
    assert len(lines) == 6
    command = get_command(app)
    for line in lines:
        name, *words = shlex.split(line)
        step = command.commands[name]
        context = step.make_context(name, words)
        given = context.params.get("dataset") or context.params["datasets"]
        assert load_experiment(context.params["profile"], given).dataset.name == given


def test_the_tutorials_profile_entry_is_one(tmp_path, as_project):
    text = (PROJECT / "book/own_images.md").read_text()
    (entry,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    as_project(tmp_path, profile=f"datasets:\n{entry}")
    experiment = load_experiment("own", "folder:pictures")
    assert experiment.dataset.title == "My pictures"
    assert experiment.network.image_size == 64
