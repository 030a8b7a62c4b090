import pytest
import torch

from lbae_lib.bits import signs
from lbae_lib.latent.higher_order import (
    random_triples,
    third_moments,
    total_variation,
    weight_distribution,
)


def test_triples_are_of_different_bits_and_uniform(generator):
    triples = random_triples(5, 60_000, generator)
    assert all(len({*row}) == 3 for row in triples[:2000].tolist())
    assert (triples[:, 0] != triples[:, 1]).all()
    assert ((triples[:, 2] != triples[:, 0]) & (triples[:, 2] != triples[:, 1])).all()
    codes = (triples * torch.tensor([25, 5, 1])).sum(1)
    counts = codes.bincount()[codes.unique()]
    assert len(counts) == 60  # 5·4·3 ordered triples
    assert (counts / 1000 - 1).abs().max() < 0.15
    with pytest.raises(ValueError, match="2 bits"):
        random_triples(2, 5, generator)


def test_third_moments_by_definition(generator):
    bits = signs(torch.randn(20_000, 6, generator=generator))
    bits[:, 5] = bits[:, 0] * bits[:, 1]  # uncorrelated with either, but not with both
    triples = torch.tensor([[0, 1, 5], [0, 1, 2], [3, 4, 2]])
    expected = (bits[:, triples].prod(2)).double().mean(0)
    found = third_moments(bits, triples)
    torch.testing.assert_close(found, expected)
    assert found[0] == 1.0
    assert found[1:].abs().max() < 0.03


def test_weights_are_counted():
    bits = torch.tensor([[1.0, 1.0, -1.0], [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [1.0, -1.0, 1.0]])
    assert weight_distribution(bits).tolist() == [0.25, 0.0, 0.5, 0.25]
    assert total_variation(weight_distribution(bits), weight_distribution(bits[:1])) == 0.5
