"""Pages and figures of uninformative data, and of names that look like markup."""

import json
import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from conftest import PROJECT
from matplotlib.font_manager import fontManager, get_font
from matplotlib.text import Text
from PIL import Image

from companion.analysis.editing import EditScore, choose_attributes
from companion.analysis.geometry import small_example
from companion.analysis.inversions import HammingPaths, paths_between
from companion.analysis.sampler_study import rank_correlation
from companion.analysis.samplers import FittedSamplers
from companion.experiments.extractor import extractor_labels, extractor_task
from companion.figures import fonts
from companion.figures.curves import hamming_paths
from companion.figures.editing import edit_strength
from companion.figures.fonts import literal, missing_letters
from companion.figures.grids import image_grids
from companion.figures.studies import study_curves
from companion.figures.style import save_figure
from companion.pages import page as page_module
from companion.pages.page import Page, file_name
from lbae_lib.bits import signs
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.data.registry import DATASETS
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.moments import moments

NAMES = ("costs $5 or $9", "$\\frac$", "a\\$b", "<b>&_%", "قطة", "x\x07\ny\ud800", "long " * 60)
FAINT = torch.zeros(3, 1, 32, 32, dtype=torch.uint8)


def strength(*names):
    scores = [EditScore(0.1, 3, share, 0.5, 0.7, 3.0, 0.9) for share in (0.0, 0.2)]
    sweeps = {name: {"mean": scores, "contrast": scores} for name in names}
    return edit_strength(sweeps, dict.fromkeys(names, 0.2))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_drawn_as_they_are_written(name, tmp_path):
    figures = {"strength": strength(name, "other"), "grid": image_grids([(name[:30], FAINT)], 3)}
    for key, figure in figures.items():
        save_figure(figure, tmp_path, key)
    drawn = (tmp_path / "strength.svg").read_text()
    if name.isprintable() and len(name) < 20:
        escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert escaped in drawn


def test_names_lose_control_characters_and_what_exceeds_some_lines():
    assert literal("a\x07b\nc", 20) == "a b c"
    assert literal("long " * 60, 20).count("\n") == 2
    assert literal("$5", 20) == r"\$5"


def test_letters_are_taken_from_an_installed_font_or_named_in_the_caption(tmp_path):
    own = fonts._letters(fonts.findfont(fonts.FontProperties(family=fonts.FAMILY)))
    stix = fonts.findfont(fonts.FontProperties(family="STIXGeneral"))  # four faces, unlike letters
    letter = next(c for c in map(chr, get_font(stix).get_charmap()) if c not in own)
    if letter.isprintable():
        figure = strength(letter)
        assert missing_letters(figure) == ""
        text = next(t for t in figure.findobj(Text) if t.get_text() == letter)
        assert len(text.get_fontfamily()) == 2
    nowhere = "\U000e0fff"  # unassigned
    assert missing_letters(strength("plain")) == ""
    figure = image_grids([("𗀀", FAINT)], 3)  # Tangut
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, tmp_path, "tangut")
    if not any("\U00017000" in fonts._letters(f.fname) for f in fontManager.ttflist
               if not f.name.startswith("Last Resort")):  # fmt: skip
        assert missing_letters(figure) == (
            "Letters drawn as boxes, as no installed font has them: 𗀀."
        )
    assert missing_letters(image_grids([(nowhere, FAINT)], 3)) == ""


def test_names_give_files_of_their_own():
    assert file_name("fig11_Eyeglasses") == "fig11_Eyeglasses"
    assert file_name("a b") != file_name("a-b") != file_name("a/b") != file_name("a b")
    assert len(file_name("猫" * 300).encode()) < 255


