"""The explorer in the page: what it is made of, and what it does in a real browser."""

import dataclasses
import json
import os
import re
import statistics
from pathlib import Path

import pytest
import torch
from conftest import PROJECT, every_look
from torch import nn
from torch.nn.functional import conv_transpose2d

from companion.experiments.artifacts import EXPLORER
from companion.experiments.trained import Trained
from companion.site import page_explorer
from companion.site.explorer_bundle import (
    choose_images,
    decoder_json,
    read_summary,
    stored_tensor,
    sufficient_rank,
    summarise,
    tensor_json,
)
from companion.site.page_explorer import SCRIPTS, explorer_page, page_model, scripts, standalone
from companion.site.results import ResultSet
from lbae_lib.bits import signs, unpack_bits
from lbae_lib.data.images import ImageSet
from lbae_lib.errors import CheckpointError
from lbae_lib.files import sha256_file, write_json
from lbae_lib.latent.algorithm_1 import restored_algorithm_1
from lbae_lib.latent.attributes import contrast, expected_bits, set_attribute
from lbae_lib.latent.correlation import rounding_moments
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.interpolation import interpolate_bits, slerp
from lbae_lib.latent.moments import Moments, moment_errors, moments
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.encoding import decode, encode
from lbae_lib.models.model_files import load_model, save_model

PUBLISHED = {
    "mnist": PROJECT / "results/accelerator/mnist/lbae/model.safetensors",
    "digits": PROJECT / "results/quick/digits/lbae/model.safetensors",
}


def random_model(**shape):
    """Untrained, but with batch norms that do something, and weights of half precision."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(NetworkConfig(**shape)).eval().requires_grad_(False)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_((20 * parameter if parameter.ndim == 4 else parameter).half())
    return model


@pytest.fixture(scope="module")
def trained(digits):
    model = random_model(image_size=32, channels=1, latent_size=24, width=4)
    images = {"train": digits.train.select(torch.arange(600)), "test": digits.test}
    packed = {name: encode(model, part.images) for name, part in images.items()}
    return Trained(model, images, packed, digits)


@pytest.fixture(scope="module")
def summary(trained):
    return summarise(trained, "smoke", "0" * 64)


@pytest.fixture
def folder(trained, tmp_path, as_project):
    """A folder of results with a model."""
    folder = as_project(tmp_path, "config", "notebooks") / "results/smoke/mnist"
    save_model(
        folder / "lbae/model.safetensors", trained.model.state_dict(), trained.model.config, {}
    )
    return folder


@pytest.fixture
def result(folder):
    return ResultSet(Path("smoke/mnist"), "MNIST (profile smoke)", ())


def test_every_script_is_in_the_page():
    files = {path.stem for path in (PROJECT / "companion/site/explorer").glob("*.js")}
    assert set(SCRIPTS) == files
    text = scripts()
    assert not re.search(r"\b(fetch|XMLHttpRequest|Worker|import)\b *\(|https?://(?!www.w3)", text)
    assert "</script" not in text
    assert "````" not in text


def test_a_batch_norm_is_a_scale_and_a_shift(trained):
    found = {name: t for name, t in decoder_json(trained.model).items() if "enlarge_norm" in name}
    assert sorted(found) == ["enlarge_norm.scale", "enlarge_norm.shift"]
    scale, shift = (stored_tensor({"tensors": found}, name) for name in sorted(found))
    x = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    expected = trained.model.decoder.enlarge_norm(x)
    torch.testing.assert_close(x * scale[:, None, None] + shift[:, None, None], expected)


def test_the_summary_has_what_the_latents_say(trained, summary):
    assert summary["title"] == "Digits"
    assert summary["attributes"] == summary["test_labels"][::4] == [str(d) for d in range(10)]
    chosen = torch.tensor(summary["test_indices"])
    bits = unpack_bits(stored_tensor(summary, "test"), 24)
    assert torch.equal(bits, trained.bits("test")[chosen])
    labels = trained.images["train"].labels
    means = stored_tensor(summary, "attribute_means")
    expected = expected_bits(trained.bits("train"), labels == 3)
    torch.testing.assert_close(means[3].double(), expected, atol=1e-6, rtol=0)
    assert summary["shares"][3] == pytest.approx(float((labels == 3).double().mean()))
    assert summary["errors"]["nearest"] < summary["errors"]["independent"]
    assert summary["errors"]["independent"] < summary["errors"]["uniform"]


def test_test_images_are_of_all_classes():
    labels = torch.tensor([1, 0, 1, 1, 1, 1, 0])
    images = torch.zeros(7, 1, 32, 32, dtype=torch.uint8)
    assert choose_images(ImageSet(images, labels)).tolist() == [1, 6, 0, 2, 3, 4]
    assert choose_images(ImageSet(images)).tolist() == list(range(7))


def test_the_rank_of_the_vectors_suffices(latents):
    truth = moments(latents)
    every, _ = hyperplane_sampler(truth)
    found = sufficient_rank(truth, latents[:50])
    vectors = found.vectors
    assert torch.equal(vectors, vectors.half().double())
    assert vectors.shape[1] <= found.full_rank == every.vectors.shape[1]

    def error(rows):
        unit = nn.functional.normalize(rows, dim=1)
        return moment_errors(Moments(rounding_moments(unit), truth.count), truth).pairs

    assert found.error == pytest.approx(error(vectors))
    assert found.full_error == pytest.approx(error(every.vectors))
    assert found.error <= 1.01 * found.full_error
    wrong = restored_algorithm_1(latents[:50], HyperplaneSampler(vectors)).wrong_bits
    assert wrong.sum() <= restored_algorithm_1(latents[:50], every).wrong_bits.sum()


def test_a_summary_is_of_one_model(folder, trained):
    model, path = folder / "lbae/model.safetensors", folder / EXPLORER.files[0]
    assert read_summary(path, model) is None
    found = summarise(trained, "smoke", sha256_file(model))
    write_json(path, found)
    assert read_summary(path, model) == found
    write_json(path, found | {"model_sha256": "0" * 64})
    assert read_summary(path, model) is None


def test_the_book_has_the_models_whose_latents_are_known(folder, result, trained, monkeypatch):
    assert explorer_page([result]) == "There is no model to explore yet.\n"
    found = summarise(trained, "smoke", sha256_file(folder / "lbae/model.safetensors"))
    write_json(folder / EXPLORER.files[0], found | {"title": '</script>"<b>'})
    text = explorer_page([result])
    assert text.startswith("````{raw} html\n")
    assert text.count('class="lbae-model"') == 1
    assert text.count("</script>") == 2  # of the model, and of the scripts
    stored = re.search(r'class="lbae-model"[^\n]*?">(.*?)</script>', text)[1]
    assert json.loads(stored)["title"] == '</script>"<b>'
    monkeypatch.setattr(page_explorer, "_LARGEST", 1000)
    assert explorer_page([result]) == "There is no model to explore yet.\n"


@pytest.fixture(scope="module")
def functions(browser):
    """A page in which the scripts' functions and classes can be called."""
    page = browser.new_page()
    page.add_script_tag(content=scripts().rsplit("openExplorer(", 1)[0])
    yield page
    page.close()


