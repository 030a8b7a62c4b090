"""The mathematics of bits and latents loads without what training, coding and the book need."""

import pkgutil
import subprocess
import sys

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
