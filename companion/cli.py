"""The command line, ``lbae``: every step of the companion as a command."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
import yaml

from companion.experiments.profiles import Experiment, load_experiment, load_profile
from companion.experiments.records import RECORD_FILE, TABLES, read_record
from companion.project import project_root
from companion.workflow.plan import BOOK_INDEX, parse_duration
from lbae_lib.data.registry import FOLDER_PREFIX, with_home
from lbae_lib.errors import ConfigError, LbaeError
from lbae_lib.locks import locked

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Train a Latent Bernoulli Autoencoder, run the companion's notebooks, build the book.\n\n"
        "A run is named by a data set and a profile (a file in config/) and keeps everything "
        "under results/PROFILE/DATASET/. Each command goes on from where the last one stopped."
    ),
)


def dataset_name(name: str) -> str:
    """A data set's name; the PATH of a "folder:PATH" that is there, as seen from the project."""
    if not name.startswith(FOLDER_PREFIX):
        return name
    path = with_home(name.removeprefix(FOLDER_PREFIX))
    folder = Path(os.path.abspath(path))  # noqa: PTH100  a link like data/ stays one
    if not folder.is_dir():
        return name
    root = project_root()
    shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return FOLDER_PREFIX + shown.as_posix()


STOPPED_EARLY = 3  # exit status of a training run that reached its time limit or was stopped

