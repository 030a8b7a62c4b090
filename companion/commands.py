"""The commands of ``lbae`` that make or use a data set's models; see ``companion/cli.py``."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from companion.experiments.artifacts import MODEL
from companion.experiments.profiles import load_experiment
from companion.options import Data, Dataset, Device, Force, Model, Profile, data_root, named
from companion.workflow.plan import parse_duration

STOPPED_EARLY = 3  # exit status of a training run that reached its time limit or was stopped


def train(
    dataset: Dataset,
    profile: Profile = "quick",
    model: Model = "lbae",
    data: Data = None,
    device: Device = "auto",
    precision: Annotated[str, Option(help="auto (by the hardware), 32-true, bf16-mixed.")] = "auto",
    time_limit: Annotated[str | None, Option(help="Stop cleanly after [H:]MM:SS.")] = None,
    devices: Annotated[int, Option(help="Devices per machine; they share each batch.")] = 1,
    num_nodes: Annotated[int, Option(help="Machines; the cluster starts the command on each.")] = 1,
    strategy: Annotated[str, Option(help="Strategy for several devices: auto or ddp.")] = "auto",
    sync_batch_norm: Annotated[
        bool, Option("--sync-batch-norm", help="Normalise over the batches of all GPUs.")
    ] = False,
    compile: Annotated[
        bool, Option("--compile", help="Use PyTorch's compiler, which takes a minute first.")
    ] = False,
) -> None:
    """Train an autoencoder on a data set, or resume a training.

    Writes model.safetensors, progress.jsonl and record.json to runs/PROFILE/DATASET/MODEL/.
    Ctrl-C stops between two steps and keeps a checkpoint. Exit status 3: stopped early.

    Example: lbae train -d mnist -p laptop --time-limit 1:00:00
    """
    experiment = load_experiment(profile, dataset, model)
    limit = None if time_limit is None else parse_duration(time_limit)
    from companion.experiments.training import train_experiment
    from lbae_lib.models.hardware import Hardware

    hardware = Hardware(device, precision, devices, num_nodes, strategy, sync_batch_norm, compile)
    result = train_experiment(experiment, data_root(data), hardware=hardware, time_limit=limit)
    if not result.first_process:
        return
    typer.echo(f"{experiment.dataset.title}, profile {profile}:")
    for name, value in result.for_record().items():
        if isinstance(value, float):
            value = f"{value:.4g}"
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        if value is not None:  # the best epoch of a training without a whole one
            typer.echo(f"  {name.replace('_', ' ')}: {value}")
    if not result.finished:
        done = f"stopped after {result.epochs} of {experiment.training.epochs} epochs"
        typer.echo(f"{done}; run the same command again to resume", err=True)
        raise typer.Exit(STOPPED_EARLY)


def import_authors(
    path: Annotated[Path, named(Argument, help="last.cp, its folder, or the published archive.")],
    dataset: Dataset,
    profile: Profile = "paper",
    model: Model = "lbae",
    data: Data = None,
    experiment: Annotated[
        str | None, Option(help="Folder in the archive, if it holds several.")
    ] = None,
) -> None:
    """Import the authors' published weights instead of training.

    Writes model.safetensors and record.json to runs/PROFILE/DATASET/MODEL/, as training does;
    `lbae report` continues with them. Only tensors are read from the file; nothing is executed.

    Example: lbae import-authors mnist.zip -d mnist -p paper
    """
    target = load_experiment(profile, dataset, model)
    from companion.experiments.training import import_authors_weights

    typer.echo(import_authors_weights(target, path, data_root(data), experiment))


def export(
    dataset: Dataset,
    output: Annotated[Path, named(Option, "--output", "-o", help="The directory to write.")],
    profile: Profile = "quick",
    model: Model = "lbae",
    programs: Annotated[
        bool, Option("--programs", help="Add encoder.pt2 and decoder.pt2 (torch.export).")
    ] = False,
    force: Force = False,
) -> None:
    """Copy a trained model to a directory, for sharing.

    In `lbae_lib.models.sharing`, load_shared reads it and HubModel uploads it to Hugging Face.

    Example: lbae export -d mnist -p accelerator -o lbae-mnist --programs
    """
    experiment = load_experiment(profile, dataset, model)
    from lbae_lib.models.sharing import export_model

    export_model(MODEL.path(experiment).parent, output, programs, force)
    typer.echo(output)


def encode(
    dataset: Dataset,
    profile: Profile = "quick",
    model: Model = "lbae",
    data: Data = None,
    device: Device = "auto",
) -> None:
    """Encode all images of a data set with a trained model.

    Writes latents.safetensors to runs/PROFILE/DATASET/MODEL/: packed bits, or a VAE's posteriors.

    Example: lbae encode -d mnist -p laptop
    """
    experiment = load_experiment(profile, dataset, model)
    from companion.experiments.encoding import encode_experiment

    typer.echo(encode_experiment(experiment, data_root(data), device))


def extractor(
    dataset: Dataset, profile: Profile = "quick", data: Data = None, device: Device = "auto"
) -> None:
    """Train the small classifier whose features score images.

    The features stand in for Inception's. The classifier learns the classes; without classes, the
    attributes; without either, by how many quarter turns an image was rotated. Writes
    model.safetensors and record.json to runs/PROFILE/DATASET/extractor/.

    Example: lbae extractor -d digits
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.extractor import train_extractor

    typer.echo(train_extractor(experiment, data_root(data), device))


