import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lbae_lib.bits import (
    check_bits,
    hamming_distance,
    nearest_distance,
    pack_bits,
    signs,
    unpack_bits,
)


def test_zero_rounds_up():
    assert signs(torch.tensor([0.0, -0.0, 1e-30, -1e-30])).tolist() == [1, 1, 1, -1]


@st.composite
def rows_of_bits(draw):
    """Lists of equally many bits, possibly no list."""
    width = draw(st.integers(1, 40))
    return width, draw(st.lists(st.lists(st.sampled_from([-1, 1]), min_size=width, max_size=width)))


@given(rows_of_bits(), st.sampled_from([torch.float32, torch.float64, torch.int8]))
def test_packing_round_trip(rows, dtype):
    width, values = rows
    bits = torch.tensor(values, dtype=dtype).reshape(-1, width)
    packed = pack_bits(bits)
    assert packed.dtype == torch.uint8
    assert packed.shape == (len(bits), -(-width // 8))
    assert bool((packed[:, -1] % 2 ** (-width % 8) == 0).all())  # spare bits are 0
    back = unpack_bits(packed, width, dtype)
    assert back.dtype == dtype
    assert torch.equal(back, bits)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=6))
def test_whole_bytes_survive_unpacking(values):
    packed = torch.tensor([values], dtype=torch.uint8)
    assert torch.equal(pack_bits(unpack_bits(packed, 8 * len(values))), packed)


def test_packing_is_most_significant_bit_first():
    assert pack_bits(torch.tensor([[1.0, -1, -1, -1, -1, -1, -1, -1, 1]])).tolist() == [[128, 128]]


def test_packing_refuses_what_is_no_bit():
    with pytest.raises(ValueError, match=r"span \[-1, 0.5\]"):
        pack_bits(torch.tensor([[-1.0, 0.5]]))
    with pytest.raises(ValueError, match="latents must hold only"):
        check_bits(torch.tensor([float("nan")]), "latents")


def test_unpacking_refuses_a_width_that_does_not_fit():
    with pytest.raises(ValueError, match="17 bits need 3 bytes, but these have 2"):
        unpack_bits(torch.zeros(1, 2, dtype=torch.uint8), 17)


def test_hamming_distance_is_half_the_l1_distance(latents):
    a, b = latents[:100], latents[100:200]
    assert torch.equal(hamming_distance(a, b).float(), (a - b).abs().sum(1) / 2)


def test_nearest_distance_against_brute_force(latents, monkeypatch):
    monkeypatch.setattr("lbae_lib.bits._CHUNK", 7)
    a, b = latents[:30], latents[30:90]
    brute = torch.stack([hamming_distance(row, b).min() for row in a])
    assert torch.equal(nearest_distance(a, b), brute)
    assert nearest_distance(b[:5], b).tolist() == [0] * 5
