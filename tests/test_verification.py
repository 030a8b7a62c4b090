"""Comparing records, and pages that are out of date."""

import json
import shutil

import pytest
from conftest import PROJECT
from PIL import Image
from reports import lbae, results
from typer.testing import CliRunner

from companion import cli
from companion.experiments import records
from companion.experiments.profiles import load_experiment
from companion.experiments.records import read_record, write_record
from companion.experiments.sources import code_hash, notebook_hash
from companion.site.publish import check_commits
from companion.workflow.book_state import book_digest, stale_pages, tables_page
from companion.workflow.comparison import compare_figures, compare_results
from companion.workflow.notebooks import notebook_parameters, parse_parameter
from companion.workflow.staleness import page_reasons
from companion.workflow.verify import _yaml
from lbae_lib.errors import LbaeError
from lbae_lib.files import sha256_file


def test_numbers_are_compared_and_times_are_not():
    recorded = {"a": 1.0, "seconds": 3, "nested": {"fit_seconds": 1, "b": [2, 4.0], "holds": True}}
    found = json.loads(json.dumps(recorded))
    found["seconds"] = 9
    same = compare_results(recorded, found)
    assert (same.numbers, same.equal, same.largest, same.other) == (3, 3, 0.0, ())
    found["nested"]["b"][1] = 5.0
    found["a"] = 1.01
    other = compare_results(recorded, found)
    assert (other.numbers, other.equal, other.where) == (3, 1, "nested.b[1]")
    assert other.largest == pytest.approx(0.2)
    found["nested"]["holds"] = False
    del found["a"]
    assert compare_results(recorded, found).other == ("a", "nested.holds")


def test_numbers_that_are_nearly_nothing_are_equal():
    assert compare_results({"a": 1e-9}, {"a": -3e-8}).largest == 0
    assert compare_results({"a": 1e-3}, {"a": 2e-3}).largest == pytest.approx(0.5)


def test_parameters_are_read_back_as_they_were():
    for value in ("", "a b", "1e5", "null", 0, -3, 1e-5, -2e20, 0.25, True, "x: [y", "ü"):
        name, found = parse_parameter(f"p={_yaml(value)}")
        assert (name, found, type(found)) == ("p", value, type(value))


def test_defaults_are_read_from_the_cell_of_parameters():
    found = notebook_parameters(PROJECT / "notebooks/07_attributes.ipynb")
    assert found["attributes"] == ""
    assert found["images"] == 300


def test_figures_are_compared_pixel_by_pixel(tmp_path):
    for folder, grey in (("old", 200), ("new", 190)):
        (tmp_path / folder).mkdir()
        Image.new("L", (20, 10), grey).save(tmp_path / folder / "a.png")
        Image.new("L", (20, 10), 7).save(tmp_path / folder / "b.png")
    old, new, apart = (tmp_path / name for name in ("old", "new", "apart"))
    check = compare_figures(old, new, apart)
    assert check.passed
    assert "1 of 2 figures equal, largest mean difference of a drawn pixel 3.92%" in check.found
    assert [p.name for p in apart.iterdir()] == ["a.png"]
    assert Image.open(apart / "a.png").size == (60, 10)
    Image.new("L", (20, 10), 90).save(new / "a.png")
    assert not compare_figures(old, new, apart).passed
    (new / "b.png").unlink()
    assert "only one of the runs has a readable b.png" in compare_figures(old, new, apart).found


@pytest.fixture
def page(tmp_path, as_project):
    """An executed notebook that has the parameters of `lbae notebook 04_… -P rows=5`."""
    as_project(tmp_path, "config", "notebooks")
    return executed(tmp_path / "runs/smoke/digits", "04_interpolation", rows=5)


def executed(folder, name, dataset="digits", seconds=1.0, **given):
    """The record of a notebook that ran just now; returns the path of the notebook itself."""
    notebook = PROJECT / f"notebooks/{name}.ipynb"
    configured = load_experiment("smoke", dataset).entry.notebooks.get(name, {})
    parameters = notebook_parameters(notebook) | dict(configured) | given
    write_record(
        folder / name / "record.json",
        name,
        {"profile": "smoke", "dataset": dataset, "parameters": parameters},
        {"notebook": notebook_hash(notebook), "code": code_hash(notebook)},
        {"verdicts": []},
        seconds,
    )
    return folder / f"{name}.ipynb"


def overridden(page, **overrides):
    """Write an executed notebook that was given these parameters."""
    about = {"papermill": {"overrides": overrides}}
    page.write_text(json.dumps({"cells": [], "metadata": about}))


def test_parameters_given_by_the_user_leave_a_page_up_to_date(page):
    overridden(page, rows=5)
    assert page_reasons(page) == []
    for overrides in ({}, {"pairs": 5}, {"rows": 6}):
        overridden(page, **overrides)
        assert page_reasons(page) == ["its parameters have changed"]


def test_a_page_without_its_record_is_out_of_date(page):
    overridden(page, rows=5)
    (page.with_suffix("") / "record.json").unlink()
    assert page_reasons(page) == ["its record is missing"]


def test_a_page_whose_study_has_left_the_profile_is_out_of_date(page):
    study = executed(page.parent, "12_bottlenecks")
    overridden(study)
    assert page_reasons(study) == []
    executed(page.parent, "12_bottlenecks", dataset="photos")  # without studies
    assert page_reasons(study) == ["its profile no longer has bottlenecks"]


