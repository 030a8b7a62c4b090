"""The explorer: what a user does by hand, done by a program."""

import datetime
import html
import importlib
import io
import json
import re
import shutil
from collections import Counter

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from companion.analysis.inversions import INVERSIONS
from companion.experiments.artifacts import MODEL
from companion.experiments.profiles import load_experiment
from companion.experiments.records import write_record
from companion.experiments.trained import Trained
from companion.widgets.explorer import explorer, open_explorer
from companion.widgets.live import Heartbeat, live_panel
from companion.widgets.pictures import bits_png, path_svg, png
from companion.widgets.references import REFERENCES, reference_line
from companion.widgets.space import Space
from lbae_lib.bits import nearest_distance, pack_bits
from lbae_lib.data.image_files import read_image
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import ConfigError
from lbae_lib.latent.bit_models import Factorised
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.latent.moments import moments, sampling_noise
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.model_files import save_model

WIDTH = 24


@pytest.fixture
def space(latents, images) -> Space:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NetworkConfig(image_size=32, channels=1, latent_size=WIDTH, width=2)
        model = build_model(network).eval().requires_grad_(False)
    train = ImageSet(images[:60], torch.arange(60) % 3)
    test = ImageSet(images[60:], torch.arange(20) % 3)
    dataset = Dataset("blobs", "Blobs", train, test, ("round", "<b>flat", "small"))
    packed = {"train": pack_bits(latents[:60]), "test": pack_bits(latents[60:80])}
    trained = Trained(model, {"train": train, "test": test}, packed, dataset)
    return Space(trained, Factorised.fit(moments(latents)))


def test_every_panel_draws_and_says_what(space):
    tab = explorer(space)
    assert list(tab.panels) == ["Hyperplane", "Samplers", "Interpolation", "Bits", "Attributes"]
    for panel in tab.panels.values():
        assert bytes(panel.picture.value).startswith(b"\x89PNG")
        assert "role='status'" in panel.text.value


def uploaded(name, content):
    """As the browser gives a file to ``FileUpload``."""
    return {
        "name": name,
        "type": "",
        "size": len(content),
        "content": memoryview(content),
        "last_modified": datetime.datetime.now(datetime.UTC),
    }


