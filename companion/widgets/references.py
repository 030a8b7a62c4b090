"""Which equation and which function a panel computes, with links to the book if it is built."""

import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jupyter_core.paths import jupyter_runtime_dir

from companion.project import project_root

_BOOK = "build/_build/html/book"
_BESIDE = "not in the paper"
# The place in the paper, and the function of lbae_lib.
REFERENCES = {
    "hyperplane": ("Eqs. 11 and 12", "latent.hyperplane.HyperplaneSampler.bits"),
    "nearest": ("Eqs. 4 to 12", "latent.hyperplane.hyperplane_sampler"),
    "clip": ("Eqs. 4 to 12, as in the authors' code", "latent.hyperplane.hyperplane_sampler"),
    "direct": ("Eqs. 2 and 3", "latent.baselines.DirectRounding"),
    "independent": (_BESIDE, "latent.baselines.IndependentBits"),
    "uniform": ("uniform bits of Section 4.1", "latent.baselines.UniformBits"),
    "dichotomized": (_BESIDE, "latent.dichotomized.DichotomizedGaussian"),
    "autoregressive": (_BESIDE, "latent.integer_network.Autoregressive"),
    "exact": (_BESIDE, "latent.inversion.exact"),
    "unit_margins": (_BESIDE, "latent.inversion.exact"),
    "algorithm_1": ("Algorithm 1, Eqs. 13 to 16", "latent.inversion.algorithm_1"),
    "authors": ("Algorithm 1, as in the authors' code", "latent.algorithm_1.authors_procedure"),
    "restored": ("Algorithm 1, sign restored", "latent.algorithm_1.restored_algorithm_1"),
    "path": ("Section 3.3, slerp", "latent.interpolation.interpolate_bits"),
    "mean": ("Eq. 17", "latent.attributes.set_attribute"),
    "contrast": (_BESIDE, "latent.attributes.contrast"),
    "sign": ("Eq. 1", "models.binarization.straight_through_sign"),
}


def reference_line(keys: Sequence[str]) -> str:
    """Equations and functions by their keys, as HTML."""
    return "<br>".join(_reference(*REFERENCES[key]) for key in dict.fromkeys(keys))


def _reference(place: str, function: str) -> str:
    package, name = function.split(".")[0], f"lbae_lib.{function}"
    equation = html.escape(place)
    if place != _BESIDE:
        equation = _link(equation, f"{_BOOK}/method.html", "")
    return f"{equation}: {_link(f'<code>{name}</code>', f'{_BOOK}/api/{package}.html', name)}"


def _link(shown: str, page: str, anchor: str) -> str:
    """HTML with a link, if the page is there and the server of this notebook can give it."""
    url = _url(project_root() / page)
    if url is None:
        return shown
    target = html.escape(f"{url}#{anchor}" if anchor else url, quote=True)
    look = "color:var(--jp-content-link-color, #1565c0);text-decoration:underline"
    return f'<a href="{target}" style="{look}" target="_blank" rel="noopener">{shown}</a>'


def _url(file: Path) -> str | None:
    """Address of a file on the Jupyter server that started this kernel."""
    server = Path(jupyter_runtime_dir(), f"jpserver-{os.environ.get('JPY_PARENT_PID')}.json")
    try:
        about = json.loads(server.read_text("utf-8"))
        place = file.relative_to(Path(about["root_dir"]).resolve())
    except (OSError, ValueError, KeyError):
        return None
    return f"{about['base_url']}files/{quote(place.as_posix())}" if file.exists() else None
