import math
from functools import partial

import numpy as np
import pytest
import torch

from lbae_lib.latent.correlation import (
    alternating_projections,
    clip,
    factor,
    gram_matrix,
    nearest,
    repair,
    rounding_moments,
)
from lbae_lib.latent.moments import moments
from lbae_lib.latent.nearest_correlation import nearest_psd


@pytest.fixture
def gram(latents):
    return gram_matrix(moments(latents).matrix)


def test_both_forms_of_equation_9_agree(latents):
    matrix = moments(latents).matrix
    torch.testing.assert_close(gram_matrix(matrix), torch.cos(math.pi / 2 * (1 - matrix)))


def test_the_gram_matrix_of_correlated_latents_needs_a_repair(gram):
    assert float(torch.linalg.eigvalsh(gram)[0]) < -0.01


@pytest.mark.parametrize("method", ["clip", "nearest"])
def test_a_repair_is_a_correlation_matrix(gram, method):
    repaired = repair(gram, method)
    assert repaired.method == method
    assert repaired.negative == int((torch.linalg.eigvalsh(gram) < -1e-10).sum())
    assert repaired.negative > 0
    assert torch.equal(repaired.matrix.diagonal(), torch.ones(25, dtype=torch.float64))
    assert torch.equal(repaired.matrix, repaired.matrix.T)
    assert float(torch.linalg.eigvalsh(repaired.matrix)[0]) > -1e-12
    assert repaired.change > 0


def test_a_matrix_that_needs_no_repair_is_left_alone(correlation):
    repaired = repair(correlation)
    assert (repaired.method, repaired.negative, repaired.change) == ("none", 0, 0)
    assert torch.equal(repaired.matrix, (correlation + correlation.T) / 2)


def test_nearest_is_nearer_than_clipping(gram):
    assert (nearest(gram)[0] - gram).norm() < (clip(gram)[0] - gram).norm()


def test_nearest_satisfies_its_optimality_conditions(gram):
    """X is nearest if X - G = diag(y) + S with S >= 0 and S X = 0 (Qi and Sun 2006)."""
    matrix, steps = nearest(gram)
    y = ((matrix - gram) @ matrix).diagonal()  # follows from S X = 0 and X_ii = 1
    slack = matrix - gram - torch.diag(y)
    assert float((slack @ matrix).abs().max()) < 1e-7
    assert float(torch.linalg.eigvalsh(slack)[0]) > -1e-7
    assert float(y.abs().max()) > 1e-3
    assert steps < 12


def test_newton_and_alternating_projections_agree(gram):
    slow, sweeps = alternating_projections(gram, tolerance=1e-11)
    fast, steps = nearest(gram)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-8)
    assert steps < sweeps / 3


@pytest.mark.parametrize("positive", [5, 20])
def test_newton_with_few_and_with_many_positive_eigenvalues(positive, generator):
    """Both ways of computing the Jacobian: from the smaller group of eigenvectors."""
    basis, _ = torch.linalg.qr(torch.randn(25, 25, generator=generator, dtype=torch.float64))
    values = torch.rand(25, generator=generator, dtype=torch.float64) + 0.1
    values[positive:] *= -0.5
    given = basis @ values.diag() @ basis.T
    scale = given.diagonal().abs().clamp(min=0.05).rsqrt()
    given = given * torch.outer(scale, scale)
    given = given.fill_diagonal_(1.0)
    fast, _ = nearest(given)
    slow, _ = alternating_projections(given, tolerance=1e-12, max_iterations=20_000)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", [nearest, partial(alternating_projections, tolerance=1e-12)])
def test_nearest_of_highams_example(method):
    """Higham (2002), Section 4: the nearest matrix to tridiag(1) of order 3."""
    given = torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.float64)
    matrix, _ = method(given)
    assert float(matrix[0, 1]) == pytest.approx(0.7607, abs=5e-5)
    assert float(matrix[0, 2]) == pytest.approx(0.1573, abs=5e-5)


