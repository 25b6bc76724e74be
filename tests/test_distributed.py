"""Two processes on one CPU (gloo): every film once, the same files as one process writes, metrics over all films."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chexseg.phantom import write_phantom

HERE = Path(__file__).parent
pytest.importorskip("accelerate", reason="pip install 'chexseg[distributed]'")


def launch(n, *command, cwd):
    env = dict(os.environ, OMP_NUM_THREADS="1", CHEXSEG_PROGRESS="0", CHEXSEG_DEVICE="cpu", ACCELERATE_USE_CPU="true", PYTHONWARNINGS="ignore")
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(n)] if n > 1 else [sys.executable]
    done = subprocess.run([*start, *map(str, command)], capture_output=True, text=True, env=env, cwd=cwd, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    root = tmp_path_factory.mktemp("processes")
    write_phantom(root/"phantom", 40, 24, 4, side=64, seed=3)
    for n in (1, 2):
        (root/str(n)).mkdir()
        launch(n, HERE/"distributed_job.py", root/str(n), cwd=HERE.parent)
    return root


def test_files_are_those_of_one_process(both):
    one, two = (sorted(p for p in (both/n).rglob("*") if p.is_file() and not p.name.startswith("rank")) for n in "12")
    assert [p.relative_to(both/"1") for p in one] == [p.relative_to(both/"2") for p in two] and len(one) == 8
    for a, b in zip(one, two): assert a.read_bytes() == b.read_bytes(), a.name


@pytest.fixture
def seen(both): return [json.loads((both/p).read_text()) for p in ("1/rank-0.json", "2/rank-0.json", "2/rank-1.json")]


@pytest.mark.parametrize("what", ["mapped", "outlined"])
def test_every_film_once(seen, what):
    one, a, b = (s[what] for s in seen)
    assert sorted(a + b) == sorted(one) and len(set(one)) == len(one) == 40 and a and b


def test_training_is_shared(seen):
    one, a, b = seen
    assert a["weights"] == b["weights"] and a["weights"] != one["weights"]  # gradients were averaged; batch normalisation saw half a batch
    assert a["steps"] == b["steps"] == one["steps"]                         # a step is a whole batch, whoever takes part in it
    assert a["auroc"] == b["auroc"] and a["miou"] == b["miou"]              # both saw the answers of both


def test_a_run_in_two_processes(tmp_path):
    tiny = "--films 40 36 12 --side 64 --epochs 1 --steps 4 --seg-bs 8 --experts 10 --methods full full+gate weak+irnet distilled --irnet-steps 4 --bootstraps 50 --workers 0".split()
    out = launch(2, "-m", "chexseg", "run", "--out", tmp_path/"run", *tiny, cwd=tmp_path)
    assert out.count("fully supervised, gated") == out.count("Report:") == 1  # only the first process talks
    assert (tmp_path/"run/report.html").exists()
