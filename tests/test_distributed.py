"""Two processes on one CPU (gloo): every film once, the same files as one process writes, metrics over all films."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chexseg.dataset import write_phantom

HERE = Path(__file__).parent
ENV = dict(OMP_NUM_THREADS="1", CHEXSEG_PROGRESS="0", CHEXSEG_DEVICE="cpu", ACCELERATE_USE_CPU="true",
           PYTHONWARNINGS="ignore")
SHORT = ("--films 40 36 12 --side 64 --classifier-epochs 1 --segmenter-steps 4 --segmenter-bs 8 --experts 10 "
         "--methods full full+vote weak+irnet distilled --irnet-steps 4 --bootstraps 50 --workers 0")
pytest.importorskip("accelerate", reason="pip install 'chexseg[distributed]'")


def launch(n, *command, cwd):
    "What a command prints in `n` processes."
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(n)] if n > 1 else []
    done = subprocess.run([sys.executable, *several, *map(str, command)], capture_output=True, text=True,
                          env=os.environ | ENV, cwd=cwd, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    "A folder with what one process left in `1` and two left in `2`."
    root = tmp_path_factory.mktemp("processes")
    write_phantom(root/"phantom", 40, 24, 4, side=64, seed=3)
    for n in (1, 2):
        (root/str(n)).mkdir()
        launch(n, HERE/"distributed_job.py", root/str(n), cwd=HERE.parent)
    return root


def files(folder):
    "{name: bytes} of all files but the notes of the processes."
    found = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("rank")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_files_are_those_of_one_process(both):
    one = files(both/"1")
    two = files(both/"2")
    assert set(one) == set(two) and len(one) == 8
    assert [name for name in one if one[name] != two[name]] == []


@pytest.fixture
def seen(both):
    "The notes of one process alone, and of two."
    return [json.loads((both/p).read_text()) for p in ("1/rank-0.json", "2/rank-0.json", "2/rank-1.json")]


@pytest.mark.parametrize("what", ["mapped", "outlined"])
def test_every_film_once(seen, what):
    one, a, b = (s[what] for s in seen)
    assert sorted(a + b) == sorted(one) and len(set(one)) == len(one) == 40 and a and b


def test_training_is_shared(seen):
    one, a, b = seen
    assert a["weights"] == b["weights"] # gradients were averaged
    assert a["weights"] != one["weights"] # batch normalisation saw half a batch
    assert a["steps"] == b["steps"] == one["steps"] # a step is a whole batch, whoever takes part in it
    assert a["auroc"] == b["auroc"] and a["miou"] == b["miou"] # both saw the answers of both


def test_a_run_in_two_processes(tmp_path):
    out = launch(2, "-m", "chexseg", "run", "--out", tmp_path/"run", *SHORT.split(), cwd=tmp_path)
    # only the first process talks
    assert out.count("fully supervised, with the classifier's vote") == out.count("Report:") == 1
    assert (tmp_path/"run/report.html").exists()
