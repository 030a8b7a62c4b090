"""The SLURM profile, with a cluster that runs its jobs here."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT

STATUS = PROJECT / "profiles/slurm/status.sh"
SBATCH = """#!/usr/bin/env bash
# Keeps the options and answers with a number. The first job is ended at once, a notebook fails.
echo "$@" >> "$CLUSTER/submitted"
number=$(wc -l < "$CLUSTER/submitted")
state=$CLUSTER/$number
case "$number $*" in
  1\\ *) echo TIMEOUT > "$state" ;;
  *lbae-notebook*) echo FAILED > "$state" ;;
  *)
    echo RUNNING > "$state"
    (bash "${@: -1}" && echo COMPLETED > "$state" || echo FAILED > "$state") > "$state.log" 2>&1 &
    ;;
esac
echo "$number"
"""
SCONTROL = """#!/usr/bin/env bash
echo "JobId=$4 JobName=lbae JobState=$(cat "$CLUSTER/$4") Reason=None"
"""
CONFIG = """
description: seconds
datasets:
  digits: {width: 2, latent_size: 8, validation_images: 137, batch_size: 1300, epochs: 1,
           vae: {latent_size: 8, kl_weight: 10.0}}
"""


def add_command(folder, name, script):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


@pytest.mark.slow
def test_trainings_alone_are_submitted_again(tmp_path):
    """The first is killed, the next reaches its time limit, a third finishes."""
    for part in ("lbae_lib", "companion", "notebooks", "profiles", "book"):
        shutil.copytree(PROJECT / part, tmp_path / part)
    for part in ("Snakefile", "_config.yml"):
        shutil.copy2(PROJECT / part, tmp_path / part)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/tiny.yaml").write_text(CONFIG)
    add_command(tmp_path / "bin", "sbatch", SBATCH)
    add_command(tmp_path / "bin", "scontrol", SCONTROL)
    (tmp_path / "cluster").mkdir()
    target = ".snakemake/lbae/tiny/digits/11_gallery.done"
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm"]
    command += ["--cores", "1", "--latency-wait", "5", "--seconds-between-status-checks", "1"]
    command += [target, "--config", "profile=tiny", "datasets=digits", "time_limit=0:00"]
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "CLUSTER": str(tmp_path / "cluster"), "LBAE_ROOT": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
    }  # fmt: skip
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = done.stdout + done.stderr
    assert "job 1: TIMEOUT" in output
    assert done.returncode != 0, output
    assert (tmp_path / "runs/tiny/digits/lbae/latents.safetensors").exists(), output
    jobs = (tmp_path / "cluster/submitted").read_text().splitlines()
    named = {
        rule: [job for job in jobs if f"--job-name=lbae-{rule} " in job]
        for rule in ("train", "make", "notebook")
    }
    assert len(named["train"]) == 3, output
    assert len(named["make"]) == len(named["notebook"]) == 1, output
    assert all("--mem=16000M --time=20" in job for job in named["train"])
    assert all("--mem=16000M --time=120" in job for job in named["make"] + named["notebook"])
    assert all("--cpus-per-task=" in job for job in jobs)
    assert (tmp_path / "build/slurm").is_dir()  # sbatch makes no folder for --output


@pytest.mark.parametrize(
    ("controller", "accounting", "answer"),
    [
        ("JobState=PENDING", None, "running"),
        ("JobState=COMPLETING", None, "running"),
        ("JobState=COMPLETED", None, "success"),
        ("JobState=OUT_OF_MEMORY", None, "failed"),
        (None, "COMPLETED", "success"),
        (None, "CANCELLED by 1000", "failed"),
        (None, "", "failed"),
    ],
)
def test_what_became_of_a_job(tmp_path, controller, accounting, answer):
    """The controller knows it, or has forgotten it and the accounting is asked."""
    forgotten = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
    told = forgotten if controller is None else f"echo 'JobId=7 {controller} ExitCode=0:0'"
    add_command(tmp_path, "scontrol", f"#!/usr/bin/env bash\n{told}\n")
    add_command(tmp_path, "sacct", f"#!/usr/bin/env bash\necho '{accounting}'\n")
    assert status(tmp_path) == (0, answer)


def test_a_silent_controller_ends_no_job(tmp_path):
    silent = "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1"
    add_command(tmp_path, "scontrol", f"#!/usr/bin/env bash\n{silent}\n")
    assert status(tmp_path) == (0, "running")
    (tmp_path / "scontrol").unlink()
    assert status(tmp_path) == (1, "")


def status(commands):
    """The script's exit status and answer; it finds no other SLURM than these commands."""
    done = subprocess.run(
        [STATUS, "7"],
        env={"PATH": f"{commands}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()
