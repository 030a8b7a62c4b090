"""The authors' procedure and Algorithm 1 with its sign restored."""

import pytest
import torch

from lbae_lib.bits import signs
from lbae_lib.latent.algorithm_1 import authors_procedure, restored_algorithm_1
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.inversion import algorithm_1, centroid_difference
from lbae_lib.latent.moments import moments


@pytest.fixture
def sampler(latents):
    return hyperplane_sampler(moments(latents), "clip")[0]


def test_the_restored_rule_generates_every_latent_of_the_samplers_range(sampler, generator):
    bits = sampler.sample(500, generator)
    found = restored_algorithm_1(bits, sampler)
    assert int(found.wrong_bits.max()) == 0
    assert torch.equal(sampler.bits(found.normals), bits)
    raw = signs(found.normals @ sampler.vectors.T)
    assert torch.equal(raw[:, :-1].float(), bits)
    assert bool((raw[:, -1] == 1).all())


def test_corrections_stay_below_the_bound_of_the_proof(sampler, generator):
    normals = sampler.normals(200, generator)
    products = normals @ sampler.vectors.T
    normals, products = (x * products[:, -1:].sign() for x in (normals, products))
    margin = products.abs().min(1).values / normals.norm(dim=1)
    bits = sampler.bits(normals)
    found = restored_algorithm_1(bits, sampler, max_steps=100_000)
    targets = torch.cat([bits.double(), torch.ones(200, 1, dtype=torch.float64)], 1)
    start = targets @ sampler.vectors
    size = len(sampler.vectors)
    # (c + γE)² ≤ ‖r₀‖² + (N+1)E with c ≥ 0 gives E ≤ (N+1)/γ² + ‖r₀‖/γ; a step corrects a row.
    bound = size / margin.square() + start.norm(dim=1) / margin
    assert bool((found.steps <= bound).all())
    assert int(found.wrong_bits.max()) == 0


def test_a_latent_out_of_range_is_given_up_and_keeps_wrong_bits():
    """Two equal rows cannot get different signs."""
    row = torch.tensor([1.0, 0.0], dtype=torch.float64)
    vectors = torch.stack([row, row, torch.tensor([0.0, 1.0], dtype=torch.float64)])
    found = restored_algorithm_1(torch.tensor([[1.0, -1.0]]), HyperplaneSampler(vectors), 50)
    assert found.steps.tolist() == [50]
    assert int(found.wrong_bits) > 0


def test_a_sampler_in_one_dimension_by_hand():
    """V = (1, -1, 1): the latent (+1, -1) is generated at once, by r = 3."""
    vectors = torch.tensor([[1.0], [-1.0], [1.0]], dtype=torch.float64)
    found = restored_algorithm_1(torch.tensor([[1.0, -1.0]]), HyperplaneSampler(vectors))
    assert found.normals.tolist() == [[3.0]]
    assert found.steps.tolist() == [0]


def _authors_by_lists(latent, vectors, rounds=10):
    """The procedure as a list of rows that grows, for one latent."""
    halves = []
    for sign in (1.0, -1.0):
        entries = [row for bit, row in zip(latent, vectors[:-1], strict=True) if bit == sign]
        fewest, best = float("inf"), None
        for _ in range(rounds):
            normal = torch.stack(entries).mean(0)
            behind = [row for row in entries if row @ normal < 0]
            if len(behind) >= fewest:
                break
            fewest, best = len(behind), normal
            if not behind:
                break
            entries = entries + behind
        halves.append(best / best.norm())
    difference = halves[0] - halves[1]
    return difference / difference.norm()


def test_the_authors_procedure_is_the_one_with_lists(sampler, latents):
    chosen = latents[:60]
    found = authors_procedure(chosen, sampler)
    for latent, normal in zip(chosen, found.normals, strict=True):
        assert torch.allclose(normal, _authors_by_lists(latent, sampler.vectors), atol=1e-10)


def test_the_authors_procedure_beats_the_printed_readings(sampler, latents):
    chosen = latents[:500]
    raw = signs(centroid_difference(chosen, sampler).normals @ sampler.vectors[:-1].T)
    eq_14 = (raw != chosen).sum(1).double().mean()
    own = authors_procedure(chosen, sampler).wrong_bits.double().mean()
    printed = algorithm_1(chosen, sampler).wrong_bits.double().mean()
    assert own < eq_14 < printed


def test_wrong_input_is_refused(sampler):
    for function in (authors_procedure, restored_algorithm_1):
        with pytest.raises(ValueError, match="only -1 and"):
            function(torch.zeros(2, sampler.latent_size), sampler)
        with pytest.raises(ValueError, match=r"must be \(K, 24\)"):
            function(torch.ones(2, 3), sampler)
