"""Shared fixtures: seeded generators, correlated latents, a tiny trained experiment."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from outcomes import Outcomes
from torch import Tensor

import companion.workflow  # noqa: F401  before papermill
from companion.project import project_root
from lbae_lib.bits import signs
from lbae_lib.data.images import Dataset
from lbae_lib.data.registry import DATASETS, load_dataset
from lbae_lib.files import write_json
from lbae_lib.models.autoencoders import LBAE, VAE, build_model
from lbae_lib.models.config import NetworkConfig, TrainingConfig

PROJECT = Path(__file__).resolve().parent.parent
# The files that take longest, begun first so that they end with the others. The last two wait for
# the report that the first one makes.
LONGEST = (
    "test_report.py",
    "test_devices.py",
    "test_cluster.py",
    "test_training.py",
    "test_rerun.py",
    "test_verification.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; see ``make test``."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONGEST)))


@pytest.fixture
def as_project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Makes a folder the project, for calls in this process, until the test ends.

    It is given links to parts of this project, and may have a profile, config/own.yaml.
    """

    def move(folder: Path, *linked: str, profile: str | None = None) -> Path:
        assert profile is None or "config" not in linked  # it would be written there
        for part in linked:
            (folder / part).symlink_to(PROJECT / part)
        for part in ("config", "notebooks"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if profile is not None:
            (folder / "config/own.yaml").write_text(profile)
        monkeypatch.setenv("LBAE_ROOT", str(folder))
        project_root.cache_clear()
        return folder

    yield move
    project_root.cache_clear()


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """Collects what was tried; writes it to $LBAE_OUTCOMES at the end, if no test failed."""
    found = Outcomes()
    yield found
    found.add_users()
    target = os.environ.get("LBAE_OUTCOMES")
    if target and not request.session.testsfailed:
        write_json(PROJECT / target, {"rows": found.rows, "seed": 0})


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.fixture
def latents(generator: torch.Generator) -> Tensor:
    """Correlated bits whose Gram matrix is not positive semi-definite, as real latents' are."""
    count, width = 4000, 24
    classes = signs(torch.randn(6, width, generator=generator))
    chosen = classes[torch.randint(6, (count,), generator=generator)]
    flipped = torch.rand(count, width, generator=generator) < 0.1
    return torch.where(flipped, -chosen, chosen)


@pytest.fixture
def correlation(generator: torch.Generator) -> Tensor:
    """A random positive definite correlation matrix, 9×9."""
    rows = torch.randn(9, 12, generator=generator, dtype=torch.float64)
    rows = torch.nn.functional.normalize(rows, dim=1)
    return (rows @ rows.T).fill_diagonal_(1.0)


@pytest.fixture(scope="module")
def model() -> LBAE | VAE:
    """A tiny LBAE of 8 bits, with random weights."""
    return build_model(NetworkConfig(32, 1, latent_size=8, width=2)).eval()


@pytest.fixture
def network() -> NetworkConfig:
    return NetworkConfig(image_size=32, channels=1, latent_size=12, width=2)


@pytest.fixture
def schedule() -> TrainingConfig:
    return TrainingConfig(
        loss="bce", epochs=3, batch_size=16, learning_rate=3e-3, cooldown_epochs=1
    )


@pytest.fixture
def images() -> Tensor:
    """Soft blobs in random places, uint8 (80, 1, 32, 32)."""
    generator = torch.Generator().manual_seed(5)
    centre = torch.rand(80, 2, 1, 1, generator=generator) * 16 + 8
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    square = (x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2
    return (255 * torch.exp(-square / (2 * math.pi**2))).to(torch.uint8).unsqueeze(1)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The embedded digits."""
    return load_dataset(DATASETS["digits"], tmp_path_factory.mktemp("none"))


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """Where real MNIST is: ``data/`` of the project, or $LBAE_DATA."""
    root = Path(os.environ.get("LBAE_DATA", PROJECT / "data"))
    if not (root / "MNIST/raw").is_dir():
        pytest.skip(f"no MNIST under {root}; name another folder in LBAE_DATA")
    return root


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    names = ("chromium", "chromium-browser", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def every_look(browser: Any) -> Iterator[tuple[int, str, Any]]:
    """Width, theme and an empty page: a desk's and a telephone's, light and dark.

    Motion is off: a page that has just loaded shows colours on their way to those of its theme.
    """
    for width, theme in product((1280, 390), ("light", "dark")):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
        )
        yield width, theme, page
        page.close()


@pytest.fixture(scope="session")
def smoke_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after `lbae report -p smoke -d digits`, made once for all workers."""
    from reports import make_report

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with FileLock(folder / "report.lock"):
        report = folder / "report"
        if not report.exists():
            make_report(report)
    return report
