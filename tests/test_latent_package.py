"""The package of the latent mathematics as a whole: what it loads, and where the equations are."""

import pkgutil
import re
import subprocess
import sys

import pytest
from conftest import PROJECT

import lbae_lib.latent

HEAVY = {
    "IPython", "PIL", "companion", "constriction", "huggingface_hub", "ipykernel", "ipywidgets",
    "jupyter_client", "lightning_fabric", "matplotlib", "nbformat", "pandas", "papermill",
    "pydantic", "safetensors", "scipy", "seaborn", "sklearn", "snakemake", "torchvision", "yaml",
}  # fmt: skip


def test_importing_the_mathematics_loads_nothing_heavy():
    found = pkgutil.iter_modules(lbae_lib.latent.__path__, "lbae_lib.latent.")
    modules = ["lbae_lib.bits", *(module.name for module in found)]
    assert "lbae_lib.latent.hyperplane" in modules
    code = f"import sys, {', '.join(modules)}; print(*sorted({HEAVY} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize(
    "reference", [*(f"Eq. {number}" for number in range(1, 18)), "Algorithm 1"]
)
def test_every_equation_of_the_paper_is_named_where_it_is_computed(reference):
    pattern = re.compile(re.escape(reference) + r"\b")
    texts = [path.read_text() for path in (PROJECT / "lbae_lib").rglob("*.py")]
    assert any(pattern.search(text) for text in texts)
