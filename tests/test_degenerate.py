"""Latents that tell little: every public function works, or says what they lack."""

import dataclasses
import math
from types import SimpleNamespace

import pytest
import test_implicit_devices_latent as contract
import test_metrics_devices as metrics
import torch

from lbae_lib.bits import signs
from lbae_lib.coding import quantised
from lbae_lib.errors import LbaeError
from lbae_lib.latent import attributes, bit_models, dichotomized, hyperplane, inversion, moments
from lbae_lib.latent.higher_order import third_moments, weight_distribution
from lbae_lib.latent.interpolation import slerp

SEED = torch.Generator().manual_seed(0)
ROW, ROWS = signs(torch.randn(1, 6, generator=SEED)), signs(torch.randn(240, 6, generator=SEED))
LATENTS = {
    "identical images": ROW.repeat(240, 1),
    "all positive": torch.ones(240, 6),
    "two kinds of images": torch.cat([ROW.repeat(120, 1), -ROW.repeat(120, 1)]),
    "constant bits": torch.cat([torch.ones(240, 3), ROWS[:, 3:]], dim=1),
    "equal bits": ROWS[:, [0, 0, 1, 1, 2, 2]],
}


def assert_finite(found):
    if isinstance(found, torch.Tensor):
        assert not found.is_floating_point() or bool(found.isfinite().all())
    elif isinstance(found, float):
        assert math.isfinite(found)
    elif dataclasses.is_dataclass(found) and not isinstance(found, type):
        for field in dataclasses.fields(found):
            assert_finite(getattr(found, field.name))
    elif isinstance(found, list | tuple):
        for entry in found:
            assert_finite(entry)


@pytest.fixture(scope="module", params=LATENTS)
def on(request, tmp_path_factory):
    """The inputs of the contract, from degenerate latents."""
    latents = LATENTS[request.param]
    plain = contract.bits.signs
    contract.bits.signs = lambda mixed: latents
    contrast = contract.attributes.contrast
    contract.attributes.contrast = lambda latents, has: latents.double().mean(0)
    try:
        found = contract.inputs("cpu", tmp_path_factory.mktemp("priors"))
    finally:
        contract.bits.signs, contract.attributes.contrast = plain, contrast
    return found


@pytest.mark.parametrize("rank", ["full", "own"])
def test_every_function_of_latents_works_or_says_what_they_lack(on, rank):
    if rank == "own":
        sampler = hyperplane.hyperplane_sampler(on.truth)[0]
        given = {"sampler": sampler, "normals": sampler.normals(4, on.generator)}
        on = SimpleNamespace(**vars(on) | given)
    for name, call in contract.CALLS.items():
        try:
            assert_finite(call(on))
        except (ValueError, LbaeError) as error:
            assert str(error), name


def test_latents_of_one_bit():
    bits = ROWS[:, :1]
    truth = moments.moments(bits)
    assert moments.moment_errors(truth, truth).pairs == 0
    assert moments.sampling_noise(truth, 10).pairs == 0
    sampler, _ = dichotomized.DichotomizedGaussian.fit(truth)
    assert sampler.sample(5, torch.Generator().manual_seed(0)).shape == (5, 1)


def test_errors_say_what_is_missing():
    sampler, _ = hyperplane.hyperplane_sampler(moments.moments(LATENTS["identical images"]))
    ends = sampler.normals(2, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="the sampler has rank 1, as its latents are all equal"):
        slerp(ends[:1], ends[1:], 3)
    every = torch.ones(240, dtype=torch.bool)
    with pytest.raises(ValueError, match="all latents have the attribute"):
        attributes.contrast(ROWS, every)
    with pytest.raises(ValueError, match="no latent has the attribute"):
        attributes.contrast(ROWS, ~every)
    singular = hyperplane.HyperplaneSampler(torch.eye(7).double()[[0, 0, 1, 2, 3, 4, 5]])
    for generator in (None, torch.Generator().manual_seed(0)):
        with pytest.raises(ValueError, match="linearly dependent rows"):
            inversion.exact(ROWS[:3], singular, generator)
    with pytest.raises(ValueError, match="1 of 2 numbers are constant"):
        quantised.encode_quantised(torch.zeros(3, 2), 0.1, torch.zeros(2), torch.tensor([1.0, 0]))


@pytest.mark.parametrize(
    "measure",
    [
        moments.moments,
        weight_distribution,
        lambda bits: third_moments(bits, torch.tensor([[0, 1, 2]])),
        lambda bits: bit_models.entropy(bit_models.Factorised.fit(moments.moments(ROWS)), bits),
    ],
)
def test_no_latents_are_refused(measure):
    with pytest.raises(ValueError, match=r"there are no .*at least one"):
        measure(ROWS[:0])


def test_attributes_are_given_as_bool():
    for has in (torch.arange(240), torch.ones(3, dtype=torch.bool)):
        with pytest.raises(ValueError, match="must be bool"):
            attributes.expected_bits(ROWS, has)


@pytest.mark.parametrize("features", [metrics.A[:1].repeat(60, 1), metrics.A[:, :1]])
def test_metrics_of_equal_images_and_of_one_feature(features):
    reference = metrics.evaluation.ReferenceStatistics(features)
    scores = metrics.evaluation.evaluate(features, reference, metrics.FAST)
    assert_finite(scores)
    assert scores.frechet == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="3 generated and 60 reference images are too few"):
        metrics.evaluation.evaluate(features[:3], reference, metrics.FAST)
