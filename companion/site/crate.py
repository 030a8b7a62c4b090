"""The command ``lbae crate``: the results of a data set as an RO-Crate, to archive or to cite.

An RO-Crate 1.1 is a folder with ``ro-crate-metadata.json``, which says in JSON-LD what each file
is. Each ``record.json`` becomes an action there: what ran, when, on what, and which files it left.
"""

import json
import mimetypes
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from companion.experiments.profiles import Experiment, load_experiment
from companion.experiments.records import RECORD_FILE, commit, read_record
from companion.options import Dataset, Profile, named
from companion.project import project_root
from companion.site.publish import result_files
from lbae_lib.errors import LbaeError, WriteError, extra
from lbae_lib.files import sha256_file

_PAPER = "https://proceedings.mlr.press/v119/fajtl20a.html"
_LICENCE = "https://spdx.org/licenses/MIT"
_PACKAGES = ("lbae_lib", "companion")
_ENVIRONMENT = ("pyproject.toml", "constraints.txt", "environment.yml")
_FORMATS = {
    ".ipynb": "application/x-ipynb+json",
    ".jsonl": "application/jsonl",
    ".tex": "application/x-tex",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def crate(
    dataset: Dataset,
    output: Annotated[Path, named(Option, "--output", "-o", help="A new or empty folder.")],
    profile: Profile = "quick",
) -> None:
    """Copy results of a data set, with code, to an RO-Crate 1.1.

    Example: lbae crate -d digits -o lbae-digits
    """
    typer.echo(write_crate(load_experiment(profile, dataset), output))


def write_crate(experiment: Experiment, folder: Path) -> Path:
    """Write what ``lbae publish`` would publish, and the code, to a folder that is new or empty.

    Returns the crate's ``ro-crate-metadata.json``. Without an executed notebook, or with a damaged
    record, it raises ``LbaeError``; if the folder holds files, or is a file, ``WriteError``.
    """
    files = dict(result_files(experiment))
    if not any(place.suffix == ".ipynb" for place in files):
        raise LbaeError(
            f"there are no executed notebooks of {experiment.place}: run `lbae report` first"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WriteError(f"{folder} is a file, or is not empty: name a new folder")
    written = _Crate(experiment)
    written.describe()
    written.add_code()
    written.add_results(files)
    written.crate.write(folder)
    for name in _PACKAGES:
        shutil.copytree(
            project_root() / name,
            folder / "code" / name,
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    return folder / "ro-crate-metadata.json"


class _Crate:
    """The crate of a data set's results, in memory."""

    def __init__(self, experiment: Experiment) -> None:
        with extra("companion", "rocrate", "an RO-Crate"):
            from rocrate.rocrate import ROCrate

        self.experiment = experiment
        self.crate = ROCrate(version="1.1")

    def describe(self) -> None:
        """Say what the crate is."""
        title, root = self.experiment.dataset.title, self.crate.root_dataset
        root["name"] = f"Latent Bernoulli Autoencoder, a companion: {title}"
        root["description"] = (
            f"Results on {title}, profile {self.experiment.profile}: executed notebooks, figures, "
            "tables, records and models, with the code and the versions that made them."
        )
        root["license"] = self._thing(
            _LICENCE,
            "CreativeWork",
            name="MIT License",
            description="The licence of code and results; images have their owners' licences.",
        )
        authors = self._thing("#authors", "Organization", name="The LBAE companion's authors")
        root["author"] = root["publisher"] = authors
        paper = "Latent Bernoulli Autoencoder"
        root["citation"] = self._thing(_PAPER, "ScholarlyArticle", name=paper)

    def add_code(self) -> None:
        """Add the code as it is now, and what fixes the versions of what it needs."""
        profile = f"config/{self.experiment.profile}.yaml"
        for name in (*_ENVIRONMENT, profile):
            self._file(project_root() / name, Path("code", name))
        for name in _PACKAGES:
            properties = {"name": name, "description": f"The Python package {name}."}
            self.crate.add_dataset(dest_path=f"code/{name}", properties=properties)
        revision = commit()["hash"]
        self.code = self._thing("#code", "SoftwareSourceCode", name="lbae-companion")
        self.code["programmingLanguage"] = "Python"
        self.code["description"] = "The code in this crate" + (
            f", of commit {revision}; each action names its own." if revision else "."
        )

    def add_results(self, files: Mapping[Path, Path]) -> None:
        """Add files by their places below the data set's folder, and an action for each record."""
        added = {place: self._file(file, "results" / place) for place, file in files.items()}
        by_hash = {sha256_file(file): added[place] for place, file in files.items()}
        info, finished = self.experiment.dataset, []
        images = self._thing("#images", "Dataset", name=info.title, description=info.source)
        for place in (place for place in files if place.name == RECORD_FILE):
            record, step = read_record(files[place]), place.parent
            action = self._action(record, step)
            inputs = {e.id: e for h in record["inputs"].values() if (e := by_hash.get(h))}
            action["object"] = [images, *inputs.values()] if inputs else images
            notebook = step.with_suffix(".ipynb")
            left = [e for at, e in added.items() if step in at.parents or at == notebook]
            action["result"] = left if len(left) > 1 else left[0]
            self.crate.root_dataset.append_to("mentions", action)
            finished.append(record["finished"])
        self.crate.root_dataset["datePublished"] = max(finished)[:10]

    def _action(self, record: Mapping[str, Any], step: Path) -> Any:
        """What a record says: what ran, when, with which options and versions."""
        made_in = record["environment"]
        ended = datetime.fromisoformat(record["finished"])
        ran = f" at commit {made_in['commit']['hash']}" if made_in["commit"]["hash"] else ""
        options = json.dumps(record["options"], sort_keys=True)
        action = self._thing(
            f"#{step.as_posix()}",
            "CreateAction",
            name=f"{record['kind']} ({step.name})" if step.name != record["kind"] else step.name,
            startTime=(ended - timedelta(seconds=record["seconds"])).isoformat(),
            endTime=ended.isoformat(),
            description=f"Ran on {made_in['system']}{ran}, with the options {options}",
        )
        source = project_root() / "notebooks" / f"{step.name}.ipynb"
        place = Path("code/notebooks", source.name)
        action["instrument"] = self._file(source, place) if source.exists() else self.code
        for name, version in {"Python": made_in["python"], **made_in["packages"]}.items():
            if version is not None:
                about = {"name": name, "softwareVersion": version}
                software = self._thing(f"#{name}-{version}", "SoftwareApplication", **about)
                action.append_to("instrument", software)
        return action

    def _thing(self, identifier: str, kind: str, **properties: Any) -> Any:
        """Add something that is no file of the crate."""
        from rocrate.model import ContextEntity

        return self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, **properties}))

    def _file(self, file: Path, place: Path) -> Any:
        kind = _FORMATS.get(file.suffix) or mimetypes.guess_type(file.name)[0]
        return self.crate.add_file(
            file,
            place.as_posix(),
            properties={
                "name": file.name,
                "encodingFormat": kind or "application/octet-stream",
                "contentSize": str(file.stat().st_size),
            },
        )
