"""Rate and distortion: what is measured is what was written and read back."""

import pytest
import torch

from companion.analysis.evaluators import Evaluator
from companion.analysis.rate_distortion import (
    FORMATS,
    Originals,
    Point,
    format_points,
    missing_formats,
)
from companion.figures.rate_distortion import entropy_ladder, rate_distortion
from companion.paper.compression_decisions import (
    cheaper_codes,
    compresses,
    lower_curve,
    rate_at,
    sufficient,
)
from companion.paper.decisions import Outcome
from companion.paper.supplement_table import arithmetic
from lbae_lib.coding.quantised import decode_quantised, encode_quantised, quantise
from lbae_lib.data.registry import PAPER_DATASETS
from lbae_lib.errors import FormatError
from lbae_lib.metrics.classifier import ClassifierFeatures, FeatureClassifier


@pytest.mark.parametrize("step", [0.01, 0.3, 5.0])
def test_quantised_latents_come_back_up_to_half_a_step(step, generator):
    mean = torch.linspace(-2, 2, 7, dtype=torch.float64)
    deviation = torch.linspace(0.05, 3, 7, dtype=torch.float64)
    latents = torch.randn(300, 7, generator=generator) * deviation + mean
    payload = encode_quantised(latents, step, mean, deviation)
    back = decode_quantised(payload, 300, step, mean, deviation)
    assert float((back - latents).abs().max()) <= step / 2 + 1e-6
    assert torch.equal(back, (quantise(latents, step) * step).float())
    with pytest.raises(FormatError, match="cut off"):
        decode_quantised(payload[:-1], 300, step, mean, deviation)


def test_a_stream_of_gaussians_is_as_long_as_their_entropy(generator):
    mean, deviation = torch.zeros(5).double(), torch.ones(5).double()
    latents = torch.randn(4000, 5, generator=generator)
    step = 0.1
    bits = 8 * len(encode_quantised(latents, step, mean, deviation)) / latents.numel()
    entropy = 0.5 * torch.log2(2 * torch.pi * torch.e / torch.tensor(step) ** 2)
    assert bits == pytest.approx(float(entropy), rel=0.01)


def test_steps_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        quantise(torch.ones(1, 1), 0.0)
    with pytest.raises(ValueError, match="choose a larger"):
        quantise(torch.ones(1, 1), 1e-9)


@pytest.mark.parametrize("data", PAPER_DATASETS)
def test_the_published_arithmetic_is_that_of_the_networks(data):
    rows = arithmetic(data)
    assert [row.method for row in rows][:2] == ["LBAE (ours)", "VAE (ours)"]
    assert len(rows) == (3 if data == "cifar10" else 2)
    for row in rows:
        assert row.counted == row.published
        assert row.ratio == pytest.approx(row.published_ratio, abs=0.006)
    factor = 8 if data == "mnist" else 1
    assert rows[0].ratio_of_bytes == pytest.approx(factor * rows[0].ratio)