def test_tables_of_outdated_scores_are_out_of_date(page):
    scores = executed(page.parent, "05_metrics", seeds=2)
    overridden(scores, seeds=2)
    notebook = PROJECT / "notebooks/06_tables.ipynb"
    made_of = {
        "notebook": notebook_hash(notebook),
        "code": code_hash(notebook),
        "digits (smoke)": sha256_file(page.parent / "05_metrics/record.json"),
    }
    folder = page.parent.parent
    options = {"profile": "smoke", "parameters": {}}
    write_record(folder / "06_tables/record.json", "06_tables", options, made_of, {}, 1.0)
    tables = folder / "06_tables.ipynb"
    overridden(tables)
    assert page_reasons(tables) == []
    overridden(scores, seeds=3)
    assert page_reasons(tables) == []
    (said,) = stale_pages("smoke")["runs/smoke/06_tables"]
    assert said == "it shows scores that are out of date: digits (smoke)"
    executed(page.parent, "05_metrics", seeds=3)
    assert page_reasons(tables) == ["scores have changed"]
    (page.parent / "05_metrics/record.json").unlink()
    assert page_reasons(tables) == ["scores have changed"]


def test_the_page_of_tables_of_another_profile_is_in_the_book_too(page):
    made_of = {"notebook": "of another text", "code": "of another version"}
    folder = page.parents[2] / "accelerator"
    options = {"profile": "accelerator", "parameters": {}}
    write_record(folder / "06_tables/record.json", "06_tables", options, made_of, {}, 1.0)
    overridden(folder / "06_tables.ipynb")
    assert tables_page("quick") == folder / "06_tables.ipynb"
    assert "the notebook has changed" in stale_pages("quick")["runs/accelerator/06_tables"]


def test_a_run_that_changed_figures_alone_changes_the_book(page):
    overridden(page, rows=5)
    before = book_digest("smoke")
    assert book_digest("smoke") == before
    executed(page.parent, "04_interpolation", seconds=2.0, rows=5)
    assert book_digest("smoke") != before


def test_a_damaged_record_is_named_in_the_listing(page):
    overridden(page, rows=5)
    (page.with_suffix("") / "record.json").write_text("{")
    done = CliRunner().invoke(cli.app, ["list", "-p", "smoke"])
    assert done.exit_code == 0
    assert "1 pages run here, damaged" in done.output


def test_pages_of_uncommitted_code_or_of_two_commits_are_not_published(page, monkeypatch):
    overridden(page, rows=5)
    place = page.parent.relative_to(page.parents[2])

    def made_by(name, commit, dirty=False):
        monkeypatch.setattr(records, "commit", lambda: {"hash": commit, "dirty": dirty})
        executed(page.parent, name)

    made_by("04_interpolation", "a", dirty=True)
    with pytest.raises(LbaeError, match="smoke/digits ran on uncommitted files: 04_interpolation"):
        check_commits(place, unclean=False)
    check_commits(place, unclean=True)
    made_by("04_interpolation", "a")
    check_commits(place, unclean=False)
    made_by("03_sampling", "b")
    with pytest.raises(LbaeError, match="were made by 2 commits"):
        check_commits(place, unclean=False)


@pytest.mark.slow
def test_a_report_verifies_until_something_is_changed(smoke_report, tmp_path):
    project = tmp_path / "project"
    skipped = shutil.ignore_patterns("build", ".snakemake", ".ipynb_checkpoints", ".~*")
    shutil.copytree(smoke_report, project, ignore=skipped)
    # A page with a parameter of the user's own, which it is run again with.
    page, choice = "02_latent_distribution", ("-d", "digits", "-p", "smoke")
    done = lbae(project, "notebook", page, *choice, "-P", "samples=3000")
    assert done.returncode == 0, done.stderr
    words = ("verify", *choice)
    done = lbae(project, *words, "-r", "12_bottlenecks", "-r", page)  # of a study, of models
    assert done.returncode == 0, done.stdout + done.stderr
    for root in (project, project / "build/verify/project"):
        record = read_record(results(root) / page / "record.json")
        assert record["options"]["parameters"]["samples"] == 3000
    *hashes, study, _, again, figures = done.stdout.splitlines()
    assert len(hashes) == 26
    # A second clean run, and not one number is another.
    for line in (study, again):
        equal, numbers = line.split("run again: ")[1].split(" of ")
        assert equal == numbers.split()[0] != "0"
    equal, number = figures.split("figures: ")[1].split(" of ")
    assert equal == number.split()[0] != "0"

    model = results(project) / "vae/model.safetensors"
    shutil.copy2(results(project) / "lbae/model.safetensors", model)
    notebook = project / "notebooks/04_interpolation.ipynb"
    notebook.write_text(notebook.read_text().replace("The paper claims", "It claims"))
    done = lbae(project, *words)
    assert done.returncode == 1
    failed = "\n".join(line for line in done.stdout.splitlines() if line.startswith("FAIL"))
    assert "vae, model: not the recorded one" in failed
    assert "04_interpolation, page: out of date: the notebook has changed" in failed
    for name in ("01_training", "05_metrics", "09_compression", "14_bits"):
        assert f"{name}, page: out of date: the baseline has changed" in failed
    assert len(failed.splitlines()) == 6
