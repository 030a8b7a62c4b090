"""What the book says over all results."""

import html
import json
import re
import shutil
from itertools import product

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from companion.experiments.records import write_record
from companion.paper.claims import all_claims
from companion.paper.decisions import Outcome, Verdict
from companion.site.atlas import atlas_table
from companion.site.contents import contents
from companion.site.findings import FINDINGS, findings_table
from companion.site.generated import front_figures, scope, trainings_table
from companion.site.performance import BENCHMARKS, SCALING, performance_tables, reliability_table
from companion.site.result_pages import arranged, badges, links, named_pages, stale_note
from companion.site.results import find_results
from companion.site.verdict_tables import counts_table, page_verdicts, verdict_tables


@pytest.fixture
def project(tmp_path, as_project):
    """A project without results."""
    return as_project(tmp_path, "config", "notebooks")


@pytest.fixture
def root(project):
    """Results of two data sets; the second has no second page."""
    tmp_path = project
    for dataset, verdict, names in (
        ("mnist", "holds", ("02_b", "03_sampling")),
        ("digits", "does not hold", ("02_b",)),
    ):
        folder = tmp_path / "results/quick" / dataset
        for name in names:
            (folder / name).mkdir(parents=True)
            cell = {"cell_type": "markdown", "source": [f"# Page {name}\n", "\n", "Text."]}
            (folder / f"{name}.ipynb").write_text(json.dumps({"cells": [cell]}))
            own = [{"claim": "a | b", "verdict": verdict}] if name == "02_b" else []
            if dataset == "mnist" and name == "02_b":
                own.append({"claim": "c", "verdict": "not measurable here"})
            write_record(folder / name / "record.json", name, {}, {}, {"verdicts": own}, 1.0)
    return tmp_path


def test_claims_by_data_set(root):
    sets = find_results("quick")
    assert [s.place.name for s in sets] == ["mnist", "digits"]
    lines = verdict_tables(sets).splitlines()
    assert lines[0] == "## Page 02_b"
    assert lines[3] == "| claim of the paper | MNIST (profile quick) | Digits (profile quick) |"
    assert lines[5] == (
        r"| a \| b | [[holds](/results/quick/mnist/02_b)]{.lbae-holds} "
        "| [[does not hold](/results/quick/digits/02_b)]{.lbae-fails} |"
    )
    assert lines[6].endswith("{.lbae-open} |  |")
    assert lines[7:] == [":::"]  # a page without verdicts has no table
    stale = verdict_tables(sets, ["results/quick/digits/02_b"]).splitlines()
    assert stale[5].endswith("{.lbae-fails} (out of date) |")
    assert stale[6] == lines[6]


def test_counts_by_data_set(root):
    lines = counts_table(find_results("quick")).splitlines()
    assert lines[2:] == [
        "| MNIST (profile quick) | [1](verdicts.md) | 0 | 0 | [1](verdicts.md) | 0 |",
        "| Digits (profile quick) | 0 | [1](verdicts.md) | 0 | 0 | 0 |",
    ]


def test_readings_are_rows_under_their_claim_and_count_once(root):
    record = root / "results/quick/mnist/03_sampling/record.json"
    readings = [
        Verdict("linear", "", Outcome.HOLDS, "the authors' procedure"),
        Verdict("linear", "", Outcome.FAILS, "as printed", decides=False),
    ]
    entries = {"verdicts": [verdict.entry() for verdict in readings]}
    write_record(record, "03_sampling", {}, {}, entries, 1.0)
    sets = find_results("quick")
    lines = [line for line in verdict_tables(sets).splitlines() if "mnist/03_sampling" in line]
    assert [line.split("|")[1].strip() for line in lines] == [
        "The interpolation in the binary space is almost linear (Section 4.2, Figure 9).",
        "↳ the authors' procedure (decides)", "↳ as printed",
    ]  # fmt: skip
    assert ["does not hold" in line for line in lines] == [False, False, True]
    assert counts_table(sets).splitlines()[2].startswith("| MNIST (profile quick) | [2]")


def test_the_first_page_shows_the_method_and_reconstructions(root):
    """The method of the first data set; reconstructions of the last that is the paper's."""

    def shown():
        return re.findall(r"{figure} /results/(\S+)", front_figures(find_results("quick")))

    assert shown() == []
    method, images = "03_sampling/overview.png", "01_training/fig7_reconstructions.png"
    for place, file in product(("quick/digits", "quick/mnist"), (method, images)):
        figure = root / "results" / place / file
        figure.parent.mkdir(exist_ok=True)
        figure.write_bytes(b"")
        figure.parent.with_suffix(".ipynb").write_text("{}")
    assert shown() == [f"quick/mnist/{method}", f"quick/mnist/{images}"]
    options = {"dataset": {"title": "CIFAR-10", "stands_for": "CIFAR-10"}}
    folder = root / "results/laptop/folder-cifar"
    write_record(folder / "lbae/record.json", "train", options, {}, {}, 1.0)
    (folder / "01_training.ipynb").write_text("{}")
    (folder / images).parent.mkdir()
    (folder / images).write_bytes(b"")
    assert shown() == [f"quick/mnist/{method}", f"laptop/folder-cifar/{images}"]


