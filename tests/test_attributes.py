import pytest
import torch

from companion.analysis.attribute_evaluator import (
    AttributeEvaluator,
    best_threshold,
    found_rates,
)
from lbae_lib.bits import signs
from lbae_lib.latent.attributes import (
    bits_set,
    contrast,
    expected_bits,
    set_attribute,
    threshold_changing,
    threshold_for,
)


@pytest.fixture
def faces(generator):
    """Latents whose bit 0 all share, bits 1 and 2 tell the attribute, the others are noise."""
    has = torch.rand(2000, generator=generator) < 0.3
    latents = signs(torch.randn(2000, 12, generator=generator))
    latents[:, 0] = 1.0
    latents[:, 1] = torch.where(has, 1.0, -1.0)
    latents[:, 2] = torch.where(has, -1.0, latents[:, 2])
    return latents, has


def test_equation_17_by_hand():
    direction = torch.tensor([0.5, -0.5, 0.1, -0.1, 0.0])
    latents = torch.tensor([[-1.0, 1.0, -1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, -1.0]])
    edited = set_attribute(latents, direction, 0.1)
    # 0.1 is not outside the threshold of 0.1.
    assert edited.tolist() == [[1.0, -1.0, -1.0, 1.0, 1.0], [1.0, -1.0, 1.0, 1.0, -1.0]]
    assert set_attribute(edited, direction, 0.1).equal(edited)
    assert set_attribute(latents, direction, 1.0).equal(latents)


def test_the_plain_mean_sets_what_all_share_and_the_contrast_does_not(faces):
    latents, has = faces
    mean, difference = expected_bits(latents, has), contrast(latents, has)
    assert mean[0] == 1.0
    assert difference[0] == 0.0
    assert (mean[[1, 2]].abs() == 1).all()
    assert set(torch.nonzero(difference.abs() > 0.3).flatten().tolist()) == {1, 2}
    assert set(torch.nonzero(mean.abs() > 0.3).flatten().tolist()) == {0, 1, 2}


def test_the_opposite_direction_takes_it_away(faces):
    latents, has = faces
    away = set_attribute(latents[has], -contrast(latents, has), 0.3)
    assert (away[:, 1] == -1).all()


def test_a_lower_threshold_sets_more_bits(faces):
    latents, has = faces
    direction = contrast(latents, has)
    counts = [bits_set(direction, d) for d in (0.0, 0.02, 0.1, 0.5, 3.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
    for bits in (0, 1, 5, 12):
        assert bits_set(direction, threshold_for(direction, bits)) in (
            bits,
            11 if bits == 12 else bits,
        )


def test_impossible_edits_are_refused(faces):
    latents, has = faces
    with pytest.raises(ValueError, match="no latent has the attribute"):
        expected_bits(latents, torch.zeros_like(has))
    with pytest.raises(ValueError, match="all latents have the attribute"):
        contrast(latents, torch.ones_like(has))
    with pytest.raises(ValueError, match="12 bits"):
        set_attribute(latents, torch.zeros(5))
    with pytest.raises(ValueError, match="must not be negative"):
        set_attribute(latents, torch.zeros(12), -0.1)


def test_the_best_threshold_tells_the_attribute_apart():
    logits = torch.tensor([-5.0, -4.0, -3.5, -3.0, -2.0, -1.0])
    has = torch.tensor([False, False, False, True, False, True])
    # Above -3.25 are both that have it and one of the four that do not: no cut does better.
    assert float(best_threshold(logits, has)) == pytest.approx(-3.25)
    assert float(best_threshold(logits, torch.ones(6, dtype=torch.bool))) == 0


def test_an_attribute_of_no_test_image_is_not_measurable():
    has = torch.tensor([[True, False], [True, False], [False, False], [False, False]])
    seen = torch.tensor([[True, True], [False, False], [False, False], [False, False]])
    rates = found_rates(seen, has)
    assert rates[0].tolist() == [0.5, 0.0]
    assert rates[1, 0].isnan() and float(rates[1, 1]) == 0.25
    evaluator = AttributeEvaluator(None, torch.zeros(2), {"their reconstructions": rates})
    assert evaluator.measurable.tolist() == [True, False]


def test_an_attribute_must_be_told_apart_in_test_images_and_in_reconstructions():
    """Eyeglasses were found in 92% of the test faces without them."""
    nan = float("nan")
    real = torch.tensor([[0.96, 0.92], [0.9, 0.1], [0.9, 0.1], [nan, 0.1], [0.8, 0.5]])
    decoded = torch.tensor([[0.8, 0.4], [0.6, 0.5], [0.8, 0.2], [0.8, 0.1], [0.8, 0.5]])
    rates = {"test images": real.double(), "their reconstructions": decoded.double()}
    evaluator = AttributeEvaluator(None, torch.zeros(5), rates)
    assert evaluator.measurable.tolist() == [False, False, True, False, True]
    assert evaluator.others(2).tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 1.0])
def test_a_threshold_is_chosen_by_the_share_of_bits_that_it_changes(faces, share):
    latents, has = faces
    for direction in (expected_bits(latents, has), contrast(latents, has)):
        threshold = threshold_changing(latents, direction, share)

        def changed(limit, direction=direction):
            return float((set_attribute(latents, direction, limit) != latents).double().mean())

        assert changed(threshold) <= share
        lower = direction.abs()[direction.abs() < threshold]
        if len(lower):  # one bit more would be too many
            assert changed(float(lower.max())) > share
