"""The report as a user makes it: the smoke profile, in a copy of the project."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from conftest import PROJECT, every_look
from matplotlib.figure import Figure
from reports import results

from companion.experiments import encoding
from companion.experiments.encoding import encode_experiment
from companion.experiments.extractor import train_extractor
from companion.experiments.prior import fit_priors
from companion.experiments.profiles import load_experiment
from companion.experiments.trained import load_trained
from companion.pages.notebook import open_notebook
from companion.pages.page import Page
from companion.paper.claims import declared
from companion.paper.decisions import Outcome
from companion.site.build import check_executed
from companion.workflow import execute
from companion.workflow.execute import check_parameters
from companion.workflow.notebooks import GIVEN, notebook_parameters
from lbae_lib.data.registry import dataset_info, dataset_slug, folder_path, load_dataset
from lbae_lib.errors import CheckpointError, ConfigError, DataError, LbaeError, WriteError
from lbae_lib.files import read_tensors, sha256_file
from lbae_lib.locks import locked
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.model_files import save_model


@pytest.fixture
def report(smoke_report):
    """The report; to be read, not changed."""
    return smoke_report


PAGES = (
    "01_training", "02_latent_distribution", "03_sampling", "04_interpolation", "05_metrics",
    "07_attributes", "08_sampler_laboratory", "09_compression", "11_gallery",
    "12_bottlenecks", "13_quantisers", "14_bits", "15_sizes",
)  # fmt: skip


@pytest.mark.slow
def test_every_step_leaves_a_whole_record(report):
    folder = results(report)
    records = sorted(folder.glob("*/record.json"))
    made = ("bottlenecks", "extractor", "lbae", "lbae-12", "prior", "quantisers", "seeds", "sizes",
            "vae")  # fmt: skip
    assert [r.parent.name for r in records] == [*PAGES, *made]
    for path in [*records, folder.parent / "06_tables/record.json"]:
        record = json.loads(path.read_text())
        assert {"kind", "options", "inputs", "results", "environment", "seconds"} <= set(record)
        assert record["environment"]["packages"]["torch"]
        assert all(re.fullmatch("[0-9a-f]{64}", h) for h in record["inputs"].values())
    for name in PAGES:
        record = json.loads((folder / name / "record.json").read_text())
        parameters = notebook_parameters(report / f"notebooks/{name}.ipynb").keys()
        assert record["options"]["parameters"].keys() >= parameters - set(GIVEN)
        verdicts = record["results"]["verdicts"]
        assert verdicts or name in ("11_gallery", "15_sizes")
        assert all(v["verdict"] in set(Outcome) and declared(v["claim"]) for v in verdicts)
        assert {".png", ".json"} <= {p.suffix for p in (folder / name).iterdir()}


@pytest.mark.slow
def test_the_metrics_page_scores_every_row(report):
    folder = results(report) / "05_metrics"
    record = json.loads((folder / "record.json").read_text())
    scores = record["results"]["scores"]
    assert scores["reference_images"] == 360
    (evaluator,) = scores["evaluators"]
    assert evaluator == "digits-cnn-v1"
    assert not scores["evaluators"][evaluator]["inception"]
    assert len(scores["rows"]) == 8 + 14 + 7 + 6  # controls, LBAE, between its images, VAE
    for key, row in scores["rows"].items():
        for values in row["values"][evaluator].values():
            assert len(values) == 1, key
    inputs = {"notebook", "code", "model", "latents", "baseline", "extractor", "seeds"}
    assert set(record["inputs"]) == inputs
    for table in ("controls", "lbae", "vae", "published"):
        name = f"{table}_digits-cnn-v1"  # a table for each evaluator
        assert (folder / f"{name}.csv").read_text().count("\n") > 3
        latex = (folder / f"{name}.tex").read_text()
        assert latex.startswith("% ")
        assert "Against 360 test images, features of digits-cnn-v1, protocol default" in latex
        assert r"\bottomrule" in latex


@pytest.mark.slow
def test_the_tables_page_has_every_published_table(report):
    folder = report / "runs/smoke/06_tables"
    names = {path.stem for path in folder.glob("*.csv")}
    tables = [*(f"table{n}" for n in range(1, 6)), "supplement_table1"]
    assert {f"{t}_{kind}" for t in tables for kind in ("published", "here")} <= names
    assert "117.44" in (folder / "table1_published.csv").read_text()
    assert "FD[digits-cnn-v1]" in (folder / "table1_here.csv").read_text()
    html = report / "build/_build/html"
    assert "117.44" in (html / "runs/smoke/06_tables.html").read_text()
    assert "not tested here" in (html / "book/verdicts.html").read_text()
    assert "hyperplane_sampler" in (html / "book/api/latent.html").read_text()
    assert "overview.png" in (html / "book/intro.html").read_text()
    assert len(list(html.glob("_downloads/*/record.json"))) == len(PAGES) + 1


@pytest.mark.slow
def test_executed_notebooks_hold_no_error_and_no_path_of_the_machine(report):
    for path in [*results(report).parent.rglob("[0-9]*.ipynb")]:
        check_executed(path)
        text = path.read_text()
        assert str(report) not in text
        assert str(Path.home()) + "/" not in text


class Requests(HTMLParser):
    """Everything a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.images_without_alt: list[str] = []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "img" and not values.get("alt"):
            self.images_without_alt.append(str(values.get("src"))[:60])
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev", "search", "index"):
            return
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "link"):
            self.found += [v for k, v in attributes if k in ("src", "href", "srcset") and v]