@pytest.fixture(scope="module")
def site(trained, summary, tmp_path_factory):
    """A page of two models, on disk."""
    path = tmp_path_factory.mktemp("site") / "explorer.html"
    colour = random_model(image_size=64, channels=3, latent_size=20, width=4)
    test = torch.randint(256, (9, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    part = ImageSet(test.to(torch.uint8))
    packed = {name: encode(colour, part.images) for name in ("train", "test")}
    other = Trained(colour, {"train": part, "test": part}, packed, trained.dataset)
    second = summarise(other, "smoke", "1" * 64) | {"title": "Noise"}
    models = [page_model(trained.model, summary), page_model(colour, second)]
    path.write_text(standalone(models), encoding="utf-8")
    return path


@pytest.mark.slow
def test_numbers_survive_the_page(functions):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 5, generator=generator) * 10 ** torch.arange(-7.0, 3, 2)
    for kind, exact in (("f2", values.half().double()), ("f4", values.double())):
        found = functions.evaluate("t => [...readTensor(t).values]", tensor_json(values, kind))
        assert found == exact.flatten().tolist()


@pytest.mark.slow
def test_the_mathematics_is_that_of_the_library(functions, latents, generator):
    sampler, _ = hyperplane_sampler(moments(latents))
    vectors = {"shape": list(sampler.vectors.shape), "values": sampler.vectors.flatten().tolist()}
    functions.evaluate("v => { window.planes = new Hyperplanes(v) }", vectors)

    normals = sampler.normals(20, generator)
    bits = functions.evaluate("rs => rs.map(r => [...planes.bits(r)])", normals.tolist())
    assert bits == sampler.bits(normals).tolist()

    for a, b in (normals[:2], (normals[2], 3 * normals[2])):
        found = functions.evaluate(
            "([a, b]) => [0, 0.25, 0.5, 0.75, 1].map(t => [...slerp(a, b, t)])",
            [a.tolist(), b.tolist()],
        )
        expected = slerp(a[None], b[None], 5)[0]
        torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), expected)

    path = functions.evaluate(
        "([a, b]) => { const p = new Path(planes, a, b);"
        "return [0, 0.25, 0.5, 0.75, 1].map(t => [...p.bits(t)]) }",
        normals[:2].tolist(),
    )
    assert path == interpolate_bits(sampler, normals[:1], normals[1:2], 5)[0].tolist()

    expected = restored_algorithm_1(latents[:20], sampler, 300)
    found = functions.evaluate(
        "rows => rows.map(s => { const f = restoredAlgorithm1(s, planes, 300);"
        "return [f.wrong, f.steps, [...f.normal]] })",
        latents[:20].tolist(),
    )
    assert [row[0] for row in found] == expected.wrong_bits.tolist()
    assert [row[1] for row in found] == expected.steps.tolist()
    normals = torch.tensor([row[2] for row in found], dtype=torch.float64)
    torch.testing.assert_close(normals, expected.normals)

    has = latents[:, 0] > 0
    mean, overall, share = (
        expected_bits(latents, has),
        latents.double().mean(0),
        has.double().mean(),
    )
    found = functions.evaluate(
        "([m, o, s]) => [...contrast(m, o, s)]", [mean.tolist(), overall.tolist(), float(share)]
    )
    torch.testing.assert_close(torch.tensor(found).double(), contrast(latents, has))
    edited = functions.evaluate(
        "([b, p]) => [...setAttribute(b, p, 0.1)]", [latents[0].tolist(), mean.tolist()]
    )
    assert edited == set_attribute(latents[:1], mean, 0.1)[0].tolist()


