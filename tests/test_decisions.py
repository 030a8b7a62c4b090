"""The rules behind verdicts: no answer without noise, and none that the paper itself would fail."""

import itertools
import json
import re
from dataclasses import replace

import pytest
import torch
from conftest import PROJECT

from companion.analysis.editing import EditScore
from companion.analysis.inversions import HammingPaths
from companion.analysis.spread import Spread
from companion.experiments.records import VERDICT_WORDS
from companion.pages.page import verdict_rows
from companion.paper.claims import all_claims, declared
from companion.paper.comparisons import (
    agree,
    better_model,
    better_sampler,
    short_schedule,
    untrusted,
)
from companion.paper.decisions import (
    GATES,
    Decision,
    Outcome,
    Verdict,
    all_hold,
    combined,
    gated,
    only_if,
    outcome_of,
    undecided,
)
from companion.paper.edit_decisions import given, kept, satisfactory, still_the_image
from companion.paper.latent_decisions import (
    Differences,
    almost_linear,
    by_eye,
    closer,
    differences,
    far_away,
    few_steps,
    generates_back,
    inconsistent,
    jackknifed,
    looks_identical,
    moments_right,
    no_abrupt_changes,
    novel,
)
from companion.paper.limits import LIMITS, above, judge, share_error
from companion.paper.score_decisions import covers_classes, fair, published_gaps
from companion.paper.sharpness_decisions import blur_gate, sharp, sharper
from companion.paper.tables import published
from lbae_lib.data.registry import PAPER_DATASETS
from lbae_lib.errors import ConfigError
from lbae_lib.latent.moments import MomentErrors, moment_errors, moments, sampling_noise

HOLDS, FAILS, OPEN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED
OWN, VAE = "LBAE (ours)", "VAE (ours)"


def test_records_know_the_words_of_all_outcomes():
    assert set(Outcome) == set(VERDICT_WORDS) - {"not measurable here"}


def test_every_claim_is_judged_by_its_page_and_no_other():
    judged = {}
    for path in (PROJECT / "notebooks").glob("*.ipynb"):
        code = "".join(
            "".join(cell["source"]) + "\n"
            for cell in json.loads(path.read_text())["cells"]
            if cell["cell_type"] == "code"
        )
        for key in all_claims():
            if f'"{key}"' in code and "nb.verdict(" in code:
                judged.setdefault(key, set()).add(path.stem)
    judged |= {c.key: {c.page} for c in all_claims().values() if c.page == "06_tables"}
    assert all_claims().keys() == judged.keys()
    for key, pages in judged.items():
        assert declared(key).page in pages
    for claim in all_claims().values():
        assert set(claim.gates) <= set(GATES)
        assert (PROJECT / f"notebooks/{claim.page}.ipynb").exists()
        assert re.search("Section|Figure|Table|Appendix", claim.where), claim.key
    with pytest.raises(ConfigError, match="linear"):
        declared("linaer")


def test_a_claim_is_as_good_as_its_parts():
    assert combined([HOLDS, FAILS, OPEN]) is FAILS
    assert combined([HOLDS, OPEN]) is OPEN
    assert combined([HOLDS, Outcome.NOT_APPLICABLE]) is HOLDS
    assert combined([]) is Outcome.NOT_APPLICABLE
    parts = Decision(HOLDS, "A."), undecided("b"), Decision(FAILS, "C.", "c")
    assert all_hold(*parts) == Decision(FAILS, "A. C.", "c")
    assert all_hold(*parts[:2]) == Decision(OPEN, "A.", "b")
    assert only_if(Decision(HOLDS), undecided("why")) == undecided("why")
    assert only_if(Decision(FAILS), Decision(HOLDS)).outcome is FAILS
    for outcomes in itertools.permutations(Outcome, 3):
        assert combined(outcomes) is combined(reversed(outcomes))


