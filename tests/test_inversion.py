import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from lbae_lib.bits import hamming_distance
from lbae_lib.latent.correlation import factor
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.interpolation import (
    deviation_from_linear,
    flip_path,
    hamming_path,
    interpolate_bits,
    slerp,
)
from lbae_lib.latent.inversion import (
    algorithm_1,
    both_halves,
    centroid_difference,
    exact,
    full_rank,
    least_change,
)
from lbae_lib.latent.moments import moments


@pytest.fixture
def sampler(latents):
    return hyperplane_sampler(moments(latents))[0]


def transcription_of_algorithm_1(s, vectors, half=1):
    """The published pseudo-code, line by line, for one latent; from its negative half with -1."""

    def rounded(r):
        sides = [1 if float(v @ r) >= 0 else -1 for v in vectors]
        return [side * sides[-1] for side in sides[:-1]]

    n = len(s)
    r = sum((1 + half * s[i]) / 2 * vectors[i] for i in range(n))
    best = n
    while True:
        e = [1 if a != b else 0 for a, b in zip(rounded(r), s.tolist(), strict=True)]
        d = sum(e)
        if d >= best:
            return r, d
        r = r + sum(e[i] * vectors[i] for i in range(n))
        r = r / r.norm()
        best = d


def test_algorithm_1_as_published(latents, sampler):
    chosen = latents[:40].double()
    found = algorithm_1(chosen, sampler)
    for index, s in enumerate(chosen):
        normal, wrong = transcription_of_algorithm_1(s, sampler.vectors)
        torch.testing.assert_close(found.normals[index], normal)
        assert int(found.wrong_bits[index]) == wrong


def test_both_halves_are_algorithm_1_from_both_ends(latents, sampler):
    chosen = latents[:20].double()
    found = both_halves(chosen, sampler)
    for index, s in enumerate(chosen):
        positive, _ = transcription_of_algorithm_1(s, sampler.vectors)
        negative, _ = transcription_of_algorithm_1(s, sampler.vectors, half=-1)
        normal = positive / positive.norm() - negative / negative.norm()
        torch.testing.assert_close(found.normals[index], normal)
        wrong = hamming_distance(sampler.bits(normal[None]), s[None])
        assert int(found.wrong_bits[index]) == int(wrong)
    alone = algorithm_1(chosen, sampler).wrong_bits.double().mean()
    assert float(found.wrong_bits.double().mean()) < float(alone)


def test_algorithm_1_of_a_batch_is_that_of_its_latents(latents, sampler):
    whole = algorithm_1(latents[:30], sampler)
    parts = [algorithm_1(latents[i : i + 1], sampler) for i in range(30)]
    torch.testing.assert_close(whole.normals, torch.cat([p.normals for p in parts]))
    assert torch.equal(whole.steps, torch.cat([p.steps for p in parts]))
    assert int(whole.steps.min()) >= 1


def test_centroid_difference_by_hand(latents, sampler):
    s = latents[7].double()
    rows = sampler.vectors[:-1]
    positive, negative = rows[s > 0].sum(0), rows[s < 0].sum(0)
    expected = positive / positive.norm() - negative / negative.norm()
    torch.testing.assert_close(centroid_difference(s[None], sampler).normals[0], expected)


@pytest.mark.parametrize("drawn", [True, False])
def test_exact_inverse_has_no_wrong_bit(latents, sampler, generator, drawn):
    blended = full_rank(sampler)
    found = exact(latents[:1000], blended, generator if drawn else None)
    assert int(found.wrong_bits.sum()) == 0
    assert torch.equal(blended.bits(found.normals).float(), latents[:1000])


def test_equal_margins_flip_all_bits_at_once_and_drawn_margins_do_not(latents, sampler, generator):
    blended = full_rank(sampler)
    pairs = latents[:400]
    paths = {}
    for name, margins in (("equal", None), ("drawn", generator)):
        normals = exact(pairs, blended, margins).normals
        path = blended.bits(slerp(normals[:200], normals[200:], 11))
        paths[name] = hamming_path(path)[0]
    largest = {name: path.diff(dim=1).abs().max(1).values for name, path in paths.items()}
    assert bool((largest["equal"] == 1).all())
    line = torch.linspace(0, 1, 11, dtype=torch.float64)
    assert float((paths["drawn"].mean(0) - line).abs().max()) < 0.05


