"""The rows of the tables, on a tiny model whose latents are correlated bits."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch
from conftest import PROJECT

from companion.analysis.controls import control_sources, passes_controls
from companion.analysis.evaluators import Evaluator
from companion.analysis.image_sources import (
    interpolations,
    lbae_sources,
    vae_sources,
)
from companion.analysis.samplers import FittedSamplers
from companion.analysis.score_records import ScoreRecord, with_current_names
from companion.analysis.scoring import METRICS, Scoreboard
from companion.analysis.second_scores import second_board
from companion.analysis.spread import Spread, lower
from companion.experiments.records import write_record
from companion.experiments.trained import Baseline, Trained
from companion.pages import controls as page_controls
from companion.paper.beside_published import across, beside_published, claims, published_table
from companion.paper.claims import declared
from companion.paper.decisions import Decision, Outcome, gated
from companion.paper.published_claims import claims_by_published_numbers
from companion.paper.score_decisions import Judge, Panel
from companion.workflow.notebooks import notebook_needs
from lbae_lib.bits import pack_bits
from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import ConfigError
from lbae_lib.metrics.classifier import ClassifierFeatures
from lbae_lib.metrics.classifier_training import train_classifier
from lbae_lib.metrics.evaluate import DEFAULT_PROTOCOL
from lbae_lib.models.autoencoders import build_model
from lbae_lib.models.config import NetworkConfig
from lbae_lib.models.encoding import decode, encode_posterior

FAST = dataclasses.replace(
    DEFAULT_PROTOCOL, name="fast", kernel_subsets=2, clusters=4, angles=51, runs=1
)
LBAE_ROWS = {
    "reco", "uniform", "independent", "direct", "clip", "nearest", "mixture",
    "interp_algorithm_1", "interp_centroids", "interp_both_halves", "interp_exact",
    "interp_authors", "interp_restored", "between_authors", "between_restored", "between_exact",
    "between_random_order", "between_logit_order", "between_first_layer", "between_pixel_blend",
}  # fmt: skip


@pytest.fixture
def parts(images):
    labels = torch.arange(len(images)) % 4
    sets = {"train": slice(0, 48), "validation": slice(48, 56), "test": slice(56, 80)}
    return {name: ImageSet(images[rows], labels[rows]) for name, rows in sets.items()}


def tiny(kind):
    torch.manual_seed(0)
    shape = NetworkConfig(image_size=32, channels=1, latent_size=10, width=2, kind=kind)
    return build_model(shape).eval().requires_grad_(False)


@pytest.fixture
def trained(parts, generator):
    """A tiny LBAE, with latents that are not constant as an untrained encoder's may be."""
    model = tiny("lbae")
    base = torch.randn(80, 3, generator=generator) @ torch.randn(3, 10, generator=generator)
    packed = pack_bits(torch.where(base > 0, 1.0, -1.0))
    rows = {"train": slice(0, 48), "validation": slice(48, 56), "test": slice(56, 80)}
    dataset = Dataset("blobs", "Blobs", parts["train"], parts["test"], ("a", "b", "c", "d"))
    return Trained(model, parts, {name: packed[rows[name]] for name in rows}, dataset)


@pytest.fixture
def baseline(parts):
    model = tiny("vae")
    found = {name: encode_posterior(model, part.images) for name, part in parts.items()}
    return Baseline(
        model, parts, {n: f[0] for n, f in found.items()}, {n: f[1] for n, f in found.items()}
    )


def sources_of(trained):
    return lbae_sources(trained, FittedSamplers(trained.bits("train"), components=3))


def evaluator_of(name, parts, epochs=1):
    """An evaluator with a stand-in of this name, trained on the training part."""
    images, labels = parts["train"].images, parts["train"].labels
    network = train_classifier(images, labels, epochs=epochs, batch_size=16, show_progress=False)
    return Evaluator(ClassifierFeatures(network, name), FAST)


