"""Paths between images: their ends, their order, and how their smoothness is measured."""

import pytest
import torch

from companion.analysis.inversions import INVERSIONS, HammingPaths, SignRules
from companion.analysis.path_images import BASELINES, PathEnds, PathMeter, path_images
from companion.experiments.trained import Trained
from lbae_lib.data.images import ImageSet
from lbae_lib.latent.hyperplane import hyperplane_sampler
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.latent.moments import moments
from lbae_lib.metrics.classifier import ClassifierFeatures, FeatureClassifier
from lbae_lib.models.autoencoders import LBAE
from lbae_lib.models.encoding import decode, encode


@pytest.fixture
def ends(network, images):
    torch.manual_seed(0)
    model = LBAE(network).eval()
    parts = {"test": ImageSet(images)}
    trained = Trained(model, parts, {"test": encode(model, images)}, dataset=None)
    return PathEnds(trained, torch.arange(0, 40), torch.arange(40, 80))


@pytest.fixture
def meter(images):
    torch.manual_seed(1)
    return PathMeter(ClassifierFeatures(FeatureClassifier(1, 4), "blobs"), images)


@pytest.mark.parametrize("key", BASELINES)
def test_a_baseline_begins_and_ends_at_the_reconstructions(ends, generator, key):
    path = BASELINES[key].draw(ends, 5, generator)
    assert path.shape == (40, 5, 1, 32, 32)
    assert path.dtype == torch.uint8
    for found, wanted in zip((path[:, 0], path[:, -1]), ends.images, strict=True):
        assert int((found.int() - wanted.int()).abs().max()) <= 1
    assert torch.equal(ends.images[0], decode(ends.trained.model, ends.bits()[0]))


def test_a_blend_is_half_way_in_its_middle(ends, generator):
    middle = BASELINES["pixel_blend"].draw(ends, 3, generator)[:, 1]
    mean = (ends.images[0].float() + ends.images[1].float()) / 2
    assert float((middle.float() - mean).abs().max()) <= 0.51


def test_bits_whose_logits_are_small_at_the_source_flip_first(ends, generator, monkeypatch):
    """The line from logit a to logit b crosses zero at |a| / (|a| + |b|)."""
    seen = {}

    def keep(found, bits):
        seen["bits"] = bits
        return bits

    monkeypatch.setattr("companion.analysis.path_images.path_images", keep)
    BASELINES["logit_order"].draw(ends, 4, generator)
    model, images = ends.trained.model, ends.trained.images["test"].images.float() / 255
    with torch.inference_mode():
        logits = model.head(model.trunk(images))
    source, target = logits[:40], logits[40:]
    for row, path in enumerate(seen["bits"]):
        crossing = source[row].abs() / (source[row].abs() + target[row].abs())
        for bits in path[1:-1]:
            flipped = bits != path[0]
            waiting = (path[-1] != path[0]) & ~flipped
            if bool(flipped.any()) and bool(waiting.any()):
                assert crossing[flipped].max() <= crossing[waiting].min() + 1e-6


def test_decoded_paths_have_the_true_latents_as_ends(ends):
    source, target = ends.bits()
    bits = torch.stack([-source, source, target, -target], dim=1)  # wrong at both ends
    path = path_images(ends, bits)
    assert torch.equal(path[:, 0], ends.images[0])
    assert torch.equal(path[:, -1], ends.images[1])
    assert torch.equal(path[:, 1], ends.images[0])


def test_equal_steps_and_single_jumps_are_told_apart(meter):
    levels = torch.arange(0, 250, 25, dtype=torch.uint8)  # ten equal steps in pixels
    even = levels[None, :, None, None, None].expand(6, 10, 1, 32, 32)
    jump = torch.where(levels < 125, 0, 200).byte()[None, :, None, None, None].expand_as(even)
    assert meter.measure(even).pixels == pytest.approx(1.0)  # the least there is
    assert meter.measure(even).abrupt()[0] == 0
    jumped = meter.measure(jump)
    assert jumped.pixels == pytest.approx(9.0)  # the most: one of nine steps
    assert jumped.features == pytest.approx(9.0, rel=1e-4)
    assert jumped.abrupt() == (1.0, 1.0)
    assert jumped.one_change == 1.0
    assert jumped.third_class == 0.0


def test_a_path_that_stays_is_left_out(meter):
    still = torch.full((3, 4, 1, 32, 32), 7, dtype=torch.uint8)
    moving = still.clone()
    moving[:, 2:] = 90
    found, alone = meter.measure(torch.cat([still, moving])), meter.measure(moving)
    assert (found.pixels, found.abrupt()) == (alone.pixels, alone.abrupt())
    nothing = meter.measure(still)
    assert nothing.abrupt() == (0, 0)
    assert nothing.numbers()["pixels"] is None


def test_attributes_have_no_class_to_keep(images):
    network = FeatureClassifier(1, 4, several=True)
    meter = PathMeter(ClassifierFeatures(network, "blobs"), images)
    scores = meter.measure(images[:80].unflatten(0, (20, 4)))
    assert scores.third_class is None
    assert scores.one_change is None


def test_a_boundary_vector_behind_the_plane_complements_the_latent(latents):
    sampler = hyperplane_sampler(moments(latents), "clip")[0]
    chosen = latents[:300].double()
    found = INVERSIONS["authors"].invert(chosen, sampler, torch.Generator())
    rules = SignRules.of(found, chosen, sampler)
    assert torch.equal(rules.raw, found.wrong_bits)
    expected = torch.where(rules.behind, latents.shape[1] - rules.raw, rules.raw)
    assert torch.equal(rules.by_boundary, expected)
    assert bool(rules.behind.any())


def test_paths_are_measured_both_ways(latents):
    sampler = hyperplane_sampler(moments(latents), "clip")[0]
    chosen = latents[:200].double()
    found = INVERSIONS["authors"].invert(chosen, sampler, torch.Generator())
    path = interpolate_bits(sampler, *found.normals.chunk(2), 10, False)
    measured = HammingPaths.of(path, *chosen.chunk(2))
    own, true = measured.deviations()
    assert float(measured.own[0][:, 0].max()) == 0
    assert float(measured.true[0][:, 0].mean()) > 0
    assert own < true
    assert measured.first_step() == float(measured.true[0][:, 0].mean())
    same = HammingPaths.of(path[:1], chosen[:1], chosen[:1])
    assert same.first_step() is None
