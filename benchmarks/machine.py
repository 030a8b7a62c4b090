"""What every benchmark records: the machine, and one file of results for it."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

import torch

from companion.experiments.records import commit
from lbae_lib.files import write_json
from lbae_lib.models.hardware import choose_device, choose_precision

OUTPUT = Path("results/performance")


def machine() -> str:
    """Processor or accelerator, in words."""
    if choose_device("auto") == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} thread{'s' * (threads > 1)}"


def processor() -> str:
    """Its name, and what it computes with: a virtual machine's name alone says little."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = re.findall(r"model name\s*: (.*)", text)
    name = names[0] if names else platform.processor()
    units = torch.backends.cpu.get_cpu_capability()
    if choose_precision("auto", "cpu") == "bf16-mixed":
        units += " with bfloat16"
    return f"{name}, {units}"


def write_record(folder: Path, benchmark: str, on: str, found: dict[str, Any]) -> Path:
    """Write ``folder/benchmark-MACHINE.json``."""
    slug = re.sub(r"[^a-z0-9]+", "-", on.lower()).strip("-")
    path = folder / f"{benchmark}-{slug}.json"
    about = {"benchmark": benchmark, "machine": on, "torch": torch.__version__, "commit": commit()}
    write_json(path, about | found)
    return path
