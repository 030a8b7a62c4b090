"""The explorer in the page: panels that compute in the browser, without a network.

The fragment of HTML holds everything: the models, the scripts and the styles in ``explorer/``, and
a picture for readers without scripts. It fetches nothing, so it works from a folder on disk.

``lbae explorer`` writes the summary of a model's latents that the page needs, and with ``--page``
a page of that model alone.
"""

import base64
import html
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from companion.experiments.artifacts import EXPLORER, MODEL
from companion.experiments.compress import check_output
from companion.experiments.profiles import Experiment
from companion.experiments.trained import load_trained
from companion.png import png_of_rows
from companion.project import in_force
from companion.site.explorer_bundle import (
    decoder_json,
    read_summary,
    stored_tensor,
    summarise,
)
from companion.site.results import ResultSet
from lbae_lib.bits import unpack_bits
from lbae_lib.errors import CheckpointError, LbaeError
from lbae_lib.files import sha256_file, write_json, write_text
from lbae_lib.latent.algorithm_1 import restored_algorithm_1
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.locks import locked
from lbae_lib.models.autoencoders import LBAE
from lbae_lib.models.encoding import decode
from lbae_lib.models.hardware import choose_device
from lbae_lib.models.model_files import load_model

_FOLDER = Path(__file__).parent / "explorer"
# In their order, each uses only those before it.
SCRIPTS = (
    "algebra", "random", "tensors", "decoder", "hyperplanes", "interpolation", "algorithm_1",
    "attributes", "samplers", "space", "pictures", "controls", "hyperplane_panel", "samples_panel",
    "interpolation_panel", "bits_panel", "attributes_panel", "explorer",
)  # fmt: skip
_LARGEST = 4_500_000  # bytes of all models together
_FRAMES = 11  # of the picture's path
_ALONE = 'class="lbae-alone"'  # of a page with nothing but the explorer


def explorer_page(sets: Sequence[ResultSet]) -> str:
    """The explorer of all models that have a summary, as MyST Markdown.

    Models beyond the page's limit are left out, the last ones first.
    """
    models: list[dict[str, Any]] = []
    size = 0
    for result in sets:
        model = in_force(result.place / MODEL.files[0].format(model="lbae"))
        if not model.exists():
            continue
        try:
            found = _stored(model, in_force(result.place / EXPLORER.files[0]), "lbae report")
        except LbaeError as error:
            print(f"no explorer of {result.title}: {error}", file=sys.stderr)
            continue
        length = len(json.dumps(found))
        if size + length <= _LARGEST:
            models.append(found)
            size += length
    if not models:
        return "There is no model to explore yet.\n"
    return f"````{{raw}} html\n{fragment(models)}\n````\n"


def _stored(model: Path, summary: Path, command: str) -> dict[str, Any]:
    """A stored model for the page; ``LbaeError`` names the command that makes its summary."""
    found = read_summary(summary, model)
    if found is None:
        raise LbaeError(f"there is no summary of the latents of {model}: run `{command}`")
    return page_model(load_model(model)[0], found)


def write_summary(experiment: Experiment, root: Path, device: str) -> Path:
    """Write what the page needs of a model's latents; returns the file."""
    path = EXPLORER.target(experiment)
    with locked(experiment.folder / "explorer"):
        digest = sha256_file(MODEL.required(experiment))  # before it is read
        trained = load_trained(experiment, root, choose_device(device))
        write_json(path, summarise(trained, experiment.profile, digest))
    return path


def page_model(model: LBAE, summary: dict[str, Any]) -> dict[str, Any]:
    """A model as the page's scripts read it: decoder, summary of the latents, and a picture."""
    return summary | {
        "decoder": decoder_json(model),
        "picture": base64.b64encode(frozen_picture(model, summary)).decode(),
    }


def frozen_picture(model: LBAE, summary: dict[str, Any]) -> bytes:
    """A path between two test images above two rows of samples, as a PNG file.

    Raises:
        CheckpointError: if all training latents are equal, so that there is one image to show.
    """
    sampler = HyperplaneSampler(stored_tensor(summary, "vectors").double())
    if sampler.vectors.shape[1] < 2:
        raise CheckpointError(
            f"{summary['title']}: all training latents are equal, so that there is nothing to "
            "explore: train the model longer"
        )
    latents = unpack_bits(stored_tensor(summary, "test"), sampler.latent_size)
    normals = restored_algorithm_1(latents[[0, -1]], sampler).normals
    path = interpolate_bits(sampler, normals[:1], normals[1:], _FRAMES)[0]
    samples = sampler.sample(2 * _FRAMES, torch.Generator().manual_seed(0))
    return png_of_rows(decode(model, torch.cat([path, samples])).unflatten(0, (3, _FRAMES)))


def fragment(models: Sequence[dict[str, Any]]) -> str:
    """The explorer of these models as HTML, complete in itself."""
    first = models[0]
    caption = (
        f"{first['title']}: from one test image to another along a great circle between their "
        "hyperplanes (above), and samples of random hyperplanes (below)."
    )
    shown = ({key: value for key, value in m.items() if key != "picture"} for m in models)
    # JSON that cannot end the element that it stands in.
    embedded = [json.dumps(m, separators=(",", ":")).replace("<", "\\u003c") for m in shown]
    data = "".join(
        f'<script type="application/json" class="lbae-model" '
        f'data-title="{html.escape(model["title"], quote=True)}">{content}</script>\n'
        for model, content in zip(models, embedded, strict=True)
    )
    return (
        f"<style>\n{(_FOLDER / 'explorer.css').read_text('utf-8')}</style>\n"
        '<div class="lbae-explorer" id="lbae-explorer">\n<noscript><figure>'
        f'<img alt="{html.escape(caption, quote=True)}" '
        f'src="data:image/png;base64,{first["picture"]}">'
        f"<figcaption>{html.escape(caption)} With scripts switched on, this page computes such "
        "images itself.</figcaption></figure></noscript>\n</div>\n"
        f"{data}<script>\n(() => {{\n{scripts()}}})();\n</script>"
    )


def scripts() -> str:
    """All scripts in one scope."""
    return "\n".join((_FOLDER / f"{name}.js").read_text("utf-8") for name in SCRIPTS)


def standalone(models: Sequence[dict[str, Any]]) -> str:
    """A page with nothing but the explorer."""
    return (
        f'<!DOCTYPE html>\n<html lang="en" {_ALONE}>\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Explorer</title></head>\n<body>\n<main>\n<h1>Explorer</h1>\n"
        f"{fragment(models)}\n</main>\n</body>\n</html>\n"
    )


def check_page(page: Path, force: bool) -> None:
    """Raise ``WriteError`` if another file than such a page would be replaced."""
    check_output(page, is_ours=lambda path: _ALONE.encode() in path.read_bytes(), force=force)


def write_page(experiment: Experiment, page: Path) -> None:
    """Write a page of one model, whose summary there is."""
    model, command = MODEL.required(experiment), EXPLORER.command_line(experiment)
    write_text(page, standalone([_stored(model, EXPLORER.path(experiment), command)]))
