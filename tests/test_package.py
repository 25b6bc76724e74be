"""What is installed and shown: a wheel without ballast, a README that is current, pages that open in Colab."""
import ast
import configparser
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent/"docs"))
from audit import requirements, verdict
from chapters import parse
from plain import modules
from readme import readme

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(p for p in (ROOT/"nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
CONFIG = configparser.ConfigParser(delimiters=["="], interpolation=None)
CONFIG.read(ROOT/"settings.ini")
CONFIG = CONFIG["DEFAULT"]


def cells(path, kinds=("markdown", "code")):
    "The source of each cell of a notebook."
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in found if c["cell_type"] in kinds]


def code(path): return cells(path, ["code"])


def imported(sources):
    "Top-level modules that the cells of a notebook import, not counting what functions import when they are called."
    run = [s for s in sources if "import" in s and not re.search(r"^#\| *eval: *false", s, re.M)]
    found = [node for s in run for node in parse(s) if isinstance(node, (ast.Import, ast.ImportFrom))]
    named = [alias.name for node in found if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module for node in found if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in named}


PAGES = [p for p in NOTEBOOKS if p.stem != "index"]
ADDRESS = f"https://github.com/{CONFIG['user']}/{CONFIG['repo']}"


def copy_tracked(to):
    "Copy what git tracks, or would track, as it is now."
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT/name).is_file():
            (to/name).parent.mkdir(parents=True, exist_ok=True)
            (to/name).write_bytes((ROOT/name).read_bytes())


FIRST_DAY = """
import numpy as np
import pandas as pd
from chexseg.data import Part, assign_roles, open_study
from chexseg.dataset import write_phantom
from chexseg.evaluation import bootstrap, iou_table, miou
from chexseg.inference import load_segmenter, predict_masks
from chexseg.masks import MaskSet
from chexseg.pipeline import run_pipeline
from chexseg.report import results_text
from chexseg.runs import Run, story
from chexseg.subgroups import subgroup_table
study = assign_roles(open_study(write_phantom("phantom", train=24, side=64), tasks=["Edema"]), experts=4)
part: Part = study.part("expert").subset(["a"]).select(["Edema"])
film: np.ndarray = part.film(0, 64)
run: Run = run_pipeline("phantom", out="runs/a", until="scores", side=64)
table: pd.DataFrame = run.results("truth").query("task == 'mIoU'")
truth: MaskSet = run.masks("readers")
ious = iou_table(run.predictions()["full"], truth, ids=part.ids, convention="truth")
print(results_text("runs/a"), float(miou(ious)["mIoU"]), bootstrap({"full": ious}, patients=part.patients, n=100))
made: MaskSet = predict_masks(load_segmenter("runs/a/segmenters/full"), part)
for id in made.ids:
    print(made.get(id, film.shape), truth.area(id), truth[id])
groups: pd.DataFrame = subgroup_table(story(), facts="facts.csv", methods=["full"])
"""


def built(tmp_path_factory):
    "The wheel, built from a clean copy."
    copy = tmp_path_factory.mktemp("clone")
    out = tmp_path_factory.mktemp("dist")
    copy_tracked(copy)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy]
    subprocess.run(build, check=True, capture_output=True, env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"})
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(tmp_path_factory)


def test_the_wheel_is_the_same_when_it_is_built_again(wheel, tmp_path_factory):
    "To the last byte, from another folder, for one date of the source."
    assert built(tmp_path_factory).read_bytes() == wheel.read_bytes()


def test_wheel_carries_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names} == {"chexseg", f"chexseg-{CONFIG['version']}.dist-info"}
    inside = [n for n in names if n.startswith("chexseg/")]
    code = (".py", ".pyi", "/py.typed")
    assert [n for n in inside if not n.endswith(code) and not n.startswith("chexseg/story/")] == []


