"""Studies: quantisers, pairs of trainings, resuming, intervals, and the pictures that are kept."""

import dataclasses
import io
import json
from collections import namedtuple
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from companion.analysis import quantiser_study, size_study, studies
from companion.analysis.bottleneck_study import LABELS
from companion.analysis.paired import Interval, by_seed
from companion.analysis.quantiser_study import _MAKE, _code_use
from companion.experiments.bottlenecks import BinaryBottleneck
from companion.experiments.images import Images
from companion.experiments.profiles import ScoredStudy, Study
from companion.experiments.quantisers import COMMITMENT, VECTOR, bits_of_indices, indices_of_bits
from companion.experiments.study_training import Task, train_study
from companion.pages.study import interval
from companion.paper.comparisons import study_beats_blur
from companion.paper.decisions import Outcome, by_intervals, only_if
from companion.png import png_of_rows
from lbae_lib.bits import check_bits
from lbae_lib.data.images import ImageSet
from lbae_lib.errors import ConfigError
from lbae_lib.metrics.classifier import ClassifierFeatures, FeatureClassifier
from lbae_lib.metrics.efficientnet_lite import PACKAGE
from lbae_lib.models.config import NetworkConfig

SIZE, TOKEN = 16, 4
QUANTISERS = [key for key in _MAKE if key != "vq_supplement"]


@pytest.fixture
def task(images):
    network = NetworkConfig(32, 1, SIZE, width=2)
    study = Study(latent_size=SIZE, epochs=2, width=2, batch_size=16, learning_rate=3e-3)
    return Task(network, study, "bce", images[:64], images[64:], 0, "cpu")


def trained(task, key):
    return train_study(task, lambda: _MAKE[key](SIZE, TOKEN))


def test_indices_are_written_as_bits():
    indices = torch.tensor([[0, 5], [15, 8]])
    bits = bits_of_indices(indices, 4)
    assert bits[0].tolist() == [-1, -1, -1, -1, -1, 1, -1, 1]
    assert torch.equal(indices_of_bits(bits, 4), indices)


@pytest.mark.parametrize("key", QUANTISERS)
def test_every_quantiser_has_as_many_bits_and_decodes_what_it_encodes(task, key):
    model, curves = trained(task, key)
    bits = model.encode(task.validation)
    check_bits(bits)
    assert bits.shape == (len(task.validation), SIZE)
    values = model.bottleneck.values(bits)
    assert values.shape == (len(bits), model.bottleneck.outputs)
    assert torch.equal(model.bottleneck.nearest(values), bits)  # a code is nearest to itself
    assert model.decode(bits).shape == task.validation.shape
    assert all(len(values) == task.study.epochs for values in curves.values())
    assert curves["validation_loss"][-1] < curves["validation_loss"][0]
    assert float(model.losses(task.validation, "bce").mean()) == pytest.approx(
        curves["validation_loss"][-1]
    )


