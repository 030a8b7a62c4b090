"""The SLURM profile, with a submitter that runs its jobs here."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT

SBATCH = """#!/usr/bin/env bash
# Keeps the options, runs the job script, answers with a number.
echo "$@" >> "$SUBMITTED"
bash "${@: -1}" > "$SUBMITTED.$RANDOM.log" 2>&1 &
echo 4711
"""
CONFIG = """
description: seconds
datasets:
  digits: {width: 2, latent_size: 8, validation_images: 137, batch_size: 1300, epochs: 1,
           vae: {latent_size: 8, kl_weight: 10.0}}
"""


@pytest.mark.slow
def test_a_training_is_submitted_until_it_is_done(tmp_path):
    for part in ("lbae_lib", "notebooks", "profiles", "book"):
        shutil.copytree(PROJECT / part, tmp_path / part)
    for part in ("Snakefile", "_config.yml"):
        shutil.copy2(PROJECT / part, tmp_path / part)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/tiny.yaml").write_text(CONFIG)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sbatch").write_text(SBATCH)
    (tmp_path / "bin/sbatch").chmod(0o755)
    submitted = tmp_path / "submitted"
    target = "results/tiny/digits/lbae/latents.safetensors"
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm"]
    command += ["--cores", "2", "--latency-wait", "5", "--seconds-between-status-checks", "1"]
    command += [target, "--config", "profile=tiny", "datasets=digits", "time_limit=0:00"]
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "SUBMITTED": str(submitted), "LBAE_ROOT": str(tmp_path), "PYTHONPATH": str(tmp_path),
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
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / target).exists()
    jobs = submitted.read_text().splitlines()
    trained = [job for job in jobs if "--job-name=lbae-train" in job]
    assert len(trained) > 1
    assert len([job for job in jobs if "--job-name=lbae-encode" in job]) == 1
    assert (tmp_path / "build/slurm").is_dir()  # sbatch makes no folder for --output
    assert all("--cpus-per-task=" in job and "--mem=16000M --time=120" in job for job in jobs)