@pytest.mark.slow
def test_a_transposed_convolution_is_pytorchs(functions):
    generator = torch.Generator().manual_seed(0)
    for size, stride, outputs in ((3, 1, 5), (4, 2, 7)):
        weight = torch.randn(2, outputs, size, size, generator=generator, dtype=torch.float64)
        x = torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)
        expected = conv_transpose2d(x[None], weight, stride=stride, padding=1)[0]
        found = functions.evaluate(
            """([weight, stride, pixels]) => {
                const maps = emptyMaps(4, 2);
                let from = 0;
                eachPixel(maps, (start) => {
                  maps.values.set(pixels[from++], start);
                });
                const made = new TransposedConvolution(weight, stride).apply(maps);
                const out = [];
                eachPixel(made, (at) => out.push([...made.values.slice(at, at + made.channels)]));
                return out;
            }""",
            [
                {"shape": list(weight.shape), "values": weight.flatten().tolist()},
                stride,
                x.permute(1, 2, 0).flatten(0, 1).tolist(),
            ],
        )
        torch.testing.assert_close(
            torch.tensor(found, dtype=torch.float64), expected.permute(1, 2, 0).flatten(0, 1)
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_images_are_pytorchs_and_quick(functions, digits, name):
    """Of 50 latents; encoded digits are latents of MNIST's model, too."""
    if not PUBLISHED[name].exists():
        pytest.skip(f"no published model of {name}")
    model, _ = load_model(PUBLISHED[name])
    bits = unpack_bits(encode(model, digits.test.images[:50]), model.config.latent_size)
    bits[40:] = signs(torch.randn(10, bits.shape[1], generator=torch.Generator().manual_seed(0)))
    expected = decode(model, bits).permute(0, 2, 3, 1).flatten(1).int()
    functions.evaluate("t => { window.d = new Decoder(readTensors(t)) }", decoder_json(model))
    found, times = functions.evaluate(
        """rows => {
            const times = [], images = rows.map((bits) => {
              const start = performance.now();
              const { pixels } = d.decode(bits);
              times.push(performance.now() - start);
              return [...pixels];
            });
            return [images, times];
        }""",
        bits.tolist(),
    )
    assert int((torch.tensor(found) - expected).abs().max()) <= 1
    median = statistics.median(times)
    print(f"{name}: {median:.0f} ms an image")
    if os.getloadavg()[0] < 2 * os.cpu_count():  # else the time is that of other programs
        assert median < 100


@pytest.mark.slow
def test_the_page_answers_from_disk_without_a_network(site, browser):
    page = browser.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(site.as_uri())
    panel, said = page.locator("[role=tabpanel]:visible"), page.locator("[role=status]:visible")
    tab = page.get_by_role("tab")
    pixels = "c => c.toDataURL()"

    assert said.inner_text().startswith("Turned by 30°: ")
    turned = panel.locator("canvas").nth(1)
    before = turned.evaluate(pixels)
    angle = page.get_by_label("Angle")
    angle.focus()
    angle.press("End")
    page.wait_for_function("document.querySelector('[role=status]').textContent.includes('180°')")
    assert (
        said.inner_text() == "Turned by 180°: 0 of 24 bits flipped (orange)."
    )  # Eq. 12: -r has r's bits
    assert angle.get_attribute("aria-valuetext") == "180°"
    assert turned.evaluate(pixels) == panel.locator("canvas").first.evaluate(pixels) != before

    tab.first.focus()
    page.keyboard.press("ArrowRight")
    assert tab.nth(1).get_attribute("aria-selected") == "true"
    last = panel.locator("canvas").last
    page.wait_for_function(
        "document.querySelector('.lbae-wall figure:last-child canvas').width > 1"
    )
    before = last.evaluate(pixels)
    page.get_by_label("Sampler").select_option("uniform")
    page.wait_for_timeout(1500)
    assert last.evaluate(pixels) != before
    assert "of this sampler" in said.inner_text()

    page.keyboard.press("Tab")
    tab.filter(has_text="Interpolation").click()
    page.get_by_role("group", name="Second image").get_by_role("radio").nth(20).check()
    page.get_by_label("Position").press("Home")
    page.wait_for_function("document.querySelector('#lbae-panel-2 p[role=status]')"
                           ".textContent.startsWith('0%')")  # fmt: skip
    assert "0 and 0 wrong bits" in said.inner_text()
    assert re.match(r"0% of the path: 0 of (\d+) differing bits have left .*, \1 have not",
                    said.inner_text())  # fmt: skip

    tab.filter(has_text="Bits").click()
    bit = page.get_by_role("button", name="Bit 1", exact=True)
    pressed = bit.get_attribute("aria-pressed")
    bit.click()
    changed = page.get_by_role("button", name="Bit 1, changed")
    changed.wait_for()
    assert changed.get_attribute("aria-pressed") != pressed
    assert said.inner_text().startswith("1 of 24 bits changed")
    changed.press("ArrowRight")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Bit 2, changed").wait_for()
    page.get_by_role("button", name="As encoded").click()
    bit.wait_for()
    assert said.inner_text().startswith("0 of 24 bits changed")

    tab.filter(has_text="Classes").click()
    page.get_by_label("Class or attribute").select_option(label="7")
    page.get_by_label("Threshold D").press("End")
    page.wait_for_function("document.querySelector('#lbae-panel-4 p[role=status]')"
                           ".textContent.includes('above 1.00')")  # fmt: skip
    assert said.inner_text().startswith("0 of 24 bits have |p| above 1.00")

    page.get_by_label("Model").select_option(label="Noise")
    assert "of 20 bits flipped" in said.inner_text()
    outside = [u for u in asked if not u.startswith(("file:", "data:"))]
    assert (outside, complaints) == ([], [])


@pytest.mark.slow
def test_the_page_is_accessible_and_as_wide_as_the_screen(site, browser):
    from axe_playwright_python.sync_playwright import Axe

    for width, theme, page in every_look(browser):
        page.goto(site.as_uri())
        for tab in page.get_by_role("tab").all():
            tab.click()
            found = Axe().run(page).response["violations"]
            wrong = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
            assert wrong == [], (width, theme, tab.inner_text())
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_a_reader_without_scripts_sees_a_picture(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.as_uri())
    image = page.get_by_role("img")
    assert image.is_visible()
    assert image.get_attribute("alt").startswith("Digits: from one test image to another")
    assert image.bounding_box()["width"] > 300
    context.close()


def test_a_model_whose_latents_are_all_equal_has_no_explorer(trained):
    ones = {name: torch.full_like(packed, 255) for name, packed in trained.packed.items()}
    summary = summarise(dataclasses.replace(trained, packed=ones), "smoke", "0" * 64)
    with pytest.raises(CheckpointError, match=r"latents are equal.* train the model"):
        page_model(trained.model, summary)