def test_drawn_normals_are_those_of_random_hyperplanes(sampler, generator):
    """Bits of r ~ N(0, I), then r given those bits: again N(0, I)."""
    blended = full_rank(sampler, 0.2)
    size = blended.latent_size + 1
    bits = blended.bits(blended.normals(4000, generator))
    found = exact(bits, blended, generator, sweeps=20).normals
    # r and -r have the same bits; the inverse takes the one on the boundary's positive side.
    found *= 1 - 2 * torch.randint(2, (len(found), 1), generator=generator)
    assert abs(float(found.square().sum(1).mean()) / size - 1) < 0.03
    covariance = found.T @ found / len(found)
    assert float((covariance - torch.eye(size)).abs().max()) < 0.12
    unconditional = exact(bits, blended, generator, sweeps=0).normals
    assert float(unconditional.square().sum(1).mean()) > 1.5 * size


def test_full_rank_moves_the_matrix_as_it_says(sampler):
    gram = sampler.vectors @ sampler.vectors.T
    blended = full_rank(sampler, 0.2).vectors
    expected = 0.8 * gram + 0.2 * torch.eye(25)
    torch.testing.assert_close(blended @ blended.T, expected)


@pytest.mark.parametrize("start", [algorithm_1, centroid_difference])
def test_least_change_mends_wrong_bits_alone(latents, sampler, start):
    blended = full_rank(sampler)
    chosen = latents[:200].double()
    found = start(chosen, blended)
    assert int(found.wrong_bits.sum()) > 0
    mended = least_change(chosen, blended, found)
    assert int(mended.wrong_bits.max()) == 0
    before, after = (f.normals @ blended.vectors.T for f in (found, mended))
    flipped = torch.where(before[:, -1:] >= 0, before, -before)
    right = blended.bits(found.normals) == chosen
    torch.testing.assert_close(after[:, :-1][right], flipped[:, :-1][right], rtol=1e-6, atol=1e-8)


def test_least_change_leaves_an_exact_inverse_alone(latents, sampler, generator):
    blended = full_rank(sampler)
    found = exact(latents[:50], blended, generator)
    torch.testing.assert_close(least_change(latents[:50], blended, found).normals, found.normals)


def test_least_change_is_exact_from_the_normal_of_no_hyperplane(sampler):
    """Algorithm 1 finds 0 for a latent without positive bits: its centroid is empty."""
    blended, negative = full_rank(sampler), -torch.ones(1, 24)
    found = algorithm_1(negative, blended)
    assert not found.normals.any()
    mended = least_change(negative, blended, found)
    assert mended.wrong_bits.tolist() == [0]
    torch.testing.assert_close(mended.normals, exact(negative, blended, None).normals)
    path = slerp(found.normals, mended.normals, 5)  # zero has no direction
    assert bool(path.isfinite().all())
    torch.testing.assert_close(path[:, -1], normalize(mended.normals, dim=1))


def test_bad_input_is_refused(latents, sampler, generator):
    with pytest.raises(ValueError, match="full_rank"):
        exact(latents[:5], HyperplaneSampler(sampler.vectors[:, :7]), generator)
    with pytest.raises(ValueError, match=r"\(K, 24\)"):
        algorithm_1(latents[:5, :10], sampler)
    with pytest.raises(ValueError, match="only -1 and"):
        centroid_difference(latents[:5] * 2, sampler)
    with pytest.raises(ValueError, match="weight is 0"):
        full_rank(sampler, 0)
    with pytest.raises(ValueError, match="sweeps is -1"):
        exact(latents[:5], full_rank(sampler), generator, sweeps=-1)


def test_slerp_hits_its_ends_at_equal_angles(generator):
    a = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    b = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    path = slerp(a, 3 * b, 9)
    assert path.shape == (20, 9, 6)
    torch.testing.assert_close(path[:, 0], a / a.norm(dim=1, keepdim=True))
    torch.testing.assert_close(path[:, -1], b / b.norm(dim=1, keepdim=True))
    torch.testing.assert_close(path.norm(dim=2), torch.ones(20, 9).double())
    steps = (path[:, 1:] * path[:, :-1]).sum(2)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps))


@settings(deadline=None, max_examples=50)
@given(
    st.integers(2, 6), st.integers(2, 9), st.floats(1e-6, 1e6), st.integers(0, 2**31)
)  # fmt: skip
def test_slerp_is_a_walk_at_constant_speed_that_ignores_lengths(size, steps, length, seed):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 3, size, generator=generator, dtype=torch.float64)
    path = slerp(a, b, steps)
    for other in (slerp(length * a, b / length, steps), slerp(b, a, steps).flip(1)):
        torch.testing.assert_close(path, other, rtol=0, atol=1e-9)
    chords = path.diff(dim=1).norm(dim=2)  # equal chords of a unit circle are equal angles
    torch.testing.assert_close(chords, chords[:, :1].expand_as(chords), rtol=0, atol=1e-9)
    torch.testing.assert_close(path.norm(dim=2), torch.ones(3, steps).double())
    ends = torch.stack([normalize(a, dim=1), normalize(b, dim=1)], dim=1)
    torch.testing.assert_close(path[:, [0, -1]], ends)
    plane = torch.linalg.matrix_rank(path, tol=1e-6)
    assert bool((plane <= 2).all())