@pytest.mark.slow
def test_no_page_asks_another_host(report):
    html = report / "build/_build/html"
    # The theme keeps page templates among its static files; they are no pages.
    pages = [p for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]
    assert len(pages) >= 9
    for page in pages:
        assert page.stat().st_size < 1_500_000, page
        parser = Requests()
        parser.feed(page.read_text(encoding="utf-8"))
        outside = [u for u in parser.found if re.match(r"(https?:)?//", u)]
        assert not outside, f"{page}: {outside}"
        assert not parser.images_without_alt, f"{page}: {parser.images_without_alt}"
        for url in parser.found:  # and what it asks for is there
            if not url.startswith(("data:", "#")):
                target = (page.parent / url.split("?")[0].split("#")[0]).resolve()
                assert target.exists(), f"{page}: {url}"
    for sheet in html.rglob("*.css"):
        outside = re.findall(r"url\([\"']?(?:https?:)?//[^)]*", sheet.read_text("utf-8"))
        assert not outside, f"{sheet}: {outside}"


def test_parameters_are_checked_before_anything_runs():
    notebook = PROJECT / "notebooks/04_interpolation.ipynb"
    check_parameters(notebook, {"pairs": 3, "method": "clip"})
    with pytest.raises(ConfigError, match="did you mean 'pairs'"):
        check_parameters(notebook, {"pair": 3})
    with pytest.raises(ConfigError, match="int"):
        check_parameters(notebook, {"pairs": 3.5})
    with pytest.raises(ConfigError, match="int"):
        check_parameters(notebook, {"pairs": True})
    with pytest.raises(ConfigError, match="no parameter 'profile'"):
        check_parameters(notebook, {"profile": "quick"})


