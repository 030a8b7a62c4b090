"""The command ``lbae publish``: the one that writes to ``results/``."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import oxipng
import typer
from typer import Option

from companion.experiments.artifacts import EXPLORER, EXTRACTOR, MODEL, PRIOR, ROLES
from companion.experiments.profiles import STUDIES, Experiment, load_experiment
from companion.experiments.records import RECORD_FILE, TABLES, read_record
from companion.options import Datasets, Profile, dataset_names
from companion.project import (
    PUBLISHED,
    RUNS,
    in_force,
    project_root,
    replace_folder,
    results_in_force,
)
from companion.site.contents import write_published_contents
from companion.workflow.notebooks import executed_notebooks
from companion.workflow.plan import BOOK, make_plan
from lbae_lib.errors import LbaeError
from lbae_lib.locks import locked
from lbae_lib.progress import progress_bar

LARGEST_WEIGHTS = 6_000_000  # bytes of a model's file; larger ones are left out
_RECORDS = ("performance", "reliability")  # of the machine, beside those of data sets


def publish(
    datasets: Datasets = "digits",
    profile: Profile = "quick",
    unclean: Annotated[
        bool,
        Option(
            "--unclean", help="Also pages made from uncommitted changes, or by several commits."
        ),
    ] = False,
) -> None:
    """Copy your own runs of data sets to results/, after checks.

    No other command writes there. All steps must be complete and up to date, from committed code;
    the page of tables across data sets is published if the profile has one (`lbae tables`).
    What is published of a data set is replaced as a whole, and _toc.yml is rewritten. Weights above
    6 MB are left out, and so is a baseline or a prior whose LBAE is left out. Records of benchmarks
    and of `make reliability` are copied too.

    Example: lbae publish -d "mnist folder:data/cifar10" -p accelerator
    """
    names = dataset_names(datasets)
    across = in_force(Path(profile, f"{TABLES}.ipynb"))  # all data sets; a profile may have none
    unneeded = {BOOK} if across.exists() else {BOOK, TABLES}
    steps = [step for key, step in make_plan(profile, names).items() if key not in unneeded]
    if steps:
        raise LbaeError(
            f"{len(steps)} steps are missing or out of date, the first is: {steps[0].title} "
            f"({steps[0].reasons[0]}); run `lbae report` first"
        )
    experiments = [load_experiment(profile, name) for name in names]
    for place in (*(experiment.place for experiment in experiments), Path(profile)):
        check_commits(place, unclean)
    root = project_root()
    with locked(root / RUNS):
        sizes: Counter[str] = Counter()
        for experiment in experiments:
            target = root / PUBLISHED / experiment.place
            _replace(target, dict(result_files(experiment)))
            for file in filter(Path.is_file, target.rglob("*")):
                sizes[file.suffix] += file.stat().st_size
        if across.exists():
            target = root / PUBLISHED / profile
            _replace(target / TABLES, {Path(f.name): f for f in across.with_suffix("").iterdir()})
            if across.parent != target:
                shutil.copyfile(across, target / across.name)
        for name in _RECORDS:
            if (root / RUNS / name).exists():
                shutil.copytree(root / RUNS / name, root / PUBLISHED / name, dirs_exist_ok=True)
    write_published_contents()
    for suffix, size in sizes.most_common():
        typer.echo(f"{size / 1e6:7.1f} MB  {suffix}")
    typer.echo(f"{sum(sizes.values()) / 1e6:7.1f} MB  in all")


def check_commits(place: Path, unclean: bool) -> None:
    """Raise ``LbaeError`` unless all pages of a place were made by the same committed code."""
    commits = {}
    for path in results_in_force(f"{place}/[0-9]*/{RECORD_FILE}"):
        commits[path.parent.name] = read_record(path)["environment"]["commit"]
    dirty = [name for name, commit in commits.items() if commit["dirty"] is not False]
    if dirty and not unclean:
        raise LbaeError(
            f"pages of {place} ran on uncommitted files: {', '.join(dirty)}; commit, "
            "remove these pages from runs/ and run `lbae report` again, or add --unclean"
        )
    hashes = {commit["hash"] for commit in commits.values()}
    if len(hashes) > 1 and not unclean:
        raise LbaeError(
            f"the pages of {place} were made by {len(hashes)} commits: remove them from runs/ "
            "and run `lbae report` again, or add --unclean"
        )


def result_files(experiment: Experiment) -> Iterator[tuple[Path, Path]]:
    """What is published of a data set: place below its folder, and the file."""
    for page in executed_notebooks(experiment.place):
        yield Path(page.name), page
        folder = page.with_suffix("")
        for file in folder.iterdir():
            yield Path(folder.name, file.name), file
    weights = MODEL.path(experiment)
    whole = weights.exists() and weights.stat().st_size <= LARGEST_WEIGHTS
    whole_or_not = [*(ROLES[name][0] for name in STUDIES), EXTRACTOR]  # of no LBAE
    products = [(artifact, "lbae") for artifact in (*whole_or_not, PRIOR, EXPLORER)]
    products += [
        (MODEL, path.parent.name)
        for path in results_in_force(f"{experiment.place}/*/{RECORD_FILE}")
        if path.parent.name == "vae" or path.parent.name.startswith("lbae")
    ]
    for artifact, model in products:
        path = artifact.path(experiment, model)
        for file in (path, path.with_name(RECORD_FILE), path.with_name("progress.jsonl")):
            kept = artifact in whole_or_not or whole or file != path
            if file.exists() and kept and file.stat().st_size <= LARGEST_WEIGHTS:
                yield Path(artifact.files[0].format(model=model)).with_name(file.name), file


def _replace(target: Path, files: dict[Path, Path]) -> None:
    """Put a data set's files in the place of those that were published."""
    scratch = target.with_name(f".{target.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    with progress_bar(len(files), f"publishing {target.name}", "file") as bar:
        for place, file in files.items():
            (scratch / place).parent.mkdir(parents=True, exist_ok=True)
            copy_smaller(file, scratch / place)
            bar.update()
    replace_folder(scratch, target)


def copy_smaller(file: Path, target: Path) -> None:
    """Copy a file; a figure with the same pixels, compressed better."""
    if file.suffix == ".png":
        oxipng.optimize(file, target, level=2)  # levels 4 and 6 take 4 and 10 times as long for 1%
    else:
        shutil.copyfile(file, target)