def test_a_closed_gate_opens_a_decision():
    closed = {"schedule": "short", "blur": "blurred"}
    for outcome in (HOLDS, FAILS):
        assert gated(Decision(outcome), ["blur"], closed) == undecided("blurred")
    assert gated(Decision(FAILS), ["schedule"], closed) == undecided("short")
    assert gated(Decision(HOLDS), ["schedule"], closed).outcome is HOLDS
    assert gated(Decision(FAILS), [], closed).outcome is FAILS
    assert gated(Decision(FAILS), ["schedule", "blur"], {}).outcome is FAILS
    assert gated(Decision(Outcome.NOT_TESTED), [*closed], closed).outcome is Outcome.NOT_TESTED


@pytest.mark.parametrize("gain", [-1.0, 0.0, 0.04, 0.06, 1.0])
@pytest.mark.parametrize("error", [0.0, 0.01, 0.1])
def test_a_larger_margin_never_helps_a_claim(gain, error):
    order = [HOLDS, OPEN, FAILS]
    found = [above(gain, error, margin).outcome for margin in (0.0, 0.02, 0.05, 0.1, 2.0)]
    assert found == sorted(found, key=order.index)
    more_noise = above(gain, error + 5, 0.05).outcome
    assert more_noise is OPEN  # noise never decides
    assert above(gain, None, 0.05).outcome is OPEN


def test_nothing_is_decided_without_noise():
    assert better_sampler(Spread(1.0, None), Spread(9.0, None), "distance").outcome is OPEN
    assert better_sampler(Spread(1.0, 0.1), Spread(9.0, 0.1), "distance").outcome is HOLDS
    assert better_sampler(Spread(9.0, 0.1), Spread(1.0, 0.1), "distance").outcome is FAILS
    assert better_sampler(Spread(1.0, None), Spread(9.0, 0.1), "distance", noise=0.1).outcome is (
        HOLDS
    )
    for key in LIMITS:
        assert judge(key, 0.5, None).outcome is OPEN
        assert judge(key, None, 0.0).outcome is OPEN
    assert share_error(0.0, 100) > 0
    assert share_error(0.5, 10_000) == pytest.approx(0.005, rel=0.01)


def test_two_models_need_paired_trainings():
    """CelebA's 36.8 against 32.1, with a noise of draws of 0.018, decides nothing."""
    one = better_model([32.1], [36.8], "distance")
    assert one.outcome is OPEN
    assert "train both with 3 seeds" in one.why
    assert better_model([32.1, 32.3], [36.8, 36.9], "distance").outcome is OPEN
    three = [32.1, 32.3, 31.9], [36.8, 36.9, 36.6]
    assert better_model(*three, "distance").outcome is HOLDS
    assert better_model(*reversed(three), "distance").outcome is FAILS
    assert better_model([32.1, 37.0, 30.0], [36.8, 32.0, 35.0], "distance").outcome is OPEN
    equal = [32.1, 32.3, 31.9], [32.2, 32.4, 32.0]  # surely lower, but by less than counts
    assert better_model(*equal, "distance").outcome is FAILS
    with pytest.raises(ValueError, match="pairs"):
        better_model([1.0], [1.0, 2.0], "distance")


def test_evaluators_must_agree():
    yes, no = Decision(HOLDS, "R."), Decision(FAILS)
    assert agree({"a": yes, "b": yes}) == yes
    assert agree({"a": yes, "b": no}).outcome is OPEN
    assert agree({"a": yes, "b": undecided("why")}).why == "by b, why"
    assert "a says “holds”, b says “does not hold”" in agree({"a": yes, "b": no}).why
    assert "evaluators]" in agree({"a": yes}).why
    assert agree({"a": yes, "inception": no}, alone=["inception"]) == no


def test_short_schedules_and_stand_ins_cannot_refute():
    short = short_schedule(1_100_000, "mnist", False)
    assert "1.1 million training images" in short and "the paper's 120 million" in short
    assert short_schedule(60_000_000, "mnist", False) == ""
    assert short_schedule(None, "celeba", False) == ""  # the authors' own weights
    assert "stand in for CIFAR-10" in short_schedule(10**10, "cifar10", True)
    assert "own data sets" in short_schedule(10**10, None, False)