@pytest.mark.parametrize("channels", [1, 3])
def test_formats_are_scored_by_what_they_give_back(channels, generator):
    images = torch.randint(256, (40, channels, 32, 32), generator=generator, dtype=torch.uint8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = FeatureClassifier(channels, 4).eval().requires_grad_(False)
    originals = Originals(images, Evaluator(ClassifierFeatures(network, "test")))
    points = format_points(originals)
    missing = missing_formats()
    assert not {"JPEG", "WebP", "PNG"} & set(missing)
    here = [settings for name, settings in FORMATS.values() if name not in missing]
    assert len(points) == 2 * sum(map(len, here))
    (png,) = [point for point in points if point.method == "png"]
    assert png.error == 0
    assert png.psnr == float("inf")
    assert png.distance == pytest.approx(0, abs=1e-6)
    assert png.bits > 8 * channels * 32 * 32  # noise cannot be compressed
    (mosaic,) = [point for point in points if point.method == "png_mosaic"]
    assert mosaic.error == 0  # each image is found again in its place
    assert mosaic.bits < png.bits  # one header
    jpeg = [point for point in points if point.method == "jpeg"]
    assert [p.bits for p in jpeg] == sorted(p.bits for p in jpeg)
    assert jpeg[0].error > jpeg[-1].error > 0


def points_of(method, *pairs):
    return [Point(method, f"{bits} bits", bits, error, error / 100) for bits, error in pairs]


def test_a_curve_has_the_rate_at_which_it_reaches_a_distortion():
    vae = points_of("vae", (10.0, 400.0), (20.0, 100.0), (30.0, 120.0), (40.0, 25.0))
    assert [p.bits for p in lower_curve(vae)] == [10.0, 20.0, 40.0]
    assert rate_at(vae, 500.0) == 10.0
    assert rate_at(vae, 200.0) == pytest.approx(15.0)  # half of the way in log error
    assert rate_at(vae, 50.0) == pytest.approx(30.0)
    assert rate_at(vae, 24.0) is None


def test_one_training_decides_no_comparison_of_rates():
    vae = points_of("vae", (10.0, 400.0), (40.0, 25.0))
    for lbae in (points_of("lbae", (5.0, 100.0)), points_of("lbae", (90.0, 100.0))):
        evidence, answer = compresses(lbae, vae, "FD")
        assert answer.outcome is Outcome.UNDECIDED
        assert "train both with 3 seeds" in answer.why
        assert "the VAE reaches this MSE at 25.0 bits" in evidence
    # It never reaches the LBAE's distortion, and the LBAE is never as small.
    evidence, answer = compresses(points_of("lbae", (90.0, 9.0)), vae, "FD")
    assert "the VAE never reaches this MSE" in evidence
    assert "train LBAEs of fewer bits, or a VAE of more numbers" in answer.why


def test_the_lbae_has_its_cheaper_code_for_each_size():
    """On photos, independent bits took 266 bits where 256 are enough."""
    rates = {"256 bits": (256.0, 266.4, 240.0), "64 bits": (64.0, 62.8, 50.0)}
    coders = ("packed", "factorised", "autoregressive")
    points = [
        Point("lbae", f"{size}, {coder}", bits, 300.0, 1.0)
        for size, found in rates.items()
        for coder, bits in zip(coders, found, strict=True)
    ]
    points += [Point("vae", "16 numbers, packed", 1.0, 300.0, 1.0)]
    assert {p.setting: p.bits for p in cheaper_codes(points)} == {
        "64 bits, factorised": 62.8, "256 bits, packed": 256.0,
    }  # fmt: skip


def test_a_vae_need_not_pay_for_its_finest_grid():
    vae = points_of("vae", (10.0, 400.0), (40.0, 100.0), (60.0, 99.5), (90.0, 99.2))
    assert sufficient(vae, 99.2).bits == 40.0
    for error, shown in ((99.3, "at 40.0 bits"), (100.0, "at 40.0 bits"), (99.0, "never")):
        evidence, answer = compresses(points_of("lbae", (50.0, error)), vae, "FD")
        assert f"the VAE {'never reaches' if shown == 'never' else 'reaches'} this MSE" in evidence
        assert shown in evidence
        assert "The VAE within 1% of its MSE without rounding: 40.0 bits" in evidence
        assert answer.outcome is Outcome.UNDECIDED


def test_figures_are_drawn():
    points = [
        Point("lbae", f"200 bits, {coder}", bits, 90.0, 0.4)
        for coder, bits in (("packed", 200.0), ("factorised", 190.0), ("autoregressive", 120.0))
    ]
    points += [Point("vae", "16 numbers", b, 80.0, 0.3) for b in (30.0, 60.0)]
    points += [Point("png", "PNG", 3000.0, 0.0, 0.0)]
    figure = rate_distortion(points, "FD[test]")
    assert [axis.get_xlabel() for axis in figure.axes] == ["measured bits per image"] * 2
    figure = entropy_ladder({"factorised": 190.0, "autoregressive": 120.0}, 200)
    assert len(figure.axes[0].patches) == 3


def test_a_damaged_stream_of_gaussians_is_refused_where_it_shows(generator):
    given = (0.1, torch.zeros(5).double(), torch.ones(5).double())
    latents = torch.randn(40, 5, generator=generator)
    payload = encode_quantised(latents, *given)
    with pytest.raises(FormatError, match="continues after its last latent"):
        decode_quantised(payload + b"12345678", 40, *given)
    with pytest.raises(FormatError, match="cannot be decoded"):
        decode_quantised(b"\xff" * len(payload), 40, *given)
    assert decode_quantised(b"", 40, *given).shape == (40, 5)  # there is no checksum
    assert decode_quantised(encode_quantised(latents[:0], *given), 0, *given).shape == (0, 5)