def generator_of(seed):
    return torch.Generator().manual_seed(seed)


def test_every_source_draws_as_many_images_as_asked_and_by_its_seed(trained, baseline, parts):
    lbae = sources_of(trained)
    assert set(lbae) == LBAE_ROWS
    vae = vae_sources(baseline, components=3)
    assert set(vae) == {"reco", "posterior", "standard", "sampled", "mixture", "interp"}
    controls = control_sources(parts)
    assert set(controls) == {
        "train", "validation", "blur_0.7", "blur_1.5", "noise", "repeated", "class_dropped",
        "blurred_test",
    }  # fmt: skip
    for key, source in [*lbae.items(), *vae.items(), *controls.items()]:
        images = source.draw(24, generator_of(1))
        assert images.dtype == torch.uint8
        assert images.shape == (8 if key == "validation" else 24, 1, 32, 32), key
        assert torch.equal(images, source.draw(24, generator_of(1))), key
        other = source.draw(24, generator_of(2))
        assert source.random or torch.equal(images, other), key


def test_the_control_that_repeats_has_few_images(parts):
    drawn = control_sources(parts)["repeated"].draw(40, generator_of(1))
    assert len({image.numpy().tobytes() for image in drawn}) == 2  # 40 / 20


def test_reconstructions_are_of_the_test_images(trained):
    reco = sources_of(trained)["reco"].draw(24, generator_of(0))
    assert torch.equal(reco, decode(trained.model, trained.bits("test")))


def test_interpolations_by_the_exact_inverse_end_at_test_reconstructions(trained):
    reco = decode(trained.model, trained.bits("test"))
    known = {image.numpy().tobytes() for image in reco}
    path = sources_of(trained)["interp_exact"].draw(20, generator_of(3))
    for end in (0, 9, 10, 19):
        assert path[end].numpy().tobytes() in known


def test_the_authors_procedure_has_the_true_latents_before_and_after_its_steps(trained):
    reco = decode(trained.model, trained.bits("test"))
    known = {image.numpy().tobytes() for image in reco}
    path = sources_of(trained)["interp_authors"].draw(
        24, generator_of(3)
    )  # two paths of 1 + 10 + 1
    for end in (0, 11, 12, 23):
        assert path[end].numpy().tobytes() in known


def test_paths_are_between_the_same_random_pairs_with_and_without_ends(trained):
    samplers = FittedSamplers(trained.bits("train"), components=3)
    hyperplanes = samplers["nearest"]
    whole, between = (
        interpolations(trained, hyperplanes, "unit_margins", ends).draw(count, generator_of(3))
        for ends, count in ((True, 30), (False, 24))  # three paths
    )
    inner = whole.unflatten(0, (3, 10))[:, 1:-1].flatten(0, 1)
    assert torch.equal(inner, between)


def test_the_board_scores_seeds_and_names_the_network(trained, parts, tmp_path):
    evaluator = evaluator_of("blobs", parts, epochs=2)
    board = Scoreboard([evaluator], parts["test"].images, range(3), tmp_path / "cache")
    sources = control_sources(parts)
    board.score({k: sources[k] for k in ("train", "validation", "noise")}, "control")
    assert list(board.rows) == ["control_train", "control_validation", "control_noise"]
    assert len(board.rows["control_train"].values(evaluator, "frechet")) == 3
    assert len(board.rows["control_validation"].values(evaluator, "frechet")) == 1
    assert board.rows["control_noise"].spread(evaluator, "frechet").mean > (
        2 * board.rows["control_train"].spread(evaluator, "frechet").mean
    )
    text = board.caption(evaluator)
    assert text.startswith("Against 24 test images, features of blobs-cnn-v1, protocol fast: ")
    assert "sampling seeds 0, 1, 2; kernel distance over 2 subsets of at most 12" in text
    alone = dataclasses.replace(board, seeds=[4])
    assert "protocol fast: sampling seed 4; kernel" in alone.caption(evaluator)
    header, rows = board.table(["control_train"], evaluator)
    assert "FD[blobs-cnn-v1]" in header
    assert not any("FID" in title or "KID" in title for title in header)
    assert rows[0][:2] == ["training images", 24]
    assert len(list((tmp_path / "cache").iterdir())) == 1  # the reference alone
    assert board.curves()["control_noise"].shape == (2, 51)


