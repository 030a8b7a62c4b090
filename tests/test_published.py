import pytest

from companion.experiments.profiles import load_experiment
from companion.paper.tables import published, published_cells


def test_every_cell_is_there():
    expected = {
        # Best GAN, VAE, VAE (ours), 2-Stage, WAE, RAE-L2, RAE-SN, LPGA, VPGA, LBAE a data set
        "table_1": 3 * (1 + 3 + 2 + 1 + 3 + 3 + 3 + 1 + 1 + 4),
        "table_2": 3 * (2 + 1 + 1 + 3),
        "table_3": 3 * (2 + 2 + 2),
        "table_4": 3 * (1 + 1 + 1 + 1 + 1 + 2),
        "table_5": 3 * 5 * 2,
        "supplement_table_1": 3 * (1 + 3 + 3) + 2,
    }
    for table, number in expected.items():
        assert len(published_cells(table)) == number, table


def test_numbers_that_stand_in_two_tables_agree():
    for dataset in ("mnist", "cifar10", "celeba"):
        lbae = "LBAE (ours)"
        sampled = published("table_1", lbae, dataset, "sampled")
        assert published("table_5", lbae, dataset, "fid") == sampled
        assert published("table_5", lbae, dataset, "prd") == published(
            "table_4", lbae, dataset, "sampled"
        )
        assert published("supplement_table_1", lbae, dataset, "fid") == published(
            "table_1", lbae, dataset, "reco"
        )
        bits = published("table_3", lbae, dataset, "latent_bits")
        assert published("supplement_table_1", lbae, dataset, "bits") == bits


def test_published_ratios_follow_from_published_sizes():
    for method in ("LBAE (ours)", "VAE (ours)", "VQ-VAE"):
        for dataset in ("mnist", "cifar10", "celeba"):
            ratio = published("supplement_table_1", method, dataset, "ratio")
            if ratio is not None:
                image = published("supplement_table_1", "Image", dataset, "bits")
                latent = published("supplement_table_1", method, dataset, "bits")
                assert image / latent == pytest.approx(ratio, abs=0.01)


def test_the_paper_profile_is_table_3():
    for dataset in ("mnist", "cifar10", "celeba"):
        experiment = load_experiment("paper", dataset)
        found = (experiment.network.latent_size, experiment.training.epochs)
        assert found == (
            published("table_3", "LBAE (ours)", dataset, "latent_bits"),
            published("table_3", "LBAE (ours)", dataset, "epochs"),
        )


def test_empty_cells_and_unknown_names():
    assert published("table_1", "VAE (ours)", "mnist", "interp") is None
    with pytest.raises(KeyError):
        published("table_9", "VAE", "mnist", "reco")
