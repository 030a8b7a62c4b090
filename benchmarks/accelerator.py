"""Benchmarks, trainings and studies on one accelerator, within a time limit.

    python benchmarks/accelerator.py --minutes 25 [--datasets "mnist folder:data/cifar10"]

Runs the commands of the project, as a user would type them: first what measures the device, alone;
then the trainings of a profile, LBAE and VAE side by side, and beside them, one command after
another for each data set, the feature extractor and the studies. At the time limit,
commands are interrupted as by Ctrl-C and keep their checkpoints; called again, each resumes or has
nothing to do. A command that fails says why in its log, and the others go on.

The logs, and everything in runs/PROFILE and runs/performance but checkpoints, are kept as one
archive in --home, in parts of at most 15 MiB. To read them: ``cat results.tar.* | tar -x``.

Rehearse it first, on the machine itself or with a copy of the folder that goes there:
``--profile smoke --datasets digits --small`` takes two minutes on a processor.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from companion.experiments.profiles import STUDIES, load_experiment
from companion.project import RUNS, project_root
from lbae_lib.models.config import MODELS

PART_BYTES = 15 * 2**20
RESERVE = 30.0  # seconds kept for checkpoints and the archive
SHORTEST = 60.0  # seconds that must be left for a command to be begun
DATASETS = "folder:data/cifar10 mnist folder:data/celeba_47k"


class Commands:
    """Runs commands until a deadline, each with a log of its own."""

    def __init__(self, deadline: float, shortest: float, logs: Path) -> None:
        self.deadline, self.shortest, self.logs = deadline, shortest, logs
        logs.mkdir(parents=True, exist_ok=True)

    def run(self, chain: list[tuple[str, ...]]) -> None:
        """One command after another; one that fails does not keep the next from running."""
        for words in chain:
            left = self.deadline - time.monotonic()
            if left < self.shortest:
                return
            name = "-".join(Path(word).stem for word in words if not word.startswith("-"))
            began = time.monotonic()
            with (self.logs / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, *words], stdout=log, stderr=log, cwd=project_root()
                )
                try:
                    result = f"exit status {process.wait(left)}"
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGINT)
                    process.wait()
                    result = "interrupted, to be resumed"
            print(f"{name}: {result} after {time.monotonic() - began:.0f} s", flush=True)


def measurements(small: bool) -> list[tuple[str, ...]]:
    """What needs the device to itself: the library's functions, and training at both sizes."""
    if small:
        return [("benchmarks/devices.py", "--small")]
    sizes = (("--size", "32", "--batch", "512"), ("--size", "64", "--batch", "128"))
    training = [("benchmarks/training.py", "--channels", "3", *size) for size in sizes]
    return [("benchmarks/devices.py",), *training]


def trainings(profile: str, datasets: list[str], options: list[str]) -> list[list[tuple[str, ...]]]:
    """A chain for each model, and one for the extractor and the studies of each data set."""
    lbae = ("-m", "companion.cli")
    chains = [
        [(*lbae, "train", "-d", name, "-p", profile, "-m", model, *options) for name in datasets]
        for model in MODELS
    ]
    for name in datasets:
        wanted = load_experiment(profile, name).entry.studies
        studies = [("study", study) for study in STUDIES if getattr(wanted, study) is not None]
        chains.append(
            [(*lbae, *words, "-d", name, "-p", profile) for words in [("extractor",), *studies]]
        )
    return chains


def bring_home(folders: list[Path], home: Path) -> None:
    """Folders of the project without checkpoints, as one archive in parts."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(file for folder in folders for file in folder.rglob("*")):
            if path.is_file() and not path.name.startswith(("checkpoint", ".")):
                archive.add(path, path.relative_to(project_root()))
    content = buffer.getvalue()
    for old in home.glob("results.tar.*"):
        old.unlink()
    for number, start in enumerate(range(0, len(content), PART_BYTES)):
        (home / f"results.tar.{number:02}").write_bytes(content[start : start + PART_BYTES])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=25.0, help="time limit of this call")
    parser.add_argument("--profile", default="accelerator", help="a file in config/")
    parser.add_argument("--datasets", default=DATASETS, help="names, in order, with spaces")
    parser.add_argument("--home", type=Path, default=Path("build/accelerator"), help="for results")
    parser.add_argument("--compile", action="store_true", help="as in lbae train")
    parser.add_argument("--small", action="store_true", help="a rehearsal: measure next to nothing")
    options = parser.parse_args()
    reserve, shortest = (1.0, 1.0) if options.small else (RESERVE, SHORTEST)
    deadline = time.monotonic() + 60 * options.minutes - reserve
    options.home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "3")  # several commands share the processor
    commands = Commands(deadline, shortest, project_root() / RUNS / options.profile / "logs")
    commands.run(measurements(options.small))
    chains = trainings(
        options.profile, options.datasets.split(), ["--compile"] if options.compile else []
    )
    with ThreadPoolExecutor(len(chains)) as pool:
        list(pool.map(commands.run, chains))
    runs = project_root() / RUNS
    bring_home([runs / options.profile, runs / "performance"], options.home)
    print(f"results in {options.home}")


if __name__ == "__main__":
    main()
