import math

import numpy as np
import pytest
import torch

from lbae_lib.latent.correlation import (
    clip,
    factor,
    gram_matrix,
    nearest,
    repair,
    rounding_moments,
)
from lbae_lib.latent.moments import moments


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
    matrix, _ = nearest(gram, tolerance=1e-11)
    y = ((matrix - gram) @ matrix).diagonal()  # follows from S X = 0 and X_ii = 1
    slack = matrix - gram - torch.diag(y)
    assert float((slack @ matrix).abs().max()) < 1e-6
    assert float(torch.linalg.eigvalsh(slack)[0]) > -1e-6
    assert float(y.abs().max()) > 1e-3


def test_nearest_of_highams_example():
    """Higham (2002), Section 4: the nearest matrix to tridiag(1) of order 3."""
    given = torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.float64)
    matrix, _ = nearest(given, tolerance=1e-12)
    assert float(matrix[0, 1]) == pytest.approx(0.7607, abs=5e-5)
    assert float(matrix[0, 2]) == pytest.approx(0.1573, abs=5e-5)


def test_nearest_says_when_it_does_not_converge(gram):
    with pytest.raises(RuntimeError, match="2 sweeps"):
        nearest(gram, tolerance=1e-14, max_iterations=2)


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
    with pytest.raises(ValueError, match="at most 1"):
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
    with pytest.raises(ValueError, match="not symmetric"):
        repair(skewed)
    with pytest.raises(ValueError, match="rank is 0"):
        factor(correlation, rank=0)
