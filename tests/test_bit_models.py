"""Models that give every bit a probability: they are distributions, exact, and learn."""

import dataclasses
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lbae_lib.bits import signs
from lbae_lib.latent.autoregressive import fit_autoregressive
from lbae_lib.latent.bit_models import ONE, Factorised, code_lengths, draw, entropy
from lbae_lib.latent.chow_liu import chow_liu_tree, mutual_information, tree_code_length
from lbae_lib.latent.integer_network import Autoregressive, _logistic_table
from lbae_lib.latent.masked_network import MaskedNetwork
from lbae_lib.latent.moments import marginal_entropy, moments

FLIP = 0.1
ENTROPY = float(marginal_entropy(torch.tensor(1 - 2 * FLIP)))  # of a flip, in bits


def chain(count, width, generator, flip=FLIP):
    """Each bit is the one before it, flipped with a tenth's probability."""
    changes = torch.where(torch.rand(count, width, generator=generator) < flip, -1.0, 1.0)
    changes[:, 0] = signs(torch.randn(count, generator=generator))
    return changes.cumprod(1)


def everything(width):
    return torch.tensor(list(itertools.product([-1.0, 1.0], repeat=width)))


def random_model(width, hidden, generator):
    order = torch.randperm(width, generator=generator)
    network = MaskedNetwork(order, hidden, torch.full((width,), 0.4), generator)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) * 0.4
    return network, Autoregressive.rounded(network)


