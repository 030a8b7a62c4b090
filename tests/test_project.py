"""What holds of the repository as a whole."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from itertools import chain

import pytest
import yaml
from conftest import PROJECT
from packaging.requirements import Requirement

from companion.experiments import sources
from companion.experiments.sources import module_sources, notebook_sources
from companion.paper.coverage import coverage

LIBRARY_FILES = [p for name in ("lbae_lib", "companion") for p in (PROJECT / name).rglob("*.py")]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))

# Who may import whom, by package: each may use those named and itself. `lbae_lib` is everybody's
# in `companion`, and `.` stands for the modules beside the packages.
LIBRARY = {
    ".": set(),
    "data": {"."},
    "models": {"."},
    "latent": {"."},
    "metrics": {"."},
    "coding": {".", "latent"},
}
COMPANION = {
    ".": {"experiments", "analysis", "workflow", "site"},  # project.py and the command line
    "experiments": {"."},
    "analysis": {".", "experiments"},
    "figures": {".", "analysis"},
    "paper": {".", "experiments", "analysis"},
    "pages": {".", "experiments", "analysis", "figures", "paper"},
    "widgets": {".", "experiments", "analysis", "figures"},
    "workflow": {".", "experiments"},
    "site": {".", "experiments", "workflow", "paper"},
}
# Other modules beside the packages are for all; the command line is for the entry point alone.
TOP = {"lbae_lib": set(), "companion": {"cli"}}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize(("name", "allowed"), [("lbae_lib", LIBRARY), ("companion", COMPANION)])
def test_imports_run_one_way(name, allowed):
    for path in (PROJECT / name).rglob("*.py"):
        parts = path.relative_to(PROJECT / name).with_suffix("").parts
        own = parts[0] if len(parts) > 1 else "."
        for module in imported(path):
            package, *rest = module.split(".")
            if package == "companion" and name == "lbae_lib":
                raise AssertionError(f"{path} imports {module}")
            if package != name or not rest:
                continue
            target = rest[0] if (PROJECT / name / rest[0]).is_dir() else "."
            assert target in allowed[own] | {own}, f"{path} imports {module}"
            assert rest[0] not in TOP[name] or parts == ("__main__",), f"{path} imports {module}"


def test_the_latent_mathematics_knows_no_networks_files_or_plots():
    forbidden = {"matplotlib", "seaborn", "torchvision", "safetensors", "pathlib"}
    forbidden.add("lightning_fabric")
    for path in (PROJECT / "lbae_lib/latent").glob("*.py"):
        assert not forbidden & {m.split(".")[0] for m in imported(path)}, path


def test_the_command_line_starts_without_torch():
    heavy = {"torch", "numpy", "lightning_fabric"}
    code = f"import sys, companion.cli; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)


def test_no_pickle_is_loaded_and_no_global_seed_set():
    for path in [*LIBRARY_FILES, *NOTEBOOKS]:
        text = path.read_text()
        assert "import pickle" not in text
        assert "torch.load(" not in text or "weights_only=True" in text, path
        if "fork_rng()" not in text:  # which gives the global generator back
            assert "manual_seed(" not in text.replace("Generator().manual_seed(", ""), path


def test_environments_install_every_extra_of_the_project():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    assert f"python{project['requires-python']}" in conda
    pins, own = conda[-1]["pip"]
    assert pins == "-c constraints.txt"
    extras, waiting = set(), [Requirement(own.replace("-e .", project["name"]))]
    while waiting:
        found = waiting.pop()
        if found.name == project["name"]:
            extras |= found.extras
            waiting += [
                Requirement(text)
                for extra in found.extras
                for text in project["optional-dependencies"][extra]
            ]
    assert extras == set(project["optional-dependencies"])
    assert "'.[dev,evaluators]'" in (PROJECT / "Makefile").read_text()
    assert "'.[companion]'" in (PROJECT / ".binder/postBuild").read_text()


def test_every_dependency_is_locked_within_its_bounds():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    locked = {}
    for line in (PROJECT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith(("#", " ")):
            requirement = Requirement(line)
            locked.setdefault(requirement.name.lower(), []).append(requirement)
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        wanted = Requirement(text)
        if wanted.name == project["name"]:
            continue
        found = locked.get(wanted.name.lower())
        assert found, f"{wanted.name} is not in constraints.txt: write it again"
        for pin in found:
            version = str(pin.specifier).removeprefix("==")
            assert wanted.specifier.contains(version), f"{pin} is outside {wanted}"


def test_the_citation_names_the_paper():
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["preferred-citation"]["title"] == "Latent Bernoulli Autoencoder"
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_clean(path):
    notebook = json.loads(path.read_text())
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)
    tagged = [c for c in code if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert "parameters" in code[0]["metadata"]["tags"]
    for cell in code:
        body = ast.parse("".join(cell["source"])).body
        own = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
        lines = sum(node.end_lineno - node.lineno + 1 for node in own)
        assert lines <= 20, f"a cell of {path.stem} has {lines} lines: move some to a package"
    assert "The paper claims" in "".join(notebook["cells"][0]["source"])
    last = "nb.finish()" if path.stem != "10_explorer" else "open_explorer("
    assert last in "".join(code[-1]["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_pages_show_the_method_and_explain_their_results(path):
    """The code in view calls the library; no more than three results follow without a sentence."""
    in_a_row = 0
    for cell in json.loads(path.read_text())["cells"]:
        source, tags = "".join(cell["source"]), set(cell["metadata"].get("tags", []))
        if cell["cell_type"] == "markdown":
            in_a_row = 0
            continue
        shows = bool(re.search(r"nb\.(show|table|play|finish)\(", source))
        assert not (shows and "remove-cell" in tags), f"a result of {path.stem} is left out"
        in_a_row += shows
        assert in_a_row <= 3, f"{path.stem}: a sentence is missing before {source}"
        in_view = not tags & {"parameters", "hide-input", "remove-input", "remove-cell"}
        if in_view and path.stem != "10_explorer":
            imported = re.findall(r"^from (\w+)", source, re.MULTILINE)
            assert set(imported) <= {"lbae_lib"}, f"{path.stem}: fold what is not the method"


def test_widgets_make_no_page_out_of_date():
    for path in NOTEBOOKS:
        names = {f.relative_to(PROJECT).as_posix() for f in notebook_sources(path)}
        live = any(name.startswith("companion/widgets/") for name in names)
        assert live == (path.stem == "10_explorer")


def test_every_item_of_the_paper_has_a_page():
    numbered = {"Figure": 11, "Table": 5, "Equation": 17, "Algorithm": 1}
    numbered |= {"Supplement, Figure": 12, "Supplement, Table": 1}
    wanted = {f"{name} {n}" for name, last in numbered.items() for n in range(1, last + 1)}
    wanted.add("Section 5")
    found = {item.name: item for item in coverage()}
    assert found.keys() == wanted
    notebooks = {path.stem for path in NOTEBOOKS}
    for item in found.values():
        assert item.page in notebooks or (PROJECT / f"{item.page}.md").exists(), item.name
        assert item.how, item.name
        if item.function:
            package, module, *names = item.function.split(".")
            place = importlib.import_module(f"lbae_lib.{package}.{module}")
            for name in names:
                place = getattr(place, name)
        assert item.function or not item.name.startswith("Equation"), item.name


def test_the_method_page_has_every_equation_with_its_function():
    text = (PROJECT / "book/method.md").read_text()
    for item in coverage():
        if item.name.startswith("Equation"):
            number = item.name.removeprefix("Equation ")
            assert f"\\tag{{{number}}}" in text, item.name
            assert f"`~lbae_lib.{item.function}`" in text, item.name


def test_sources_follow_imports(tmp_path):
    names = {p.name for p in module_sources("lbae_lib.latent.hyperplane")}
    assert names == {
        "hyperplane.py",
        "draws.py",
        "correlation.py",
        "nearest_correlation.py",
        "moments.py",
        "bits.py",
    }
    assert "networks.py" in {p.name for p in module_sources("lbae_lib.models.training")}
    assert "hyperplane.py" not in {p.name for p in module_sources("lbae_lib.models.training")}
    found = {p.name for p in notebook_sources(PROJECT / "notebooks/04_interpolation.ipynb")}
    assert {"inversion.py", "interpolation.py", "curves.py", "notebook.py"} <= found
    assert "baselines.py" not in found
    with pytest.raises(ValueError, match="no module"):
        module_sources("lbae_lib.nothing")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_pages_do_not_depend_on_what_runs_them(path):
    """A change there makes no page older than what it is made of."""
    found = {f.relative_to(PROJECT).as_posix() for f in notebook_sources(path)}
    assert any(name.startswith("companion/experiments/") for name in found)
    assert not any(re.match("companion/(workflow|site|cli)", name) for name in found)


def test_the_hash_of_sources_sees_code_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_ROOT", tmp_path)
    file = tmp_path / "a.py"

    def hashed(text):
        file.write_text(text)
        return sources.sources_hash([file])

    plain = hashed('def f(x):\n    """Doc."""\n    return x + 1\n')
    assert hashed('"""Module."""\n# why\ndef f( x ):\n    return (x+1)\n') == plain
    assert hashed("def f(x):\n    return x + 2\n") != plain


def test_what_code_does_has_one_hash_on_every_python():
    """A constant: the suite runs on several versions, whose syntax trees are not the same."""
    code = "class A:\n    x = None\n"
    code += "    def f(self, *a, b: int = 3):\n        return [f'{b}', {}, b'1', 2.5, ...]\n"
    digest = sources._digest(code)
    assert digest == sources._digest(code.replace("    x", "    # why\n    x"))
    assert digest.startswith("e104a76b9f281492")
