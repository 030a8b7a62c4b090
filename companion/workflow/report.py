"""The command ``lbae report``, which has Snakemake run the steps of the plan."""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Annotated

import typer
import yaml
from typer import Option

from companion.experiments.datasets import dataset_info
from companion.experiments.folder_contents import no_folder
from companion.options import Data, Datasets, Device, Profile, data_root, dataset_names
from companion.project import project_root
from companion.workflow.book_state import BOOK_INDEX
from companion.workflow.gpus import GPUS, visible_gpus
from companion.workflow.plan import STAMPS, Step, make_plan, parse_duration, remove_stamps
from companion.workflow.report_progress import ReportProgress
from lbae_lib.data.registry import FOLDER_PREFIX, folder_path
from lbae_lib.errors import ConfigError, LbaeError, unknown
from lbae_lib.files import write_json
from lbae_lib.locks import locked

_SECONDS_BETWEEN_LOOKS = 0.5


def report(
    datasets: Datasets = "digits photos faces",
    profile: Profile = "quick",
    data: Data = None,
    device: Device = "auto",
    cores: Annotated[
        str | None, Option(help="Number of cores, or all [default: as the profile of --on says].")
    ] = None,
    on: Annotated[
        str, Option(help="default (this machine), slurm, or another folder of profiles/.")
    ] = "default",
    time_limit: Annotated[
        str | None, Option(help="Limit of one training job, [H:]MM:SS; see profiles/slurm.")
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would run, and why.")] = False,
) -> None:
    """Train, encode, run all notebooks and build the book.

    Only steps that are missing or out of date are run; published models count as trained. Results
    are written to runs/, and the book shows them in place of the published ones. On a machine with
    several GPUs, each step uses one.

    Example: lbae report -d "digits mnist" -p quick
    """
    root = project_root()
    names = dataset_names(datasets)
    machines = sorted(p.parent.name for p in root.glob("profiles/*/config.yaml"))
    if on not in machines:
        raise ConfigError(unknown("folder in profiles/", on, machines))
    if cores not in (None, "all") and not (cores.isdecimal() and int(cores) > 0):
        raise ConfigError(f"--cores is {cores!r}, but must be a number from 1, or all")
    if time_limit is not None:
        parse_duration(time_limit)
    steps = make_plan(profile, names)
    for name in names:
        why = name.startswith(FOLDER_PREFIX) and no_folder(folder_path(name, root))
        if why and any(dataset_info(name).name in step.words for step in steps.values()):
            raise ConfigError(why)
    if dry_run:
        lines = [f"{step.title}: {'; '.join(step.reasons)}" for step in steps.values()]
        typer.echo("\n".join(lines) or "Nothing to be done.")
        return
    if steps:
        words = [sys.executable, "-m", "snakemake", "--nolock"]
        settings = yaml.safe_load((root / f"profiles/{on}/config.yaml").read_text("utf-8"))
        cores = cores or str(settings.get("cores", "all"))
        words += ["--workflow-profile", f"profiles/{on}", "--cores", cores]
        # In a file: on a command line, names would need quotes.
        config = root / f"{STAMPS}/{profile}.json"
        given = {"data": str(data_root(data)) if data else None, "time_limit": time_limit}
        write_json(config, {"profile": profile, "datasets": names} | given)
        words += ["--configfile", str(config)]
        environment = {"LBAE_DEVICE": device}
        if "executor" not in settings and (gpus := visible_gpus(device)):  # a cluster has its own
            environment[GPUS] = ",".join(gpus)
            words += ["--resources", f"gpu={len(gpus)}"]
        _run(words, environment, steps, profile)
    typer.echo(f"The book: {root / BOOK_INDEX}")


def _run(
    words: list[str], environment: dict[str, str], steps: dict[str, Step], profile: str
) -> None:
    """Run Snakemake to its end; an interrupt lets it finish the steps that have begun."""
    root = project_root()
    log = root / f"build/report-{profile}.log"
    log.parent.mkdir(exist_ok=True)
    # Snakemake's own lock outlives a process that was killed; this one does not.
    with locked(root / ".snakemake") as lock, open(log, "w", encoding="utf-8") as lines:
        remove_stamps(profile, steps)  # of an earlier report
        progress = ReportProgress(steps, profile, lines)
        snakemake = subprocess.Popen(
            words, cwd=root, env=os.environ | environment, encoding="utf-8", errors="replace",
            pass_fds=[lock], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        previous = {
            s: signal.signal(s, lambda *_: snakemake.send_signal(signal.SIGINT))
            for s in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            with snakemake:
                reader = threading.Thread(target=progress.read, args=(snakemake.stdout,))
                reader.start()
                while snakemake.poll() is None:
                    progress.look()
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
                reader.join()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            progress.close()
    if snakemake.returncode:
        raise LbaeError(
            f"the report is not complete: it was stopped, or a step failed; see {log}. Finished "
            "steps are kept: run the same command again to resume"
        )