@pytest.mark.parametrize("name", [*(p for p in PAGES if p < "12"), "10_explorer"])
def test_every_page_on_one_data_set_computes_on_the_device_it_is_given(name):
    cells = json.loads((PROJECT / f"notebooks/{name}.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert any(line.startswith('device: str = "auto"  # ') for line in code[0].splitlines())
    assert re.search(r"open_(notebook|explorer)\([^)]*data_root, device\b", code[1])


@pytest.mark.parametrize("name", ["A/B", "x/../../evil", "/tmp/evil", "..", "a b\n\0"])
def test_names_of_attributes_make_files_of_the_page_alone(tmp_path, name):
    folder = tmp_path / "results/page"
    folder.mkdir(parents=True)
    page = Page(name="03_sampling", profile="smoke", parameters={}, folder=folder)
    page.show(Figure(), f"fig11_{name}_mean", "A figure.", "a figure")
    page.play(torch.zeros(2, 1, 1, 8, 8, dtype=torch.uint8), 1, "ab", f"player_{name}", "", "")
    page.table(("a",), [(1,)], name)
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert {p.parent for p in written} == {folder}
    assert sorted(p.suffix for p in written) == [".csv", ".png", ".png", ".svg", ".tex"]


def test_a_table_says_what_it_is_of(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("companion.pages.page.display", lambda page: shown.append(page.data))
    page = Page(name="03_sampling", profile="smoke", parameters={}, folder=tmp_path)
    page.table(("a",), [(1,)], "made", caption="Of 7 <images>.")
    page.table(("a",), [(1,)], "quoted", caption="As published.", measured=False)
    made, quoted = shown
    assert '<p class="lbae-caption">Of 7 &lt;images&gt;. Profile smoke.</p>' in made
    assert '<p class="lbae-caption">As published.</p>' in quoted
    assert (tmp_path / "made.tex").read_text().startswith("% Of 7 <images>. Profile smoke.\n")
    assert (tmp_path / "made.csv").read_text() == "a\n1\n"


@pytest.fixture
def project(tmp_path, as_project):
    """A project in which nothing was made yet."""
    profile = (
        "datasets:\n  digits: &small {latent_size: 6, width: 2, epochs: 1, validation_images: 137}"
        "\n  folder: *small\n"
    )
    return as_project(tmp_path, "notebooks", profile=profile)


def test_a_page_names_no_home_folder(project, tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("somebody")
    (home / "pictures").mkdir()
    monkeypatch.setenv("HOME", str(home))
    asked = {}
    monkeypatch.setattr(execute, "_execute", lambda *words: asked.update(words[2]))
    for name in (f"folder:{home}/pictures", "folder:~/pictures"):
        experiment = load_experiment("own", name)
        execute.run_notebook("03_sampling", experiment, home / "data")
        assert (asked["dataset"], asked["data_root"]) == ("folder:~/pictures", "~/data")
        options = json.dumps(experiment.options())
        assert "folder:~/pictures" in options
        assert home.name not in options
        assert dataset_slug(name) == experiment.folder.name == "folder-pictures"
        assert folder_path(asked["dataset"]) == home / "pictures"
    execute.run_notebook("03_sampling", experiment, project / "data")
    assert asked["data_root"] == "data"
    assert dataset_slug("folder:~") == dataset_slug(f"folder:{home}")
    with pytest.raises(DataError, match=r"no folder at .*~nobody-at-all/x"):
        load_dataset(dataset_info("folder:~nobody-at-all/x"), project)

    taken = []
    monkeypatch.setattr(
        "companion.pages.notebook.load_trained", lambda _, root, device: taken.append(root)
    )
    monkeypatch.setattr("companion.pages.notebook.ensure_latents", lambda *words: None)
    open_notebook("03_sampling", "own", "digits", "~/data")
    open_notebook("03_sampling", "own", "digits", "data")
    assert taken == [home / "data", project / "data"]


def test_latents_and_pages_are_recorded_as_made_by_what_was_loaded(project, monkeypatch):
    experiment, data = load_experiment("own", "digits"), project / "data"
    folder = experiment.model_folder
    model, latents = folder / "model.safetensors", folder / "latents.safetensors"

    def save(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            state = build_model(experiment.network).state_dict()
        save_model(model, state, experiment.network, {})
        return sha256_file(model)

    with pytest.raises(CheckpointError, match=r"make it with `lbae train -d digits -p own`"):
        encode_experiment(experiment, data)
    for step, busy in (
        (encode_experiment, folder),
        (train_extractor, experiment.folder / "extractor"),
        (fit_priors, experiment.folder / "prior"),
    ):
        with locked(busy), pytest.raises(WriteError, match="another run is using"):
            step(experiment, data)

    encode, first = encoding.encode, save(1)

    def while_replaced(*words, **options):
        save(2)
        return encode(*words, **options)

    monkeypatch.setattr(encoding, "encode", while_replaced)
    encode_experiment(experiment, data)
    assert read_tensors(latents, "latents")[1]["model_sha256"] == first != sha256_file(model)

    monkeypatch.setattr(encoding, "encode", encode)
    load_trained(experiment, data)  # encodes again
    assert read_tensors(latents, "latents")[1]["model_sha256"] == sha256_file(model)
    page = open_notebook("03_sampling", "own", "digits", "data", "cpu", seed=0)
    assert page.bits("test") is page.bits("test")
    assert torch.equal(page.bits("test"), page.trained.bits("test"))
    used = {"model": sha256_file(model), "latents": sha256_file(latents)}
    save(3)
    page.finish()
    record = json.loads((page.folder / "record.json").read_text())
    assert {role: record["inputs"][role] for role in used} == used
    assert record["options"]["device"] == page.device == "cpu"
    with pytest.raises(ConfigError, match="device of 03_sampling is 'tpu'"):
        open_notebook("03_sampling", "own", "digits", "data", "tpu")
    with pytest.raises(LbaeError, match="lbae prior"):
        _ = page.codec


def test_notebooks_that_were_not_run_to_the_end_are_refused(tmp_path):
    path = tmp_path / "a.ipynb"
    cell = {"cell_type": "code", "source": "", "execution_count": 1, "outputs": []}
    path.write_text(json.dumps({"cells": [cell, {**cell, "execution_count": None}]}))
    with pytest.raises(LbaeError, match=r"cell 2 of .* was never run"):
        check_executed(path)
    error = {"output_type": "error", "evalue": "\x1b[31mno\x1b[0m"}
    path.write_text(json.dumps({"cells": [{**cell, "outputs": [error]}]}))
    with pytest.raises(LbaeError, match="ended with an error: no"):
        check_executed(path)


@pytest.mark.slow
def test_the_book_works_from_disk_without_a_network(report, browser):
    html = report / "build/_build/html"
    page = browser.new_page()
    asked, complaints = [], []
    page.on("request", lambda r: asked.append(r.url) if not r.url.startswith("file:") else None)
    # The theme's fonts and the search's summaries need a server; the page does without them.
    noise = re.compile("CORS policy|net::ERR_FAILED|invalid theme mode")

    def listen(message):
        if message.type == "error" and not noise.search(message.text):
            complaints.append(message.text)

    page.on("console", listen)
    page.goto((html / "runs/smoke/digits/04_interpolation.html").as_uri())
    window = page.locator(".lbae-window").first
    slider = page.locator(".lbae-player input").first
    label = page.locator(".lbae-player output").first
    start = label.inner_text()
    position = "e => e.style.backgroundPositionX"
    before = window.evaluate(position)
    slider.focus()
    slider.press("ArrowRight")
    assert label.inner_text() != start
    assert window.evaluate(position) != before
    assert slider.get_attribute("aria-valuetext") == label.inner_text()

    page.goto((html / "search.html").as_uri() + "?q=hyperplane")
    page.wait_for_selector("ul.search li a", timeout=20_000)
    outside = [url for url in asked if not url.startswith("data:")]
    assert outside == [], outside
    assert complaints == [], complaints


@pytest.mark.slow
def test_pages_are_accessible(report, browser):
    from axe_playwright_python.sync_playwright import Axe

    html = report / "build/_build/html"
    digits = "runs/smoke/digits"
    names = (
        "book/intro", "book/verdicts", "book/reproducibility", "book/cite",
        f"{digits}/04_interpolation", f"{digits}/05_metrics", f"{digits}/07_attributes",
    )  # fmt: skip
    for width, theme, page in every_look(browser):
        for name in names:
            page.goto((html / f"{name}.html").as_uri())
            wrong = [
                (name, width, theme, rule["id"], rule["nodes"][0]["html"])
                for rule in Axe().run(page).response["violations"]
                if rule["impact"] in ("serious", "critical")
            ]
            assert wrong == []


@pytest.mark.slow
def test_no_page_is_wider_than_a_phone(report, browser):
    html = report / "build/_build/html"
    page = browser.new_page(viewport={"width": 390, "height": 900})
    wide = {}
    for path in [*html.glob("book/**/*.html"), *html.glob("runs/**/*.html")]:
        page.goto(path.as_uri())
        found = page.evaluate("document.documentElement.scrollWidth")
        if found > 390:
            wide[str(path.relative_to(html))] = found
    assert wide == {}


@pytest.mark.slow
def test_the_explorer_answers_in_jupyterlab(report, browser):
    notebook = report / "notebooks/10_explorer.ipynb"
    kept = notebook.read_text()
    notebook.write_text(kept.replace('str = \\"quick\\"', 'str = \\"smoke\\"'))
    environment = os.environ | {"PYTHONPATH": str(report)}
    environment.pop("LBAE_ROOT", None)  # the notebook's folder says where the project is
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--port=0",
         "--IdentityProvider.token=test", f"--ServerApp.root_dir={report / 'notebooks'}"],
        cwd=report, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        port = next(
            m[1] for line in server.stdout if (m := re.search(r"localhost:(\d+)/lab", line))
        )
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/lab/tree/10_explorer.ipynb?token=test")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=90_000)
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.get_by_text("Run All Cells", exact=True).click()
        said = page.locator("p[role=status]")
        said.first.wait_for(timeout=90_000)
        assert ". 0 of 24 bits flipped" in said.first.inner_text()
        picture = page.locator(".widget-image img, img.widget-image").first
        source = picture.get_attribute("src")
        angle = page.locator(".noUi-handle").nth(1)
        angle.focus()
        for _ in range(60):
            angle.press("ArrowRight")
        page.wait_for_function(
            "document.querySelector('p[role=status]').innerText.includes('turned by 60')"
        )
        assert ". 0 of 24 bits flipped" not in said.first.inner_text()
        assert picture.get_attribute("src") != source
        page.locator(".lm-TabBar-tabLabel", has_text=re.compile("^Bits$")).click()
        page.locator(".widget-toggle-button:visible").nth(2).click()
        page.get_by_text("right: 1 of 24 bits flipped").wait_for()
        page.locator("button[title^='test image 7']:visible").click()  # a thumbnail
        page.get_by_text("right: 0 of 24 bits flipped").wait_for()
        page.locator("button:visible", has_text=re.compile("^undo$")).click()
        page.get_by_text("right: 1 of 24 bits flipped").wait_for()
        page.locator("button:visible", has_text=re.compile("^save$")).click()
        page.get_by_text("saved runs/explorer/digits-bits-001.png").wait_for()
        assert (report / "runs/explorer/digits-bits-001.npy").exists()
        described = page.locator("img.widget-image:visible").last.get_attribute("title")
        assert "right: 1 of 24 bits flipped" in described
        silent = page.get_by_text("The kernel does not answer")
        assert not silent.is_visible()
        server.terminate()
        silent.wait_for(timeout=60_000)
    finally:
        server.terminate()
        server.wait(timeout=30)
        notebook.write_text(kept)
