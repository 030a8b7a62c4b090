"""All records of this machine, one benchmark after another.

    python benchmarks/everything.py [--dataset digits] [--profile quick] [--output runs/performance]

Sizes are chosen so that two quiet cores need less than 15 minutes. Files of bits and the explorer
need a trained model: without one they are left out, and a line says so. Prints a line before and
after each benchmark. Ends with status 1 if one failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from machine import OUTPUT

from companion.experiments.artifacts import LATENTS, MODEL, PRIOR
from companion.experiments.profiles import load_experiment
from lbae_lib.errors import unknown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--only", nargs="+", help="names of benchmarks")
    options = parser.parse_args()
    experiment = load_experiment(options.profile, options.dataset)
    model = ("--dataset", options.dataset, "--profile", options.profile)
    needed = {"coding": (MODEL, LATENTS, PRIOR), "explorer": (MODEL, LATENTS)}
    jobs: dict[str, tuple[str, ...]] = {
        "latent": ("--repeat", "2"),
        "metrics": (),
        "coding": model,
        "explorer": model,
        "training": ("--seconds", "40"),  # with the roofline
        "memory": ("--seconds", "15"),
        "precision": ("--dataset", "digits", "--profile", "quick", "--width", "16",
                      "--epochs", "2"),
        "scaling": (),
    }  # fmt: skip
    for name in options.only or ():
        if name not in jobs:
            parser.error(unknown("benchmark", name, jobs))
    chosen = {name: jobs[name] for name in options.only or jobs}
    failed = []
    start = time.monotonic()
    for number, (name, words) in enumerate(chosen.items(), 1):
        title = f"[{number}/{len(chosen)}] {name}"
        missing = [
            artifact.path(experiment)
            for artifact in needed.get(name, ())
            if not artifact.path(experiment).exists()
        ]
        if missing:
            print(f"{title}: left out, there is no {missing[0]}: run `lbae report`", flush=True)
            continue
        print(f"{title} …", flush=True)
        began = time.monotonic()
        script = str(Path(__file__).with_name(f"{name}.py"))
        done = subprocess.run([sys.executable, script, *words, "--output", str(options.output)])
        result = "done" if done.returncode == 0 else f"failed with status {done.returncode}"
        print(f"{title}: {result} in {time.monotonic() - began:.0f} s", flush=True)
        failed += [name] * (done.returncode != 0)
    minutes = (time.monotonic() - start) / 60
    print(f"{len(chosen)} benchmarks in {minutes:.1f} minutes; records: {options.output}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
