"""Distances by number of images, nearest training images, and the fit of losses."""

import math

import pytest
import torch

from companion.analysis.evaluators import Evaluator
from companion.analysis.image_source import ImageSource
from companion.analysis.loss_fit import caption_of_fits, constant_rate, fit_losses
from companion.analysis.memorisation import (
    Neighbours,
    nearest_training_images,
    neighbour_rows,
    spaces,
)
from companion.analysis.sample_size import distances_by_size, sizes
from companion.figures.training_curves import distances_against_size, losses_by_time


class Means:
    """Features: the means of four stripes of an image."""

    name, weights_sha256 = "means", "0" * 64

    def __call__(self, images):
        return images.float().mean(1).unflatten(1, (4, 8)).mean((2, 3))


EVALUATOR = Evaluator(Means())


def noise(count, seed):
    generator = torch.Generator().manual_seed(seed)
    size = (count, 1, 32, 32)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)


def test_sizes_end_with_all_images():
    assert sizes(360) == [100, 200, 360]
    assert sizes(10_000) == [500, 1000, 2000, 5000, 10_000]
    assert sizes(40) == [40]


def test_distances_of_equal_distributions_fall_towards_zero():
    source = ImageSource("noise", lambda count, _: noise(count, 1))
    curve = distances_by_size(EVALUATOR, {"lbae": source}, noise(2500, 2))["lbae"]
    means = [spread.mean for spread in curve.distances]
    assert means[0] > means[-1] > 0
    assert abs(curve.extrapolated) < means[-1]
    figure = distances_against_size({"lbae": curve}, "FD[means]")
    assert len(figure.axes) == 1
    few = distances_by_size(EVALUATOR, {"lbae": source}, noise(40, 2))["lbae"]
    assert few.extrapolated is None


def test_the_nearest_training_image_is_found_in_every_space():
    training, test = noise(1200, 3), noise(150, 4)
    copies = training[[1100, 7, 600]]
    for space in spaces([(EVALUATOR, 5000)], len(training)):
        near = nearest_training_images(space, {"test": test, "copies": copies}, training)
        assert near["copies"].indices.tolist() == [1100, 7, 600]
        assert near["copies"].distances.max() < near["test"].distances.median()
        assert near["copies"].copies(near["test"]) == 1.0
        rows = neighbour_rows(near, {"test": "test images", "copies": "copies"}, space, "test")
        assert rows[0][5] == 1.0
        assert rows[1][6] == "100.0%"


def test_as_many_test_images_as_one_in_a_hundred_pass_for_copies():
    test = Neighbours(torch.arange(1.0, 201.0), torch.zeros(200, dtype=torch.int64))
    assert test.copies(test) == pytest.approx(0.01, abs=0.006)


def test_a_space_may_see_a_part_of_the_training_images():
    training = noise(60, 5)
    _, features = spaces([(EVALUATOR, 50)], len(training))
    near = nearest_training_images(features, {"copies": training[55:]}, training)["copies"]
    assert near.indices.max() < 50


def test_a_power_law_is_found_and_few_epochs_are_not_fitted():
    losses = [99.0, *(60 + 40 * t**-0.7 for t in range(2, 25))]  # the first epoch is left out
    fit = fit_losses(losses)
    assert fit.values == pytest.approx((60, 40, 0.7), rel=1e-3)
    assert fit.at(100) == pytest.approx(60 + 40 * 100**-0.7, rel=1e-3)
    assert fit_losses(losses[:5]) is None
    assert "dashed: fit" in caption_of_fits({"lbae": fit, "vae": None})
    assert caption_of_fits({"lbae": None}) == caption_of_fits({}) == ""  # no such curve is drawn
    assert all(math.isfinite(error) for error in fit.errors)
    flat = fit_losses([5.0] * 10)
    assert flat is None or flat.at(20) == pytest.approx(5.0)


def test_epochs_of_the_cooldown_are_left_out():
    lines = [{"epoch": e} for e in range(1, 8)]
    assert constant_rate(lines, 3)[-1]["epoch"] == 4
    assert len(constant_rate(lines, 0)) == 7
    assert constant_rate(lines, 9) == []


def test_losses_are_drawn_with_and_without_a_fit():
    lines = [
        {"epoch": e, "seconds": 7.0 * e, "train_loss": 9 / e, "validation_loss": 10 / e}
        for e in range(1, 9)
    ]
    fits = {"lbae": fit_losses([line["validation_loss"] for line in lines]), "vae": None}
    histories = {"lbae": ("LBAE", lines), "vae": ("VAE (ours)", lines[:2])}
    figure = losses_by_time(histories, fits, "nats")
    assert [len(axis.lines) for axis in figure.axes] == [5, 4]