@pytest.mark.parametrize(
    ("seeds", "blurs", "noise", "right"),
    [
        (1, (2.0, 3.0), 0.0, True),
        (1, (3.0, 2.0), 0.0, False),
        (1, (0.5, 3.0), 0.0, False),
        (3, (2.0, 3.0), 0.1, True),
        (3, (0.9, 3.0), 0.1, True),  # nearer by no more than noise
        (3, (0.5, 3.0), 0.1, False),
        (3, (3.0, 2.0), 0.1, False),
        (3, (2.0, 3.0), 1.0, False),  # not clearly farther
    ],
)
def test_controls_are_in_order_or_not(trained, parts, seeds, blurs, noise, right):
    evaluator = evaluator_of("blobs", parts)
    board = Scoreboard([evaluator], parts["test"].images, range(seeds))
    board.score({"train": control_sources(parts)["train"]}, "control")
    row = board.rows["control_train"]
    distances = {"train": 1.0, "validation": 0.1, "blur_0.7": blurs[0], "blur_1.5": blurs[1]}
    for name, value in distances.items():
        scores = [
            dataclasses.replace(score, frechet=value + (index - 1) * noise)
            for index, score in enumerate(row.scores[evaluator.key])
        ]
        board.rows[f"control_{name}"] = dataclasses.replace(row, scores={evaluator.key: scores})
    assert board.controls_in_order(evaluator, "frechet") is right
    warned = "blobs-cnn-v1 fails its control checks" in board.caption(evaluator)
    assert warned is not right
    row = board.rows["control_train"]
    flat = dict.fromkeys(board.rows, row)
    other = dataclasses.replace(board, rows=flat)
    assert other.controls_in_order(evaluator, "kernel") is False


def test_pages_without_a_table_of_controls_check_the_same(parts):
    evaluator = evaluator_of("blobs", parts)
    reference = parts["test"].images
    board = Scoreboard([evaluator], reference, range(1, 4))
    board.score(control_sources(parts), "control")
    expected = board.controls_in_order(evaluator, "frechet")
    assert passes_controls(evaluator, parts, reference, seed=1) is expected
    alike = {
        name: dataclasses.replace(own, labels=torch.zeros(len(own), dtype=torch.int64))
        for name, own in parts.items()
    }
    assert "class_dropped" in control_sources(parts)
    assert "class_dropped" not in control_sources(alike)


@pytest.mark.parametrize("passed", [True, False])
def test_a_page_whose_evaluator_fails_says_so_and_decides_nothing(parts, monkeypatch, passed):
    monkeypatch.setattr(page_controls, "passes_controls", lambda *_: passed)
    nb = SimpleNamespace(
        trained=SimpleNamespace(images=parts),
        extractor=evaluator_of("blobs", parts).extractor,
        generator=lambda: generator_of(0),
        parameters={"seed": 0},
        results={},
        closed={},
    )
    warned = page_controls.check_extractor(nb)
    assert nb.results == {"controls_in_order": {"frechet": passed}}
    if passed:
        assert warned == "" and not nb.closed
    else:
        assert warned == " blobs-cnn-v1 fails its control checks: its distances decide nothing."
        decision = gated(Decision(Outcome.HOLDS), ["schedule", "evaluator"], nb.closed)
        assert decision.outcome is Outcome.UNDECIDED


