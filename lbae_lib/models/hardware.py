"""Which device, and in which precision, by what the machine has."""

from __future__ import annotations

import torch

from lbae_lib.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "32-true", "bf16-mixed")


def choose_device(device: str) -> str:
    """Lightning Fabric's name of the device; "auto" takes CUDA if there is any.

    Raises:
        ConfigError: if the name is unknown.
    """
    if device not in DEVICES:
        raise ConfigError(f"device is {device!r}, but must be one of {DEVICES}")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def choose_precision(precision: str, device: str) -> str:
    """Lightning Fabric's name of the precision.

    "auto" takes bf16 mixed precision where the hardware computes in it, float32 elsewhere.

    Args:
        precision: one of ``PRECISIONS``.
        device: from :func:`choose_device`.

    Raises:
        ConfigError: if the name is unknown.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}, but must be one of {PRECISIONS}")
    if precision != "auto":
        return precision
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if native else "32-true"
