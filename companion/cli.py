"""The command line, ``lbae``: every step of the companion as a command."""

import io
import logging
import os
import pwd
import signal
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option
from typer.core import TyperCommand

from companion import commands
from companion.experiments.profiles import load_experiment, load_profile
from companion.experiments.records import TABLES
from companion.options import Data, Dataset, Device, Profile, as_typed, data_root, version
from companion.project import project_root
from companion.site.crate import crate
from companion.site.publish import publish
from companion.workflow.gpus import take_gpu
from companion.workflow.listing import list_results
from companion.workflow.notebooks import (
    notebook_names,
    notebook_path,
    parameter_help,
    parse_parameter,
)
from companion.workflow.report import report
from companion.workflow.verify import verify
from lbae_lib.errors import ConfigError, LbaeError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Train a Latent Bernoulli Autoencoder, run the companion's notebooks, build the book.\n\n"
        "A data set and a profile (a file in config/) name a run, which keeps everything under "
        "runs/PROFILE/DATASET/. Where you have no run of your own, the published one in results/ "
        "takes its place. To resume a command that was stopped, run it again."
    ),
)
app.callback()(version)
for command in (
    commands.train, commands.import_authors, commands.export, commands.encode, commands.extractor,
    commands.prior, commands.explorer, commands.study, commands.compress, commands.decompress,
):  # fmt: skip
    app.command()(command)


class _NotebookCommand(TyperCommand):
    """A command whose help lists the parameters of the notebook that is named beside it."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        named = [name for name in notebook_names() if name in sys.argv]
        words = sys.argv[sys.argv.index(ctx.info_name) + 1 :]
        if not named and words and not words[0].startswith("-"):
            notebook_path(words[0])  # an error that suggests the nearest
        for name in named:
            with formatter.section(f"Parameters of {name}"):
                rows = parameter_help(notebook_path(name))
                if rows:
                    formatter.write_dl(rows)
                else:
                    formatter.write_text("It has none.")


@app.command(cls=_NotebookCommand)
def notebook(
    name: Annotated[str, Argument(help="e.g. 03_sampling; see notebooks/.")],
    dataset: Dataset,
    profile: Profile = "quick",
    data: Data = None,
    device: Device = "auto",
    parameter: Annotated[
        list[str] | None, Option("--parameter", "-P", help="NAME=VALUE, VALUE as YAML; repeatable.")
    ] = None,
) -> None:
    """Execute a notebook on a trained and encoded model.

    Writes NAME.ipynb and NAME/ (figures, tables, record.json) to runs/PROFILE/DATASET/. An
    unknown parameter, or one of another type than its default, is refused before anything runs.

    `lbae notebook NAME --help` lists the notebook's parameters.

    Example: lbae notebook 03_sampling -d digits -P seed=7
    """
    if name == TABLES:
        raise LbaeError(f"{name} is about all data sets: run `lbae tables -p {profile}`")
    experiment = load_experiment(profile, dataset)
    overrides = dict(parse_parameter(text) for text in parameter or [])
    from companion.workflow.execute import run_notebook

    typer.echo(run_notebook(name, experiment, data_root(data), overrides, device))


@app.command()
def tables(profile: Profile = "quick") -> None:
    """Execute notebook 06_tables, on all data sets.

    Writes 06_tables.ipynb and 06_tables/ to runs/PROFILE/.

    Example: lbae tables
    """
    load_profile(profile)
    from companion.workflow.execute import run_tables

    typer.echo(run_tables(profile))


app.command("list")(list_results)
app.command()(report)
app.command()(publish)
app.command()(crate)
app.command()(verify)


@app.command()
def book(
    profile: Profile = "quick",
    single: Annotated[bool, Option("--single", help="As one page, e.g. to print.")] = False,
) -> None:
    """Build the book from the executed notebooks.

    It shows the results of all data sets and profiles, your own or else the published ones; those
    of smoke only with -p smoke. The page of tables across data sets is that of the profile.

    Example: lbae book
    """
    load_profile(profile)
    from companion.site.build import build_book

    typer.echo(build_book(profile, single))


def main() -> None:
    """Entry point: a user's error is one line and exit status 1; SIGTERM is like Ctrl-C, 130."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a script's background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    if step := os.environ.get("LBAE_STEP"):
        typer.echo(f"{step}, begins", err=True)
    settle_environment()
    if isinstance(sys.stdout, io.TextIOWrapper):  # as stderr has it
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("lbae_lib.data").setLevel(logging.INFO)  # what was read of a folder
    try:
        take_gpu()
        app()
    except LbaeError as error:
        typer.echo(f"lbae: {as_typed(str(error))}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        denied = isinstance(error, PermissionError)
        what = "is not accessible to this user" if denied else "cannot be used"
        advice = "ask its owner for permission" if denied else "check the path and the free space"
        typer.echo(f"lbae: {error.filename} {what} ({error.strerror}): {advice}", err=True)
        sys.exit(1)


def settle_environment() -> None:
    """Give libraries the user name and the cache folder that they fail without.

    In a container the user's number often has no name, and the home folder is not writable.
    Warnings of libraries stay warnings, whatever PYTHONWARNINGS makes of a user's own.
    """
    if os.environ.pop("PYTHONWARNINGS", None) is not None:
        warnings.resetwarnings()
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", f"user-{os.getuid()}")
    home = os.environ.get("HOME") or "/"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path(home, ".cache"))
    parents = (folder for folder in (cache, *cache.parents) if folder.exists())
    if not os.access(next(parents), os.W_OK):
        try:
            own = project_root() / "build/cache"
        except ConfigError:  # outside a project; the command says so
            return
        os.environ["XDG_CACHE_HOME"] = str(own)
        os.environ.setdefault("MPLCONFIGDIR", str(own / "matplotlib"))
        os.environ.setdefault("IPYTHONDIR", str(own / "ipython"))


if __name__ == "__main__":
    main()
