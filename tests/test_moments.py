import pytest
import torch

from lbae_lib.bits import pack_bits
from lbae_lib.latent.moments import (
    marginal_entropy,
    moment_errors,
    moments,
    moments_of_packed,
    sampling_noise,
    upper_triangle,
)


def test_moments_are_exact(latents):
    found = moments(latents)
    double = latents.double()
    assert torch.equal(found.second, double.T @ double / len(latents))
    assert torch.equal(found.first, double.mean(0))
    assert torch.equal(found.matrix.diagonal(), torch.ones(25, dtype=torch.float64))
    torch.testing.assert_close(found.covariance, torch.cov(double.T, correction=0))


def test_moments_do_not_depend_on_batches_or_order(latents, monkeypatch):
    whole = moments(latents)
    for name, size in (("_CHUNK", 17), ("_BLOCK", 5)):
        monkeypatch.setattr(f"lbae_lib.latent.moments.{name}", size)
        assert torch.equal(moments(latents.flip(0)).matrix, whole.matrix)
    assert torch.equal(moments_of_packed(pack_bits(latents), 24).matrix, whole.matrix)


def test_moments_need_latents_that_are_bits(latents):
    with pytest.raises(ValueError, match="at least one"):
        moments(latents[:0])
    with pytest.raises(ValueError, match="only -1 and"):
        moments(latents * 0.5)


def test_upper_triangle_order():
    assert upper_triangle(torch.arange(9).view(3, 3)).tolist() == [1, 2, 5]


def test_moment_errors_are_root_mean_squares(latents):
    a, b = moments(latents[:2000]), moments(latents[2000:])
    errors = moment_errors(a, b)
    pairs = [(a.second - b.second)[i, j] ** 2 for i in range(24) for j in range(i + 1, 24)]
    assert errors.pairs == pytest.approx(float(torch.stack(pairs).mean().sqrt()))
    assert errors.first == pytest.approx(float((a.first - b.first).square().mean().sqrt()))
    same = moment_errors(a, a)
    assert (same.first, same.pairs) == (0, 0)


def test_marginal_entropy_of_known_coins():
    entropy = marginal_entropy(torch.tensor([0.0, 1.0, -1.0, 0.5]))
    assert entropy.tolist() == pytest.approx([1, 0, 0, 0.8112781244591328])


def test_the_noise_of_samples_is_that_of_drawing_them(latents, generator):
    truth = moments(latents)
    draws = []
    for _ in range(200):
        rows = torch.randint(len(latents), (500,), generator=generator)
        draws.append(moment_errors(moments(latents[rows]), truth))
    expected = sampling_noise(truth, 500)
    for name in ("first", "pairs"):
        found = torch.tensor([getattr(errors, name) for errors in draws]).square().mean().sqrt()
        assert float(found) == pytest.approx(getattr(expected, name), rel=0.05)


def test_one_bit_has_moments():
    for positive in (0, 200, 500):
        bits = torch.full((500, 1), -1.0)
        bits[:positive] = 1
        mean = (2 * positive - 500) / 500
        assert moments(bits).matrix.tolist() == [[1, mean], [mean, 1]]