@pytest.mark.parametrize("data", PAPER_DATASETS)
def test_the_papers_own_numbers_pass_its_own_claims(data):
    """Margins and limits that the published numbers fail would test nothing."""
    columns = ("reco", "interp", "sampled", "n01")
    exact = [Spread(published("table_1", OWN, data, column), 0.0) for column in columns]
    for near, far in itertools.pairwise(exact):
        assert better_sampler(near, far, "distance").outcome is HOLDS
    for name, own, other in (
        ("table_1", "reco", "reco"), ("table_2", "reco", "reco"), ("table_1", "sampled", "n01"),
        ("table_2", "sampled", "n01"),
    ):  # fmt: skip
        values = published(name, OWN, data, own), published(name, VAE, data, other)
        assert better_model(*([v] * 3 for v in values), "distance").outcome is HOLDS
    for own, theirs in zip(
        published("table_4", OWN, data, "sampled"),
        published("table_4", VAE, data, "n01"),
        strict=True,
    ):
        assert better_model([own] * 3, [theirs] * 3, "prd").outcome is HOLDS
    assert judge("balanced", published_gaps()[PAPER_DATASETS[data]], 0.0).outcome is HOLDS


def test_sharper_by_a_hair_is_no_verdict():
    generator = torch.Generator().manual_seed(0)
    base = 0.9 + 0.01 * torch.randn(500, generator=generator)
    evidence, answer = sharper(base, base + 0.003)
    assert answer.outcome is OPEN
    assert "standard error" in evidence
    noisy = sharper(base + 0.2, base)[1]
    assert noisy.outcome is OPEN
    assert "larger gradient" in noisy.why


def test_a_model_with_more_epochs_has_a_head_start():
    holds, fails = Decision(HOLDS), Decision(FAILS)
    assert fair(holds, [20, 20]).outcome is HOLDS
    assert fair(holds, [10, 20]).outcome is HOLDS
    assert fair(fails, [20, 10]).outcome is FAILS
    assert fair(holds, [20, 10]).outcome is fair(fails, [10, 20]).outcome is OPEN
    assert "not known" in fair(holds, [None, 20]).why
    assert fair(undecided("why"), [None, 20]) == undecided("why")


def test_the_eye_needs_a_figure_that_can_tell_apart():
    near, far, none = (
        Differences(0.04, 0.0, 0.03),
        Differences(0.05, 0.0, 0.2),
        Differences(0.01, 0.0, 0.01),
    )
    assert looks_identical(near, far, none).outcome is HOLDS
    assert looks_identical(far, far, none).outcome is FAILS
    assert looks_identical(near, near, none).outcome is OPEN
    assert looks_identical(near, far, far).outcome is OPEN
    assert looks_identical(Differences(0.04, 0.09, 0.03), far, none).outcome is FAILS


def test_noise_adds_to_what_the_eye_sees():
    far, none = Differences(0.05, 0.0, 0.2), Differences(0.01, 0.0, 0.01)
    almost = Differences(0.055, 0.0, 0.03)  # beyond the limit, by less than resampled latents
    found = looks_identical(almost, far, none)
    assert found.outcome is OPEN
    assert "may be the noise" in found.why
    assert looks_identical(Differences(0.05, 0.0, 0.05), far, none).outcome is HOLDS
    assert looks_identical(Differences(0.07, 0.0, 0.03), far, none).outcome is FAILS
    # direct rounding that differs by noise alone shows nothing
    assert looks_identical(none, Differences(0.055, 0.0, 0.03), none).outcome is OPEN


def test_positive_bits_alone_do_not_tell_samplers_apart(generator):
    """Latents with the same number of positive bits, whose correlations differ."""
    coins = torch.where(torch.rand(20_000, 12, generator=generator) > 0.5, 1.0, -1.0)
    half = torch.where(torch.rand(20_000, 6, generator=generator) > 0.5, 1.0, -1.0)
    pairs = torch.cat([half, -half], 1)  # always six positive bits of twelve
    balanced = torch.ones(20_000, 12)
    chosen = torch.rand(20_000, 12, generator=generator).argsort(1)[:, :6]
    balanced[torch.arange(20_000)[:, None], chosen] = -1
    drawn = {"clip": pairs, "direct": balanced, "resampled": pairs}
    evidence, answer = by_eye(pairs, drawn, "clip")
    assert answer.outcome is HOLDS
    equal = "by the number of positive bits and by the first moments alone the sampler and direct"
    assert equal in evidence
    evidence, answer = by_eye(pairs, drawn | {"direct": coins}, "clip")
    assert "by the number of positive bits" not in evidence