Dataset = Annotated[
    str,
    typer.Option(
        "--dataset",
        "-d",
        callback=dataset_name,
        help="digits, photos, faces, mnist, cifar10, celeba or folder:PATH, from here or from the "
        "project's folder.",
    ),
]
Profile = Annotated[
    str,
    typer.Option("--profile", "-p", help="A file in config/: smoke, quick, laptop, paper."),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Where torchvision's data sets are, or go to [default: data/]."),
]
ModelKind = Annotated[
    str, typer.Option("--model", "-m", help="lbae, or vae for the paper's baseline.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


@app.command()
def train(
    dataset: Dataset,
    profile: Profile = "quick",
    model: ModelKind = "lbae",
    data: Data = None,
    device: Device = "auto",
    precision: Annotated[
        str,
        typer.Option(help="auto, 32-true or bf16-mixed; auto goes by the hardware."),
    ] = "auto",
    time_limit: Annotated[
        str | None,
        typer.Option(help="Stop cleanly after [H:]MM:SS; the same command goes on from there."),
    ] = None,
    devices: Annotated[int, typer.Option(help="A process for each; batches are shared.")] = 1,
    num_nodes: Annotated[
        int, typer.Option(help="Machines; the cluster starts the command on each.")
    ] = 1,
    strategy: Annotated[str, typer.Option(help="auto or ddp.")] = "auto",
    sync_batch_norm: Annotated[
        bool, typer.Option("--sync-batch-norm", help="Batch normalisation over all GPUs' images.")
    ] = False,
) -> None:
    """Train the autoencoder of a data set; goes on from its checkpoint if there is one.

    Leaves model.safetensors, progress.jsonl and record.json in results/PROFILE/DATASET/MODEL/.
    Ctrl-C stops between two steps and keeps a checkpoint. Exit status 3: stopped early.

    Example: lbae train -d mnist -p laptop --time-limit 1:00:00
    """
    experiment = load_experiment(profile, dataset, model)
    limit = None if time_limit is None else parse_duration(time_limit)
    from companion.experiments.runs import train_experiment
    from lbae_lib.models.hardware import Hardware

    hardware = Hardware(device, precision, devices, num_nodes, strategy, sync_batch_norm)
    result = train_experiment(experiment, data_root(data), hardware=hardware, time_limit=limit)
    if not result.first_process:
        return
    _describe(experiment, result.for_record())
    if not result.finished:
        typer.echo(
            f"stopped after {result.epochs} of {experiment.training.epochs} epochs; "
            "the same command goes on from there",
            err=True,
        )
        raise typer.Exit(STOPPED_EARLY)


@app.command()
def import_authors(
    path: Annotated[Path, typer.Argument(help="last.cp, its folder, or the published archive.")],
    dataset: Dataset,
    profile: Profile = "paper",
    model: ModelKind = "lbae",
    data: Data = None,
    experiment: Annotated[
        str | None, typer.Option(help="Which folder of an archive that holds several.")
    ] = None,
) -> None:
    """Take the authors' published weights instead of training.

    Leaves model.safetensors and record.json in results/PROFILE/DATASET/MODEL/, as training does;
    `lbae report` goes on from there. Only tensors are read from the file, nothing is executed.

    Example: lbae import-authors mnist.zip -d mnist -p paper
    """
    target = load_experiment(profile, dataset, model)
    from companion.experiments.runs import import_authors_weights

    typer.echo(import_authors_weights(target, path, data_root(data), experiment))


@app.command()
def export(
    dataset: Dataset,
    output: Annotated[Path, typer.Option("--output", "-o", help="The directory to make.")],
    profile: Profile = "quick",
    model: ModelKind = "lbae",
    programs: Annotated[
        bool, typer.Option("--programs", help="Add encoder.pt2 and decoder.pt2 (torch.export).")
    ] = False,
) -> None:
    """Copy a trained model to a directory of its own, to be shared.

    `lbae_lib.models.sharing.load_shared` reads it; HubModel there puts it on the Hugging Face Hub.

    Example: lbae export -d mnist -p laptop -o lbae-mnist --programs
    """
    experiment = load_experiment(profile, dataset, model)
    from lbae_lib.models.sharing import export_model

    export_model(experiment.model_folder, output, programs)
    typer.echo(output)


@app.command()
def encode(
    dataset: Dataset,
    profile: Profile = "quick",
    model: ModelKind = "lbae",
    data: Data = None,
    device: Device = "auto",
) -> None:
    """Encode training, validation and test images with a trained model.

    Leaves latents.safetensors beside the model: bits, 8 to a byte, or a VAE's posteriors.

    Example: lbae encode -d mnist -p laptop
    """
    experiment = load_experiment(profile, dataset, model)
    from companion.experiments.runs import encode_experiment

    typer.echo(encode_experiment(experiment, data_root(data), device))


@app.command()
def extractor(
    dataset: Dataset,
    profile: Profile = "quick",
    data: Data = None,
    device: Device = "auto",
) -> None:
    """Train the small classifier whose features stand in for Inception's.

    Leaves model.safetensors and record.json in results/PROFILE/DATASET/extractor/. Images without
    classes are turned by quarters, and the network learns which.

    Example: lbae extractor -d digits
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.runs import train_extractor

    typer.echo(train_extractor(experiment, data_root(data), device))


@app.command()
def prior(dataset: Dataset, profile: Profile = "quick", data: Data = None) -> None:
    """Fit the distributions of a model's bits that coders and the prior's sampler share.

    Leaves model.safetensors and record.json in results/PROFILE/DATASET/prior/.

    Example: lbae prior -d mnist -p laptop
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.runs import fit_priors

    typer.echo(fit_priors(experiment, data_root(data)))


@app.command()
def compress(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .lbae file.")],
    dataset: Dataset,
    profile: Profile = "quick",
    coder: Annotated[
        str, typer.Option(help="autoregressive, factorised or packed (no entropy coding).")
    ] = "autoregressive",
    device: Device = "cpu",
) -> None:
    """Encode images to bits and write them as one file.

    Example: lbae compress pictures/ -o pictures.lbae -d folder:pictures
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.runs import compress_images

    size, count = compress_images(experiment, images, output, coder, device)
    typer.echo(f"{output}: {count} images, {size} bytes, {8 * size / count:.1f} bits an image")


@app.command()
def decompress(
    file: Annotated[Path, typer.Argument(help="An .lbae file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for PNG files.")],
    dataset: Dataset,
    profile: Profile = "quick",
    device: Device = "cpu",
) -> None:
    """Decode a file that `lbae compress` wrote; the same model and priors must be here.

    Example: lbae decompress pictures.lbae -o decoded/ -d folder:pictures
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.runs import decompress_images

    count = decompress_images(experiment, file, output, device)
    typer.echo(f"{count} images in {output}")


@app.command()
def notebook(
    name: Annotated[str, typer.Argument(help="e.g. 03_sampling; see notebooks/.")],
    dataset: Dataset,
    profile: Profile = "quick",
    data: Data = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-P", help="NAME=VALUE, VALUE as YAML; repeatable."),
    ] = None,
) -> None:
    """Execute a notebook on a trained and encoded model.

    Leaves NAME.ipynb and NAME/ (figures as PNG and SVG, record.json) in
    results/PROFILE/DATASET/. An unknown parameter, or one of another type than its default, is
    refused before anything runs.

    Example: lbae notebook 03_sampling -d digits -P seed=7
    """
    if name == TABLES:
        raise LbaeError(f"{name} is about all data sets: run `lbae tables -p {profile}`")
    experiment = load_experiment(profile, dataset)
    overrides = dict(parse_parameter(text) for text in parameter or [])
    _skip_iri_grammar()
    from companion.workflow.execute import run_notebook

    typer.echo(run_notebook(name, experiment, data_root(data), overrides))


@app.command()
def tables(profile: Profile = "quick") -> None:
    """Execute the page across data sets, on every result there is.

    Leaves 06_tables.ipynb and 06_tables/ in results/PROFILE/.

    Example: lbae tables
    """
    load_profile(profile)
    _skip_iri_grammar()
    from companion.workflow.execute import run_tables

    typer.echo(run_tables(profile))


@app.command()
def report(
    datasets: Annotated[
        str, typer.Option("--datasets", "-d", help="Names, separated by spaces.")
    ] = "digits photos faces",
    profile: Profile = "quick",
    data: Data = None,
    cores: Annotated[
        str | None, typer.Option(help="A number, or all; else as profiles/ has it.")
    ] = None,
    on: Annotated[
        str, typer.Option(help="default (this machine), slurm, or another folder of profiles/.")
    ] = "default",
    time_limit: Annotated[
        str | None, typer.Option(help="Of one run of a training, as H:MM:SS; see profiles/slurm.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only name the files that would be made.")
    ] = False,
) -> None:
    """Train, encode, run all notebooks and build the book; only what is missing or out of date.

    Snakemake decides: a changed option, notebook or library function re-runs what depends on it.

    Example: lbae report -d "digits mnist" -p quick
    """
    names = [dataset_name(name) for name in shlex.split(datasets)]
    for name in names:  # a wrong name or a damaged record ends here
        for path in load_experiment(profile, name).folder.glob(f"*/{RECORD_FILE}"):
            read_record(path)
    machines = sorted(p.parent.name for p in project_root().glob("profiles/*/config.yaml"))
    if on not in machines:
        raise ConfigError(f"no folder {on!r} in profiles/: there are {', '.join(machines)}")
    if time_limit is not None:
        parse_duration(time_limit)
    words = [sys.executable, "-m", "snakemake", "--workflow-profile", f"profiles/{on}"]
    words += ["--cores", cores] if cores else []
    words += ["--quiet", "rules", "progress", "host", "reason"]
    words += ["--summary"] if dry_run else []
    # By backslashes: Snakemake strips quotes.
    quoted = " ".join(re.sub(r"([^\w:./-])", r"\\\1", name) for name in names)
    words += ["--config", f"profile={profile}", f"datasets={quoted}"]
    words += [f"data={data_root(data)}"] if data else []
    words += [f"time_limit={time_limit}"] if time_limit else []
    output = subprocess.PIPE if dry_run else None
    # Snakemake's own lock outlives a process that was killed; this one does not.
    with locked(project_root() / ".snakemake") as lock:
        snakemake = subprocess.Popen(
            [*words, "--nolock"], cwd=project_root(), stdout=output, text=True, pass_fds=[lock]
        )
        # It then finishes the steps under way, and starts no other.
        previous = {
            s: signal.signal(s, lambda *_: snakemake.send_signal(signal.SIGINT))
            for s in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            with snakemake:
                listed, _ = snakemake.communicate()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
    if snakemake.returncode:
        raise LbaeError(
            "the report is not complete: it was stopped, or the step that failed is named above. "
            "What was finished is kept: the same command goes on from there"
        )
    if dry_run:
        rows = [line.split("\t") for line in listed.splitlines()]
        typer.echo("\n".join(row[0] for row in rows if row[-1] == "update pending"))
    else:
        typer.echo(f"The book: {project_root() / BOOK_INDEX}")


@app.command()
def verify(
    dataset: Dataset,
    profile: Profile = "quick",
    data: Data = None,
    rerun: Annotated[
        list[str] | None,
        typer.Option("--rerun", "-r", help="A notebook to run again, or all; repeatable."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Largest relative difference of a number.")
    ] = 0.05,
) -> None:
    """Check results against their records: hashes, and notebooks run again beside them.

    With --rerun the images are encoded anew and the notebooks run on the kept models in
    build/verify/; results/ is not touched. On the machine that made them, results are equal to
    the last bit; elsewhere a few latent bits differ, and numbers within the tolerance pass.
    Exit status 1: something is not as recorded.

    Example: lbae verify -d digits --rerun 02_latent_distribution
    """
    experiment = load_experiment(profile, dataset)
    from companion.workflow.verify import check_hashes
    from companion.workflow.verify import rerun as run_again

    folder = experiment.folder
    names = list(rerun or [])
    if names == ["all"]:
        names = sorted(p.stem for p in folder.glob("[0-9]*.ipynb") if ".log" not in p.name)
    passed = True
    for check in chain(
        check_hashes(experiment, data_root(data)),
        run_again(experiment, data_root(data), names, tolerance) if names else (),
    ):
        passed &= check.passed
        typer.echo(f"{'ok  ' if check.passed else 'FAIL'}  {check.what}: {check.found}")
    if not passed:
        raise typer.Exit(1)


@app.command()
def book(
    profile: Profile = "quick",
    single: Annotated[bool, typer.Option("--single", help="As one page, e.g. to print.")] = False,
) -> None:
    """Build the book from the executed notebooks there are.

    Example: lbae book
    """
    from companion.site.build import build_book

    typer.echo(build_book(profile, single))


def parse_parameter(text: str) -> tuple[str, object]:
    """ "samples=100" to ("samples", 100); the value is read as YAML, so types are real.

    Raises:
        LbaeError: if there is no "=" or the value is no YAML.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise LbaeError(f"{text!r} is no parameter: write NAME=VALUE, e.g. samples=1000")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise LbaeError(f"the value of {name} cannot be read: {error}") from None


def data_root(data: Path | None) -> Path:
    """Where downloaded data sets are kept: ``data/`` of the project unless named."""
    return (project_root() / "data") if data is None else data.expanduser().resolve()


def _skip_iri_grammar() -> None:
    """Save two seconds: the time jsonschema, which papermill brings, takes for a grammar of IRIs.

    Without the package it checks no "iri" formats; notebooks have none.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def _describe(experiment: Experiment, values: dict[str, object]) -> None:
    typer.echo(f"{experiment.dataset.title}, profile {experiment.profile}:")
    for name, value in values.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        typer.echo(f"  {name.replace('_', ' ')}: {shown}")


def main() -> None:
    """Entry point: a user's error is one line and exit status 1; SIGTERM is like Ctrl-C, 130."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a script's background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        app()
    except LbaeError as error:
        typer.echo(f"lbae: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
