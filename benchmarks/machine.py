"""What every benchmark shares: the machine's name, measurements in a process, and the record."""

from __future__ import annotations

import json
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from companion.experiments.records import commit
from lbae_lib.files import write_json
from lbae_lib.models.hardware import choose_device, choose_precision

OUTPUT = Path("runs/performance")


def machine() -> str:
    """Name of the accelerator, or of the processor with the number of threads."""
    if choose_device("auto") == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} thread{'s' * (threads > 1)}"


def processor() -> str:
    """Its name and instruction set: a virtual machine's name alone says little."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = re.findall(r"model name\s*: (.*)", text)
    name = names[0] if names else platform.processor()
    units = torch.backends.cpu.get_cpu_capability()
    if choose_precision("auto", "cpu") == "bf16-mixed":
        units += " with bfloat16"
    return f"{name}, {units}"


def measure_apart(script: str, *words: str) -> dict[str, Any]:
    """Run a script in a process of its own, and read the JSON in the last line that it prints."""
    done = subprocess.run(
        [sys.executable, script, *words], check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def peak_mib() -> float:
    """Peak memory of the accelerator if there is one, else of the process, in MiB."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(
    work: Callable[[], object], clock: Callable[[], float] = time.perf_counter, repeat: int = 1
) -> dict[str, float]:
    """Seconds of the fastest call, and the peak memory above the start in MiB (on Linux)."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")
    before, seconds = _peak_since_reset(), []
    for _ in range(repeat):
        began = clock()
        work()
        seconds.append(clock() - began)
    return {"seconds": min(seconds), "MiB": max(0.0, _peak_since_reset() - before)}


def _peak_since_reset() -> float:
    """Of the process, in MiB."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_mib()
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def write_record(
    folder: Path,
    benchmark: str,
    on: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str | float]],
    caption: str,
    **details: Any,
) -> Path:
    """Print a table and write it to ``folder/benchmark-MACHINE.json``, as the book shows it.

    Args:
        folder: of the records.
        benchmark: name of the script, and what distinguishes its records on one machine.
        on: the machine.
        header: column titles, with units.
        rows: text and numbers; the book shows four significant digits.
        caption: what was measured, with which options; whole sentences.
        **details: anything else; ``figure`` holds caption and alternative text of a plot in
            ``folder/benchmark-MACHINE.png``.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", on.lower()).strip("-")
    path = folder / f"{benchmark}-{slug}.json"
    about = {"benchmark": benchmark, "machine": on, "torch": torch.__version__, "commit": commit()}
    table = {"caption": caption, "header": list(header), "rows": [list(row) for row in rows]}
    write_json(path, about | table | details)
    print(f"{on}. {caption}\n{pd.DataFrame(rows, columns=header).to_string(index=False)}")
    return path
