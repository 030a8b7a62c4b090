"""The stages of an autoencoder, read from the model itself."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from lbae_lib.models.autoencoders import LBAE
from lbae_lib.models.networks import parameter_count


@dataclass(frozen=True)
class Stage:
    """One stage of the network."""

    part: str  # "encoder" or "decoder"
    name: str  # e.g. "residual block ↓"
    shape: tuple[int, ...]  # of its output for one image, (C, S, S) or (N,)
    parameters: int  # number of them, batch norm included


def stages(model: LBAE) -> list[Stage]:
    """The stages of a model in order, with the output shapes of a forward pass."""
    model = deepcopy(model).eval()  # the hooks stay
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: object, output: torch.Tensor) -> None:
        shapes[module] = tuple(output.shape[1:])

    listed = _listed(model)
    for _, _, modules in listed:
        modules[0].register_forward_hook(note)
    config, device = model.config, next(model.parameters()).device
    with torch.no_grad():
        model(torch.zeros(1, config.channels, config.image_size, config.image_size, device=device))
    return [
        Stage(part, name, shapes[modules[0]], sum(map(parameter_count, modules)))
        for part, name, modules in listed
    ]


def _listed(model: LBAE) -> list[tuple[str, str, list[nn.Module]]]:
    trunk, decoder = model.trunk, model.decoder
    grid = f"{decoder.entry_channels}·4·4"
    return [
        ("encoder", "3×3 conv, BN", [trunk.stem, trunk.stem_norm]),
        *(("encoder", "residual block ↓", [block]) for block in trunk.blocks),
        ("encoder", "4×4 conv ↓", [trunk.final]),
        ("encoder", "linear, tanh, sign", [model.head]),
        ("decoder", f"linear to {grid}", [decoder.linear]),
        *(("decoder", "residual block ↑", [block]) for block in decoder.blocks),
        ("decoder", "4×4 transposed conv ↑, BN", [decoder.enlarge, decoder.enlarge_norm]),
        ("decoder", "3×3 transposed conv, sigmoid", [decoder.final]),
    ]


def residual_layers(transposed: bool) -> list[str]:
    """The layers of a residual block in order (supplement, Figs 1-2)."""
    conv, act = "transposed conv" if transposed else "conv", "LeakyReLU"
    first, other = [f"4×4 {conv}, stride 2", "BN (kept as skip)"], [f"3×3 {conv}", "BN"]
    return [*first, act, *other, act, *other, "+ skip", act]


def sizes(model: LBAE) -> tuple[int, int]:
    """Number of parameters of the encoder, with its linear head, and of the decoder."""
    encoder = parameter_count(model.trunk) + parameter_count(model.head)
    return encoder, parameter_count(model.decoder)
