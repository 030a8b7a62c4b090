import dataclasses
import json
import os

import jsonschema
import pytest
import yaml
from conftest import PROJECT

from companion.experiments.profiles import (
    Profile,
    completed,
    load_experiment,
    load_profile,
    profile_names,
)
from companion.project import project_root
from companion.workflow.notebooks import parse_parameter
from companion.workflow.plan import parse_duration
from lbae_lib.errors import ConfigError, LbaeError
from lbae_lib.files import write_json
from lbae_lib.models.config import TrainingConfig


@pytest.fixture
def project(tmp_path, as_project):
    return as_project(tmp_path)


def write(project, text):
    (project / "config" / "mine.yaml").write_text(text)


def test_every_profile_loads_for_each_of_its_data_sets():
    assert set(profile_names()) >= {"smoke", "quick", "laptop", "paper"}
    for profile in profile_names():
        for dataset in load_profile(profile).datasets:
            own = dataset.removeprefix("folder").removeprefix("-") or "where"
            name = f"folder:/some/{own}" if dataset.startswith("folder") else dataset
            experiment = load_experiment(profile, name)
            assert experiment.folder.parent.name == profile
            for model in ("lbae", "vae") if experiment.entry.vae else ("lbae",):
                assert load_experiment(profile, name, model).network.kind == model


def test_the_schema_for_editors_is_in_step():
    """To regenerate it, run this test with LBAE_SCHEMA=1."""
    path, schema = PROJECT / "config/schema.json", Profile.model_json_schema()
    if "LBAE_SCHEMA" in os.environ:
        write_json(path, schema)
    assert json.loads(path.read_text()) == schema
    for profile in (PROJECT / "config").glob("*.yaml"):
        assert profile.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
        jsonschema.validate(yaml.safe_load(profile.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError, match="'epoch' was unexpected"):
        jsonschema.validate({"datasets": {"digits": {"epoch": 3}}}, schema)


def test_a_folders_own_entry_stands_before_the_common_one():
    named = load_experiment("laptop", "folder:data/cifar10")
    assert named.dataset.title == "CIFAR-10"
    assert (named.network.image_size, named.network.latent_size) == (32, 600)
    assert named.dataset.stands_for == "CIFAR-10"
    assert named.folder.name == "folder-cifar10"
    other = load_experiment("paper", "folder:data/holidays")
    assert other.dataset.title == "holidays (own images)"


def test_the_paper_profile_is_the_papers_table_3():
    found = {}
    for name in ("mnist", "cifar10", "celeba"):
        e = load_experiment("paper", name)
        assert (e.training.batch_size, e.training.learning_rate) == (512, 1e-3)
        assert e.training.cooldown_epochs == 0
        assert e.network.width == 64
        found[name] = (e.network.image_size, e.network.channels, e.network.latent_size,
                       e.training.epochs, e.training.loss, e.network.entry_channels)  # fmt: skip
    assert found == {
        "mnist": (32, 1, 200, 2000, "bce", 1),
        "cifar10": (32, 3, 600, 2000, "mse", None),
        "celeba": (64, 3, 1500, 500, "mse", None),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datasets: {digits: {latent_sise: 8}}", "did you mean 'latent_size'"),
        ("datasets: {digits: {epochs: 3}}", "no latent_size"),
        (
            "datasets: {digits: {epochs: 0, latent_size: 8, validation_images: 9}}",
            "epochs is 0",
        ),
        (
            "datasets: {digits: {image_size: 64, epochs: 1, latent_size: 8, validation_images: 9}}",
            "cannot be changed",
        ),
        ("dataset: {}", "did you mean 'datasets'"),
        (
            "datasets: {mnist: {epochs: 1, latent_size: 8, validation_images: 9}}",
            "has no data set 'digits': it has mnist",
        ),
        ("datasets: {mnist: {}}", "datasets, mnist has no latent_size"),
    ],
)
def test_mistakes_in_a_profile_are_named(project, text, message):
    write(project, text)
    with pytest.raises(ConfigError, match=message):
        load_experiment("mine", "digits")