@pytest.mark.parametrize("key", QUANTISERS)
def test_the_training_step_decodes_the_codes_that_are_kept(task, key):
    model, _ = trained(task, key)
    model.train()
    numbers = model(task.validation.float() / 255)
    before = model.bottleneck.values(model.bottleneck.code(numbers))
    values, _ = model.bottleneck(numbers, 0.5, torch.Generator())
    assert torch.allclose(values, before, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_to_every_bottleneck(task):
    task = dataclasses.replace(task, rate=0.0)
    models = [trained(task, key)[0] for key in ("lbae", "fsq")]
    first, second = (dict(model.trunk.named_parameters()) for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = trained(dataclasses.replace(task, seed=1), "lbae")[0]
    assert not torch.equal(other.trunk.stem.weight, models[0].trunk.stem.weight)


def test_a_training_is_reproducible_and_leaves_the_global_generator(task):
    before = torch.get_rng_state()
    runs = [train_study(task, lambda: BinaryBottleneck("stochastic", SIZE))[1] for _ in range(2)]
    assert runs[0] == runs[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_without_steps_no_bit_flips_and_the_ste_passes_the_whole_gradient_on(task):
    task = dataclasses.replace(task, rate=0.0)
    _, curves = train_study(task, lambda: BinaryBottleneck("identity", SIZE))
    assert curves["flips"] == [0.0, 0.0]
    assert curves["gradient"] == pytest.approx(curves["incoming_gradient"])
    _, damped = train_study(task, lambda: BinaryBottleneck("tanh", SIZE))
    assert damped["gradient"][0] < damped["incoming_gradient"][0]


def test_code_use():
    every = bits_of_indices(torch.arange(16)[:, None], 4)
    assert _code_use(every, 4) == pytest.approx({"used": 1.0, "perplexity": 1.0})
    assert _code_use(every[:1], 4) == pytest.approx({"used": 1 / 16, "perplexity": 1 / 16})


def test_many_tokens_are_quantised_as_few_and_train(task):
    model, curves = train_study(task, lambda: _MAKE["vq_supplement"](SIZE, TOKEN))
    numbers = model(task.validation.float() / 255)
    tokens = numbers.unflatten(1, (-1, VECTOR)).detach()
    codewords = model.bottleneck.codebook.codebook
    nearest = codewords[torch.cdist(tokens, codewords.expand(len(tokens), -1, -1)).argmin(2)]
    assert torch.allclose(
        model.bottleneck.values(model.bottleneck.code(numbers)), nearest.flatten(1)
    )
    before = codewords.clone()
    values, loss = model.train().bottleneck(numbers, 0.5, torch.Generator())
    assert torch.allclose(values, nearest.flatten(1), atol=1e-5)
    assert float(loss.detach()) == pytest.approx(
        COMMITMENT * float((tokens - nearest).square().mean()), rel=1e-4
    )
    assert not torch.equal(codewords, before)  # the running means have moved
    assert curves["validation_loss"][-1] < curves["validation_loss"][0]


def test_tokens_must_divide_the_latent():
    for key in ("vq", "fsq", "lfq"):
        with pytest.raises(ConfigError, match="not a whole number of tokens"):
            _MAKE[key](10, 4)


@pytest.mark.parametrize("scored", [0, 10])
def test_a_second_evaluator_scores_the_first_images(task, images, monkeypatch, scored):
    extractor = ClassifierFeatures(FeatureClassifier(1, 10), "digits")
    monkeypatch.setattr(quantiser_study, "load_extractor", lambda _: extractor)
    study = ScoredStudy(latent_size=SIZE, epochs=1, second_scored=scored)
    task = dataclasses.replace(task, study=study)
    distance, second = quantiser_study._both_distances(task, None, images[:20])
    changed = torch.cat([images[:10], 255 - images[10:20]])
    assert distance(images[:20]) == pytest.approx(0, abs=1e-3) != distance(changed)
    if not scored or find_spec(PACKAGE) is None:
        assert second(changed) is None
    else:
        assert second(changed) == pytest.approx(0, abs=1e-3) != second(255 - changed)


def test_pictures_are_kept_without_loss(images):
    file = png_of_rows(images[:6].unflatten(0, (2, 3)))
    pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(file))))
    assert torch.equal(pixels[32:, 32:64], images[4, 0])


def test_an_interval_decides_by_its_ends():
    found = Interval.of([1.0, 2.0, 3.0])
    assert found.half == pytest.approx(4.3027 * (1 / 3) ** 0.5, rel=1e-4)
    assert Interval.difference([1.0, 2.0], [3.0, 4.0]).below() is True
    assert Interval.difference([3.0, 4.0], [1.0, 2.0]).below() is False
    assert Interval.of([-1.0, 2.0]).below() is None
    with pytest.raises(ValueError, match="at least 2"):
        Interval.of([1.0])


