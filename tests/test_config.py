import pytest

from companion.experiments.profiles import load_experiment, load_profile, profile_names
from companion.project import project_root
from companion.workflow.notebooks import parse_parameter
from companion.workflow.plan import parse_duration
from lbae_lib.errors import ConfigError, LbaeError


@pytest.fixture
def project(tmp_path, as_project):
    (tmp_path / "config").mkdir()
    (tmp_path / "notebooks").mkdir()
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
            for model in ("lbae", "vae") if experiment.has_baseline else ("lbae",):
                assert load_experiment(profile, name, model).network.kind == model


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


def test_unknown_profiles_and_missing_projects(project, monkeypatch):
    write(project, "datasets: {}")
    with pytest.raises(ConfigError, match="did you mean 'mine'"):
        load_profile("mind")
    monkeypatch.setenv("LBAE_ROOT", str(project / "config"))
    project_root.cache_clear()
    with pytest.raises(ConfigError, match="LBAE_ROOT"):
        project_root()


def test_durations():
    assert [parse_duration(t) for t in ("45", "9:00", "1:30:05")] == [45, 540, 5405]
    for text in ("1h", "1:75", "", "1:2:3:4", "-5"):
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