def test_records_of_scores_stand_beside_the_papers(trained, parts, tmp_path):
    evaluator = evaluator_of("digits", parts)
    board = Scoreboard([evaluator], parts["test"].images, range(2))
    sources = sources_of(trained)
    board.score({k: sources[k] for k in ("reco", "clip")}, "lbae")
    record = ScoreRecord("digits", "smoke", board.results())
    assert record.counterpart == "mnist"
    assert record.title == "Digits (smoke, standing for MNIST)"
    header, rows = beside_published(record, evaluator.key)
    assert header[2:4] == ["paper: FID", "FD[digits-cnn-v1]"]
    reco, uniform = rows[0], rows[1]
    assert reco[:3] == ["LBAE (ours)", "reconstruction", "8.11"]
    assert reco[3] == board.rows["lbae_reco"].spread(evaluator, "frechet")
    assert uniform[2:4] == ["88.13", None]  # not scored here: empty, not invented
    _, rows = across([record], "table_1", ("frechet",))
    assert rows[0][3:7] == [
        24,
        "2 seeds",
        "8.11",
        board.rows["lbae_reco"].spread(evaluator, "frechet"),
    ]
    header, rows = across([record], "table_4", ("precision_f8", "recall_f8"))
    assert header[6:8] == ["reconstruction: here, precision", "reconstruction: here, recall"]
    assert rows[0][2:5] == [
        "PRD[digits-cnn-v1] precision / recall (F1/8 / F8)", 24, "2 seeds, 1 clustering",
    ]  # fmt: skip
    assert record.replication(evaluator.key, "kernel") == "2 seeds, 2 subsets of 12"
    assert all(len(row) == len(header) for row in rows)
    doubtful = dataclasses.replace(record, trusted={"frechet": False, "kernel": True})
    _, rows = across([doubtful], "table_1", ("frechet",))
    assert rows[0][2] == "FD[digits-cnn-v1], which failed its control checks"
    _, rows = across([doubtful], "table_2", ("kernel",))
    assert rows[0][2] == "KD[digits-cnn-v1] ×10³"
    _, rows = across([doubtful], "table_4", ("precision_f8", "recall_f8"))
    assert rows[0][2].endswith("(F1/8 / F8), which failed its control checks")
    assert doubtful.curve_facts.endswith("of digits-cnn-v1, which failed its control checks")
    assert record.curve_facts.endswith("of digits-cnn-v1")
    kernel = record.content["rows"]["lbae_clip"]["kernel"][evaluator.key]
    assert kernel["subset_size"] == 12  # half of 24 images, fewer than the protocol's
    assert len(kernel["subset_errors"]) == 2
    for metric in METRICS:
        assert len(record.content["rows"]["lbae_clip"]["values"][evaluator.key][metric]) == 2


def test_records_of_earlier_versions_are_read(tmp_path):
    value = {"digits-cnn-v1": {"frechet": [2.0]}}
    earlier = ("lbae_n01", "lbae_gmm", "lbae_interp_eq14", "vae_n01", "vae_gmm", "control_train")
    scores = {
        "reference_images": 24, "seeds": [0], "judges": {"digits-cnn-v1": {}},
        "rows": {key: {"label": "", "values": value} for key in earlier},
    }  # fmt: skip
    results = {"scores": scores, "verdicts": [], "controls_in_order": {}}
    path = tmp_path / "record.json"
    options = {"dataset": "digits", "profile": "smoke"}
    write_record(path, "05_metrics", options, {}, results, 1.0)
    record = ScoreRecord.load(path)
    assert record.evaluators == ["digits-cnn-v1"]
    assert record.out_of_date  # no hash of this version's code
    now = ("lbae_uniform", "lbae_mixture", "lbae_interp_centroids", "vae_standard", "vae_mixture")
    for key in (*now, "control_train"):
        assert record.spread("digits-cnn-v1", key, "frechet") == Spread(2.0, None)
    assert with_current_names(dict.fromkeys(now)) == dict.fromkeys(now)


