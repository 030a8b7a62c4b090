"""Files of latents: exact round trips, lengths near the entropy, nothing wrong ever decoded."""

import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_bit_models import chain, random_model

from lbae_lib.bits import pack_bits, signs, unpack_bits
from lbae_lib.coding.codec import Codec, load_priors, save_priors
from lbae_lib.coding.coders import decode_bits, encode_bits
from lbae_lib.coding.container import (
    CODER_VERSION,
    CODERS,
    HASH_BYTES,
    OVERHEAD,
    VERSION,
    Container,
)
from lbae_lib.errors import CheckpointError, FormatError
from lbae_lib.latent.bit_models import ONE, Factorised, code_lengths
from lbae_lib.latent.moments import moments

WIDTH = 21
GOLDEN = Path(__file__).parent / "data/coding"  # files of earlier versions, never to be rewritten


@pytest.fixture
def bits(generator):
    return chain(2500, WIDTH, generator)


@pytest.fixture
def codec(bits, generator):
    _, autoregressive = random_model(WIDTH, (16, 16), generator)
    return Codec(
        Factorised.fit(moments(bits)), autoregressive, hashlib.sha256(b"model").hexdigest(),
        hashlib.sha256(b"priors").hexdigest(), channels=1, image_size=32,
    )  # fmt: skip


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("count", [0, 1, 2, 1024, 2500])
def test_round_trip(codec, bits, coder, count):
    content = codec.compress(bits[:count], coder)
    assert torch.equal(unpack_bits(codec.decompress(content), WIDTH), bits[:count])


@pytest.mark.parametrize("coder", ["factorised", "autoregressive"])
def test_a_stream_is_as_long_as_the_model_says(codec, bits, coder):
    model = codec.bit_model(coder)
    ideal = float(code_lengths(model, bits).sum())
    assert ideal <= 8 * len(encode_bits(bits, model)) < 1.01 * ideal
    assert len(codec.compress(bits, coder)) == OVERHEAD + len(encode_bits(bits, model))


def test_a_stream_does_not_depend_on_threads_or_process(codec, bits, tmp_path):
    content = codec.compress(bits)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert codec.compress(bits) == content
    finally:
        torch.set_num_threads(threads)
    save_priors(tmp_path / "p.safetensors", codec.factorised, codec.autoregressive, {})
    (tmp_path / "file.lbae").write_bytes(Container.from_bytes(content).payload)
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from lbae_lib.coding.coders import decode_bits\n"
        "from lbae_lib.coding.codec import load_priors\n"
        "folder = Path(sys.argv[1])\n"
        "model = load_priors(folder / 'p.safetensors')[1]\n"
        f"found = decode_bits((folder / 'file.lbae').read_bytes(), {len(bits)}, {WIDTH}, model)\n"
        "(folder / 'bits').write_bytes(found.numpy().tobytes())\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / "bits").read_bytes() == pack_bits(bits).numpy().tobytes()


def golden_bits():
    """100 latents of 24 bits, by arithmetic alone: runs of equal bits, broken irregularly."""
    k, n = torch.arange(100)[:, None], torch.arange(24)
    flips = ((7 * k * k + 31 * k * n + 5 * n * n) % 101 < 17) | ((n == 0) & (k * k % 7 < 3))
    return torch.where(flips, -1.0, 1.0).cumprod(1)


@pytest.fixture
def golden():
    factorised, autoregressive, _, digest = load_priors(GOLDEN / "priors.safetensors")
    return Codec(factorised, autoregressive, "ab" * 32, digest, 1, 32)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("version", [1, 2])
def test_files_of_all_versions_are_decoded_and_their_payloads_reproduced(golden, version, coder):
    content = (GOLDEN / f"v{version}-{coder}.lbae").read_bytes()
    assert content[4] == version
    assert torch.equal(golden.decompress(content), pack_bits(golden_bits()))
    payload = encode_bits(golden_bits(), golden.bit_model(coder))
    assert payload == Container.from_bytes(content).payload
    if version == VERSION:
        assert golden.compress(golden_bits(), coder) == content


@pytest.mark.parametrize(
    ("version", "coder_version", "reason"),
    [
        (2, CODER_VERSION + 1, "coder version 2, but this library reads up to 1: update lbae_lib"),
        (2, 0, "header is wrong .coder version 0"),
        (1, 1, "header is wrong .coder version 1"),
        (0, 0, "header is wrong .version 0"),
    ],
)
def test_the_version_of_the_coder_is_checked(golden, version, coder_version, reason):
    content = bytearray((GOLDEN / "v2-autoregressive.lbae").read_bytes()[:-HASH_BYTES])
    content[4], content[7] = version, coder_version
    with pytest.raises(FormatError, match=reason):
        golden.decompress(bytes(content) + hashlib.sha256(content).digest()[:HASH_BYTES])


def mutations(content, rng):
    """Endless damage: flipped bits, cuts, foreign ends, random headers."""
    while True:
        changed = bytearray(content)
        kind = rng.integers(4)
        if kind == 0:
            for _ in range(rng.integers(1, 5)):
                changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
        elif kind == 1:
            del changed[rng.integers(len(changed)) :]
        elif kind == 2:
            changed += rng.bytes(int(rng.integers(1, 20)))
        else:
            changed[4:36] = rng.bytes(32)
        yield bytes(changed)