def test_a_section_that_cannot_be_measured_says_so(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(page_module, "display", lambda html: shown.append(html.data))
    page = Page(name="04_interpolation", profile="quick", parameters={}, folder=tmp_path)
    assert page.needs([1], "unused", "linear")
    assert not shown and not page.verdicts and "left_out" not in page.results
    assert not page.needs([], "There are <no> paths. Add images.", "linear")
    assert "&lt;no&gt;" in shown[0]
    assert page.results["left_out"] == ["There are <no> paths. Add images."]
    assert [(v.key, v.outcome) for v in page.verdicts] == [("linear", "not tested here")]


def test_opposite_normals_have_a_path():
    sampler = HyperplaneSampler(torch.eye(5).double())
    normal = torch.randn(2, 5, generator=torch.Generator().manual_seed(0)).double()
    path = paths_between(sampler, normal, torch.stack([-normal[0], normal[0]]), 10)
    assert path.isfinite().all()
    assert torch.equal(path[:, 0], sampler.bits(normal))
    other = paths_between(sampler, normal[:1], normal[1:], 10, False)
    assert other.shape == (1, 10, 4)


def trained(attributes=None, labels=None, names=(), classes=()):
    images = torch.zeros(8, 1, 32, 32, dtype=torch.uint8)
    part = ImageSet(images, labels, attributes)
    dataset = Dataset(DATASETS["digits"], part, part, None, classes, names)
    return SimpleNamespace(dataset=dataset, images={"train": part, "test": part})


def test_constant_attributes_are_not_edited():
    table = torch.zeros(8, 4, dtype=torch.uint8)
    table[:, 0], table[:3, 2], table[:2, 3] = 1, 1, 1
    given = trained(table, names=("all", "none", "some", "few"))
    assert choose_attributes(given, "") == (
        ["some", "few"],
        "Not edited: 'all' (all training images have it), 'none' (no training image has it).",
    )
    assert choose_attributes(given, "few") == (["few"], "")
    assert choose_attributes(given, "all, few")[0] == ["few"]
    one = trained(labels=torch.zeros(8, dtype=torch.int64), classes=("cat",))
    assert choose_attributes(one, "")[0] == []
    assert "neither attributes nor classes" in choose_attributes(trained(), "")[1]


def test_the_extractor_learns_rotations_if_all_images_are_of_one_class():
    one = trained(labels=torch.zeros(8, dtype=torch.int64), classes=("cat",)).images["train"]
    assert extractor_labels(one) == "quarter turns"
    images, labels = extractor_task(one, "quarter turns")
    assert len(images) == len(labels) == 32
    two = ImageSet(one.images, torch.arange(8) % 2, None)
    assert extractor_labels(two) == "classes"
    assert torch.equal(extractor_task(one, "classes")[1], one.labels)


def test_few_and_equal_latents():
    rows = signs(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)))
    assert FittedSamplers(rows).draw("mixture", 4, torch.Generator()).shape == (4, 5)
    equal = hyperplane_sampler(moments(rows[:1].repeat(9, 1)))[0]
    assert small_example(equal, 3, torch.Generator()) is None
    assert rank_correlation([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]) is None
    assert rank_correlation([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]) == pytest.approx(1)


def test_figures_of_a_single_epoch_a_single_path_and_no_path(tmp_path):
    curves = {"loss": {"a": [[1.0], [2.0]]}}
    figure = study_curves(curves, {"a": "A"})
    assert figure.axes[0].lines[0].get_marker() == "o"
    one, none = torch.linspace(0, 1, 5)[None].double(), torch.empty(0, 5).double()
    paths = {"exact": HammingPaths((one, 1 - one), (one, 1 - one))}
    paths["authors"] = HammingPaths((none, none), (one, 1 - one))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(hamming_paths(paths), tmp_path, "paths")


@pytest.fixture(scope="module")
def equal_pictures(tmp_path_factory):
    """A project with a folder of equal pictures, an attribute that all have, and its models."""
    root = tmp_path_factory.mktemp("equal")
    (root / "config").mkdir()
    for part in ("notebooks", "lbae_lib", "companion"):
        (root / part).symlink_to(PROJECT / part)
    small = "{latent_size: 8, width: 2, epochs: 1, batch_size: 8, validation_images: 4,"
    small += " extractor_epochs: 1, image_size: 32, channels: 1, named: true,"
    small += " vae: {latent_size: 3, kl_weight: 1.0}}"
    (root / "config/own.yaml").write_text(f"datasets:\n  folder: {small}\n")
    (root / "pics").mkdir()
    picture = Image.radial_gradient("L").resize((32, 32))
    for index in range(240):
        picture.save(root / f"pics/{index:03}.png")
    table = "".join(f"{index:03}.png,1\n" for index in range(240))
    (root / "pics/attributes.csv").write_text(f"image_id,costs $5 or $9\n{table}")

    def lbae(command, *words):
        line = [sys.executable, "-m", "companion.cli", command, *words]
        line += ["-d", f"folder:{root / 'pics'}", "-p", "own"]
        environment = os.environ | {"LBAE_ROOT": str(root), "PYTHONPATH": str(PROJECT)}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    for model in ("lbae", "vae"):
        lbae("train", "-m", model)
        lbae("encode", "-m", model)
    lbae("extractor")
    lbae("prior")
    return SimpleNamespace(lbae=lbae, folder=root / "runs/own/folder-pics")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "options"),
    [
        ("03_sampling", ("-P", "samples=50")),
        ("04_interpolation", ()),
        ("07_attributes", ()),
        ("14_bits", ()),
        ("09_compression", ("-P", "samples=50", "-P", "seeds=2", "-P", "clusterings=2")),
    ],
)
def test_pages_on_equal_pictures_leave_out_what_they_cannot_measure(equal_pictures, page, options):
    def no_constant(word):
        raise AssertionError(f"{word} in the record of {page}")

    equal_pictures.lbae("notebook", page, *options)
    record = equal_pictures.folder / page / "record.json"
    results = json.loads(record.read_text(), parse_constant=no_constant)["results"]
    assert results["left_out"]
    outcomes = {verdict["verdict"] for verdict in results["verdicts"]}
    assert outcomes <= {"undecided", "not tested here", "not applicable"}
