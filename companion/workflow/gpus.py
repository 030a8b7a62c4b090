"""The GPUs of this machine, one for each step of a report."""

import os
from contextlib import ExitStack
from pathlib import Path

from companion.project import project_root
from lbae_lib.errors import WriteError
from lbae_lib.locks import locked

GPUS = "LBAE_GPUS"  # the environment variable that names a report's GPUs to its steps
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, and under WSL
_taken = ExitStack()  # open until the process ends


def visible_gpus(device: str) -> list[str]:
    """The GPUs that steps may use, as CUDA_VISIBLE_DEVICES names them; none for the processor.

    torch is imported only where there may be a GPU.
    """
    if device == "cpu" or (device == "auto" and not any(Path(d).exists() for d in _DRIVERS)):
        return []
    import torch

    from lbae_lib.models.hardware import choose_device

    if choose_device(device) == "cpu":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(i) for i in range(torch.cuda.device_count())]


def take_gpu() -> None:
    """In a step of a report: use one of its GPUs that no other step has, until the process ends."""
    for gpu in filter(None, os.environ.get(GPUS, "").split(",")):
        try:
            _taken.enter_context(locked(project_root() / f".snakemake/gpu-{gpu}"))
        except WriteError:
            continue
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        return
