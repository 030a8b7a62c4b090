"""The library works with the dependencies of ``pip install .`` alone."""

import subprocess
import sys
import tomllib
from importlib.metadata import requires

import pytest
from conftest import PROJECT
from packaging.requirements import Requirement

from lbae_lib.errors import LbaeError, extra

DEPENDENCIES = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]


def test_the_floor_is_small():
    """20 distributions at most, apart from the 20 or so that only torch's CUDA build brings."""
    found, waiting = set(), [Requirement(text) for text in DEPENDENCIES]
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower()
        accelerator = name == "triton" or name.startswith(("nvidia-", "cuda-"))
        if name in found or accelerator or not wanted(requirement):
            continue
        found.add(name)
        waiting += [Requirement(text) for text in requires(name) or []]
    assert {"torch", "numpy", "safetensors", "pillow", "tqdm"} <= found
    assert len(found) <= 20, sorted(found)


def wanted(requirement):
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def test_load_encode_sample_interpolate_decode_score(tmp_path):
    """The same script runs in an environment that has nothing else; here the rest is hidden."""
    model = PROJECT / "results/accelerator/mnist/lbae/model.safetensors"
    done = subprocess.run(
        [sys.executable, PROJECT / "tests/floor.py", model, tmp_path, "--block"],
        capture_output=True, text=True, cwd=PROJECT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "all of it works" in done.stdout


@pytest.mark.parametrize("module", ["models.training", "models.sharing", "data.registry"])
def test_importing_needs_no_extra(module):
    heavy = {"huggingface_hub", "lightning_fabric", "sklearn", "torchvision", "yaml", "matplotlib"}
    code = f"import sys, lbae_lib.{module}; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)


def test_only_a_missing_module_is_a_missing_extra():
    message = r'is needed for it: pip install "lbae-companion\[hub\]"'
    with pytest.raises(LbaeError, match=message), extra("hub", "nothing", "it"):
        import nothing_of_this_name  # noqa: F401
    with pytest.raises(ImportError, match="cannot import name"), extra("hub", "nothing", "it"):
        from math import nothing  # noqa: F401


def test_the_command_without_its_packages():
    """One line says what to install."""
    code = "import sys; sys.modules['typer'] = None\nfrom companion.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 1
    expected = 'lbae: typer is needed for the command line: pip install "lbae-companion[companion]"'
    assert done.stderr.strip() == expected
