"""Figures of latents that have little in them."""

import torch

from lbae_lib.report.figures.spheres import sphere_example, sphere_figures


def test_bits_that_never_change_can_be_drawn(generator):
    example = sphere_example(torch.ones(9, 9, dtype=torch.float64), generator, tries=10)
    assert example.vectors.shape == (4, 3)
    assert example.angle_error < 1e-3
    assert len(sphere_figures(example, torch.tensor([1.0, 2.0, 3.0])).axes) == 2