def test_wheel_carries_every_module_and_the_whole_story(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [*(ROOT/"chexseg").glob("*.py"), *(p for p in (ROOT/"chexseg"/"story").rglob("*") if p.is_file())]
    assert [p for p in wanted if p.relative_to(ROOT).as_posix() not in names] == []


def test_wheel_tells_types(wheel):
    "Each module has its stub, with the methods that chapters add later, and with None where it is the default."
    names = zipfile.ZipFile(wheel).namelist()
    modules = {p.stem for p in (ROOT/"chexseg").glob("*.py")} - {"__init__", "__main__", "_modidx"}
    assert "chexseg/py.typed" in names and {f"chexseg/{m}.pyi" for m in modules} <= {*names}
    stub = zipfile.ZipFile(wheel).read("chexseg/data.pyi").decode()
    part = stub[stub.index("class Part"):stub.index("class Study")]
    assert "def film(self, k: int, side: int | None=...) -> np.ndarray:" in part
    assert "@property\n    def ids(self) -> list:" in part and "\ndef ids" not in stub


def test_a_type_checker_accepts_what_users_write(wheel, tmp_path):
    "mypy, where it is installed, over a first day's script, and over one with mistakes."
    pytest.importorskip("mypy")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    def checked(script):
        (tmp_path/"script.py").write_text(script)
        command = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--follow-imports=silent", "script.py"]
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
        assert "rror" in said or "Success" in said, said
        return [line for line in said.splitlines() if line.startswith("script.py") and "error:" in line]
    assert checked(FIRST_DAY) == []
    found = checked("from chexseg.runs import Run\nRun('a').resulst()\nRun()\nRun('a').part('test').film('one')\n")
    assert len(found) == 3 and 'maybe "results"' in found[0], found


def test_wheel_imports_in_an_empty_environment(wheel):
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import chexseg; print(chexseg.__version__)"
    got = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert got.stdout.strip() == CONFIG["version"], got.stderr


def test_readme_is_current():
    assert (ROOT/"README.md").read_text(encoding="utf-8") == readme(), "run `make readme`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_colab_runs_imports_no_nbdev(path):
    source = "\n".join(cells(path))
    assert not re.search(r"^\s*(from|import) nbdev", source, flags=re.M), "what Colab runs imports chexseg, not nbdev"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_a_badge_leads_to_colab(path):
    repo = f"{CONFIG['user']}/{CONFIG['repo']}/blob/{CONFIG['branch']}"
    assert f"https://colab.research.google.com/github/{repo}/{path.relative_to(ROOT).as_posix()}" in cells(path)[0]


@pytest.mark.parametrize("path", filter(code, PAGES), ids=lambda p: p.stem)
def test_the_first_cell_installs_what_the_page_imports(path):
    install = code(path)[0]
    assert install.count(f'REPOSITORY = "{ADDRESS}"') == 1
    assert "\nif " in install and "importlib.util.find_spec(" in install and "@ git+{REPOSITORY}" in install
    there = {module for module, is_there in modules(install).items() if is_there}
    missing = imported(code(path)) - {*sys.stdlib_module_names, *there, "chexseg"}
    assert not missing, f"{path.stem} imports {missing}, which its first cell does not install"


def test_actions_are_pinned():
    "A tag can be moved to other code, a commit cannot."
    used = [u for f in (ROOT/".github"/"workflows").iterdir() for u in re.findall(r"uses: (\S+)", f.read_text())]
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", u) for u in used)


def test_each_requirement_has_its_licence_listed():
    listed = (ROOT/"docs"/"licences.md").read_text(encoding="utf-8")
    assert set(requirements()) == set(re.findall(r"^\| ([\w.-]+) \|", listed, re.M)) - {"package"}
    assert "not installed" not in listed


def test_an_audit_that_looked_nothing_up_has_not_run():
    skipped = {"name": "a", "skip_reason": "not found"}
    sound = {"name": "b", "version": "1", "vulns": []}
    faulty = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1"}]}
    assert verdict({"dependencies": [skipped, skipped]}) == (
        "Not run: none of 2 packages could be looked up; is there a network?", 2)
    assert verdict({"dependencies": [skipped, sound]}) == ("1 of 2 packages looked up, 0 published faults", 0)
    assert verdict({"dependencies": [sound, faulty]}) == (
        "2 of 2 packages looked up, 1 published faults\nc 2: CVE-1", 1)
