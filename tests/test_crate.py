"""RO-Crates of results: what they hold, and what they say about it."""

import json

import pytest
from conftest import PROJECT

from companion.experiments.profiles import load_experiment
from companion.experiments.records import write_record
from companion.site.crate import write_crate
from lbae_lib.errors import LbaeError, WriteError
from lbae_lib.files import sha256_file

FOLDER = "results/quick/digits"


@pytest.fixture
def project(tmp_path, as_project):
    """A project with a model and a page, both of which another step reads."""
    root = tmp_path / "project"
    for name in ("config", "notebooks", "lbae_lib", "companion", "pyproject.toml",
                 "constraints.txt", "environment.yml"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(PROJECT / name)
    page, model = root / FOLDER / "03_sampling", root / FOLDER / "lbae"
    page.mkdir(parents=True)
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    (page / "figure.png").write_bytes(b"\x89PNG")
    page.with_suffix(".ipynb").write_text('{"cells": []}')
    write_record(model / "record.json", "train", {"seed": 4}, {"train": "0" * 64}, {}, 60.0)
    inputs = {"model": sha256_file(model / "model.safetensors")}
    write_record(page / "record.json", "03_sampling", {}, inputs, {}, 2.0)
    return as_project(root)


def graph_of(metadata):
    return {entity["@id"]: entity for entity in json.loads(metadata.read_text())["@graph"]}


def ids(value):
    return {value["@id"]} if isinstance(value, dict) else {entry["@id"] for entry in value}


def test_a_crate_lists_its_files_and_is_complete(project, tmp_path):
    metadata = write_crate(load_experiment("quick", "digits"), tmp_path / "crate")
    graph, crate = graph_of(metadata), metadata.parent
    assert graph["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert ids(graph["ro-crate-metadata.json"]["about"]) == {"./"}
    root = graph["./"]
    assert all(root[name] for name in ("name", "description", "datePublished", "license", "author"))
    parts = ids(root["hasPart"])
    assert {"results/03_sampling.ipynb", "results/03_sampling/figure.png", "code/constraints.txt",
            "results/lbae/model.safetensors", "code/config/quick.yaml"} <= parts  # fmt: skip
    for part in parts:
        assert (crate / part).exists(), part
        assert graph[part].get("encodingFormat") or graph[part]["@type"] == "Dataset"
    assert (crate / "code/lbae_lib/bits.py").exists()
    assert not [*crate.rglob("__pycache__")]
    named = {i for entity in graph.values() for v in entity.values() for i in _references(v)}
    assert {i for i in named if not i.startswith("http")} <= graph.keys()


def _references(value):
    found = value if isinstance(value, list) else [value]
    return [entry["@id"] for entry in found if isinstance(entry, dict)]


def test_a_crate_says_what_ran_on_what_and_what_it_left(project, tmp_path):
    graph = graph_of(write_crate(load_experiment("quick", "digits"), tmp_path / "crate"))
    page, training = graph["#03_sampling"], graph["#lbae"]
    assert ids(graph["./"]["mentions"]) == {"#03_sampling", "#lbae"}
    assert ids(page["object"]) == {"#images", "results/lbae/model.safetensors"}
    assert ids(training["object"]) == {"#images"}
    files = {"results/03_sampling.ipynb", "results/03_sampling/figure.png"}
    assert ids(page["result"]) == files | {"results/03_sampling/record.json"}
    assert "code/notebooks/03_sampling.ipynb" in ids(page["instrument"])
    assert "#code" in ids(training["instrument"])
    software = {graph[i]["name"] for i in ids(page["instrument"]) if i.startswith("#")}
    assert {"Python", "torch", "numpy"} <= software
    assert training["startTime"] < training["endTime"]
    assert '"seed": 4' in training["description"]


def test_a_crate_needs_results_and_a_new_folder(project, tmp_path):
    with pytest.raises(LbaeError, match="run `lbae report` first"):
        write_crate(load_experiment("quick", "faces"), tmp_path / "crate")
    experiment = load_experiment("quick", "digits")
    with pytest.raises(WriteError, match="is not empty: name a new folder"):
        write_crate(experiment, project)
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(WriteError, match="name a new folder"):
        write_crate(experiment, taken)
