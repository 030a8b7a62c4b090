"""Choices behind figures, also of latents that have little in them."""

import torch
from torch.nn.functional import normalize

from companion.analysis.geometry import separating_normal, sphere_example
from companion.figures.spheres import sphere_figures


def test_bits_that_never_change_can_be_drawn(generator):
    example = sphere_example(torch.ones(9, 9, dtype=torch.float64), generator, tries=10)
    assert example.vectors.shape == (4, 3)
    assert example.angle_error < 1e-3
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