def test_samples_are_compared_as_figure_2_shows_them(generator):
    base = torch.randn(4000, 3, generator=generator) @ torch.randn(3, 20, generator=generator)
    bits = torch.where(base > 0, 1.0, -1.0)
    assert differences(bits, bits) == (0, 0, 0)
    fair_coins = torch.where(torch.rand(4000, 20, generator=generator) > 0.5, 1.0, -1.0)
    apart = differences(fair_coins, bits)
    assert apart.pairs > 0.5
    halves = bits[torch.randperm(4000, generator=generator)]
    evidence, answer = by_eye(
        bits, {"clip": halves, "direct": fair_coins, "resampled": bits}, "clip"
    )
    assert answer.outcome is HOLDS
    assert "direct rounding" in evidence


def test_moments_are_right_within_the_noise_of_the_training_latents(latents):
    truth = moments(latents)
    noise = sampling_noise(truth, len(latents))
    right = MomentErrors(1.9 * noise.first, 1.9 * noise.pairs)
    first, pairs = replace(right, first=2.1 * noise.first), replace(right, pairs=2.1 * noise.pairs)
    evidence, answer = moments_right(right, truth, first)
    assert answer.outcome is HOLDS
    assert f"noise of {len(latents):,} samples" in evidence
    for wrong in (first, pairs):
        assert moments_right(wrong, truth, pairs)[1].outcome is FAILS
    blind = moments_right(right, truth, right)[1]
    assert blind.outcome is OPEN
    assert "direct rounding passes too" in blind.why


def test_first_and_pair_moments_both_count():
    """On CelebA the authors' sampler is worse than direct rounding in first moments."""
    floor = MomentErrors(pairs=0.002, first=0.002)
    own, direct = MomentErrors(pairs=0.01, first=0.04), MomentErrors(pairs=0.05, first=0.03)
    noise = [MomentErrors(pairs=0.001, first=0.001)] * 2
    assert closer(own, direct, floor, noise)[1].outcome is FAILS
    near = MomentErrors(pairs=0.01, first=0.01)
    assert closer(near, direct, floor, noise)[1].outcome is HOLDS
    assert closer(near, direct, floor, [MomentErrors(pairs=0.1, first=0.1)] * 2)[1].outcome is OPEN


def test_the_noise_of_moment_errors_is_that_of_repeated_draws(generator):
    base = torch.randn(500, 3, generator=generator) @ torch.randn(3, 20, generator=generator)
    pool = torch.where(base > 0, 1.0, -1.0)
    truth = moments(torch.where(torch.rand(4000, 20, generator=generator) > 0.5, 1.0, -1.0))
    draws = [pool[torch.randint(500, (1000,), generator=generator)] for _ in range(60)]
    found = [moment_errors(moments(bits), truth) for bits in draws]
    told = [jackknifed(bits, truth) for bits in draws[:20]]
    for name in ("first", "pairs"):
        spread = torch.tensor([getattr(errors, name) for errors in found]).std()
        mean = torch.tensor([getattr(errors, name) for errors in told]).mean()
        assert 0.7 < float(mean / spread) < 1.4


def test_latents_are_judged_with_their_noise():
    assert novel(0, 2000).outcome is HOLDS
    assert novel(20, 2000).outcome is OPEN
    assert novel(200, 2000).outcome is FAILS
    assert few_steps(torch.tensor([1, 2, 3] * 100))[1].outcome is HOLDS
    assert few_steps(torch.tensor([1, 9] * 100))[1].outcome is FAILS
    assert few_steps(torch.tensor([1]))[1].outcome is OPEN
    assert generates_back(torch.zeros(50), 200)[1].outcome is HOLDS
    assert generates_back(torch.full((50,), 20), 200)[1].outcome is FAILS
    lost = torch.linspace(0.4, 0.5, 100)
    assert inconsistent(lost, lost - 0.3).outcome is HOLDS
    assert inconsistent(lost, lost - 0.001).outcome is FAILS