def entry(key, verdict):
    return {"claim": key, "words": declared(key).sentence, "evidence": "", "verdict": verdict}


def test_a_claim_has_one_outcome_of_all_its_verdicts():
    content = {"evaluators": {}, "rows": {}}
    found = (("sharper", "holds"), ("slower", "holds"), ("sharper", "not applicable"))
    verdicts = tuple(entry(*one) for one in found)
    records = [
        ScoreRecord("digits", "smoke", content, verdicts),
        ScoreRecord("photos", "smoke", content, verdicts[1:2]),
    ]
    slower, sharper = (declared(key).sentence for key in ("slower", "sharper"))
    header, rows = claims(records)
    assert rows == [[slower, "holds", "holds"], [sharper, "holds", None]]
    assert not any("out of date" in title for title in header)
    failed = entry("sharper", "does not hold")
    _, rows = claims([dataclasses.replace(records[0], verdicts=(*verdicts, failed))])
    assert rows[1] == [sharper, "does not hold"]


def test_verdicts_of_another_version_are_left_out_or_marked():
    content = {"evaluators": {}, "rows": {}}
    gone = {"claim": "LBAE is sharper than a VAE.", "evidence": "", "verdict": "holds"}
    now = entry("sharper", "holds")
    records = [
        ScoreRecord("mnist", "laptop", content, (gone,)),
        ScoreRecord("digits", "smoke", content, (gone, now)),
        ScoreRecord("photos", "smoke", content, (now,), out_of_date=True),
        ScoreRecord("faces", "smoke", content, (now | {"words": "It is sharp."},)),
    ]
    header, rows = claims(records)
    assert rows == [[declared("sharper").sentence, "holds", "holds", "holds"]]
    assert ["out of date" in title for title in header[1:]] == [False, True, True]
    assert claims(records[:1]) == (["claim of the paper"], [])


def test_the_papers_tables_decide_its_claims():
    found = {verdict.key: verdict for verdict in claims_by_published_numbers()}
    others = {key: v.outcome for key, v in found.items() if v.outcome is not Outcome.HOLDS}
    assert others == {"all-but-vpga": Outcome.FAILS, "crop": Outcome.NOT_TESTED}
    assert len(found) == 9
    assert "108 × 108 of the 178 × 178 pixels" in found["crop"].evidence
    # a GAN on MNIST and LPGA on CelebA have lower FIDs
    assert "LPGA 14.53, VPGA 24.73 (LBAE 34.95)" in found["all-but-vpga"].evidence
    assert "the LBAE's on MNIST, CIFAR-10, CelebA" in found["all-but-vpga"].evidence
    assert "gives it for 6 methods" in found["reco-fid"].evidence
    assert "gives it for 2 methods" in found["reco-kid"].evidence
    assert "CelebA: LBAE (ours) 14.87" in found["interpolation-fid"].evidence
    high = found["prd-high"].evidence
    assert "MNIST: 0.92 / 0.97, median of 6 methods 0.92 / 0.93" in high
    assert "MNIST: 8.69 against 10.53" in found["rae-mixture"].evidence
    assert "VQ-VAE 4.27" in found["compresses-published"].evidence


def test_a_difference_within_the_deviations_decides_nothing():
    near, far = Spread(1.0, 0.2), Spread(2.0, 0.3)
    assert lower(near, far) is True
    assert lower(far, near) is False
    assert lower(near, Spread(1.2, 0.1)) is None
    assert lower(near, Spread(1.6, 0.3)) is None  # within twice the deviation of the difference
    assert lower(Spread(1.0, None), Spread(2.0, None)) is None  # a single seed
    assert lower(Spread(1.0, None), Spread(2.0, None), noise=0.1) is True
    assert lower(Spread(1.0, None), Spread(1.2, None), noise=0.5) is None