def prior(
    dataset: Dataset, profile: Profile = "quick", data: Data = None, device: Device = "auto"
) -> None:
    """Fit distributions of the bits, for coders and a sampler; run `lbae encode` first.

    Writes model.safetensors and record.json to runs/PROFILE/DATASET/prior/.

    Example: lbae prior -d mnist -p laptop
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.prior import fit_priors

    typer.echo(fit_priors(experiment, data_root(data), device))


def explorer(
    dataset: Dataset,
    profile: Profile = "quick",
    data: Data = None,
    device: Device = "auto",
    page: Annotated[
        Path | None, Option("--page", help="Also write an HTML page of this model alone.")
    ] = None,
    force: Force = False,
) -> None:
    """Summarise a model's latents for the explorer in the book.

    Writes explorer.json to runs/PROFILE/DATASET/.

    Example: lbae explorer -d digits --page explorer.html
    """
    experiment = load_experiment(profile, dataset)
    from companion.site.page_explorer import check_page, write_page, write_summary

    if page:
        check_page(page, force)
    typer.echo(write_summary(experiment, data_root(data), device))
    if page:
        write_page(experiment, page)
        typer.echo(page)


def study(
    name: Annotated[str, Argument(help="bottlenecks, quantisers, seeds or sizes.")],
    dataset: Dataset,
    profile: Profile = "quick",
    data: Data = None,
    device: Device = "auto",
) -> None:
    """Train small networks with several seeds and compare them.

    They differ in bottleneck, quantiser or size. The study "seeds" trains LBAE and VAE with the
    same seeds and scores their images. Notebook 05_metrics takes from it how much a comparison of
    the two varies between trainings. The studies "quantisers" and "seeds" need
    `lbae extractor` first.

    Each training leaves a file in runs/PROFILE/DATASET/NAME/runs/, and is not repeated; the last
    one writes record.json to runs/PROFILE/DATASET/NAME/.

    Example: lbae study bottlenecks -d digits
    """
    experiment = load_experiment(profile, dataset)
    from companion.analysis.studies import run_study

    typer.echo(run_study(name, experiment, data_root(data), device))


def compress(
    images: Annotated[list[Path], named(Argument, help="Image files, or folders of them.")],
    output: Annotated[Path, named(Option, "--output", "-o", help="The .lbae file.")],
    dataset: Dataset,
    profile: Profile = "quick",
    coder: Annotated[
        str, Option(help="autoregressive, factorised or packed (no entropy coding).")
    ] = "autoregressive",
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Encode images to bits and write them as one file.

    It needs the model and its prior. An earlier .lbae file is replaced; an input never is.

    Example: lbae compress pictures/ -o pictures.lbae -d folder:pictures
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.compress import compress_images

    size, count = compress_images(experiment, images, output, coder, device, force)
    typer.echo(f"{output}: {count} images, {size} bytes, {8 * size / count:.1f} bits an image")


def decompress(
    file: Annotated[Path, named(Argument, help="An .lbae file.")],
    output: Annotated[Path, named(Option, "--output", "-o", help="Folder for PNG files.")],
    dataset: Dataset,
    profile: Profile = "quick",
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Decode a file that `lbae compress` wrote.

    It needs the same model and prior. PNG files of an earlier call are replaced, others
    only with --force.

    Example: lbae decompress pictures.lbae -o decoded/ -d folder:pictures
    """
    experiment = load_experiment(profile, dataset)
    from companion.experiments.compress import decompress_images

    count = decompress_images(experiment, file, output, device, force)
    typer.echo(f"{count} images in {output}")
