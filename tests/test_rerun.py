"""What a report does when something has changed or is missing."""

import json
import shutil

import pytest
from reports import INDEX, lbae, outdated, results


@pytest.fixture(scope="module")
def report(smoke_report, tmp_path_factory):
    """A copy of the report, to be changed."""
    scratch = shutil.ignore_patterns(".ipynb_checkpoints", ".~*")  # of a running JupyterLab
    target = tmp_path_factory.mktemp("rerun") / "project"
    return shutil.copytree(smoke_report, target, ignore=scratch)


@pytest.mark.slow
def test_a_second_run_does_nothing_and_a_change_reruns_what_depends_on_it(report):
    index = report / INDEX
    before = index.stat().st_mtime_ns
    assert outdated(report) == set()
    assert lbae(report, "report", "-p", "smoke", "-d", "digits").returncode == 0
    assert index.stat().st_mtime_ns == before

    # A page that is gone, though the book that was made of it is there.
    page = results(report) / "11_gallery.ipynb"
    aside = page.rename(page.with_suffix(".aside"))
    assert outdated(report) == {"notebook 11_gallery", "the book"}
    aside.rename(page)

    # The baseline's schedule: the LBAE and its pages stay.
    config = report / "config/smoke.yaml"
    kept = config.read_text()
    config.write_text(kept.replace("kl_weight: 10.0", "kl_weight: 10.0, epochs: 5"))
    assert outdated(report) == {
        "training the VAE", "encoding with the VAE", "notebook 01_training",
        "notebook 05_metrics",
        "notebook 09_compression", "notebook 14_bits", "all data", "the book",
    }  # fmt: skip
    config.write_text(kept)
    assert outdated(report) == set()

    # A function that one notebook uses.
    module = report / "companion/figures/bottleneck.py"
    kept_module = module.read_text()
    module.write_text(kept_module + "\nCHANGED = True\n")
    assert outdated(report) == {"notebook 01_training", "the book"}
    module.write_text(kept_module)

    # A parameter of one notebook; the book is built again with it.
    config.write_text(kept.replace("pairs: 50", "pairs: 40"))
    assert outdated(report) == {"notebook 04_interpolation", "the book"}
    done = lbae(report, "report", "-p", "smoke", "-d", "digits")
    assert done.returncode == 0, done.stderr
    assert outdated(report) == set()
    record = json.loads((results(report) / "04_interpolation/record.json").read_text())
    assert record["options"]["parameters"]["pairs"] == 40


@pytest.mark.slow
def test_a_failing_notebook_leaves_a_log_and_the_old_result(report):
    notebook = report / "notebooks/03_sampling.ipynb"
    whole = notebook.read_text()
    target = results(report) / "03_sampling.ipynb"
    content = target.read_bytes()
    try:
        broken = whole.replace("moments(latents)", "moments(nothing)")
        assert broken != whole
        notebook.write_text(broken)
        done = lbae(report, "notebook", "03_sampling", "-d", "digits", "-p", "smoke")
    finally:
        notebook.write_text(whole)
    assert done.returncode == 1
    assert "NameError" in done.stderr
    assert "Traceback" not in done.stderr
    assert target.read_bytes() == content
    assert (results(report) / "03_sampling.log.ipynb").exists()
    (results(report) / "03_sampling.log.ipynb").unlink()


@pytest.mark.slow
def test_a_model_without_latents_is_enough(report):
    latents = results(report) / "lbae/latents.safetensors"
    kept = latents.read_bytes()
    latents.unlink()
    assert outdated(report) == set()  # nothing has to be computed from them
    done = lbae(report, "notebook", "03_sampling", "-d", "digits", "-p", "smoke")
    assert done.returncode == 0, done.stderr
    assert latents.read_bytes() == kept