def test_bits_along_a_path_are_those_of_its_points(latents, generator):
    sampler, _ = hyperplane_sampler(moments(latents))
    a, b = (sampler.normals(40, generator) for _ in range(2))
    path = interpolate_bits(sampler, a, 3 * b, 7)
    assert torch.equal(path, sampler.bits(slerp(a, b, 7)))
    assert path.dtype == torch.float32


def test_slerp_at_its_limits():
    a = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(slerp(a, 2 * a, 5), a[:, None].expand(1, 5, 2))
    near = torch.tensor([[1.0, 1e-12]], dtype=torch.float64)
    assert bool(slerp(a, near, 5).isfinite().all())
    with pytest.raises(ValueError, match="antipodes"):
        slerp(a, -a, 5)
    with pytest.raises(ValueError, match="steps is 1"):
        slerp(a, a, 1)


def test_hamming_path_leaves_out_pairs_without_distance(latents):
    path = torch.stack([latents[:10], latents[10:20], latents[20:30]], dim=1)
    same = path[:1].clone()
    same[:, -1] = same[:, 0]
    source, target = hamming_path(torch.cat([path, same]))
    assert source.shape == (10, 3)
    length = hamming_distance(path[:, 0], path[:, 2])
    first_step = hamming_distance(path[:, 0], path[:, 1]) / length
    torch.testing.assert_close(source[:, 1], first_step.double(), rtol=1e-6, atol=0)
    assert bool((source[:, 0] == 0).all() and (source[:, 2] == 1).all())
    to_end = [hamming_distance(path[:, k], path[:, 2]) / length for k in range(3)]
    expected = torch.stack(to_end, dim=1).double()
    torch.testing.assert_close(target, expected, rtol=1e-6, atol=0)


def test_distances_from_true_latents_show_what_an_inversion_got_wrong(latents):
    """Three of the first point's bits are wrong, and one of the last point's."""
    source, target = latents[:10], latents[10:20]
    first, last = source.clone(), target.clone()
    first[:, :3] *= -1
    last[:, 0] *= -1
    path = torch.stack([first, last], dim=1)
    length = hamming_distance(source, target).double()
    own, _ = hamming_path(path)
    from_source, from_target = hamming_path(path, (source, target))
    assert own[:, 0].tolist() == [0.0] * 10
    torch.testing.assert_close(from_source[:, 0], 3 / length)
    torch.testing.assert_close(from_target[:, 1], 1 / length)
    assert len(hamming_path(path, (source, source))[0]) == 0


def test_bits_flip_once_in_order_and_as_evenly_as_they_can(latents, generator):
    source, target = latents[:50], latents[50:100]
    order = torch.rand(source.shape, generator=generator)
    path = flip_path(source, target, 6, order)
    assert torch.equal(path[:, 0], source)
    assert torch.equal(path[:, -1], target)
    changed = path != source[:, None]
    assert bool((changed[:, 1:] >= changed[:, :-1]).all())  # a bit stays flipped
    number = changed.sum(2).double()
    even = number[:, -1:] * torch.linspace(0, 1, 6, dtype=torch.float64)
    assert float((number - even).abs().max()) <= 0.5
    for k in range(1, 5):
        done = torch.where(changed[:, k], order, 0).amax(1)
        waiting = torch.where(changed[:, -1] & ~changed[:, k], order, 1).amin(1)
        assert bool((done < waiting).all())
    with pytest.raises(ValueError, match="steps is 1"):
        flip_path(source, target, 1, order)


def test_the_mean_path_is_held_against_a_line():
    straight = torch.linspace(0, 1, 5, dtype=torch.float64).expand(3, 5)
    assert deviation_from_linear(straight) == 0
    jump = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    assert deviation_from_linear(jump) == 0.5
    assert deviation_from_linear(torch.empty(0, 5)) is None


def test_any_factor_will_do(correlation, generator):
    """Cholesky's factor and ours give bits of the same distribution."""
    ours = HyperplaneSampler(factor(correlation))
    paper = HyperplaneSampler(torch.linalg.cholesky(correlation))
    a, b = (moments(s.sample(100_000, generator)).matrix for s in (ours, paper))
    assert float((a - b).abs().max()) < 5 * (2 / 100_000) ** 0.5
