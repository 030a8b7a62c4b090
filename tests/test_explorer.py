"""The explorer: what a hand does, done by the program."""

import time

import ipywidgets
import pytest
import torch
from PIL import Image

from companion.experiments.trained import Trained
from companion.widgets.explorer import explorer, open_explorer
from companion.widgets.pictures import bits_png, path_svg, png
from companion.widgets.space import Space
from lbae_lib.bits import pack_bits
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.latent.bit_models import Factorised
from lbae_lib.latent.moments import moments
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.config import NetworkConfig

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
    monkeypatch.setattr("companion.widgets.panels._BUTTONS", 10)
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


def test_a_step_is_quick(space):
    panels = explorer(space).panels
    panels["Interpolation"].step.value = 1
    began = time.perf_counter()
    for step in range(2, 10):
        panels["Interpolation"].step.value = step
        panels["Hyperplane"].angle.value = step
    assert time.perf_counter() - began < 16 * 0.15  # generous: the network is tiny


def test_what_is_missing_is_said_with_its_command(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "config/smoke.yaml").write_text(
        "datasets: {digits: {latent_size: 8, validation_images: 10, epochs: 1}}"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LBAE_ROOT", raising=False)
    from companion.project import project_root

    project_root.cache_clear()
    try:
        shown = open_explorer("smoke", "digits")
        unknown = open_explorer("smoke", "<b>digit")
    finally:
        project_root.cache_clear()
    assert isinstance(shown, ipywidgets.HTML)
    assert "lbae train -d digits -p smoke" in shown.value
    assert "&lt;b&gt;digit" in unknown.value


def test_pictures(images, tmp_path):
    (tmp_path / "grid.png").write_bytes(png(images[:6], 3, 2))
    assert Image.open(tmp_path / "grid.png").size == (2 * (3 * 34 - 2), 2 * (2 * 34 - 2))
    bits = torch.tensor([1.0, -1.0, 1.0])
    (tmp_path / "bits.png").write_bytes(bits_png(bits, torch.tensor([False, False, True]), 5))
    drawn = Image.open(tmp_path / "bits.png")
    assert drawn.size == (15, 5)
    assert drawn.getpixel((12, 2)) == (213, 94, 0)
    assert 'aria-label="Step 2 of 3: 50%"' in path_svg([("positive", [0.0, 0.5, 1.0])], 1)