def test_benchmarks_by_machine(project):
    assert performance_tables().count("Not measured yet.") == len(BENCHMARKS) == 8
    folder = project / "results/performance"
    folder.mkdir(parents=True)
    record = {"machine": "M", "torch": "2", "caption": "Of 7.", "header": ["task", "s", "images"]}
    record["rows"] = [["A", 3.14159, 10_000], ["B", 0.5, 3]]
    (folder / "metrics-m.json").write_text(json.dumps(record))
    record |= {"machine": "N", "figure": {"caption": "Roofs.", "alt": "Two lines."}}
    (folder / "training-n.json").write_text(json.dumps(record))
    text = performance_tables()
    assert text.count("Not measured yet.") == 6
    part = text[text.index("### M") :]
    assert part.startswith("### M\n\nOf 7. PyTorch 2.\n\n| task | s | images |\n")
    assert "| A | 3.142 | 10,000 |" in part
    assert "| B | 0.5 | 3 |" in part
    assert text.count("```{figure}") == 1
    assert performance_tables(SCALING).count("Not measured yet.") == len(SCALING) == 3
    assert "/results/performance/training-n.png\n:alt: Two lines.\n" in text


def test_outcomes_are_counted(project):
    assert reliability_table() == "Not tried yet.\n"
    (project / "results/reliability").mkdir(parents=True)
    rows = [
        {"part": "broken", "what": "a", "tries": 1200, "happened": {"refused": 1199, "kept": 1}},
        {"part": "killed", "what": "b", "tries": 3, "happened": {"went on": 3}},
    ]
    path = project / "results/reliability/outcomes.json"
    path.write_text(json.dumps({"rows": rows}))
    lines = reliability_table().splitlines()
    assert lines[2] == "| broken | a | 1,200 | 1,199 refused; 1 kept |"
    assert lines[3] == "| killed | b | 3 | went on |"


def test_a_page_links_to_what_it_is_made_of():
    page = "results/quick/digits/03_sampling"
    assert "<03_sampling/record.json>`" in links(page, "")
    assert "`its source </notebooks/03_sampling.ipynb>`" in links(page, "")
    assert "Binder" not in links(page, "")
    assert badges("", "main") == ""
    assert "codespaces.new/owner/name?ref=dev" in badges("owner/name", "dev")
    text = links(page, "owner/name", "dev")
    assert "gh/owner/name/dev?urlpath=lab/tree/notebooks/03_sampling.ipynb" in text
    assert "[on the digits, on Binder]" in text  # whatever the page is about


def executed(tagged: str = "injected-parameters") -> str:
    """An executed notebook of four cells."""

    def code(text, *tags):
        return {"cell_type": "code", "source": text, "metadata": {"tags": [*tags]}, "outputs": []}

    first = {"cell_type": "markdown", "source": ["# Title\n", "\n", "Text."], "metadata": {}}
    cells = [first, code("a = 1", "parameters"), code("a = 2", tagged), code("nb.finish()")]
    return json.dumps({"cells": cells, "nbformat": 4})


def test_a_page_names_its_data_and_has_its_verdicts_first():
    stale = stale_note(["the notebook has changed"])
    page = arranged(executed(), ["Origin", stale, "Verdicts"], "Links", r"a \| b", "proof")
    sources = ["".join(cell["source"]) for cell in json.loads(page)["cells"]]
    assert sources == [
        r"# Title (a \| b)", "Origin", stale, "Verdicts", "Text.", "a = 1", "a = 2",
        '<span id="proof"></span>', "nb.finish()", "Links",
    ]  # fmt: skip
    assert "out of date: the notebook has changed. Run" in stale
    bare = json.loads(arranged(executed(), ["Origin", stale_note([]), ""], "Links"))["cells"]
    assert ["".join(cell["source"]) for cell in bare[:3]] == ["# Title", "Origin", "Text."]


@pytest.mark.parametrize("tagged", ["injected-parameters", "hide-input"])
def test_defaults_are_folded_where_a_run_has_parameters_of_its_own(tagged):
    cells = json.loads(arranged(executed(tagged), [], ""))["cells"]
    (default,) = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    assert ("hide-input" in default["metadata"]["tags"]) == (tagged == "injected-parameters")


