"""Own runs and published results: where a run writes, what is in force, what is published."""

import json
import os
import subprocess
import sys

import numpy as np
import papermill
import pytest
from conftest import PROJECT
from matplotlib.figure import Figure
from PIL import Image

from companion.experiments.parameters import Parameters, check_given, check_values
from companion.experiments.sources import notebook_hash
from companion.pages.page import Page, page_folder
from companion.project import in_force, is_published, results_in_force
from companion.site.publish import copy_smaller
from companion.workflow.execute import without_progress
from companion.workflow.notebooks import notebook_names, notebook_parameters, notebook_path
from companion.workflow.stored_once import refer_to_files
from lbae_lib.errors import ConfigError


@pytest.fixture
def project(tmp_path, as_project):
    """A project without results."""
    return as_project(tmp_path, "config", "notebooks", "lbae_lib", "companion")


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_own_run_takes_the_place_of_what_is_published(project):
    name = "quick/digits/lbae/model.safetensors"
    assert in_force(name) == project / "runs" / name  # where it would be made
    published = put(project / "results" / name)
    assert in_force(name) == published
    assert is_published(published)
    own = put(project / "runs" / name)
    other = put(project / "results/quick/mnist/lbae/model.safetensors")
    assert in_force(name) == own
    assert list(results_in_force("*/*/lbae/model.safetensors")) == [own, other]


def test_saving_a_notebook_changes_nothing_and_a_change_of_text_does(project):
    source = json.loads((PROJECT / "notebooks/03_sampling.ipynb").read_text())
    notebook = project / "03_sampling.ipynb"
    notebook.write_text(json.dumps(source))
    before = notebook_hash(notebook)
    saved = json.loads(json.dumps(source))
    saved["metadata"]["language_info"] = {"name": "python", "version": "3.99"}
    for number, cell in enumerate(saved["cells"]):
        cell["id"] = f"new-{number}"
        if cell["cell_type"] == "code":
            cell |= {"execution_count": number, "outputs": [{"output_type": "stream"}]}
            cell["source"] = "".join(cell["source"])  # a list of lines or one text
    saved["cells"].append({"cell_type": "code", "source": [], "metadata": {}, "outputs": []})
    notebook.write_text(json.dumps(saved, indent=3))
    assert notebook_hash(notebook) == before
    saved["cells"][0]["source"] = ["Another title"]
    notebook.write_text(json.dumps(saved))
    assert notebook_hash(notebook) != before


def test_runs_by_themselves_never_meet(project):
    folders = [page_folder("03_sampling") for _ in range(3)]
    assert len(set(folders)) == 3
    assert {folder.parent for folder in folders} == {project / "runs/notebooks/03_sampling"}
    assert page_folder("03_sampling", str(project / "mine")) == project / "mine"
    with pytest.raises(ConfigError, match="only `lbae publish` changes"):
        page_folder("03_sampling", str(project / "results/quick/digits/03_sampling"))


@pytest.mark.parametrize("name", notebook_names())
def test_every_parameter_has_a_type_a_bound_and_a_meaning(name):
    found = notebook_parameters(notebook_path(name))
    assert found.keys() <= Parameters.model_fields.keys()
    check_values(name, found)
    (cell,) = (
        cell
        for cell in json.loads(notebook_path(name).read_text())["cells"]
        if "parameters" in cell["metadata"].get("tags", [])
    )
    for line in "".join(cell["source"]).splitlines():
        declared, _, meaning = line.partition("  # ")
        assert ": " in declared.partition(" = ")[0]
        assert meaning


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": 0}, "parameter samples of 03_x is 0, but must be at least 2"),
        ({"images": 10**9}, "is 1000000000, but must be at most 10,000,000"),
        ({"seed": "60:00"}, "is '60:00', but must be a whole number"),
        ({"seed": 1.0}, "is 1.0, but must be a whole number"),
        ({"inception": "false"}, "is 'false', but must be true or false"),
        ({"method": "clipping"}, "is 'clipping', but must be 'nearest' or 'clip'"),
        ({"sample": 5}, "did you mean 'samples'"),
    ],
)
def test_parameters_out_of_bounds_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        check_values("03_x", values)


def test_what_papermill_was_given_must_be_known():
    known = {"samples": 1, "seed": 0}
    check_given("03_x", ["", "samples = 1", "# Parameters\nsamples = 5\n", "other = 3"], known)
    with pytest.raises(ConfigError, match="03_x: no parameter 'sample': did you mean 'samples'"):
        check_given("03_x", ["# Parameters\nsample = 5\n"], known)