def test_a_heavier_boundary_row_keeps_first_moments_better(gram):
    errors = []
    for weight in (1.0, 10.0, 100.0, math.inf):
        matrix, _ = nearest(gram, boundary_weight=weight)
        assert float(torch.linalg.eigvalsh(matrix)[0]) > -1e-9
        torch.testing.assert_close(matrix.diagonal(), torch.ones(25, dtype=torch.float64))
        errors.append(float((matrix - gram)[-1].norm()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 10 * errors[2]
    assert errors[3] == 0.0


def test_a_held_boundary_costs_least_in_the_rest(gram):
    """No other matrix with that row is nearer: a heavy weight approaches the held one."""
    held, _ = nearest(gram, boundary_weight=math.inf)
    heavy, _ = nearest(gram, boundary_weight=1e5)
    torch.testing.assert_close(held, heavy, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="boundary_weight is -1"):
        nearest(gram, boundary_weight=-1)


def test_a_constant_bit_keeps_its_row(latents):
    latents = latents.clone()
    latents[:, 3] = -1.0
    given = gram_matrix(moments(latents).matrix)
    held, _ = nearest(given, boundary_weight=math.inf)
    torch.testing.assert_close(held[3], -given[-1])
    torch.testing.assert_close(held[-1], given[-1])
    assert float(torch.linalg.eigvalsh(held)[0]) > -1e-9


def test_nearest_says_when_it_does_not_converge(gram):
    with pytest.raises(RuntimeError, match="2 sweeps"):
        alternating_projections(gram, tolerance=1e-14, max_iterations=2)
    with pytest.raises(RuntimeError, match="1 Newton steps"):
        nearest_psd(gram, torch.ones(25, dtype=torch.float64), max_iterations=1)
    with pytest.raises(ValueError, match="positive"):
        nearest_psd(gram, torch.zeros(25, dtype=torch.float64))


def test_clipping_is_the_nearest_positive_semidefinite_matrix_of_higham_1988(gram):
    """The authors' route, by SVD, gives the same matrix up to the length of the rows."""
    array = gram.numpy()
    _, s, vt = np.linalg.svd(array)
    polar = (array + vt.T @ np.diag(s) @ vt) / 2
    scale = np.sqrt(np.diag(polar))
    expected = polar / np.outer(scale, scale)
    np.testing.assert_allclose(clip(gram)[0].numpy(), expected, atol=1e-12)


def test_factor_has_unit_rows_and_gives_the_matrix_back(gram, correlation):
    for matrix in (correlation, repair(gram).matrix):
        vectors = factor(matrix)
        torch.testing.assert_close(vectors @ vectors.T, matrix, atol=1e-7, rtol=0)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(matrix)).double())
    assert factor(repair(gram).matrix).shape[1] < len(gram)
    assert factor(correlation, rank=4).shape == (9, 4)


def test_rounding_moments_invert_equation_9(correlation):
    matrix = rounding_moments(factor(correlation))
    torch.testing.assert_close(gram_matrix(matrix), correlation)


def test_bad_matrices_are_refused(gram, correlation):
    with pytest.raises(ValueError, match="repair it first"):
        factor(gram)
    with pytest.raises(ValueError, match=r"moments of bits are in \[-1, 1\]"):
        gram_matrix(torch.tensor([[1.0, 1.5], [1.5, 1.0]]))
    with pytest.raises(ValueError, match="no repair 'guess'"):
        repair(gram, "guess")
    with pytest.raises(ValueError, match="square"):
        repair(gram[:3])
    with pytest.raises(ValueError, match="not finite"):
        repair(gram * float("nan"))
    with pytest.raises(ValueError, match="diagonal"):
        repair(correlation * 0.5)
    skewed = correlation.clone()
    skewed[0, 1] += 0.1
    with pytest.raises(ValueError, match="must be symmetric"):
        repair(skewed)
    with pytest.raises(ValueError, match="rank is 0"):
        factor(correlation, rank=0)


@pytest.mark.parametrize("method", ["clip", "nearest"])
def test_vectors_of_a_repair_have_its_matrix(gram, method):
    repaired = repair(gram, method)
    vectors = repaired.vectors()
    torch.testing.assert_close(vectors @ vectors.T, repaired.matrix, atol=1e-10, rtol=0)
    assert vectors.shape == factor(repaired.matrix).shape
    assert factor(repaired.matrix, 3).shape == (len(gram), 3)


def test_matrices_in_single_precision_are_repaired_in_double(gram):
    single = gram.float()
    single = (single + single.T) / 2
    for method in ("clip", "nearest"):
        assert torch.equal(repair(single, method).matrix, repair(single.double(), method).matrix)
    for function in (clip, nearest, alternating_projections):
        assert torch.equal(function(single)[0], function(single.double())[0])
    assert factor(torch.eye(4)).dtype == torch.float64
    with pytest.raises(ValueError, match="other than 1 on its diagonal"):
        repair(gram + 1e-7 * torch.eye(25))


def test_the_last_newton_step_counts(gram):
    matrix, steps = nearest_psd(gram, torch.ones(25, dtype=torch.float64))
    again, _ = nearest_psd(gram, torch.ones(25, dtype=torch.float64), max_iterations=steps)
    assert torch.equal(again, matrix)
    with pytest.raises(RuntimeError, match=f"in {steps - 1} Newton steps"):
        nearest_psd(gram, torch.ones(25, dtype=torch.float64), max_iterations=steps - 1)