def test_pages_that_a_text_names_are_links(project):
    folder = project / "results/quick/digits"
    folder.mkdir(parents=True)
    for name in ("05_metrics", "08_sampler_laboratory"):
        (folder / f"{name}.ipynb").write_text("{}")
    named = named_pages("results/quick/digits/08_sampler_laboratory")
    # Itself is no link, nor is a page that does not exist.
    assert named["page of scores"] == "results/quick/digits/05_metrics"
    assert not {"study of samplers", "page on interpolation"} & {*named}
    own = project / "runs/quick/digits/05_metrics.ipynb"  # a reader's own run takes its place
    own.parent.mkdir(parents=True)
    own.write_text("{}")
    named = named_pages("results/quick/digits/08_sampler_laboratory")
    text = "As on the page\nof scores, by the book's page of verdicts; `page of scores`."
    content = json.loads(executed()) | {"nbformat_minor": 5}
    content["cells"].insert(1, {"cell_type": "markdown", "source": text, "metadata": {}})
    cells = json.loads(arranged(json.dumps(content), [], "", named=named))["cells"]
    linked = "[page\nof scores](/runs/quick/digits/05_metrics)"
    assert cells[2]["source"] == (
        f"As on the {linked}, by the book's [page of verdicts](/book/verdicts); `page of scores`."
    )
    assert set(named_pages("results/quick/06_tables")) == {"page of verdicts", "page on the method"}


def test_the_verdicts_of_a_page_link_to_their_evidence():
    verdicts = [
        Verdict("linear", "", Outcome.HOLDS, "the authors' procedure"),
        Verdict("linear", "", Outcome.FAILS, "as printed", decides=False),
    ]
    lines = page_verdicts(verdicts, "proof").splitlines()
    assert lines[1] == '| claim of the paper | verdict (<a href="#proof">evidence</a>) |'
    assert [line.split("|")[2].strip() for line in lines[3:6]] == [
        "[holds]{.lbae-holds}", "[holds]{.lbae-holds}", "[does not hold]{.lbae-fails}",
    ]  # fmt: skip
    assert page_verdicts([], "proof") == ""


def put_record(folder, kind, results, options=None):
    (folder / kind).mkdir(parents=True, exist_ok=True)
    if kind != "lbae":
        (folder / f"{kind}.ipynb").write_text("{}")
    write_record(folder / kind / "record.json", kind, options or {}, {}, results, 7300.0)


def test_findings_have_numbers_of_records_and_are_left_out_without(project):
    assert findings_table(find_results("quick")) == "There are no results yet.\n"
    digits, mnist = project / "results/quick/digits", project / "results/quick/mnist"
    wrong = {"algorithm_1": 12.345, "restored": 0.0}
    put_record(digits, "04_interpolation", {"wrong_bits": wrong})
    put_record(digits, "07_attributes", {})  # of another version: the number is missing
    put_record(digits, "lbae", {}, {"network": {"latent_size": 64}})
    lines = findings_table(find_results("quick")).splitlines()
    assert lines[1] == "| The paper claims | Found here | Verdict |"
    assert lines[3].endswith(
        "| Wrong bits of 64, on average: 12.3 as printed, 0.0 with its sign restored. "
        "([Digits](/results/quick/digits/04_interpolation)) |  |"
    )
    assert lines[4:] == [":::"]
    verdict = Verdict("generates-back", "", Outcome.FAILS).entry()
    own = {"wrong_bits": {"algorithm_1": 5.0}, "verdicts": [verdict]}
    put_record(mnist, "04_interpolation", own)
    (line,) = findings_table(find_results("quick")).splitlines()[3:-1]
    assert "Wrong bits, on average: 5.0 as printed. ([MNIST]" in line
    assert line.endswith("[[does not hold](/results/quick/mnist/04_interpolation)]{.lbae-fails} |")
    values = {"lbae_clip": [2.0, 4.0], "vae_standard": [5.0, 5.0]}
    rows = {row: {"values": {"cnn": {"frechet": found}}} for row, found in values.items()}
    scores = {"rows": rows, "evaluators": {"cnn": {"titles": {"frechet": "FD[cnn]"}}}}
    put_record(mnist, "05_metrics", {"scores": scores})
    line, _ = findings_table(find_results("quick")).splitlines()[3:-1]  # the other lacks its rows
    assert "FD[cnn] (lower is nearer), is 3 for hyperplane samples, 5 for the VAE's." in line


def test_findings_are_about_declared_claims_of_their_pages():
    for finding in FINDINGS:
        assert all_claims()[finding.key].page == finding.page


