"""The command ``lbae report``, which runs Snakemake on the plan."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from typing import Annotated

import typer
import yaml
from typer import Option

from companion.experiments.datasets import name_in_project
from companion.experiments.profiles import load_experiment
from companion.experiments.records import RECORD_FILE, read_record
from companion.options import Data, Device, Profile, data_root
from companion.project import project_root
from companion.workflow.gpus import GPUS, visible_gpus
from companion.workflow.plan import BOOK_INDEX, parse_duration
from lbae_lib.errors import ConfigError, LbaeError, unknown
from lbae_lib.locks import locked


def report(
    datasets: Annotated[
        str, Option("--datasets", "-d", help="Names, separated by spaces.")
    ] = "digits photos faces",
    profile: Profile = "quick",
    data: Data = None,
    device: Device = "auto",
    cores: Annotated[str | None, Option(help="A number, or all; else as in profiles/.")] = None,
    on: Annotated[
        str, Option(help="default (this machine), slurm, or another folder of profiles/.")
    ] = "default",
    time_limit: Annotated[
        str | None, Option(help="Of one run of a training, H:MM:SS; see profiles/slurm.")
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Only name the files that would be made.")
    ] = False,
) -> None:
    """Train, encode, run all notebooks and build the book; only what is missing or out of date.

    Snakemake decides: a changed option, notebook or library function re-runs what depends on it.
    On a machine with GPUs, each step has one to itself.

    Example: lbae report -d "digits mnist" -p quick
    """
    root = project_root()
    names = [name_in_project(name) for name in shlex.split(datasets)]
    for name in names:  # a wrong name or a damaged record ends here
        for path in load_experiment(profile, name).folder.glob(f"*/{RECORD_FILE}"):
            read_record(path)
    machines = sorted(p.parent.name for p in root.glob("profiles/*/config.yaml"))
    if on not in machines:
        raise ConfigError(unknown("folder in profiles/", on, machines))
    words = [sys.executable, "-m", "snakemake", "--nolock", "--workflow-profile", f"profiles/{on}"]
    words += ["--cores", cores] if cores else []
    words += ["--quiet", "rules", "progress", "host", "reason"]
    words += ["--summary"] if dry_run else []
    # With backslashes: Snakemake strips quotes.
    quoted = " ".join(re.sub(r"([^\w:./-])", r"\\\1", name) for name in names)
    words += ["--config", f"profile={profile}", f"datasets={quoted}"]
    words += [f"data={data_root(data)}"] if data else []
    if time_limit is not None:
        parse_duration(time_limit)
        words += [f"time_limit={time_limit}"]
    environment = {"LBAE_DEVICE": device}
    settings = yaml.safe_load((root / f"profiles/{on}/config.yaml").read_text("utf-8"))
    if "executor" not in settings and (gpus := visible_gpus(device)):  # a cluster has its own
        environment[GPUS] = ",".join(gpus)
        words += ["--resources", f"gpu={len(gpus)}"]
    listed = _run(words, environment, capture=dry_run)
    if dry_run:
        rows = [line.split("\t") for line in listed.splitlines()]
        typer.echo("\n".join(row[0] for row in rows if row[-1] == "update pending"))
    else:
        typer.echo(f"The book: {root / BOOK_INDEX}")


def _run(words: list[str], environment: dict[str, str], capture: bool) -> str:
    """Run Snakemake to its end; an interrupt lets it finish the steps that have begun."""
    root = project_root()
    # Snakemake's own lock outlives a process that was killed; this one does not.
    with locked(root / ".snakemake") as lock:
        snakemake = subprocess.Popen(
            words, cwd=root, env=os.environ | environment, text=True, pass_fds=[lock],
            stdout=subprocess.PIPE if capture else None,
        )  # fmt: skip
        previous = {
            s: signal.signal(s, lambda *_: snakemake.send_signal(signal.SIGINT))
            for s in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            with snakemake:
                output, _ = snakemake.communicate()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
    if snakemake.returncode:
        raise LbaeError(
            "the report is not complete: it was stopped, or the step named above failed. Finished "
            "steps are kept: run the same command again to resume"
        )
    return output or ""
