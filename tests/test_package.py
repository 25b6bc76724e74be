"""What is installed: a light package, a wheel without ballast, a README that is current, notebooks that are clean."""
import configparser
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from readme import readme

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(p for p in (ROOT/"nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
CONFIG = configparser.ConfigParser(delimiters=["="], interpolation=None)
CONFIG.read(ROOT/"settings.ini")
CONFIG = CONFIG["DEFAULT"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "The wheel, built from a clean copy of what git tracks."
    copy, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("dist")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    for f in filter(None, files):
        if (ROOT/f).is_file(): (copy/f).parent.mkdir(parents=True, exist_ok=True); (copy/f).write_bytes((ROOT/f).read_bytes())
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy], check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_wheel_carries_the_package_and_nothing_else(wheel):
    tops = {n.split("/")[0] for n in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"chexseg", f"chexseg-{CONFIG['version']}.dist-info"}
    assert all(n.endswith(".py") for n in zipfile.ZipFile(wheel).namelist() if n.startswith("chexseg/"))


def test_wheel_imports_in_an_empty_environment(wheel):
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import chexseg; print(chexseg.__version__)"
    got = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert got.stdout.strip() == CONFIG["version"], got.stderr


def test_readme_is_current():
    assert (ROOT/"README.md").read_text(encoding="utf-8") == readme(), "run `make readme`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_clean(path):
    nb = json.loads(path.read_text(encoding="utf-8"))
    for c in nb["cells"]:
        for o in c.get("outputs", []):
            assert o["output_type"] != "error", "an error was saved"
            assert o.get("name") != "stderr", "warnings or progress bars were saved"
            data = o.get("data", {})
            assert "application/vnd.jupyter.widget-view+json" not in data
            assert all(len(data.get(k, "")) < 90_000 for k in ("image/png", "image/jpeg")), "a picture of more than 60 kB was saved"
    source = "\n".join("".join(c["source"]) for c in nb["cells"])
    assert not re.search(r"^\s*(from|import) nbdev", source, flags=re.M), "what Colab runs imports chexseg, not nbdev"


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.parent.name == "tutorials"], ids=lambda p: p.stem)
def test_tutorial_opens_in_colab(path):
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    rel = path.relative_to(ROOT).as_posix()
    assert f"https://colab.research.google.com/github/{CONFIG['user']}/{CONFIG['repo']}/blob/{CONFIG['branch']}/{rel}" in first
