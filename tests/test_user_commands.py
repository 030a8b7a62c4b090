"""What users of such software meet, at the command line: one small project, and real commands.

Commands run in this process, but for those in another environment. `make reliability` counts
these tries for the page on reliability.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT
from PIL import Image
from test_users import GOOD, REFUSED

from companion.cli import main
from companion.experiments import datasets
from companion.experiments.datasets import results_name
from companion.project import project_root
from companion.workflow import staleness
from lbae_lib.coding.container import is_container

pytestmark = pytest.mark.slow
TINY = """
description: tries
datasets:
  digits: {width: 4, latent_size: 12, validation_images: 137, batch_size: 32, epochs: 2,
           learning_rate: 0.003, extractor_epochs: 1}
  folder: {width: 4, latent_size: 8, validation_images: 4, batch_size: 8, epochs: 1,
           image_size: 32}
"""
DIGITS = ("-d", "digits", "-p", "tiny")


def pictures(folder, count=24, offset=0):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("L", (40, 40), (9 * index + offset) % 256).save(folder / f"{index}.png")


def forget():
    project_root.cache_clear()
    datasets._of_folder.cache_clear()
    staleness._identity.cache_clear()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project with a trained model, in a folder whose name is no simple word."""
    folder = tmp_path_factory.mktemp("my project (é) $x; it's")
    for part in ("lbae_lib", "companion", "profiles", "book", "notebooks"):
        (folder / part).symlink_to(PROJECT / part)
    for part in ("Snakefile", "_config.yml"):
        shutil.copy2(PROJECT / part, folder / part)
    (folder / "config").mkdir()
    (folder / "config/tiny.yaml").write_text(TINY)
    pictures(folder / "pics")
    return folder


