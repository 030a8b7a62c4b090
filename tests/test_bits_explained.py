"""Effects of single bits, the decoder's rows, linear probes, and perturbed latents."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from companion.analysis import probes
from companion.analysis.bit_effects import BitEffects, participation_ratio, varying_bits
from companion.analysis.decoder_rows import DecoderRows, selection_error
from companion.analysis.probes import majority, not_converged, probe, targets
from companion.analysis.robustness import FLIPPED, PerturbedModel, squared_error
from companion.figures.bits import accuracies, dictionary, effect_maps, effect_spread, robustness
from companion.figures.rate_distortion import entropy_orders
from companion.figures.style import save_figure
from lbae_lib.bits import signs
from lbae_lib.data.images import ImageSet
from lbae_lib.metrics.classifier import FeatureClassifier
from lbae_lib.models.autoencoders import LBAE, VAE
from lbae_lib.models.config import NetworkConfig

SMALL = {"image_size": 32, "channels": 1, "width": 2}


@pytest.fixture
def model():
    """An LBAE of 12 bits, of which bit 3 has no row; its decoder is made to respond."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        found = LBAE(NetworkConfig(**SMALL, latent_size=12)).eval()
    for norm in (m for m in found.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_var.fill_(0.01)
    with torch.no_grad():
        found.decoder.linear.weight[:, 3] = 0
        found.decoder.linear.weight[:, 5] *= 4
    return found


@pytest.fixture
def bits(generator):
    return signs(torch.randn(40, 12, generator=generator))


def saved(figure, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, folder, "figure")
    return figure


def test_the_effect_of_a_bit_is_that_of_its_row(model, bits, tmp_path):
    effects = BitEffects.measure(model, bits, torch.arange(12))
    assert int(effects.bits[effects.order[0]]) == 5
    assert int(effects.order[-1]) == 3
    assert effects.squared[3] == 0
    assert effects.signed[3].abs().max() == 0
    assert bool((effects.signed.abs() <= effects.absolute + 1e-6).all())
    assert float(effects.shares.sum()) == pytest.approx(1)
    with torch.inference_mode():
        high, low = bits.clone(), bits.clone()
        high[:, 5], low[:, 5] = 1, -1
        expected = (model.decode(high) - model.decode(low)).mean(0)
    torch.testing.assert_close(effects.signed[5], expected, atol=1 / 255, rtol=0)
    saved(effect_maps(effects), tmp_path)
    norms = DecoderRows.of(model).norms
    assert len(saved(effect_spread(effects, norms), tmp_path).axes) == 2


def test_effects_of_a_single_bit_can_be_drawn(model, bits, tmp_path):
    effects = BitEffects.measure(model, bits[:1], torch.tensor([5]))
    saved(effect_maps(effects), tmp_path)
    saved(effect_spread(effects, DecoderRows.of(model).norms), tmp_path)


def test_the_participation_ratio_counts_equal_values():
    assert participation_ratio(torch.tensor([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)
    assert participation_ratio(torch.tensor([5.0, 0.0])) == pytest.approx(1)


def test_constant_bits_do_not_vary(bits):
    bits[:, [2, 7]] = torch.tensor([1.0, -1.0])
    assert varying_bits(bits).tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11]
    assert varying_bits(bits[:1]).tolist() == []


def test_the_first_layer_sums_the_rows_of_ones(model, bits):
    assert selection_error(model, bits) < 1e-6
    rows = DecoderRows.of(model)
    all_on = torch.ones(1, 12)
    torch.testing.assert_close(rows.sum_of_selected(all_on)[0], rows.rows.sum(0) + rows.bias)
    with torch.no_grad():
        model.decoder.linear.register_forward_hook(lambda *given: given[2] * 1.001)
    assert selection_error(model, bits) > 1e-4


def test_norms_cosines_and_rank_of_known_rows(tmp_path):
    rows = DecoderRows(torch.eye(4, 6).double() * 3, torch.zeros(6).double())
    assert rows.norms.tolist() == [3] * 4
    assert rows.cosines.tolist() == [0] * 6
    assert rows.effective_rank == pytest.approx(4)
    one = DecoderRows(torch.ones(4, 6).double(), torch.zeros(6).double())
    assert one.effective_rank == pytest.approx(1)
    torch.testing.assert_close(one.cosines, torch.ones(6).double())
    for found in (rows, one):
        assert len(saved(dictionary(found), tmp_path).axes) == 3


def test_rows_before_training_have_the_expected_norm():
    model = LBAE(NetworkConfig(**SMALL, latent_size=50))
    rows = DecoderRows.of(model)
    assert float(rows.norms.square().mean().sqrt()) == pytest.approx(
        DecoderRows.untrained_norm(*rows.rows.shape), rel=0.05
    )


def labelled(generator, labels=None, attributes=None):
    sizes = {"train": 200, "validation": 60, "test": 80}
    blank = torch.zeros(200, 1, 32, 32, dtype=torch.uint8)
    images, at = {}, 0
    for split, count in sizes.items():
        part = slice(at, at + count)
        given = [None if values is None else values[part] for values in (labels, attributes)]
        images[split] = ImageSet(blank[:count], *given)
        at += count
    return SimpleNamespace(images=images)


def split_of(values):
    return {"train": values[:200], "validation": values[200:260], "test": values[260:]}


def test_a_probe_finds_classes_that_are_there_and_no_others(generator, tmp_path):
    classes = torch.randint(3, (340,), generator=generator)
    kind, y = targets(labelled(generator, classes))
    assert kind == "classes"
    told = torch.nn.functional.one_hot(classes, 3) + 0.1 * torch.randn(340, 3, generator=generator)
    rows = torch.arange(200)
    found = {
        "told": probe(split_of(told), y, rows),
        "noise": probe(split_of(torch.randn(340, 3, generator=generator)), y, rows),
        "constant": probe(split_of(torch.ones(340, 2)), y, rows),
        "nothing": majority(y, rows),
    }
    assert found["told"].accuracy == 1
    assert found["told"].error == 0
    assert abs(found["noise"].accuracy - 1 / 3) < 4 * found["noise"].error
    assert found["constant"].accuracy == pytest.approx(found["nothing"].accuracy)
    p = found["nothing"].accuracy
    assert found["nothing"].error == pytest.approx(math.sqrt(p * (1 - p) / 80))
    assert found["nothing"].penalty is None
    saved(accuracies(found, "test accuracy"), tmp_path)


def test_a_fit_that_stops_early_is_named_and_warns_nobody(generator, monkeypatch, recwarn):
    classes = torch.randint(0, 4, (340,), generator=generator)
    told = torch.eye(4)[classes] + torch.randn(340, 4, generator=generator)
    y = {s: part.numpy() for s, part in split_of(classes).items()}
    rows = torch.arange(len(y["train"]))
    ended = probe(split_of(told), y, rows)
    assert ended.converged
    assert not_converged({"told": ended}) == ""
    monkeypatch.setattr(probes, "_ITERATIONS", 1)
    stopped = probe(split_of(told), y, rows)
    assert not stopped.converged
    assert not_converged({"told": stopped}) == " Fits that stopped after 1 iterations: told."
    assert not recwarn.list


def test_attributes_are_probed_one_by_one_and_constant_ones_left_out(generator):
    table = torch.randint(2, (340, 3), generator=generator, dtype=torch.uint8)
    table[:, 1] = 1
    kind, y = targets(labelled(generator, attributes=table))
    assert kind == "attributes"
    assert y["train"].shape == (200, 2)
    assert y["train"].dtype == np.bool_
    told = probe(split_of(table.float()), y, torch.arange(100))
    assert told.accuracy == 1
    assert majority(y, torch.arange(100)).accuracy < 0.7
    one = probe(split_of(table[:, :1].float()), y, torch.arange(200))
    assert 0.5 < one.accuracy < 0.95


def test_without_labels_there_is_nothing_to_probe(generator):
    same = torch.zeros(340, dtype=torch.int64)
    for given in ({}, {"labels": same}, {"attributes": torch.ones(340, 2, dtype=torch.uint8)}):
        assert targets(labelled(generator, **given)) == ("nothing", {})


@pytest.mark.parametrize("several", [False, True])
def test_flips_and_noise_are_compared_at_equal_distortion(
    model, bits, generator, several, tmp_path
):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(1)
        vae = VAE(NetworkConfig(**SMALL, latent_size=4, kind="vae")).eval()
        classifier = FeatureClassifier(1, 3, several).eval()
    for norm in (m for m in vae.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_var.fill_(0.01)
    originals = torch.full((40, 1, 32, 32), 128, dtype=torch.uint8)
    own = PerturbedModel(model, bits, originals, classifier, shown=2)
    flips = own.flipped(FLIPPED, generator)
    assert flips[0].to_reconstruction == 0
    assert flips[0].kept == 1
    assert flips[0].images.shape == (2, 1, 32, 32)
    assert flips[-1].to_reconstruction > flips[2].to_reconstruction
    means = torch.randn(40, 4, generator=generator)
    other = PerturbedModel(vae, means, originals, classifier)
    least = squared_error(other.reconstructions, originals)
    wanted = [least / 2, 1.3 * least, 1e9]
    below, matched, above = other.noisy(wanted, generator)
    assert below is None
    assert above is None
    assert matched.to_original == pytest.approx(wanted[1], rel=0.05)
    assert 0 <= matched.kept <= 1
    assert 0 <= own.chance <= 1
    swapped = own.measure(bits.roll(1, 0), 0.0)  # each image becomes another one
    assert swapped.kept == pytest.approx(own.chance)
    assert len(saved(robustness(flips, [matched], "kept", own.chance), tmp_path).axes) == 2
    assert len(saved(robustness(flips, [], "kept"), tmp_path).axes) == 2


def test_without_a_classifier_only_distortion_is_measured(model, bits, generator, tmp_path):
    originals = torch.zeros(40, 1, 32, 32, dtype=torch.uint8)
    flips = PerturbedModel(model, bits, originals).flipped((0.0, 0.5), generator)
    assert flips[0].kept is None
    assert PerturbedModel(model, bits, originals).chance is None
    assert len(saved(robustness(flips, [], ""), tmp_path).axes) == 1


def test_flipping_all_bits_gives_the_opposite_latents(model, bits, generator):
    originals = torch.zeros(40, 1, 32, 32, dtype=torch.uint8)
    own = PerturbedModel(model, bits, originals)
    (all_flipped,) = own.flipped((1.0,), generator)
    opposite = own.measure(-bits, 1.0)
    assert all_flipped.to_original == opposite.to_original
    assert all_flipped.to_reconstruction == opposite.to_reconstruction > 0


def test_orders_that_save_nothing_can_be_drawn(tmp_path):
    entropies = {"factorised": 9.0, "tree": 9.5, "logistic": 7.0, "autoregressive": 7.0}
    figure = saved(entropy_orders(entropies, 10), tmp_path)
    assert figure.axes[0].get_xlabel() == "bits per latent"