def test_an_interval_is_shown_within_the_range_of_its_measure():
    share = Interval.of([0.97, 0.99, 0.95], 0.0, 1.0)
    assert str(share) == "0.97 (0.92 to 1)"
    assert share.below(1.01) is None  # the decision has the whole interval
    assert interval("used", [0.97, 0.99, 0.95]) == str(share)
    assert interval("test_loss", [1.0, 5.0, 9.0]) == "5 (0 to 14.9)"
    assert by_seed([73.9, 73.92, 60.0]) == "73.9, 73.9, 60"
    assert str(Interval.of([1.0, 5.0, 9.0])) == "5 (-4.94 to 14.9)"
    assert interval("error", [1500.0, 1530.0, 1560.0]) == "1530 (1455 to 1605)"


def test_reconstructions_of_a_study_must_beat_a_strong_blur():
    sharp, blur = [1.0, 1.2, 1.1], [12.0, 12.0, 12.0]
    assert study_beats_blur({"LBAE": (sharp, blur)}).outcome is Outcome.HOLDS
    found = study_beats_blur({"LBAE": (sharp, blur), "VQ-VAE": ([29.0, 30.0, 28.0], blur)})
    assert found.outcome is Outcome.UNDECIDED
    assert found.why.endswith("(VQ-VAE): train longer")
    assert "run the study again" in study_beats_blur({"LBAE": (sharp, [None] * 3)}).why
    # also where the intervals alone are undecided, the reason is the training
    assert only_if(by_intervals(None, rule="rule"), found).why == found.why


def test_what_is_kept_of_the_same_options_is_not_repeated(tmp_path):
    file, options = tmp_path / "tanh-0.json", {"seed": 0, "inputs": {"train": "a"}}
    assert studies._kept(file, options) is None
    content = {"options": options, "found": {"test_loss": 1.0}}
    file.write_text(json.dumps(content))
    assert studies._kept(file, options) == content
    assert studies._kept(file, options | {"seed": 1}) is None
    file.write_text("{")
    assert studies._kept(file, options) is None


def test_a_study_that_is_not_there_is_named(tmp_path):
    from companion.experiments.profiles import load_experiment

    with pytest.raises(ConfigError, match="did you mean 'bottlenecks'"):
        studies.run_study("bottleneck", load_experiment("smoke", "digits"), tmp_path)
    with pytest.raises(ConfigError, match="has no study 'quantisers' of faces"):
        studies.run_study("quantisers", load_experiment("smoke", "faces"), tmp_path)
    assert set(studies.KINDS["bottlenecks"].variants) == set(LABELS)


Part = namedtuple("Part", "images")
Splits = namedtuple("Splits", "splits")


def test_a_narrow_entrance_and_the_moments_of_its_latents(task, images):
    splits = {"test": Part(images[64:])}
    found = {v: size_study.run(v, task, Splits(splits), None) for v in ("full", "maps-1", "double")}
    assert [f["numbers"] for f in found.values()] == [64, 16, 64]
    assert [f["bits"] for f in found.values()] == [SIZE, SIZE, 2 * SIZE]
    for one in found.values():
        spectrum = one["spectrum"]
        assert spectrum == sorted(spectrum, reverse=True)
        assert sum(spectrum[: one["large"]]) >= size_study.TRACE
        assert sum(spectrum[: one["large"] - 1]) < size_study.TRACE
        assert sum(spectrum) == pytest.approx(1)  # the record has them all
        assert 0 <= one["nearest"] <= one["clip"] < 1


def test_the_images_of_a_study_are_a_sample_of_a_folder_that_is_in_the_order_of_its_classes():
    labels = torch.arange(10).repeat_interleave(20)
    part = ImageSet(torch.zeros(200, 1, 2, 2, dtype=torch.uint8), labels, None)
    drawn = studies._drawn(Images(None, {"train": part, "test": part}), 100)
    for found in drawn.values():
        assert len(found) == 100
        assert len(found.labels[:20].unique()) > 5
