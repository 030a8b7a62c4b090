"""What the book says over all results."""

import html
import json
import shutil

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from companion.experiments.records import write_record
from companion.paper.decisions import VERDICTS
from companion.site.listings import (
    atlas_table,
    counts_table,
    find_results,
    overview_figure,
    performance_tables,
    reliability_table,
    verdict_tables,
)
from companion.site.page_links import links


@pytest.fixture
def root(tmp_path):
    """Results of two data sets; the second has no second page."""
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
    sets = find_results(root, "quick")
    assert [s.folder.name for s in sets] == ["mnist", "digits"]  # the paper's own data first
    lines = verdict_tables(root, sets).splitlines()
    assert lines[0] == "## Page 02_b"
    assert lines[2] == "| claim of the paper | MNIST (profile quick) | Digits (profile quick) |"
    assert lines[4] == (
        r"| a \| b | [[holds](/results/quick/mnist/02_b)]{.lbae-holds} "
        "| [[does not hold](/results/quick/digits/02_b)]{.lbae-fails} |"
    )
    assert lines[5].endswith("{.lbae-open} |  |")
    assert len(lines) == 6  # a page without verdicts has no table
    older = verdict_tables(root, sets, ["results/quick/digits/02_b"]).splitlines()
    assert older[4].endswith("{.lbae-fails} (older) |")
    assert older[5] == lines[5]


def test_counts_by_data_set(root):
    lines = counts_table(root, find_results(root, "quick")).splitlines()
    assert lines[2:] == [
        "| MNIST (profile quick) | 1 | 0 | 1 |",
        "| Digits (profile quick) | 0 | 1 | 0 |",
    ]


def test_the_picture_is_of_the_first_data_set_that_has_it(root):
    sets = find_results(root, "quick")
    assert overview_figure(root, sets) == ""
    (root / "results/quick/mnist/03_sampling/overview.png").write_bytes(b"")
    assert "/results/quick/mnist/03_sampling/overview.png" in overview_figure(root, sets)


def test_benchmarks_by_machine(tmp_path):
    assert performance_tables(tmp_path).count("Not measured yet.") == 7
    folder = tmp_path / "results/performance"
    folder.mkdir(parents=True)
    rows = [{"task": "A", "reference": "R", "seconds": [3.0, 2.0], "MiB": [10.2, 7.9]}]
    rows.append({"task": "B", "reference": "S", "seconds": [1.0, 4.0]})
    record = {"machine": "M", "torch": "2", "rows": rows}
    (folder / "metrics-m.json").write_text(json.dumps(record))
    text = performance_tables(tmp_path)
    assert "### M" in text
    assert "| A | R | 3.00 | 2.00 | **1.5** | 10 | 8 |" in text
    assert "| B | S | 1.00 | 4.00 | **0.2** |" in text


def test_the_loss_that_trainings_are_timed_to_is_named(tmp_path):
    folder = tmp_path / "results/performance"
    folder.mkdir(parents=True)
    loop = {"images_per_second": 9.0, "precision": "32-true", "peak_MiB": 1.0}
    loop |= {"share_of_products": 0.5, "seconds_to_target": 4.0}
    options = dict.fromkeys(("width", "channels", "size", "latent", "batch", "seconds"), 1)
    record = {"machine": "M", "torch": "2", "options": options, "ratio": 1.0}
    record |= {"plain": loop, "library": loop}
    path = folder / "training-m.json"
    path.write_text(json.dumps(record))
    assert "| to the loss, s |" in performance_tables(tmp_path)  # the first records had no more
    path.write_text(json.dumps(record | {"target": 12.34}))
    assert "| to a validation loss of 12.3, s |" in performance_tables(tmp_path)


def test_outcomes_are_counted(tmp_path):
    assert reliability_table(tmp_path) == "Not tried yet.\n"
    (tmp_path / "results/reliability").mkdir(parents=True)
    rows = [
        {"part": "broken", "what": "a", "tries": 1200, "happened": {"refused": 1199, "kept": 1}},
        {"part": "killed", "what": "b", "tries": 3, "happened": {"went on": 3}},
    ]
    path = tmp_path / "results/reliability/outcomes.json"
    path.write_text(json.dumps({"rows": rows}))
    lines = reliability_table(tmp_path).splitlines()
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
    sets = find_results(root, "quick")
    record = root / "results/quick/mnist/03_sampling/record.json"
    verdicts = [{"claim": c, "verdict": v} for c, v in zip("abc", VERDICTS.values(), strict=True)]
    write_record(record, "03_sampling", {}, {}, {"verdicts": verdicts}, 1.0)
    lines = atlas_table(root, sets, "results/quick/06_tables").splitlines()
    (figure,) = (line for line in lines if line.startswith("| Figure 8 "))
    assert figure.endswith("| [MNIST (profile quick)](/results/quick/mnist/03_sampling) (1 of 2) |")
    (table,) = (line for line in lines if line.startswith("| Table 2 "))
    assert table.endswith("| [all data](/results/quick/06_tables) |")
    assert lines[2].endswith("not yet |")


def test_a_folder_of_images_has_the_title_of_its_profile(root):
    folder = root / "results/laptop/folder-faces"
    (folder / "lbae").mkdir(parents=True)
    (folder / "01_training.ipynb").write_text("{}")
    assert find_results(root, "quick")[0].title == "folder-faces (profile laptop)"
    options = {"dataset": {"title": "Faces of mine"}}
    write_record(folder / "lbae/record.json", "train", options, {}, {}, 1.0)
    assert find_results(root, "quick")[0].title == "Faces of mine (profile laptop)"


def test_a_title_is_text_whatever_it_holds(root):
    """A data set's title, by default its folder's name, in every table on the front pages."""
    folder = shutil.copytree(root / "results/quick/mnist", root / "results/quick/folder-trap")
    (folder / "03_sampling/overview.png").write_bytes(b"")
    title = "<b>a</b> | [b](c) &lt; `d`\n# *e*_f_ {{g}} $h$"
    options = {"dataset": {"title": title}}
    write_record(folder / "lbae/record.json", "train", options, {}, {}, 1.0)
    (trap,) = (s for s in find_results(root, "quick") if s.folder.name == "folder-trap")
    shown = html.escape(title.replace("\n", " "), quote=False)
    read = MarkdownIt("commonmark", {"html": True}).enable("table").use(dollarmath_plugin)
    for text in (
        atlas_table(root, [trap], None), verdict_tables(root, [trap]), counts_table(root, [trap]),
        overview_figure(root, [trap]).replace("```", ""),
    ):  # fmt: skip
        assert shown in read.render(text), text