SMALL = "epochs: 3, latent_size: 8, validation_images: 9"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "config/mine.yaml is [], but must be a mapping"),
        ("datasets: {digits: 3}", ", datasets: digits is 3, but must be a mapping"),
        (
            f"datasets: {{digits: {{{SMALL}, width: true}}}}",
            ", datasets, digits: width is True, but must be a whole number",
        ),
        (
            f"datasets: {{digits: {{{SMALL}, channels: true}}}}",
            "channels is 'True', but must be 1 or",
        ),
        (
            f"datasets: {{digits: {{{SMALL}, learning_rate: .inf}}}}",
            "learning_rate is inf, but must be a finite number",
        ),
        (
            f"datasets: {{digits: {{{SMALL}, seed: 10000000000000}}}}",
            "must be at most 1,000,000,000,000",
        ),
        (
            f"datasets: {{digits: {{{SMALL}, cooldown_epochs: 4}}}}",
            "digits: cooldown_epochs is 4, but",
        ),
        (f"datasets: {{digits: {{{SMALL}, vae: {{width: 4}}}}}}", "digits, vae: no key 'width'"),
        (
            f"datasets: {{digits: {{{SMALL}, vae: {{seed: -1}}}}}}",
            "digits, vae: seed is -1, but must be at least 0",
        ),
        (
            f"datasets: {{digits: {{{SMALL}, latent_sizes: [0]}}}}",
            "digits, latent_sizes: 0 is 0, but",
        ),
        (
            f"datasets: {{digits: {{{SMALL}, notebooks: {{a: 3}}}}}}",
            "notebooks: a is 3, but must be a mapping",
        ),
        (f"defaults: {{epoch: 3}}\ndatasets: {{digits: {{{SMALL}}}}}", "did you mean 'epochs'"),
        (f"defaults: 3\ndatasets: {{digits: {{{SMALL}}}}}", "defaults is 3, but must be a mapping"),
        (f"datasets: {{digits: {{{SMALL}}}, mnist: {{{SMALL}, width: 0}}}}", "mnist: width is 0"),
    ],
)
def test_a_mistake_is_one_line_with_file_entry_key_value_and_bound(project, text, message):
    write(project, text)
    with pytest.raises(ConfigError) as raised:
        load_experiment("mine", "digits")
    assert message in str(raised.value)
    assert str(raised.value).startswith("config/mine.yaml")
    assert "\n" not in str(raised.value)


def test_a_vae_and_other_latent_sizes_have_the_lbaes_options_but_for_their_own(project):
    write(
        project,
        f"defaults: {{seed: 7}}\ndatasets:\n  digits: {{{SMALL}, batch_size: 9, width: 4, "
        "latent_sizes: [2], vae: {latent_size: 5, kl_weight: 1}}",
    )
    vae, small = (load_experiment("mine", "digits", model) for model in ("vae", "lbae-2"))
    assert (vae.network.latent_size, vae.network.width, vae.network.kind) == (5, 4, "vae")
    assert (vae.training.seed, vae.training.batch_size, vae.training.kl_weight) == (7, 9, 1.0)
    assert (small.network.latent_size, small.network.kind) == (2, "lbae")
    assert small.training.kl_weight == 0
    with pytest.raises(ConfigError, match="no model 'lbae-3': did you mean 'lbae-2'"):
        load_experiment("mine", "digits", "lbae-3")


def test_unknown_profiles_and_missing_projects(project, monkeypatch):
    write(project, "datasets: {}")
    with pytest.raises(ConfigError, match="did you mean 'mine'"):
        load_profile("mind")
    monkeypatch.setenv("LBAE_ROOT", str(project / "config"))
    project_root.cache_clear()
    with pytest.raises(ConfigError, match="LBAE_ROOT"):
        project_root()


def test_durations():
    assert [parse_duration(t) for t in ("0:45", "9:00", "1:30:05")] == [45, 540, 5405]
    for text in ("1h", "90", "1:75", "", "1:2:3:4", "-5"):
        with pytest.raises(LbaeError, match="MM:SS"):
            parse_duration(text)


def test_parameters_get_real_types():
    assert parse_parameter("a=3") == ("a", 3)
    assert parse_parameter("a=false") == ("a", False)
    assert parse_parameter("a=0.5") == ("a", 0.5)
    assert parse_parameter("a=x=y") == ("a", "x=y")
    for text in ("a", "=3", "1a=3", "a=[1"):
        with pytest.raises(LbaeError):
            parse_parameter(text)


def test_an_option_that_a_record_does_not_know_had_its_default():
    training = dataclasses.asdict(TrainingConfig("mse", 3))
    early = {key: value for key, value in training.items() if key != "mirror"}
    assert completed({"training": early})["training"] == training
    assert completed({"training": early | {"mirror": True}})["training"]["mirror"]
    later = completed({"training": early | {"newer": 1}})["training"]
    assert later != training and later["newer"] == 1