def test_the_published_table_is_whole():
    header, rows = published_table("table_1")
    assert header[:3] == ["method", "MNIST, column not stated", "MNIST, reconstruction"]
    by_method = {row[0]: row for row in rows}
    assert by_method["WAE-MMD (Ghosh et al. 2020)"][header.index("CIFAR-10, N(0, 1)")] == "117.44"
    assert len(rows) == 10


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("05_metrics", ["vae", "extractor", "seeds?"]),
        ("04_interpolation", ["extractor"]),
        ("02_latent_distribution", []),
    ],
)
def test_notebooks_say_what_they_need(name, needs):
    assert notebook_needs(PROJECT / f"notebooks/{name}.ipynb") == needs


def test_an_unknown_need_is_an_error(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"metadata": {"lbae": {"needs": ["gan"]}}, "cells": []}))
    with pytest.raises(ConfigError, match="'gan'"):
        notebook_needs(path)


@pytest.fixture
def biased(trained, generator):
    """The same model with latents of which few are near the opposite of another."""
    base = torch.randn(80, 3, generator=generator) @ torch.randn(3, 10, generator=generator)
    packed = pack_bits(torch.where(base + 1.5 > 0, 1.0, -1.0))
    rows = {"train": slice(0, 48), "validation": slice(48, 56), "test": slice(56, 80)}
    return dataclasses.replace(trained, packed={name: packed[r] for name, r in rows.items()})


def test_two_evaluators_decide_over_boards_of_their_own(biased, baseline, parts):
    """What the page of scores does, with two tiny evaluators."""
    samplers = FittedSamplers(biased.bits("train"), components=3)
    boards = [
        second_board(
            evaluator_of(name, parts), biased, baseline, samplers, torch.arange(24), (2, 4)
        )
        for name in ("one", "two")
    ]
    panel = Panel.of(*boards, None)
    assert [judge.name for judge in panel.judges] == ["one-cnn-v1", "two-cnn-v1"]
    order = ("lbae_reco", "lbae_interp_authors", "lbae_clip", "lbae_uniform")
    found = [
        panel.better("lbae_clip", "lbae_uniform"),
        panel.better_model("lbae_reco", "vae_reco", "frechet", "kernel"),
        panel.in_order(order),
        panel.major("lbae_independent", "lbae_clip")[1],
        panel.balanced("lbae_clip")[1],
    ]
    assert found[1].outcome is Outcome.UNDECIDED  # one training of each model
    assert all(decision.outcome in Outcome for decision in found)
    assert "FD[one-cnn-v1], 24 images: LBAE" in panel.describe("lbae_clip", "vae_standard")
    own = panel.balanced("lbae_clip")[0]
    assert "(one-cnn-v1), " in own
    assert " by " not in own.partition(";")[0].replace("differ by", "")
    assert panel.closed_gates().keys() <= {"blur"}
    alone = Panel.of(boards[0]).better("lbae_clip", "lbae_uniform")
    assert alone.outcome is Outcome.UNDECIDED
    assert "fails its control checks" in alone.why  # a second evaluator would not help


@pytest.mark.parametrize(
    ("start", "end", "outcome", "said"),
    [
        (8.0, 1.0, Outcome.HOLDS, "70% (one)"),
        (8.0, 5.0, Outcome.FAILS, "30% (one)"),
        (8.0, 3.1, Outcome.UNDECIDED, "49% (one)"),  # within the noise of the limit
        (12.0, 1.0, Outcome.HOLDS, "110% (one); start score worse than uniform bits (one)"),
        (1.0, 2.0, Outcome.FAILS, "-10% (one); end score worse than start (one)"),
    ],
)
def test_the_share_of_a_gap_has_the_noise_of_all_its_rows(monkeypatch, start, end, outcome, said):
    values = {"start": start, "end": end, "lbae_uniform": 11.0, "lbae_resampled": 1.0}
    labels = {"lbae_uniform": "uniform bits"}
    board = SimpleNamespace(
        evaluators=[SimpleNamespace(extractor=SimpleNamespace(name="one"), is_inception=True)],
        controls_in_order=lambda *_: True,
        rows={key: SimpleNamespace(label=labels.get(key, key)) for key in values},
    )
    found = {key: Spread(value, 0.1) for key, value in values.items()} | {
        "control_train": Spread(1.0, 0.1)
    }
    monkeypatch.setattr(Judge, "found", lambda _, key, __="frechet": found[key])
    panel = Panel([Judge(board)])
    shares, answer = panel.major("start", "end")
    assert (shares, answer.outcome) == (said, outcome)
    assert panel.nearer("start", "lbae_uniform") == ("lbae_uniform" if start > 11 else "start")