def test_a_path_is_linear_from_its_own_ends_and_says_how_far_it_is_from_the_true_ones():
    """The authors measure from the path's own ends; on photos the true latents are far away."""
    line = torch.linspace(0, 1, 10).double().expand(50, 10)
    jump, astray = (line > 0.5).double(), line + 0.83

    def judged(own, true, boundary=False):
        return almost_linear(HammingPaths((own, 1 - own), (true, 1 - true)), boundary)

    evidence, answer = judged(line, astray)
    assert answer.outcome is HOLDS
    assert "measured from the path's own ends, with raw signs. " in evidence
    assert evidence.endswith("Measured from the true latents, it deviates by up to 0.83")
    assert "with the signs of Eq. 12" in judged(line, line, boundary=True)[0]
    assert judged(jump, line)[1].outcome is FAILS
    assert judged(line[:0], line[:0])[1].outcome is OPEN


def test_images_of_uniform_bits_must_be_sharp_and_the_model_trained():
    """Bits that a cycle loses do not show that images are sharp."""
    spread = 0.01 * torch.linspace(-1, 1, 500)
    weak, strong = 0.81 + spread, 0.51 + spread  # MNIST's test images with either blur
    assert sharp(0.9 + spread, weak).outcome is HOLDS
    assert sharp(0.75 + spread, weak).outcome is FAILS
    assert sharp(0.81 + spread, weak).outcome is OPEN
    assert "noise" in sharp(1.3 + spread, weak).why
    assert sharp(0 * spread, 0 * spread).outcome is OPEN  # blank images
    inconsistency = inconsistent(0.4 + spread, 0.1 + spread)
    assert all_hold(sharp(0.75 + spread, weak), inconsistency).outcome is FAILS
    assert blur_gate(0.93 + spread, strong) == {}
    for blurry in (0.4 + spread, 0.51 + spread, strong[:1], 0 * strong):
        closed = blur_gate(blurry, strong)
        gates = declared("consistency").gates
        assert gated(all_hold(sharp(0.9 + spread, weak), inconsistency), gates, closed).outcome is (
            OPEN
        )


def test_equal_margins_are_judged_by_the_proof():
    evidence, answer = far_away(8.8, 8.9, 11.4)
    assert answer.outcome is FAILS
    assert "whatever the model" in evidence
    assert "random margins, latents are 11.4 bits away" in evidence
    assert "off-manifold" in all_claims() and not declared("off-manifold").gates


@pytest.mark.parametrize("key", ["smooth", "compresses"])
def test_an_evaluator_that_fails_its_controls_wins_nothing(key):
    closed = {"evaluator": untrusted("photos-cnn-v1").why}
    for outcome in (HOLDS, FAILS):
        decision = gated(Decision(outcome), declared(key).gates, closed)
        assert decision.outcome is OPEN
        assert "photos-cnn-v1 fails its control checks" in decision.why
    still_open = gated(undecided("noise"), declared(key).gates, closed)
    assert still_open == undecided(f"{closed['evaluator']}; noise")


def score(found, kept=None):
    return EditScore(0.1, 10, 0.1, found, kept, 1.0, 0.9)


