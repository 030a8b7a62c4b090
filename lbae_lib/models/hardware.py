"""Devices and precision: what training may use, and what "auto" takes on this machine."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lbae_lib.errors import ConfigError, LbaeError, extra

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "32-true", "bf16-mixed")
STRATEGIES = ("auto", "ddp")


@dataclass(frozen=True)
class Hardware:
    """What to train on.

    Attributes:
        device: one of ``DEVICES``.
        precision: one of ``PRECISIONS``.
        devices: number of devices per node; each has its own process.
        nodes: number of machines; the cluster's launcher starts the processes, as Lightning Fabric
            expects.
        strategy: of Lightning Fabric, one of ``STRATEGIES``.
        sync_batch_norm: whether batch normalisation sees the whole batch, not one device's part.
        compile: whether PyTorch's compiler fuses the network's operations. It takes about a minute
            to start, and needs a C compiler.
    """

    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    sync_batch_norm: bool = False
    compile: bool = False


ONE_DEVICE = Hardware()


def choose_device(device: str) -> str:
    """The device's name for PyTorch and Lightning Fabric; "auto" takes CUDA if there is any.

    Raises:
        ConfigError: if the name is unknown, or the machine has no such device.
    """
    _check_choice("device", device, DEVICES)
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', but PyTorch finds no GPU here: choose auto or cpu")
    return device


def choose_precision(precision: str, device: str) -> str:
    """The precision's name for Lightning Fabric, on a device from :func:`choose_device`.

    "auto" takes bf16 mixed precision where the hardware computes in it, float32 elsewhere.

    Raises:
        ConfigError: if the name is unknown.
    """
    _check_choice("precision", precision, PRECISIONS)
    if precision != "auto":
        return precision
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if native else "32-true"


def start_fabric(hardware: Hardware) -> Fabric:
    """Lightning Fabric, with its processes started.

    Raises:
        ConfigError: if an option is unknown, out of bounds, or asks for devices that are missing.
        LbaeError: if Lightning Fabric is not installed.
    """
    with extra("train", "lightning-fabric", "training"):
        from lightning_fabric import Fabric  # takes seconds to import

    accelerator = choose_device(hardware.device)
    precision = choose_precision(hardware.precision, accelerator)
    _check_choice("strategy", hardware.strategy, STRATEGIES)
    for name, count in (("devices", hardware.devices), ("nodes", hardware.nodes)):
        if count < 1:
            raise ConfigError(f"{name} is {count}, but must be at least 1")
    if accelerator == "cuda" and hardware.devices > torch.cuda.device_count():
        raise ConfigError(
            f"devices is {hardware.devices}, but the machine has {torch.cuda.device_count()} GPUs: "
            "choose at most as many"
        )
    if hardware.sync_batch_norm and accelerator != "cuda":
        raise ConfigError(f"sync_batch_norm needs GPUs: leave it out on {accelerator}")
    fabric = Fabric(
        accelerator=accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy="ddp" if hardware.devices * hardware.nodes > 1 else hardware.strategy,
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    if fabric.device.type == "cpu":
        keep_freed_memory()
    return fabric


def own_part(batch: int, rank: int, world: int) -> slice:
    """The images of each batch that one of several processes takes.

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


@contextmanager
def explained_failures(fabric: Fabric, batch: int, folder: Path) -> Iterator[None]:
    """Turns a lack of memory, or the end of another process, into an error with a remedy.

    Raises:
        ConfigError: if the device has too little memory for the batch.
        LbaeError: if another process of the run in ``folder`` has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise ConfigError(
                f"batch_size is {batch}, but images, network and activations do not fit into the "
                f"memory of {fabric.device}: choose a smaller one, or use more devices (--devices)"
            ) from None
        if fabric.world_size == 1:
            raise
        raise LbaeError(
            f"another process of this run has ended, or cannot be reached ({error}): the last "
            f"checkpoint in {folder} is complete; run the same command to resume from it"
        ) from None


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether PyTorch could not get the memory it asked for, on a device or the processor."""
    words = ("out of memory", "can't allocate memory")  # of accelerators, of the processor
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in words)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed blocks instead of giving them back to the system.

    The activations of a large batch are tens of MiB each. By default, each is mapped again at every
    step, and the system clears its pages every time. Returns whether the C library took the advice;
    only glibc has these options.
    """
    trim_threshold, mmap_max, never = -1, -4, 2**31 - 1  # as in glibc's malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # other systems
        return False
    return bool(mallopt(mmap_max, 0)) and bool(mallopt(trim_threshold, never))


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}, but must be one of {', '.join(choices)}")