def test_a_baseline_that_is_no_nearer_than_a_blur_is_named(monkeypatch):
    found = {"vae_reco": Spread(9.5, 0.1), "control_blurred_test": Spread(9.0, 0.1)}
    found["control_train"] = Spread(1.0, 0.1)
    board = SimpleNamespace(
        evaluators=[SimpleNamespace(extractor=SimpleNamespace(name="one"), is_inception=False)],
        controls_in_order=lambda *_: True,
    )
    monkeypatch.setattr(Judge, "found", lambda _self, key, _metric="frechet": found[key])
    panel = Panel([Judge(board)])
    assert "with a KL weight of 128, reconstructs no better than" in panel.blurred_baseline(128.0)
    found["vae_reco"] = Spread(5.0, 0.1)
    assert panel.blurred_baseline(128.0) == ""
    board.controls_in_order = lambda *_: False
    found["vae_reco"] = Spread(9.5, 0.1)
    assert panel.blurred_baseline(128.0) == ""  # an evaluator that fails its checks says nothing


def test_reconstructions_must_beat_a_strong_blur(monkeypatch):
    far = {
        "control_train": 1.0,
        "lbae_reco": 2.0,
        "control_blurred_test": 9.0,
        "lbae_uniform": 20.0,
    }
    found = {key: Spread(value, 0.1) for key, value in far.items()}
    board = SimpleNamespace(
        evaluators=[SimpleNamespace(extractor=SimpleNamespace(name="one"), is_inception=False)],
        controls_in_order=lambda *_: True,
    )
    monkeypatch.setattr(Judge, "found", lambda _self, key, _metric="frechet": found[key])
    judge = Judge(board)
    assert judge.better("lbae_reco", "lbae_uniform").outcome is Outcome.HOLDS
    assert judge.better("lbae_uniform", "lbae_reco").outcome is Outcome.FAILS
    alone = Panel([judge]).better("lbae_reco", "lbae_uniform")
    assert alone.outcome is Outcome.UNDECIDED
    assert "a second one" in alone.why
    assert Panel([judge]).closed_gates() == {}
    board.controls_in_order = lambda *_: False
    assert "fails its control checks" in Panel([judge]).closed_gates()["blur"]
    board.controls_in_order = lambda *_: True
    found["lbae_reco"] = Spread(9.0, 0.1)
    assert "train longer" in Panel([judge]).closed_gates()["blur"]
    board.controls_in_order = lambda *_: False
    assert "control checks" in judge.better("lbae_reco", "lbae_uniform").why


def test_interpolations_need_many_paths():
    few, many = (
        Judge(SimpleNamespace(reference=range(n), evaluators=[SimpleNamespace(
            extractor=SimpleNamespace(name="one"), is_inception=True)]))
        for n in (500, 1000)
    )  # fmt: skip
    assert "at least 600" in few.enough_paths("lbae_reco", "lbae_interp_authors").why
    assert few.enough_paths("lbae_interp_restored", "lbae_clip").outcome is Outcome.HOLDS
    assert few.enough_paths("lbae_reco", "lbae_clip").outcome is Outcome.HOLDS
    assert many.enough_paths("lbae_reco", "lbae_interp_authors").outcome is Outcome.HOLDS