def test_an_edit_that_cannot_be_seen_cannot_fail():
    before, after = score(0.1), score(0.8)
    assert given(after, before, 0.9, True, 300, 300).outcome is HOLDS
    assert given(before, before, 0.9, True, 300, 300).outcome is FAILS
    fine, other = given(after, before, 0.9, True, 300, 300), score(0.1, 0.7)
    assert still_the_image(fine, after, other, 300).outcome is HOLDS
    replaced = replace(after, recognised=0.01)
    assert still_the_image(fine, replaced, other, 300).outcome is FAILS
    assert still_the_image(fine, score(0.8, 0.8), other, 300).outcome is HOLDS
    assert still_the_image(fine, score(0.8, 0.6), other, 300).outcome is FAILS
    hidden = given(after, before, 0.9, False, 300, 300)
    assert hidden.outcome is OPEN
    again, other = score(0.1, 0.95), score(0.1, 0.7)
    lost, good = kept(score(0.8, 0.7), again, other, 300), kept(score(0.8, 0.92), again, other, 300)
    assert lost.outcome is FAILS
    assert good.outcome is HOLDS
    assert satisfactory(hidden, lost).outcome is OPEN
    assert satisfactory(Decision(HOLDS), good).outcome is HOLDS
    assert satisfactory(Decision(HOLDS), lost).outcome is FAILS
    classes = kept(score(0.8), score(0.1), score(0.1), 300)
    assert satisfactory(Decision(HOLDS), classes).outcome is Outcome.NOT_APPLICABLE
    assert kept(score(0.8, 0.7), score(0.1, 0.71), other, 300).outcome is OPEN  # no floor


def test_classes_may_be_missing():
    even = torch.full((10,), 0.1).double()
    assert covers_classes(even, even, 10_000)[1].outcome is HOLDS
    few = even.clone()
    few[3] = 0.05
    assert covers_classes(few, even, 10_000)[1].outcome is FAILS
    assert covers_classes(even, even, 1000)[1].outcome is OPEN


def test_verdicts_are_read_from_records_of_all_versions():
    verdict = Verdict("linear", "0.003", HOLDS, "printed", decides=False)
    assert Verdict.read(json.loads(json.dumps(verdict.entry()))) == verdict
    early = {"claim": "a", "evidence": "1. Not decided: noise", "verdict": "not measurable here"}
    assert Verdict.read(early).outcome is OPEN
    assert Verdict.read(early | {"evidence": "no labels"}).outcome is Outcome.NOT_TESTED
    assert Verdict.read(early | {"verdict": "holds"}).outcome is HOLDS
    for pointer in ("measured on the page of scores", "on the page of the scores"):
        assert Verdict.read(early | {"evidence": pointer}) is None


def test_readings_stand_under_their_claim():
    readings = [
        Verdict("linear", "a", HOLDS, "authors"), Verdict("linear", "b", FAILS, "printed", False),
        Verdict("flips", "c", FAILS),
    ]  # fmt: skip
    assert outcome_of(readings[:2]) is HOLDS
    rows = verdict_rows(readings)
    assert [row[2] for row in rows] == [HOLDS, HOLDS, FAILS, FAILS]
    assert [row[0] for row in rows[1:3]] == ["↳ authors (decides)", "↳ printed"]
    assert rows[3][0].endswith("flips to the target at once (Section 3.3).")


def test_abrupt_content_refutes_smooth_paths_whatever_the_pixels_do():
    assert no_abrupt_changes(0.0, 0.0, 500).outcome is Outcome.HOLDS
    assert no_abrupt_changes(0.01, 0.3, 500).outcome is Outcome.FAILS
    assert no_abrupt_changes(0.01, 0.1, 500).outcome is Outcome.UNDECIDED


def test_a_bias_that_both_distances_have_does_not_make_a_difference_small():
    near, far = Spread(101.0, 0.1), Spread(104.0, 0.1)
    assert better_sampler(near, far, "distance").outcome is FAILS  # 3% of all
    assert better_sampler(near, far, "distance", floor=100.0).outcome is HOLDS


def test_the_steps_of_two_halves_are_counted_separately():
    assert few_steps(torch.tensor([[1, 6]] * 100))[1].outcome is FAILS
    assert few_steps(torch.tensor([[1, 3]] * 100))[1].outcome is HOLDS


def test_few_images_with_the_attribute_leave_its_ceiling_open():
    before, after = score(0.1), score(0.6)
    assert given(after, before, 0.9, True, 1000, 1000).outcome is HOLDS
    assert given(after, before, 0.9, True, 1000, 9).outcome is OPEN