def test_a_figure_is_stored_once(project, monkeypatch):
    shown = []
    monkeypatch.setattr("companion.pages.page.display", lambda page: shown.append(page.data))
    folder = page_folder("03_sampling", str(project / "out/03_sampling"))
    page = Page(name="03_sampling", profile="smoke", parameters={}, folder=folder)
    page.show(Figure(), "a_figure", "A figure.", "a figure")
    page.table(("a",), [(1,)], "a_table")
    outputs = [{"data": {"text/html": text}} for text in shown]
    embedded = json.dumps(outputs)
    refer_to_files({"cells": [{"source": ""}, {"outputs": outputs}]}, folder)
    stored = json.dumps(outputs)
    assert "base64" in embedded
    assert "base64" not in stored
    assert 'src=\\"03_sampling/a_figure.png\\"' in stored
    assert all(f"03_sampling/a_table.{suffix}" in stored for suffix in ("csv", "tex"))


@pytest.mark.parametrize("opaque", [True, False])
def test_published_figures_have_the_same_pixels_in_smaller_files(tmp_path, opaque):
    pixels = np.random.default_rng(0).integers(256, size=(64, 64, 4), dtype=np.uint8)
    pixels[:, 32:, :3] = 90  # half of them grey
    if opaque:
        pixels[..., 3] = 255
    figure, copy = tmp_path / "figure.png", tmp_path / "copy.png"
    Image.fromarray(pixels).save(figure, dpi=(200, 200))
    copy_smaller(figure, copy)
    with Image.open(copy) as image:
        assert np.array_equal(np.asarray(image.convert("RGBA")), pixels)
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert copy.stat().st_size < figure.stat().st_size


def test_the_committed_contents_are_those_of_the_published_results():
    """Write them with `lbae publish`, or companion.site.contents.write_published_contents()."""
    code = (
        "from companion.project import ignore_own_runs, project_root\n"
        "from companion.site.contents import across_page, contents\n"
        "from companion.site.results import find_results\n"
        "import yaml\n"
        "ignore_own_runs()\n"
        "kept = yaml.safe_load((project_root() / '_toc.yml').read_text())\n"
        "assert kept == contents(find_results('quick'), across_page('quick'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)


@pytest.mark.slow
def test_plain_papermill_is_first_class(smoke_report, tmp_path):
    """Runs side by side, from another folder, with parameters from a command line and a file."""
    notebook = smoke_report / "notebooks/02_latent_distribution.ipynb"
    before = {path: path.stat().st_mtime_ns for path in (smoke_report / "runs/smoke").rglob("*.*")}
    given = tmp_path / "given.yaml"
    given.write_text("profile: smoke\nsamples: 3000\n")
    environment = os.environ | {"PYTHONPATH": str(smoke_report), "LBAE_ROOT": str(smoke_report)}
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(notebook)]
    runs = {
        "a": ["-f", str(given), "-p", "output", "mine"],
        "b": ["-y", "{profile: smoke, samples: 4000}"],
        "c": ["-p", "profile", "smoke", "-p", "samples", "0"],
        "d": ["-p", "profile", "smoke", "-p", "sample", "5"],
    }
    started = {
        name: subprocess.Popen(
            [*command, f"{name}.ipynb", *words], cwd=tmp_path, env=environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for name, words in runs.items()
    }  # fmt: skip
    said = {name: process.communicate(timeout=300)[0] for name, process in started.items()}
    codes = [started[name].returncode for name in "abcd"]
    assert codes == [0, 0, 1, 1], "\n".join(said[name] for name in "ab")
    assert "parameter samples of 02_latent_distribution is 0" in said["c"]
    assert "no parameter 'sample': did you mean 'samples'" in said["d"]
    record = json.loads((tmp_path / "mine/record.json").read_text())
    assert record["options"]["parameters"]["samples"] == 3000
    alone = smoke_report / "runs/notebooks/02_latent_distribution"
    records = [json.loads(path.read_text()) for path in alone.glob("*/record.json")]
    assert [r["options"]["parameters"]["samples"] for r in records] == [4000]
    after = {path: path.stat().st_mtime_ns for path in (smoke_report / "runs/smoke").rglob("*.*")}
    assert after == before
    assert papermill.inspect_notebook(str(notebook))["samples"]["help"]


def test_progress_bars_are_not_kept_and_warnings_are():
    bars = "a: 0%| | 0/2\ra: 50%|## | 1/2\n"
    output = {"output_type": "stream", "name": "stderr", "text": bars}
    assert without_progress(dict(output)) is None
    warned = without_progress(output | {"text": f"{bars}batches of 8\n{bars}"})
    assert warned["text"] == "batches of 8\n"
    said = {"output_type": "stream", "name": "stdout", "text": "50%|"}
    assert without_progress(said) == said
