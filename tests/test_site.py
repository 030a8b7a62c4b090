"""What the book says over all results."""

import html
import json
import shutil

import pytest
from conftest import PROJECT
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from companion.experiments.records import write_record
from companion.paper.decisions import Outcome, Verdict
from companion.site.atlas import atlas_table
from companion.site.contents import contents
from companion.site.overview import overview_figure
from companion.site.performance import BENCHMARKS, performance_tables
from companion.site.reliability import reliability_table
from companion.site.results import find_results
from companion.site.sphinx_extension import links
from companion.site.verdict_tables import counts_table, verdict_tables


@pytest.fixture
def project(tmp_path, as_project):
    """A project without results."""
    for part in ("config", "notebooks"):
        (tmp_path / part).symlink_to(PROJECT / part)
    return as_project(tmp_path)


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
    assert lines[2] == "| claim of the paper | MNIST (profile quick) | Digits (profile quick) |"
    assert lines[4] == (
        r"| a \| b | [[holds](/results/quick/mnist/02_b)]{.lbae-holds} "
        "| [[does not hold](/results/quick/digits/02_b)]{.lbae-fails} |"
    )
    assert lines[5].endswith("{.lbae-open} |  |")
    assert len(lines) == 6  # a page without verdicts has no table
    stale = verdict_tables(sets, ["results/quick/digits/02_b"]).splitlines()
    assert stale[4].endswith("{.lbae-fails} (out of date) |")
    assert stale[5] == lines[5]


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


def test_the_picture_is_of_the_first_data_set_that_has_it(root):
    sets = find_results("quick")
    assert overview_figure(sets) == ""
    (root / "results/quick/mnist/03_sampling/overview.png").write_bytes(b"")
    assert "/results/quick/mnist/03_sampling/overview.png" in overview_figure(sets)


def test_benchmarks_by_machine(project):
    assert performance_tables().count("Not measured yet.") == len(BENCHMARKS) == 7
    folder = project / "results/performance"
    folder.mkdir(parents=True)
    record = {"machine": "M", "torch": "2", "caption": "Of 7.", "header": ["task", "s", "images"]}
    record["rows"] = [["A", 3.14159, 10_000], ["B", 0.5, 3]]
    (folder / "metrics-m.json").write_text(json.dumps(record))
    record |= {"machine": "N", "figure": {"caption": "Roofs.", "alt": "Two lines."}}
    (folder / "training-n.json").write_text(json.dumps(record))
    text = performance_tables()
    assert text.count("Not measured yet.") == 5
    part = text[text.index("### M") :]
    assert part.startswith("### M\n\nOf 7. PyTorch 2.\n\n| task | s | images |\n")
    assert "| A | 3.142 | 10,000 |" in part
    assert "| B | 0.5 | 3 |" in part
    assert text.count("```{figure}") == 1
    assert "/results/performance/training-n.png\n:alt: Two lines.\n" in text


def test_records_of_earlier_benchmarks_say_how_to_measure_again(project):
    folder = project / "results/performance"
    folder.mkdir(parents=True)
    (folder / "latent-m.json").write_text(json.dumps({"machine": "M", "rows": [{"task": "A"}]}))
    line = "### M\n\nMeasured by an earlier version: run `python benchmarks/latent.py`."
    assert line in performance_tables()


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
    assert "Binder" not in links(page, "")
    text = links(page, "owner/name", "dev")
    assert "gh/owner/name/dev?urlpath=lab/tree/notebooks/03_sampling.ipynb" in text
    assert "[on the digits, on Binder]" in text  # whatever the page is about


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
        "The companion", result.title, result.title, "Appendix", "Use it",
    ]  # fmt: skip
    assert parts[0]["chapters"][-1] == {"file": "results/quick/06_tables"}
    assert parts[1]["chapters"] == [
        {"file": "results/quick/mnist/02_b"}, {"file": "results/quick/mnist/03_sampling"},
    ]  # fmt: skip


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
        overview_figure([trap]).replace("```", ""),
    ):  # fmt: skip
        assert shown in read.render(text), text
