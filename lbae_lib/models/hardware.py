"""Which devices, and in which precision, by what the machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from lbae_lib.errors import ConfigError
from lbae_lib.models.allocator import keep_freed_memory

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "32-true", "bf16-mixed")
STRATEGIES = ("auto", "ddp")


@dataclass(frozen=True)
class Hardware:
    """What to train on.

    Attributes:
        device: "auto", "cpu" or "cuda".
        precision: "auto", "32-true" or "bf16-mixed".
        devices: on each node, a process each.
        nodes: machines; started by the cluster's own launcher, as Lightning Fabric has it.
        strategy: of Lightning Fabric: "auto" or "ddp".
        sync_batch_norm: batch normalisation over the whole batch, not over each device's part.
    """

    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    sync_batch_norm: bool = False


ONE_DEVICE = Hardware()


def start_fabric(hardware: Hardware) -> Fabric:
    """Lightning Fabric with its processes started.

    Raises:
        ConfigError: if an option is unknown, or the machine has not so many devices.
    """
    from lightning_fabric import Fabric  # takes seconds to import

    accelerator = choose_device(hardware.device)
    precision = choose_precision(hardware.precision, accelerator)
    if hardware.strategy not in STRATEGIES:
        raise ConfigError(f"strategy is {hardware.strategy!r}, but must be one of {STRATEGIES}")
    for name in ("devices", "nodes"):
        if getattr(hardware, name) < 1:
            raise ConfigError(f"{name} is {getattr(hardware, name)}, but must be at least 1")
    if accelerator == "cuda" and hardware.devices > torch.cuda.device_count():
        raise ConfigError(
            f"devices is {hardware.devices}, but the machine has {torch.cuda.device_count()} GPUs"
        )
    if hardware.sync_batch_norm and accelerator != "cuda":
        raise ConfigError(f"synchronised batch normalisation needs GPUs, not {accelerator}")
    several = hardware.devices * hardware.nodes > 1
    fabric = Fabric(
        accelerator=accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy="ddp" if several else hardware.strategy,
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    if fabric.device.type == "cpu":
        keep_freed_memory()
    return fabric


def own_part(batch: int, rank: int, world: int) -> slice:
    """A process's images of each batch.

    Raises:
        ConfigError: if the batch cannot be shared evenly, or a part would have a single image.
    """
    if batch % world or (world > 1 and batch // world < 2):
        raise ConfigError(
            f"a batch of {batch} images cannot be shared evenly by {world} processes, at least 2 "
            "for each: choose another batch_size or number of devices"
        )
    share = batch // world
    return slice(rank * share, (rank + 1) * share)


def choose_device(device: str) -> str:
    """PyTorch's and Lightning Fabric's name of the device; "auto" takes CUDA if there is any.

    Raises:
        ConfigError: if the name is unknown, or the machine has no such device.
    """
    if device not in DEVICES:
        raise ConfigError(f"device is {device!r}, but must be one of {DEVICES}")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', but PyTorch finds no GPU here: choose auto or cpu")
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
