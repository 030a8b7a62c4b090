"""The study of training seeds: configurations, resuming, pairs, and the decisions they make."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from companion.analysis import seed_study
from companion.analysis.seed_study import LABELS, configurations
from companion.analysis.training_seeds import METRICS, NUMBERS, PAIRS, TrainingSeeds
from companion.experiments.profiles import SeedStudy
from companion.experiments.records import write_record
from companion.experiments.study_training import Task
from companion.paper.decisions import Decision, Outcome
from companion.paper.score_decisions import slower
from companion.paper.seed_decisions import Trainings
from companion.paper.sharpness_decisions import sharper
from lbae_lib.data.registry import DATASETS
from lbae_lib.models.config import NetworkConfig

HOLDS, FAILS, OPEN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED
STUDY = SeedStudy(
    latent_size=8, vae_latent_size=3, kl_weight=2.0, epochs=4, width=2, entry_channels=1
)
MNIST = DATASETS["mnist"]
ROWS = [key for pair in PAIRS.values() for key in pair]
BLURS = {"net": (100, 50.0)}


def study(lbae, vae, images=10**8):
    """A study in which all distances of a model are its values, by seed."""
    values = {"lbae": lbae, "vae": vae}
    runs = {
        model: [
            {
                "scored": {"net": 100},
                "scores": {"net": {key: dict.fromkeys(METRICS, value) for key in ROWS}},
                **dict.fromkeys(NUMBERS, value),
            }
            for value in values[model]
        ]
        for model in LABELS
    }
    return TrainingSeeds(STUDY.model_dump(), {"train": images}, runs)


def decided(seeds, values=(1.0, 2.0), blurs=BLURS):
    trainings = Trainings.of(seeds, blurs, MNIST)
    return trainings.scores(("lbae_reco", "vae_reco"), values, "net", "frechet")


def test_both_models_of_a_pair_differ_in_the_bottleneck_alone(images):
    task = Task(NetworkConfig(32, 1, 8, 2), STUDY, "bce", images, images, 5, "cpu")
    (lbae, own), (vae, other) = (configurations(model, task, STUDY) for model in LABELS)
    assert (lbae.kind, lbae.latent_size, own.kl_weight) == ("lbae", 8, 0.0)
    assert (vae.kind, vae.latent_size, other.kl_weight) == ("vae", 3, 2.0)
    assert dataclasses.replace(vae, kind="lbae", latent_size=8) == lbae
    assert dataclasses.replace(other, kl_weight=0.0) == own
    assert own.seed == 5
    assert lbae.entry_channels == 1


def test_an_interrupted_training_ends_the_study(images, tmp_path, monkeypatch):
    task = Task(NetworkConfig(32, 1, 8, 2), STUDY, "bce", images, images, 0, "cpu")
    target = SimpleNamespace(target=lambda _: tmp_path / "seeds/record.json")
    monkeypatch.setattr(seed_study, "SEEDS", target)

    def stopped(*given, **_):
        given[4].mkdir(parents=True, exist_ok=True)
        return SimpleNamespace(finished=False)

    monkeypatch.setattr("lbae_lib.models.training.train", stopped)

    def interrupted(variant, task, study):
        with pytest.raises(KeyboardInterrupt):
            seed_study._trained(variant, task, study, None)
        return {folder.name for folder in (tmp_path / "seeds/models").iterdir()}

    (first,) = interrupted("lbae", task, STUDY)
    assert interrupted("lbae", task, STUDY) == {first}  # where it can be resumed
    other = dataclasses.replace(task, seed=10)
    both = interrupted("lbae", other, STUDY)
    assert first in both and len(both) == 2
    (second,) = both - {first}
    # With other options it starts over, and what an earlier training left is gone.
    changed = interrupted("lbae", task, STUDY.model_copy(update={"epochs": STUDY.epochs + 1}))
    assert first not in changed and second in changed and len(changed) == 2


def test_a_record_is_read_and_shown_as_pairs(tmp_path):
    found = study([1.0, 1.2, 1.1], [2.0, 2.2, 2.1])
    results = {"images": dict(found.images), "runs": found.runs}
    path = tmp_path / "record.json"
    write_record(path, "study seeds", {"study": found.options}, {}, results, 1.0)
    again = TrainingSeeds.load(path)
    assert again.scores("lbae_clip", "vae_mixture", "net", "kernel")[0] == [1.0, 1.2, 1.1]
    assert again.seen == 4 * 10**8
    header, rows = again.table("net", dict.fromkeys(METRICS, "title"))
    assert len(rows) == len(PAIRS) * len(METRICS)
    assert all(len(row) == len(header) for row in rows)
    assert rows[0][-1] == "-1 (-1 to -1)"  # the pairs differ by the same, whatever their spread
    numbers = again.number_rows()
    assert len(numbers) == len(NUMBERS) + 1
    assert numbers[1][1:] == ["1, 1.2, 1.1", "2, 2.2, 2.1", "-1, -1, -1"]
    by_measure = dict(zip(METRICS, rows, strict=False))
    assert by_measure["precision_f8"][2] == "1.1 (0.852 to 1)"  # cut at the measure's range
    assert by_measure["frechet"][2] == "1.1 (0.852 to 1.35)"


def test_pairs_of_trainings_decide_where_a_single_one_does_not():
    clear = study([1.0, 1.2, 1.1], [2.0, 2.2, 2.1])
    assert decided(None).outcome is OPEN
    assert "lbae study seeds" in decided(None).why
    assert decided(clear).outcome is HOLDS
    assert decided(study([2.0, 2.2, 2.1], [1.0, 1.2, 1.1]), (2.0, 1.0)).outcome is FAILS
    assert decided(study([1.0, 3.0, 2.0], [2.0, 1.0, 3.0])).outcome is OPEN
    assert decided(study([1.0, 1.2], [2.0, 2.2])).outcome is OPEN  # too few


def test_the_pages_own_models_must_not_point_the_other_way():
    clear = study([1.0, 1.2, 1.1], [2.0, 2.2, 2.1])
    assert "point the other way" in decided(clear, (2.0, 1.0)).why
    worse = study([2.0, 2.2, 2.1], [1.0, 1.2, 1.1])
    assert "point the other way" in decided(worse, (1.0, 2.0)).why
    assert decided(worse, (1.99, 2.0)).outcome is FAILS  # a lead that counts as none


def test_the_models_of_the_study_pass_the_gates_themselves():
    clear = ([1.0, 1.2, 1.1], [2.0, 2.2, 2.1])
    assert "with a blur" in decided(study(*clear), blurs={"net": (100, 1.1)}).why
    assert "score as many" in decided(study(*clear), blurs={"net": (90, 50.0)}).why
    assert decided(study(*clear, images=10)).outcome is HOLDS
    short = study(*reversed(clear), images=10)
    assert "shorter schedule" in decided(short, (2.0, 1.0)).why  # it cannot refute


def test_an_evaluator_that_the_study_lacks_decides_nothing():
    trainings = Trainings.of(study([1.0] * 3, [2.0] * 3), BLURS | {"inception": (9, 9.0)}, MNIST)
    found = trainings.scores(("lbae_reco", "vae_reco"), (1.0, 2.0), "inception", "frechet")
    assert "no scores by inception" in found.why
    assert trainings.describe("lbae_reco", "vae_reco", "inception", "frechet") == ""
    assert "LBAE - VAE -1" in trainings.describe("lbae_reco", "vae_reco", "net", "frechet")


def test_evidence_on_sharpness_and_speed_has_the_study_where_there_is_one():
    trainings = Trainings.of(study([0.9, 0.92, 0.91], [0.8, 0.8, 0.8]), BLURS, MNIST)
    own, other = torch.full((4,), 0.97), torch.full((4,), 0.96)
    evidence, _ = sharper(own, other, trainings)
    assert evidence.endswith("over 3 training seeds LBAE - VAE 11 (8.52 to 13.5) points")
    rates = [20.0, 300.0, 301.0, 299.0], [30.0, 310.0]  # starting up takes the first epoch
    evidence, _ = slower(*rates, trainings)
    assert evidence.startswith("300 images per second in a typical epoch, the VAE 310; over 3")
    _, decision = slower([20.0, 300.0, 150.0], rates[1], trainings)
    assert "varied by a factor of 2.0" in decision.why
    for evidence, decision in (sharper(own, other), slower(*rates, Trainings())):
        assert "seeds" not in evidence
        assert decision.why.startswith("one training of each model cannot show how much")
        assert "lbae study seeds" in decision.why


def test_numbers_have_no_gates_and_schedules_are_equal():
    trainings = Trainings.of(study([1.0] * 3, [2.0] * 3), {"net": (100, 0.1)}, MNIST)
    assert trainings.numbers("images_per_second", (1.0, 2.0), "rate").outcome is HOLDS
    assert trainings.epochs([3, 9]) == [4, 4]
    assert Trainings().epochs([3, 9]) == [3, 9]
    assert Trainings().gated(Decision(HOLDS)).outcome is HOLDS
