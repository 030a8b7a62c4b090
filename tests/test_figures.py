"""Choices behind figures, also of latents that have little in them."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from companion.analysis.geometry import (
    change_of_angles,
    separating_normal,
    small_example,
    sphere_example,
)
from companion.analysis.inversions import HammingPaths
from companion.analysis.latent_distributions import NAMES, LatentDistributions
from companion.analysis.sampler_study import Sampled
from companion.analysis.samplers import LABELS
from companion.figures.curves import hamming_paths
from companion.figures.fonts import literal
from companion.figures.grids import image_grids, image_rows, tile
from companion.figures.sampler_study import error_plane
from companion.figures.spheres import sphere_figures
from companion.figures.studies import study_curves
from companion.figures.style import save_figure
from companion.paper.latent_decisions import differences
from lbae_lib.latent.higher_order import total_variation
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.moments import moments


def test_bits_that_never_change_can_be_drawn(generator):
    example = sphere_example(torch.ones(9, 9, dtype=torch.float64), generator, tries=10)
    assert example.vectors.shape == (4, 3)
    assert example.angle_error < 1e-3
    assert change_of_angles(example) == "no angle changes by 0.1 degrees or more"
    bent = dataclasses.replace(example, angle_error=2.345)
    assert change_of_angles(bent) == "angles change by at most 2.3 degrees"
    figure = sphere_figures(example, torch.tensor([1.0, 2.0, 3.0]), torch.eye(9))
    assert len(figure.axes) == 4  # H, its colours, and two spheres


def test_the_hyperplane_shown_gives_both_signs(generator):
    gram = torch.eye(9, dtype=torch.float64)
    example = sphere_example(gram, generator, tries=10)
    for _ in range(50):
        sides = example.vectors[:-1] @ separating_normal(example, generator) > 0
        assert set(sides.tolist()) == {False, True}
    never = sphere_example(torch.ones_like(gram), generator, tries=10)
    assert separating_normal(never, generator).shape == (3,)


def test_parallel_vectors_are_not_chosen(generator):
    """Bits that are one and the same, up to sign, say nothing drawn beside each other."""
    rows = normalize(torch.randn(12, 3, generator=generator, dtype=torch.float64))
    rows[:8] = rows[0]
    example = sphere_example(rows @ rows.T, generator, tries=500)
    assert len(set(range(1, 9)) & {int(name.split()[1]) for name in example.names}) <= 1
    assert (example.vectors @ example.vectors.T).tril(-1).abs().max() < 0.95


def test_two_bits_are_drawn_where_three_do_not_fit(generator):
    fits = sphere_example(torch.eye(30, dtype=torch.float64), generator, tries=50)
    assert len(fits.names) == 2  # four orthogonal vectors have no room in three dimensions
    assert fits.angle_error < 1e-6
    torch.testing.assert_close(fits.vectors @ fits.vectors.T, torch.eye(3, dtype=torch.float64))
    normal = separating_normal(fits, generator)
    assert len(sphere_figures(fits, normal, torch.eye(30)).axes) == 4


def pixels_of(figure, folder):
    save_figure(figure, folder, "grid")
    return np.asarray(Image.open(folder / "grid.png").convert("RGB"))


def is_drawn(picture, images, columns, scale):
    """Whether the images are in the picture with each pixel as a square of ``scale`` pixels."""
    wanted = np.kron(tile(images, columns), np.ones((scale, scale, 1), dtype=np.uint8))
    height, width = wanted.shape[:2]
    places = np.ndindex(picture.shape[0] - height + 1, picture.shape[1] - width + 1)
    return any(np.array_equal(picture[y : y + height, x : x + width], wanted) for y, x in places)


@pytest.mark.parametrize(("side", "columns", "scale"), [(64, 8, 1), (32, 4, 3), (32, 7, 2)])
def test_no_pixel_of_a_grid_is_dropped(generator, tmp_path, side, columns, scale):
    """Three grids of eight columns of 64-pixel faces are wider than the width asked for."""
    groups = [
        (name, torch.randint(256, (2 * columns, 3, side, side), generator=generator).byte())
        for name in ("a", "b", "c")
    ]
    picture = pixels_of(image_grids(groups, columns), tmp_path)
    for _, images in groups:
        assert is_drawn(picture, images, columns, scale)


@pytest.mark.parametrize("labels", [(), ("a row", "another row, with a long label", "the last")])
def test_no_pixel_of_labelled_rows_is_dropped(generator, tmp_path, labels):
    rows = torch.randint(256, (3, 12, 1, 32, 32), generator=generator).byte()
    picture = pixels_of(image_rows(rows, ["one", "two"], labels), tmp_path)
    assert is_drawn(picture, rows.flatten(0, 1), 12, 3)


def test_distributions_of_equal_latents_are_equal(latents):
    """Shares sum to one, whatever lies outside the bins; bins of counts have whole widths."""
    truth = LatentDistributions.of(latents, moments(latents), torch.Generator().manual_seed(0))
    other = LatentDistributions.of(-latents, moments(-latents), torch.Generator().manual_seed(0))
    for name in NAMES:
        edges = truth.edges(name)
        assert len(edges) <= 45
        for found in (truth, other):
            assert float(found.shares(name, edges).sum()) == pytest.approx(1)
    assert set(np.diff(truth.edges("positive"))) == {1.0}
    assert truth.rms_error("first", truth) == 0
    assert truth.rms_error("distances", truth) is None
    assert other.rms_error("pairs", truth) == 0  # complements have the same pair moments
    assert other.rms_error("first", truth) > 0


def test_figure_2_has_the_bins_of_the_verdict(latents):
    both = latents[::2], latents[1::2, :]
    one, other = (LatentDistributions.of(b, moments(b), torch.Generator()) for b in both)
    found = [
        total_variation(one.shares(name, edges), other.shares(name, edges))
        for name in ("positive", "pairs")
        for edges in [other.edges(name)]
    ]
    counted = differences(*both)
    assert found == pytest.approx([counted.positive, counted.pairs], abs=0.01)  # but for the ends
    assert np.diff(other.edges("pairs")) == pytest.approx(0.05)


def test_three_bits_on_a_sphere_are_correlated_and_two_are_not(generator):
    rows = normalize(torch.randn(12, 4, generator=generator, dtype=torch.float64))
    cosine = [
        float((own.vectors @ own.vectors.T).tril(-1).abs().max())
        for own in (small_example(HyperplaneSampler(rows), n, generator) for n in (2, 3))
    ]
    assert cosine[0] < 0.25 < cosine[1]


@pytest.mark.parametrize(("largest", "top"), [(1.0, 1.0), (1.4, 1.4)])
def test_a_band_ends_where_no_distance_is(largest, top):
    own = torch.tensor([[0.0, largest, 1.0], [0.0, largest, 1.0], [0.0, 0.2, 1.0]])
    found = HammingPaths((own, own.flip(1)), (own, own.flip(1)))
    (axis,) = hamming_paths({"exact": found}).axes
    bands = [path.vertices[:, 1] for band in axis.collections for path in band.get_paths()]
    assert max(map(np.max, bands)) == pytest.approx(top, abs=0.01)


def test_a_share_that_is_always_0_is_drawn_from_0_to_1():
    curves = {"share": {"tanh": [[0.0, 0.0], [0.0, 0.0]]}, "some": {"tanh": [[0.0, 0.2]]}}
    none, some = study_curves(curves, {"tanh": "tanh"}).axes
    assert none.get_ylim() == (0, 1)
    assert some.get_ylim()[0] == 0
    assert 0.2 <= some.get_ylim()[1] < 0.3


def test_samplers_near_the_floor_have_a_panel():
    zero = torch.zeros(1)
    keys = list(LABELS)[:6]
    near = {key: Sampled(1.0 + 0.01 * i, 1.0, 0, 0, 0, zero, zero) for i, key in enumerate(keys)}
    near["resampled"] = near[keys[0]]
    far = {key: Sampled(2.0 + i, 1.0, 0, 0, 0, zero, zero) for i, key in enumerate(keys)}
    assert len(error_plane(near).axes) == 2
    assert len(error_plane(far | {"resampled": near["resampled"]}).axes) == 1


def test_a_name_is_broken_after_an_underscore():
    assert literal("Mouth_Slightly_Open", 18) == "Mouth_Slightly_\nOpen"
    assert literal("a__b", 18) == "a__b"
    rows = torch.zeros(1, 2, 1, 8, 8, dtype=torch.uint8)
    name = "Immunohistochemistry"  # wider than a line
    assert name in [text.get_text() for text in image_rows(rows, (), [name]).texts]