def test_the_summary_has_how_each_model_was_trained(project):
    assert trainings_table([]) == "No model was trained yet.\n"
    folder = project / "results/quick/mnist"
    put_record(folder, "01_training", {})
    results = {"epochs": 3, "images": {"train": 55000}, "device": "cpu"}
    options = {"network": {"latent_size": 200}, "training": {"seed": 4}}
    put_record(folder, "lbae", results, options)
    sets = find_results("quick")
    cells = trainings_table(sets).splitlines()[2].split(" | ")
    assert cells[:6] == ["| MNIST (profile quick)", "55,000", "3", "200", "4", "2.0 h"]
    assert "CPU thread" in cells[6]
    assert "They cover 1 of the paper's 3 data sets." in scope(sets)
    put_record(folder, "lbae", {"imported": "last.cp", "epochs": 9}, options)
    assert "| imported weights | 200 |" in trainings_table(find_results("quick"))


def test_the_atlas_leads_to_pages_and_says_what_they_found(root):
    sets = find_results("quick")
    record = root / "results/quick/mnist/03_sampling/record.json"
    verdicts = [{"claim": c, "verdict": o} for c, o in zip("abcde", Outcome, strict=True)]
    write_record(record, "03_sampling", {}, {}, {"verdicts": verdicts}, 1.0)
    lines = atlas_table(sets, "results/quick/06_tables").splitlines()
    (figure,) = (line for line in lines if line.startswith("| Figure 8 "))
    assert figure.endswith("| [MNIST (profile quick)](/results/quick/mnist/03_sampling) (1 of 2) |")
    (table,) = (line for line in lines if line.startswith("| Table 2 "))
    assert table.endswith("| [all data](/results/quick/06_tables) |")
    assert next(line for line in lines if line.startswith("| Figure 1 ")).endswith("not yet |")
    (equation,) = (line for line in lines if line.startswith("| Eq. 9 "))
    assert equation.endswith("| {py:obj}`~lbae_lib.latent.correlation.gram_matrix` |")
    (claim,) = (
        line for line in lines if "| Hyperplane rounding generates novel latents. |" in line
    )
    assert claim.endswith("| [MNIST (profile quick)](/results/quick/mnist/03_sampling) |")


def test_the_papers_data_come_first_and_stand_ins_last(project):
    names = ("celeba", "digits", "faces", "folder-cifar", "folder-zebras", "mnist")
    for name in names:
        (project / "results/laptop" / name / "lbae").mkdir(parents=True)
        (project / "results/laptop" / name / "01_training.ipynb").write_text("{}")
    record = project / "results/laptop/folder-cifar/lbae/record.json"
    write_record(record, "train", {"dataset": {"title": "CIFAR-10"}}, {}, {}, 1.0)
    sets = find_results("quick")
    assert [s.place.name for s in sets] == [
        "mnist", "folder-cifar", "celeba", "folder-zebras", "digits", "faces",
    ]  # fmt: skip


def test_two_data_sets_of_one_title_both_have_pages(root):
    (result,) = (s for s in find_results("quick") if s.place.name == "mnist")
    parts = contents([result, result], "results/quick/06_tables")["parts"]
    assert [part["caption"] for part in parts] == [
        "The companion", result.title, result.title, "Use it", "Appendix",
    ]  # fmt: skip
    assert parts[0]["chapters"][-1] == {"file": "results/quick/06_tables"}
    assert parts[1]["chapters"] == [
        {"file": "results/quick/mnist/02_b", "title": "Page 02_b"},
        {"file": "results/quick/mnist/03_sampling", "title": "Page 03_sampling"},
    ]


def test_a_folder_of_images_has_the_title_of_its_profile(root):
    folder = root / "results/laptop/folder-faces"
    (folder / "lbae").mkdir(parents=True)
    (folder / "01_training.ipynb").write_text("{}")
    (result,) = (s for s in find_results("quick") if s.place.name == "folder-faces")
    assert result.title == "folder-faces (profile laptop)"
    options = {"dataset": {"title": "Faces of mine"}}
    write_record(folder / "lbae/record.json", "train", options, {}, {}, 1.0)
    titles = [s.title for s in find_results("quick")]
    assert "Faces of mine (profile laptop)" in titles


def test_a_title_is_text_whatever_it_holds(root):
    """A data set's title, by default its folder's name, in every table on the front pages."""
    folder = shutil.copytree(root / "results/quick/mnist", root / "results/quick/folder-trap")
    (folder / "03_sampling/overview.png").write_bytes(b"")
    title = "<b>a</b> | [b](c) &lt; `d`\n# *e*_f_ {{g}} $h$"
    options = {"dataset": {"title": title}}
    write_record(folder / "lbae/record.json", "train", options, {}, {}, 1.0)
    (trap,) = (s for s in find_results("quick") if s.place.name == "folder-trap")
    shown = html.escape(title.replace("\n", " "), quote=False)
    read = MarkdownIt("commonmark", {"html": True}).enable("table").use(dollarmath_plugin)
    for text in (
        atlas_table([trap], None), verdict_tables([trap]), counts_table([trap]),
        front_figures([trap]).replace("```", ""),
    ):  # fmt: skip
        assert shown in read.render(text), text