HIDDEN = [(), (7,), (20, 13), (5, 40, 9)]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_probabilities_of_all_latents_add_up_to_one(hidden, generator):
    _, model = random_model(9, hidden, generator)
    lengths = code_lengths(model, everything(9))
    assert float((-lengths * math.log(2)).exp().sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_integers_stay_close_to_the_network_they_are_rounded_from(hidden, generator):
    network, model = random_model(30, hidden, generator)
    bits = signs(torch.randn(200, 30, generator=generator))
    real = torch.sigmoid(network(bits[:, model.order])).detach().double()
    whole = model.probabilities(bits)[:, model.order] / ONE
    assert float((real - whole).abs().max()) < 0.01


@pytest.mark.parametrize("hidden", HIDDEN)
def test_bit_by_bit_the_probabilities_are_the_same_to_the_last_unit(hidden, generator):
    _, model = random_model(30, hidden, generator)
    bits = signs(torch.randn(50, 30, generator=generator))
    expected = model.probabilities(bits)
    state, before = model.conditionals(50), None
    for bit in model.order.tolist():
        assert torch.equal(state.send(before), expected[:, bit])
        before = bits[:, bit]


@settings(deadline=None, max_examples=30)
@given(
    st.integers(2, 12),
    st.lists(st.integers(1, 9), max_size=3),
    st.floats(0.01, 30),
    st.integers(0, 2**31),
)
def test_probabilities_are_never_certain_and_one_at_a_time_the_same(width, hidden, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    network, _ = random_model(width, hidden, generator)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= scale
    bits = signs(torch.randn(7, width, generator=generator))
    for model in (Autoregressive.rounded(network), Factorised.fit(moments(bits))):
        expected = model.probabilities(bits)
        assert expected.dtype == torch.int64
        assert 1 <= int(expected.min()) <= int(expected.max()) < ONE
        state, before = model.conditionals(7), None
        for bit in model.order.tolist():
            assert torch.equal(state.send(before), expected[:, bit])
            before = bits[:, bit]


def test_probabilities_do_not_depend_on_threads_or_batch(generator):
    _, model = random_model(60, (100, 100), generator)
    bits = signs(torch.randn(64, 60, generator=generator))
    expected = model.probabilities(bits)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert torch.equal(model.probabilities(bits), expected)
    finally:
        torch.set_num_threads(threads)
    alone = torch.cat([model.probabilities(row[None]) for row in bits])
    assert torch.equal(alone, expected)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_bit_depends_on_earlier_ones_alone(hidden, generator):
    _, model = random_model(12, hidden, generator)
    bits = signs(torch.randn(40, 12, generator=generator))
    before = model.probabilities(bits)
    position = 6
    changed = bits.clone()
    changed[:, model.order[position:]] *= -1
    after = model.probabilities(changed)
    early, late = model.order[: position + 1], model.order[position + 1 :]
    assert torch.equal(before[:, early], after[:, early])
    assert not torch.equal(before[:, late], after[:, late])


def test_the_logistic_table_is_the_logistic_function():
    table = _logistic_table().double() / ONE
    logits = torch.linspace(-12, 12, len(table), dtype=torch.float64)
    assert float((table - torch.sigmoid(logits)).abs().max()) <= 1.01 / ONE
    assert table.min() > 0
    assert table.max() < 1


def test_samples_have_the_probabilities_of_the_model(generator):
    _, model = random_model(5, (8,), generator)
    expected = (-code_lengths(model, everything(5)) * math.log(2)).exp()
    drawn = model.sample(40_000, generator)
    weights = 2.0 ** torch.arange(4, -1, -1)
    found = torch.bincount(((drawn > 0).float() @ weights).long(), minlength=32) / len(drawn)
    spread = (expected * (1 - expected) / len(drawn)).sqrt()
    assert float(((found - expected) / spread).abs().max()) < 4


def test_factorised_bits(generator):
    bits = signs(torch.randn(3000, 6, generator=generator) + torch.linspace(-2, 2, 6))
    bits[:, 5] = 1.0  # constant: may change all the same
    truth = moments(bits)
    model = Factorised.fit(truth)
    assert entropy(model, bits) == pytest.approx(
        float(marginal_entropy(truth.first).sum()), abs=0.01
    )
    assert math.isfinite(entropy(model, -bits))
    drawn = draw(model, 20_000, generator)
    assert torch.allclose(drawn.double().mean(0), truth.first, atol=0.03)
    assert next(model.conditionals(3)).tolist() == [int(model.numerators[0])] * 3


def test_the_tree_of_a_chain_is_the_chain(generator):
    bits = chain(20_000, 8, generator)
    truth = moments(bits)
    order, parents = chow_liu_tree(truth)
    assert sorted(order.tolist()) == list(range(8))
    for bit, parent in enumerate(parents.tolist()):
        assert parent == -1 or abs(bit - parent) == 1
    exact = 1 + 7 * ENTROPY
    assert tree_code_length(truth, bits) == pytest.approx(exact, rel=0.02)
    assert tree_code_length(truth, chain(5000, 8, generator)) == pytest.approx(exact, rel=0.02)
    information = mutual_information(truth)
    assert torch.allclose(information, information.T)
    assert float(information[0, 1]) == pytest.approx(1 - ENTROPY, abs=0.02)


def test_the_fit_reaches_the_entropy_of_a_chain(generator):
    train, validation, test = chain(9000, 10, generator).split(3000)
    exact = 1 + 9 * ENTROPY
    fitted = fit_autoregressive(
        train,
        validation,
        hidden=(),
        learning_rate=0.05,
        epochs=20,
        patience=20,
        show_progress=False,
    )
    assert fitted.validation[0] == pytest.approx(10, abs=0.05)
    assert fitted.validation[fitted.epoch] == min(fitted.validation)
    assert entropy(fitted.model, test) == pytest.approx(exact, rel=0.02)


def test_hidden_units_learn_what_pairs_do_not_show(generator):
    free = signs(torch.randn(6000, 6, generator=generator))
    bits = torch.cat([free, free[:, :1] * free[:, 1:2]], dim=1)  # no pair of them depends
    train, validation = bits[:5000], bits[5000:]
    options = {"learning_rate": 0.01, "epochs": 20, "batch_size": 100, "show_progress": False}
    plain = fit_autoregressive(train, validation, hidden=(), **options)
    deep = fit_autoregressive(train, validation, hidden=(64,), **options)
    assert plain.validation[plain.epoch] > 6.9
    assert deep.validation[deep.epoch] < 6.1


def test_the_same_seed_fits_the_same_model(generator):
    bits = chain(600, 8, generator)
    first, second = (
        fit_autoregressive(bits[:500], bits[500:], hidden=(9,), epochs=2, show_progress=False)
        for _ in range(2)
    )
    assert first.validation == second.validation
    assert torch.equal(first.model.skip, second.model.skip)


def test_what_is_no_such_model_is_refused(generator):
    _, model = random_model(6, (5,), generator)
    with pytest.raises(ValueError, match="comes after"):
        dataclasses.replace(model, skip=torch.ones(6, 6, dtype=torch.float64))
    with pytest.raises(ValueError, match="exact arithmetic"):
        dataclasses.replace(model, output_bias=model.output_bias + 2.0**50)
    with pytest.raises(ValueError, match="must be integers"):
        dataclasses.replace(model, output_bias=model.output_bias + 0.5)
    with pytest.raises(ValueError, match="each of the 6 bits once"):
        dataclasses.replace(model, order=torch.zeros(6, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"is \(6, 4\), but must be \(6, 5\)"):
        dataclasses.replace(model, output=model.output[:, :4])
    with pytest.raises(ValueError, match="the same number of bits"):
        fit_autoregressive(torch.ones(4, 3), torch.ones(4, 2))
    assert isinstance(model, Autoregressive)


def test_a_tree_learned_from_few_latents_is_never_certain(generator):
    few = torch.ones(4, 5)
    few[2:, 3] = -1
    assert math.isfinite(tree_code_length(moments(few), -few))


def test_tree_probabilities_add_up(generator):
    truth = moments(chain(500, 6, generator, flip=0.3))
    lengths = [tree_code_length(truth, row[None]) for row in everything(6)]
    assert sum(2.0**-length for length in lengths) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    "use", [entropy, code_lengths, lambda model, bits: model.probabilities(bits)]
)
def test_latents_of_another_width_or_with_other_values_are_refused(use, generator):
    truth = moments(signs(torch.randn(40, 12, generator=generator)))
    for model in (Factorised.fit(truth), random_model(12, (5,), generator)[1]):
        for width in (1, 11, 13):
            with pytest.raises(ValueError, match=rf"\(2, {width}\), but must be \(K, 12\)"):
                use(model, torch.ones(2, width))
        with pytest.raises(ValueError, match="only -1 and"):
            use(model, torch.zeros(2, 12))
        with pytest.raises(ValueError, match=r"must be \(K, 12\)"):
            tree_code_length(truth, torch.ones(2, 13))