def drawing(size=(40, 50)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(buffer, format="png")
    return buffer.getvalue()


@pytest.fixture
def project(tmp_path, as_project):
    """An empty project."""
    return as_project(tmp_path / "project")


def test_turning_a_hyperplane_flips_all_bits_in_the_end(space):
    panel = explorer(space).panels["Hyperplane"]
    assert f"0 of {WIDTH} bits flipped" in panel.text.value
    flips, pictures = [], set()
    for angle in (10, 60, 120, 180):
        panel.angle.value = angle
        pictures.add(bytes(panel.bits_picture.value))
        flips.append(int(panel.text.value.split(" bits flipped")[0].split()[-3]))
    # The opposite normal has the same bits: Eq. 12 multiplies by the boundary vector's side.
    assert flips[-1] == 0
    assert max(flips[:-1]) > 0
    assert len(pictures) == len(set(flips))
    first = panel.picture.value
    panel.seed.value = 5
    assert panel.picture.value != first


def test_samplers_change_with_seed_and_choice(space):
    panel = explorer(space).panels["Samplers"]
    pictures = {bytes(panel.picture.value)}
    for sampler in ("clip", "dichotomized", "direct", "independent", "uniform", "autoregressive"):
        panel.sampler.value = sampler
        pictures.add(bytes(panel.picture.value))
        assert "RMS error of pair moments" in panel.text.value
    assert len(pictures) == 7
    panel.seed.value = 3
    assert bytes(panel.picture.value) not in pictures


def test_two_samplers_stand_side_by_side(space):
    panel = explorer(space).panels["Samplers"]
    panel.sampler.value, panel.other.value = "direct", "uniform"
    left, right = bytes(panel.picture.value), bytes(panel.other_picture.value)
    assert left != right
    panel.sampler.value, panel.other.value = "uniform", "direct"
    assert (bytes(panel.picture.value), bytes(panel.other_picture.value)) == (right, left)
    noise = sampling_noise(space.samplers.moments, 4000)
    assert f"true distribution have: {noise.pairs:.4f} and {noise.first:.4f}" in panel.text.value


def test_a_sample_stands_beside_the_nearest_training_image(space):
    train = space.trained.bits("train")
    changed = train[7].clone()
    changed[:2] *= -1
    assert space.nearest_training(train[7])[1] == 0
    assert space.nearest_training(changed)[1] <= 2
    panel = explorer(space).panels["Samplers"]
    bits = panel.latents[5]
    near = bytes(panel.near.value)
    panel.sample.value = 5
    assert bytes(panel.near.value) != near
    distance = int(nearest_distance(bits[None], train))
    assert f"which is {distance} bits away (left)" in panel.text.value


def test_a_path_begins_and_ends_at_its_images(space):
    panel = explorer(space).panels["Interpolation"]
    panel.source.value, panel.target.value = 2, 7
    ends = space.decode(space.test[[2, 7]])
    assert panel.picture.value == png(ends[:1], 1, space.scale)
    panel.step.value = panel.step.max
    assert panel.picture.value == png(ends[1:], 1, space.scale)
    assert "<svg" in panel.path.value
    panel.target.value = 2  # no way at all
    assert "Step" in panel.text.value


def test_every_inversion_draws_its_path_by_its_own_sign_rule(space):
    panel = explorer(space).panels["Interpolation"]
    pictures = set()
    for key in ("exact", "restored", "algorithm_1", "authors", "unit_margins"):
        panel.inversion.value = key
        pictures.add(bytes(panel.row.value))
        method = INVERSIONS[key]
        sampler = space.hyperplanes if method.full_rank else space.clipped
        ends = space.test[[0, 1]].double()
        if key != "exact":
            normals = method.invert(ends, sampler, torch.Generator()).normals
            path = interpolate_bits(sampler, normals[:1], normals[1:], 11, method.boundary)
            assert torch.equal(panel.latents, path[0])
        assert "bits wrong; floor: 0" in panel.text.value
    assert len(pictures) > 2


def test_playing_moves_the_step(space):
    panel = explorer(space).panels["Interpolation"]
    drawn = bytes(panel.picture.value)
    panel.play.value = 4
    assert panel.step.value == 4
    assert "Step 5 of 11" in panel.text.value
    assert bytes(panel.picture.value) != drawn


def test_images_are_picked_by_class_and_thumbnail(space):
    picker = explorer(space).panels["Bits"].image
    labels = space.trained.images["test"].labels
    picker.klass.value = "small"
    assert labels[picker.value] == 2
    shown = [b.tooltip for b in picker.thumbnails if b.layout.display != "none"]
    assert all(name.endswith(": small") for name in shown)
    assert len(shown) == int((labels == 2).sum())
    picker.thumbnails[3].click()
    assert picker.value == int((labels == 2).nonzero()[3])
    assert picker.number.value == picker.value
    assert "lbae-picked" in picker.thumbnails[3]._dom_classes
    picker.klass.value = ""
    picker.more.click()
    assert picker.thumbnails[0].tooltip == "test image 12: round"
    picker.more.click()  # begins again
    assert picker.thumbnails[0].tooltip == "test image 0: round"


def test_ones_own_image_is_read_as_from_a_folder(space, tmp_path):
    panel = explorer(space).panels["Attributes"]
    panel.image.upload.value = (uploaded("<b>my.png", drawing()),)
    (tmp_path / "my.png").write_bytes(drawing())
    image = read_image(tmp_path / "my.png", 32, 1, Counter())[None]
    assert torch.equal(panel.image.image, image)
    assert torch.equal(panel.image.bits, space.encode(image))
    assert torch.equal(panel.latents[:1], space.encode(image))
    assert "own image &lt;b&gt;my.png" in panel.image.caption.value
    assert panel.image.upload.value == ()
    own = panel.image.value
    for name, content in (("small.png", drawing((8, 8))), ("no.png", b"no image")):
        panel.image.upload.value = (uploaded(name, content),)
        assert panel.image.value is own
        assert name in panel.image.caption.value
        assert str(tmp_path.parent) not in panel.image.caption.value


def test_undo_goes_back_change_by_change(space):
    panel = explorer(space).panels["Bits"]
    assert panel.undo.disabled
    start = bytes(panel.picture.value)
    panel.buttons[3].value = not panel.buttons[3].value
    flipped = bytes(panel.picture.value)
    panel.reset.click()
    panel.image.value = 4
    panel.buttons[1].value = not panel.buttons[1].value
    for expected in (None, start, flipped, start):
        panel.undo.click()
        assert expected in (None, bytes(panel.picture.value))
    assert panel.image.value == 0
    assert panel.undo.disabled


def test_one_drag_of_a_slider_is_undone_at_once(space):
    panel = explorer(space).panels["Hyperplane"]
    start = bytes(panel.picture.value)
    for angle in range(1, 40):
        panel.angle.value = angle
    panel.seed.value = 7
    panel.undo.click()
    assert (panel.angle.value, panel.seed.value) == (39, 0)
    panel.undo.click()
    assert panel.angle.value == 0
    assert bytes(panel.picture.value) == start


def test_picture_and_bits_are_saved(space, project):
    panels = explorer(space).panels
    for title, panel in panels.items():
        panel.save.click()
        name = f"runs/explorer/blobs-{title.lower()}-001"
        assert f"saved {name}.png, {name}.npy" in panel.saved.value
        bits = np.load(project / f"{name}.npy")
        assert bits.dtype == np.int8
        assert np.array_equal(bits, panel.latents.numpy())
        saved = Image.open(project / f"{name}.png")
        assert saved.width == max(Image.open(io.BytesIO(p.value)).width for p in panel.pictures)
        assert saved.text["Description"] in html.unescape(panel.text.value)
    panel.save.click()  # replaces nothing
    assert len(list((project / "runs/explorer").iterdir())) == 2 * len(panels) + 2
    shutil.rmtree(project / "runs")
    (project / "runs").write_text("no folder")
    panel.save.click()
    assert "role='alert'" in panel.saved.value


def test_what_cannot_be_drawn_is_said(space, monkeypatch):
    panel = explorer(space).panels["Interpolation"]

    def fail(*words):
        raise ValueError("<no> path")

    monkeypatch.setattr(space, "path", fail)
    panel.target.value = 3
    assert "not up to date. <b>&lt;no&gt; path</b>" in panel.text.value


def test_equations_and_functions_are_named_and_linked(space, project, tmp_path, monkeypatch):
    for _, function in REFERENCES.values():
        package, module, *names = function.split(".")
        found = importlib.import_module(f"lbae_lib.{package}.{module}")
        for name in names:
            found = getattr(found, name)
    panel = explorer(space).panels["Interpolation"]
    panel.inversion.value = "authors"
    assert "lbae_lib.latent.algorithm_1.authors_procedure" in panel.reference.value
    assert "<a " not in panel.reference.value  # no book, no server

    (project / "build/_build/html/book/api").mkdir(parents=True)
    for page in ("method", "api/latent"):
        (project / f"build/_build/html/book/{page}.html").touch()
    monkeypatch.setattr("companion.widgets.references.jupyter_runtime_dir", lambda: tmp_path)
    monkeypatch.setenv("JPY_PARENT_PID", "17")
    server = {"root_dir": str(tmp_path), "base_url": "/user/me/"}
    (tmp_path / "jpserver-17.json").write_text(json.dumps(server))
    pages = "/user/me/files/project/build/_build/html/book"
    line = reference_line(["mean"])
    assert f'href="{pages}/method.html"' in line
    assert f'href="{pages}/api/latent.html#lbae_lib.latent.attributes.set_attribute"' in line
    server["root_dir"] = str(tmp_path / "elsewhere")
    (tmp_path / "jpserver-17.json").write_text(json.dumps(server))
    assert "<a " not in reference_line(["mean"])


def test_what_is_seen_has_a_name(space):
    for title, panel in explorer(space).panels.items():
        waiting = [panel.view]
        while waiting:
            widget = waiting.pop()
            waiting += getattr(widget, "children", ())
            if isinstance(widget, ipywidgets.Box | ipywidgets.HTML | ipywidgets.Button):
                named = not isinstance(widget, ipywidgets.Button) or widget.description
            else:
                named = getattr(widget, "description", "")
            hidden = widget.layout.display == "none"
            assert hidden or named or widget.tooltip, (title, widget)


def test_a_kernel_that_stops_is_seen():
    heartbeat = Heartbeat()
    first = heartbeat.value
    heartbeat.beat()  # another line, whose animation begins again
    assert heartbeat.value != first
    assert "does not answer" in heartbeat.value
    assert re.search(r"-dead\{visibility:hidden;font-size:0;animation:\S+ 0s \d+s", heartbeat.value)


def test_panels_are_live_in_jupyter_alone(space, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert live_panel("Hyperplane", space.trained) is None
    with pytest.raises(ConfigError, match="did you mean 'Samplers'"):
        live_panel("Sampler", space.trained)
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/03_sampling.ipynb")
    heartbeat, view = live_panel("Samplers", space.trained).children
    heartbeat.stop()
    assert any("16 samples each" in str(getattr(p, "value", "")) for p in view.children)


def test_a_pressed_bit_flips_and_reset_restores(space):
    panel = explorer(space).panels["Bits"]
    whole = panel.picture.value
    panel.buttons[3].value = not panel.buttons[3].value
    assert f"1 of {WIDTH} bits flipped" in panel.text.value
    assert panel.buttons[3].button_style == "warning"
    assert panel.picture.value != whole
    panel.reset.click()
    assert panel.picture.value == whole
    panel.buttons[0].value = not panel.buttons[0].value
    panel.image.value = 4  # another image begins as encoded
    assert f"0 of {WIDTH} bits flipped" in panel.text.value


def test_many_bits_come_in_pages(space, monkeypatch):
    monkeypatch.setattr("companion.widgets.bits_panel._BUTTONS", 10)
    panel = explorer(space).panels["Bits"]
    assert panel.page.max == 2
    panel.page.value = 2
    panel.buttons[1].value = not panel.buttons[1].value
    assert bool(panel.bits[21] != panel.encoded[21])
    assert panel.buttons[9].layout.visibility == "hidden"


def test_an_attribute_is_set_more_the_lower_the_threshold(space):
    panel = explorer(space).panels["Attributes"]
    assert panel.attribute.options[1] == ("<b>flat", "<b>flat")  # text, not markup

    def changed():
        return int(panel.text.value.split(" bits changed")[0].split()[-3])

    panel.threshold.value = 0
    most = changed()
    panel.threshold.value = 1
    assert changed() <= most
    panel.threshold.value = 0
    panel.strength.value = 0
    assert changed() == 0
    panel.direction.value = "contrast"
    assert "0 of" in panel.text.value


def test_a_step_decodes_only_what_is_new(space, monkeypatch):
    """What makes it quick: a path is found and decoded once; a turned normal gives one new latent.

    How quick is measured by ``benchmarks/explorer.py``.
    """
    decoded, decode = [], space.decode
    monkeypatch.setattr(space, "decode", lambda bits: decoded.append(len(bits)) or decode(bits))
    panels = explorer(space).panels
    panels["Interpolation"].step.value = 1
    decoded.clear()
    for step in range(2, 10):
        panels["Interpolation"].step.value = step
    assert decoded == []
    panels["Hyperplane"].angle.value = 2
    assert decoded == [2]


def test_what_is_missing_is_said_with_its_command(project):
    (project / "config/smoke.yaml").write_text(
        "datasets: {digits: {latent_size: 8, validation_images: 10, epochs: 1}}"
    )
    shown = open_explorer("smoke", "digits")
    unknown = open_explorer("smoke", "<b>digit")
    assert shown.panels == {}
    assert "lbae train -d digits -p smoke" in shown.message.value
    assert "&lt;b&gt;digit" in unknown.message.value


@pytest.fixture
def trained_project(project):
    """A project with models of two sizes, and one whose record is damaged."""
    (project / "config/own.yaml").write_text(
        "datasets: {digits: {latent_size: 8, latent_sizes: [6, 7], width: 2, epochs: 1, "
        "validation_images: 137}}"
    )
    for model in ("lbae", "lbae-6", "lbae-7"):
        experiment = load_experiment("own", "digits", model)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            state = build_model(experiment.network).state_dict()
        save_model(MODEL.target(experiment), state, experiment.network, {})
        record = experiment.model_folder / "record.json"
        write_record(record, "train", experiment.options(), {}, {}, 1.0)
    record.write_text("{}")


@pytest.mark.usefixtures("trained_project")
def test_models_are_chosen_by_name():
    shown = open_explorer("own", "digits")
    assert shown.model.options == ("Digits, 8 bits (own)", "Digits, 6 bits (own)")
    assert shown.model.value == "Digits, 8 bits (own)"
    assert shown.panels["Bits"].latents.shape == (2, 8)
    shown.children[-1].selected_index = 2
    shown.model.value = "Digits, 6 bits (own)"
    assert shown.panels["Bits"].latents.shape == (2, 6)
    assert shown.children[-1].selected_index == 2
    MODEL.target(load_experiment("own", "digits")).unlink()
    shown.model.value = "Digits, 8 bits (own)"
    assert shown.panels == {}
    assert "lbae train -d digits -p own" in shown.message.value


def test_pictures(images, tmp_path):
    (tmp_path / "grid.png").write_bytes(png(images[:6], 3, 2))
    assert Image.open(tmp_path / "grid.png").size == (2 * (3 * 34 - 2), 2 * (2 * 34 - 2))
    bits = torch.tensor([1.0, -1.0, 1.0])
    (tmp_path / "bits.png").write_bytes(bits_png(bits, torch.tensor([False, False, True]), 5))
    drawn = Image.open(tmp_path / "bits.png")
    assert drawn.size == (15, 5)
    assert drawn.getpixel((12, 2)) == (213, 94, 0)
    assert 'aria-label="Step 2 of 3: 50%"' in path_svg([("positive", [0.0, 0.5, 1.0])], 1)