@pytest.fixture
def lbae(home, monkeypatch, capsys):
    """Runs a command in the project: its exit status, and all that it says."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("LBAE_ROOT", str(home))
    forget()

    def run(*words):
        forget()
        monkeypatch.setattr(sys, "argv", ["lbae", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = "".join(capsys.readouterr())
        assert "Traceback" not in said
        return ended.value.code or 0, said

    yield run
    forget()


@pytest.fixture
def trained(lbae, home):
    """The same, with model, latents and prior of the digits."""
    for step in ("train", "encode", "prior"):
        made = {"train": "lbae/model", "encode": "lbae/latents", "prior": "prior/model"}[step]
        if not (home / f"runs/tiny/digits/{made}.safetensors").exists():
            assert lbae(step, *DIGITS)[0] == 0
    return lbae


# --- A: names, paths and options ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "-d", "dig'its", "-p", "tiny"), "did you mean 'digits'"),
        (("train", "-d", "digits\n", "-p", "tiny"), "did you mean 'digits'"),
        (("train", "-d", "DIGITS", "-p", "tiny"), "no data set 'DIGITS'"),
        (("train", "-d", "./pics", "-p", "tiny"), "folder:PATH"),
        (("train", "-d", "Folder:pics", "-p", "tiny"), "did you mean 'folder:PATH'"),
        (("train", "-d", "folder:", "-p", "tiny"), "no folder is named"),
        (("report", "-d", "folder:", "-p", "tiny"), "no folder is named"),
        (("train", "-d", "folder:pics/0.png", "-p", "tiny"), "0.png, which is a file"),
        (("train", "-d", "folder:~nobody-here/x", "-p", "tiny"), "no folder at"),
        (("train", "-d", "folder:" + "y" * 5000, "-p", "tiny"), "File name too long"),
        (("report", "-d", "folder:gone", "-p", "tiny"), "no folder at"),
        (("report", "-d", "folder:gone", "-p", "tiny", "--dry-run"), "no folder at"),
        (("report", "-d", "digits,mnist", "-p", "tiny"), "did you mean 'digits'"),
        (("report", *DIGITS, "--cores", "zero"), "--cores is 'zero', but must be"),
        (("report", *DIGITS, "--cores", "0"), "--cores is '0', but must be"),
        (("report", *DIGITS, "--cores=-1"), "--cores is '-1', but must be"),
        (("report", *DIGITS, "--on", "../x"), "no folder in profiles/ '../x'"),
        (("train", "-d", "digits", "-p", "../tiny"), "did you mean 'tiny'"),
        (("train", "-d", "digits", "-p", ""), "no profile ''"),
        (("train", "-d", "digits", "-p", "/etc/passwd"), "no profile '/etc/passwd'"),
        (("train", "-d", "digits", "-p", "config/tiny.yaml"), "no profile 'config/tiny.yaml'"),
        (("book", "-p", "tiny.yaml"), "did you mean 'tiny'"),
        (("train", *DIGITS, "-m", "../x"), "no model '../x'"),
        (("train", *DIGITS, "--time-limit", "-5"), "is not a duration"),
        (("train", *DIGITS, "--devices", "0"), "must be at least 1"),
        (("encode", *DIGITS, "--device", "cuda:7"), "--device is 'cuda:7', but must be one of"),
        (("encode", *DIGITS, "--device", ""), "device is '', but must be one of"),
        (("notebook", "notebooks/03_sampling.ipynb", *DIGITS), "did you mean '03_sampling'"),
        (("notebook", "../x", *DIGITS), "no notebook '../x'"),
        (("notebook", "03_sampling", *DIGITS, "-P", ""), "write NAME=VALUE"),
        (("notebook", "03_sampling", *DIGITS, "-P", "samples={a: [}"), "cannot be read as YAML"),
        (("notebook", "03_sampling", *DIGITS, "-P", "samples=!!python/name:os.x"), "as YAML"),
        (
            ("notebook", "03_sampling", *DIGITS, "-P", "samples=2020-01-01"),
            "must be a whole number",
        ),
        (("study", "x", *DIGITS), "no study 'x'"),
        (("tables", "-p", "nope"), "no profile 'nope'"),
        (("train", *DIGITS, "--time-limit", "90"), "is not a duration"),
        (("compress", "", "-o", "a.lbae", *DIGITS), "a path is empty"),
        (("compress", "pics/0.png", "-o", "", *DIGITS), "a path is empty"),
        (("decompress", "a.lbae", "-o", "", *DIGITS), "a path is empty"),
        (("export", *DIGITS, "-o", ""), "a path is empty"),
        (("verify", *DIGITS, "--rerun", "3_sampling"), "did you mean '03_sampling'"),
        (("verify", *DIGITS, "--rerun", ""), "no notebook ''"),
        (("notebook", "3_sampling", "--help"), "did you mean '03_sampling'"),
        (("list", "-p", "nope"), "no profile 'nope'"),
    ],
)
def test_words_of_commands(lbae, outcomes, words, message):
    status, said = lbae(*words)
    assert status == 1
    (line,) = [line for line in said.splitlines() if line]
    assert message in line
    outcomes.tried("A", REFUSED)


# --- B: outputs where the user has a file ------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "mine"),
    [
        (("compress", "pics/0.png", "-o", "diary.txt"), "diary.txt"),
        (("compress", "pics/0.png", "-o", "photo.HEIC"), "photo.HEIC"),
        (("compress", "pics/0.png", "--force", "-o", "photo.avif"), "photo.avif"),
        (("compress", "pics/1.png", "--force", "-o", "hard link"), "hard link"),
        (("compress", "pics", "-o", "pics/attributes.csv"), "pics/attributes.csv"),
        (("compress", "pics/0.png", "-o", "pics"), "pics/0.png"),
        (("explorer", "--page", "index.html"), "index.html"),
        (("explorer", "--page", "pics/2.png"), "pics/2.png"),
        (("export", "-o", "."), "config/tiny.yaml"),
        (("export", "-o", "runs/tiny/digits/lbae"), "runs/tiny/digits/lbae/model.safetensors"),
        (("export", "-o", "runs/tiny/digits/prior"), "runs/tiny/digits/prior/model.safetensors"),
        (("import-authors", "pics/0.png"), "runs/tiny/digits/lbae/model.safetensors"),
        (("decompress", "two.lbae", "-o", "own pictures"), "own pictures/000002.png"),
    ],
)
def test_files_that_stand_where_an_output_goes(trained, home, outcomes, words, mine):
    path = home / mine
    if mine == "hard link":
        (home / "pics/1.png").rename(path)
        os.link(path, home / "pics/1.png")
    elif not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    if words[0] == "decompress":
        assert trained("compress", "pics/0.png", "pics/0.png", "-o", "two.lbae", *DIGITS)[0] == 0
    before, others = path.read_bytes(), sorted(home.rglob("*"))
    status, said = trained(*words, *DIGITS)
    assert status == 1, said
    assert path.read_bytes() == before
    assert [p for p in sorted(home.rglob("*")) if p not in others and p.name != ".lock"] == []
    if path.read_bytes() == b"mine":
        path.unlink()
    outcomes.tried("B", REFUSED)


def test_ones_own_outputs_are_replaced(trained, home, outcomes):
    odd = os.fsdecode(b"\xff\xfe out.lbae")
    for output in ("new/é.lbae", odd, "-"):
        for _ in range(2):
            assert trained("compress", "pics", "-o", output, *DIGITS)[0] == 0
        assert is_container(home / output)
        outcomes.tried("B", GOOD)
    for _ in range(2):
        assert trained("explorer", *DIGITS, "--page", "page.html")[0] == 0
        assert trained("decompress", odd, "-o", "a/b c", *DIGITS)[0] == 0
        assert trained("export", *DIGITS, "-o", "shared (é)")[0] == 0
        outcomes.tried("B", GOOD)
    assert len(list((home / "a/b c").iterdir())) == len(list((home / "pics").glob("*.png")))


@pytest.mark.parametrize(
    ("file", "message"),
    [("pics/0.png", r"pics/0\.png is not an .lbae file"), ("pics", "pics, which is a folder"),
     ("nowhere.lbae", "there is no file nowhere"), ("cut.lbae", r"cut\.lbae: the file is cut off")],
)  # fmt: skip
def test_files_that_are_no_archives(trained, home, outcomes, file, message):
    (home / "cut.lbae").write_bytes(b"LBAE\x02\x02\x01\x01")
    status, said = trained("decompress", file, "-o", "nothing", *DIGITS)
    assert status == 1
    assert re.search(message, said)
    assert not (home / "nothing").exists()
    outcomes.tried("G", REFUSED)


# --- C, D: names of folders, and changes after training ----------------------------------------


def test_names_of_folders(lbae, home, outcomes):
    names = [
        "one/Pics",
        "two/pics",
        "3/PICS",
        "cafe\u0301",
        "caf\u00e9",
        "digits",
        "pics-2",
        "n" * 250,
        "n" * 251,
        "猫" * 85,
        "\N{CAT FACE}",
        "..x",
        "a b",
        "a_b",
        "-",
        "#?%",
    ]
    found = []
    for offset, name in enumerate(names):
        pictures(home / "c" / name, offset=offset)
        found.append(results_name(f"folder:c/{name}"))
        assert len(found[-1].encode()) < 200
    assert len(set(found)) == len(names)
    assert "digits" not in found
    (home / "c/link").symlink_to("one/Pics")
    for same in (
        "c/one/Pics/",
        "c//one/./Pics",
        "c/two/../one/Pics",
        home / "c/one/Pics",
        "c/link",
    ):
        forget()
        assert results_name(f"folder:{same}") == found[0]
    shutil.copytree(home / "c/one/Pics", home / "c/copy of Pics")
    assert results_name("folder:c/copy of Pics") not in found
    for _ in range(len(names) + 6):
        outcomes.tried("C", GOOD)


def test_a_damaged_list_of_folders(lbae, home, outcomes):
    pictures(home / "c/kept", offset=77)
    own = ("-d", "folder:c/kept", "-p", "tiny")
    assert lbae("train", *own)[0] == 0
    path = home / "runs/folders.json"
    kept = path.read_text()
    for broken in ("{", "[]", '{"folder-x": 3}', '{"folder-kept": {"no": 1}}'):
        path.write_text(broken)
        status, said = lbae("train", *own)
        assert status == 1
        assert "list of folders" in said
        outcomes.tried("C", REFUSED)
    path.unlink()  # results still say whose they are
    pictures(home / "elsewhere/kept", offset=78)
    assert results_name("folder:elsewhere/kept") == "folder-kept-2"
    forget()
    assert results_name("folder:c/kept") == "folder-kept"
    outcomes.tried("C", GOOD)
    path.write_text(kept)


def test_changes_after_training(lbae, home, outcomes):
    folder, where = home / "changing", ("-d", "folder:changing", "-p", "tiny")
    pictures(folder, 30)
    for step in ("train", "encode"):
        assert lbae(step, *where)[0] == 0

    def planned(name="changing"):
        status, said = lbae("report", "-d", f"folder:{name}", "-p", "tiny", "--dry-run")
        wanted = "training the LBAE|there is no 3.png" if status else "training the LBAE"
        return [line for line in said.splitlines() if re.search(wanted, line)]

    table = "image_id,A\n" + "".join(f"{i}.png,{i % 2}\n" for i in range(30))
    for harmless in (
        lambda: (folder / "3.png").touch(),
        lambda: (folder / "notes.txt").write_text("mine"),
        lambda: (folder / "attributes.csv").write_text(table),
        lambda: folder.rename(home / "renamed"),
    ):
        harmless()
        assert planned("changing" if folder.exists() else "renamed") == []
        outcomes.tried("D", GOOD)
    (home / "renamed").rename(folder)
    assert planned() == []  # and it is known by its first name again
    for change, undo in (
        (lambda: Image.new("L", (40, 40), 77).save(folder / "3.png"),
         lambda: Image.new("L", (40, 40), 27).save(folder / "3.png")),
        (lambda: (folder / "3.png").rename(folder / "x.png"),
         lambda: (folder / "x.png").rename(folder / "3.png")),
        (lambda: (folder / "attributes.csv").write_text(table.replace("29.png,1\n", "")),
         lambda: (folder / "attributes.csv").write_text(table)),
    ):  # fmt: skip
        change()
        assert planned()
        for step in ("train", "encode"):
            status, said = lbae(step, *where)
            assert status == 1
            assert re.search("since the model .* was trained|there is no 3.png", said), said
            outcomes.tried("D", REFUSED)
        undo()
        assert planned() == []
    folder.rename(home / "moved away")
    for step in ("train", "encode"):
        assert "no folder at" in lbae(step, *where)[1]
        outcomes.tried("D", REFUSED)


# --- K: more images than there are -------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "given", "there"),
    [
        ("03_sampling", ["samples=300", "images=777"], None),
        ("04_interpolation", ["pairs=77777", "decoded=77777", "rows=77"], "180 pairs"),
        ("07_attributes", ["images=77777", "rows=77"], "Share of edited test images"),
    ],
)
def test_more_images_than_there_are(trained, home, outcomes, page, given, there):
    if not (home / "runs/tiny/digits/extractor").exists():
        assert trained("extractor", *DIGITS)[0] == 0
    words = [word for parameter in given for word in ("-P", parameter)]
    status, said = trained("notebook", page, *DIGITS, *words)
    assert status == 0, said
    notebook = json.loads((home / f"runs/tiny/digits/{page}.ipynb").read_text())
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    shown = " ".join("".join(o.get("data", {}).get("text/html", "")) for o in outputs)
    captions = re.findall("<figcaption[^>]*>([^<]+)", shown)
    assert not [text for text in captions if re.search("77,?777", text)]
    assert there is None or any(there in text for text in captions)
    outcomes.tried("K", "the caption has what was drawn")


# --- E: environments ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Settings of a user's IPython and Jupyter that would change or end a kernel."""
    folder = tmp_path_factory.mktemp("settings")
    profile = folder / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup/00.py").write_text("raise SystemExit('of the user')")
    settings = "c.InteractiveShell.ast_node_interactivity = 'none'\n"
    for name in ("ipython_config.py", "ipython_kernel_config.py"):
        (profile / name).write_text(settings)
    nbclient = {"NotebookClient": {"timeout": 1, "allow_errors": True}}
    (folder / "jupyter_nbclient_config.json").write_text(json.dumps(nbclient))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"IPYTHONDIR": "STRANGE", "JUPYTER_CONFIG_DIR": "STRANGE"},
        {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "LANGUAGE": "de"},
        {"PYTHONWARNINGS": "error", "LC_ALL": "xx_YY.UTF-8"},
        {"HOME": "/etc/passwd", "TMPDIR": "/nonexistent", "JUPYTER_RUNTIME_DIR": "/proc/x"},
        {"TZ": "Mars/Phobos", "SOURCE_DATE_EPOCH": "0", "COLUMNS": "1", "TERM": "dumb"},
        {"OMP_NUM_THREADS": "many", "PYTHONOPTIMIZE": "2", "MPLBACKEND": "TkAgg"},
    ],
)
def test_environments(trained, home, outcomes, strange, changes):
    changed = {key: value.replace("STRANGE", str(strange)) for key, value in changes.items()}
    words = [sys.executable, "-m", "companion", "notebook", "03_sampling", *DIGITS]
    environment = os.environ | {"LBAE_ROOT": str(home), "PYTHONPATH": str(PROJECT)} | changed
    done = subprocess.run(
        [*words, "-P", "samples=300"], cwd=home, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    record = json.loads((home / "runs/tiny/digits/03_sampling/record.json").read_text())
    found = json.dumps({k: v for k, v in record["results"].items() if k != "seconds"})
    first = home / "first.json"
    if not first.exists():
        first.write_text(found)
    assert found == first.read_text()
    for _ in changes:
        outcomes.tried("E", "the same results")


def test_a_kernel_that_is_killed_is_a_line(trained, home, outcomes, monkeypatch):
    (home / "notebooks").unlink()
    (home / "notebooks").mkdir()
    for path in (PROJECT / "notebooks").glob("*.ipynb"):
        shutil.copy2(path, home / "notebooks")
    path = home / "notebooks/03_sampling.ipynb"
    content = json.loads(path.read_text())
    content["cells"][-1]["source"] = ["import os\n", "os.kill(os.getpid(), 9)"]
    path.write_text(json.dumps(content))
    status, said = trained("notebook", "03_sampling", *DIGITS)
    assert status == 1
    assert "the kernel of 03_sampling ended early" in said
    outcomes.tried("G", REFUSED)
    shutil.copy2(PROJECT / "notebooks/03_sampling.ipynb", path)


def test_names_that_the_terminal_cannot_show(trained, home, outcomes):
    words = [sys.executable, "-m", "companion", "compress", "pics/0.png", "-o"]
    for encoding in ("ascii", "utf-8"):
        done = subprocess.run(
            [*words, b"\xff \xc3\xa9.lbae", *DIGITS], cwd=home, capture_output=True, check=False,
            env=os.environ | {"LBAE_ROOT": str(home), "PYTHONIOENCODING": encoding,
                              "PYTHONPATH": str(PROJECT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert b"1 images" in done.stdout
        outcomes.tried("E", GOOD)


@pytest.mark.parametrize("name", ["DATASETS", "PROFILE", "DATA"])
@pytest.mark.parametrize(
    "value",
    ["a; touch sprung", "$(touch sprung)", "`touch sprung`", 'it"; touch sprung; "', "it's", "é {}",
     "$HOME", "a \\ b", "#5 & c", "*"],
)  # fmt: skip
def test_variables_of_make(tmp_path, outcomes, name, value):
    """They are words of one command: neither make nor the shell reads anything in them."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/lbae").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / ".venv/bin/lbae").chmod(0o755)
    for part in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / part, tmp_path)
    (tmp_path / ".venv/.ready").touch()
    done = subprocess.run(
        ["make", "report", f"{name}={value}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "sprung").exists(), done.stdout
    assert value in done.stdout.splitlines()
    outcomes.tried("A", GOOD)