@pytest.mark.parametrize("coder", CODERS)
def test_no_damaged_file_is_decoded(codec, bits, coder):
    rng = np.random.default_rng(CODERS.index(coder))
    content = codec.compress(bits[:40], coder)
    refused = 0
    damaged = mutations(content, rng)
    for _ in range(3500):
        other = next(damaged)
        try:
            found = codec.decompress(other)
        except FormatError:
            refused += 1
        else:
            assert torch.equal(unpack_bits(found, WIDTH), bits[:40])
            assert other == content
    assert refused > 3400


@pytest.mark.parametrize("coder", CODERS)
def test_a_damaged_file_with_a_right_checksum_does_no_harm(codec, bits, coder):
    rng = np.random.default_rng(10 + CODERS.index(coder))
    content = codec.compress(bits[:40], coder)[:-HASH_BYTES]
    outcomes = {"refused": 0, "decoded": 0}
    damaged = mutations(content, rng)
    for _ in range(300):
        body = next(damaged)
        hostile = body + hashlib.sha256(body).digest()[:HASH_BYTES]
        try:
            found = codec.decompress(hostile)
        except FormatError:
            outcomes["refused"] += 1
        else:  # other latents, then; as many as the header says
            assert found.shape == (Container.from_bytes(hostile).count, -(-WIDTH // 8))
            outcomes["decoded"] += 1
    assert outcomes["refused"] > 100


def test_a_header_cannot_ask_for_much_memory(codec, bits):
    content = bytearray(codec.compress(bits[:10])[:-HASH_BYTES])
    content[12:16] = struct.pack("<I", 2**32 - 1)
    hostile = bytes(content) + hashlib.sha256(content).digest()[:HASH_BYTES]
    with pytest.raises(FormatError, match="4,294,967,295 latents"):
        codec.decompress(hostile)


@pytest.mark.parametrize("coder", CODERS)
def test_a_few_bytes_cannot_ask_for_much_work(codec, bits, coder):
    content = bytearray(codec.compress(bits[:10], coder)[:-HASH_BYTES])
    content[12:16] = struct.pack("<I", 80_000_000)
    hostile = bytes(content) + hashlib.sha256(content).digest()[:HASH_BYTES]
    with pytest.raises(FormatError, match=r"bytes, (which hold|but 80000000 latents)"):
        codec.decompress(hostile)


def test_bits_that_cost_the_least_are_decoded():
    model = Factorised(torch.full((8,), ONE - 1))
    bits = torch.ones(50_000, 8)
    payload = encode_bits(bits, model)
    assert len(payload) <= 8
    assert torch.equal(decode_bits(payload, 50_000, 8, model), pack_bits(bits))


def test_refusals_say_why(codec, bits):
    content = codec.compress(bits[:10])
    for other, reason in (
        (b"", "does not begin"),
        (b"\x89PNG\r\n\x1a\n" + content, "does not begin"),
        (content[:20], "cut off"),
        (content[:-1], "damaged or cut off"),
        (content[:4] + bytes([VERSION + 1]) + content[5:], "format version 3.*update lbae_lib"),
    ):
        with pytest.raises(FormatError, match=reason):
            codec.decompress(other)
    foreign = Codec(
        codec.factorised, codec.autoregressive, "ab" * 32, codec.priors, 1, 32
    ).compress(bits[:10])
    with pytest.raises(FormatError, match="other autoencoder"):
        codec.decompress(foreign)
    foreign = Codec(
        codec.factorised, codec.autoregressive, codec.model, "cd" * 32, 1, 32
    )  # fmt: skip
    with pytest.raises(FormatError, match="other priors"):
        codec.decompress(foreign.compress(bits[:10]))
    packed = foreign.compress(bits[:10], "packed")  # needs no priors
    assert len(codec.decompress(packed)) == 10
    with pytest.raises(ValueError, match=r"\(2500, 21\), but must be \(K, 5\)"):
        encode_bits(bits, Factorised(torch.ones(5, dtype=torch.int64)))
    with pytest.raises(ValueError, match="3 latents of 65,536 bits do not fit into a file"):
        Container("packed", 1, 32, 2**16, 3, bytes(8), bytes(8), b"").to_bytes()
    with pytest.raises(FormatError, match="whole number of 32-bit words"):
        decode_bits(b"abc", 1, WIDTH, codec.factorised)


def test_priors_are_kept_exactly(codec, tmp_path, generator):
    path = tmp_path / "prior.safetensors"
    save_priors(path, codec.factorised, codec.autoregressive, {"model_sha256": "ab"})
    factorised, autoregressive, about, digest = load_priors(path)
    rows = signs(torch.randn(30, WIDTH, generator=generator))
    assert torch.equal(factorised.numerators, codec.factorised.numerators)
    expected = codec.autoregressive.probabilities(rows)
    assert torch.equal(autoregressive.probabilities(rows), expected)
    assert about["model_sha256"] == "ab"
    assert len(digest) == 64
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_priors(path)
