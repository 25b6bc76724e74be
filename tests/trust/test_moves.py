"""Runs that are moved, films that are moved, two processes at one run, and processes that do not fork."""
import os
import shutil
import subprocess
import sys
import time

import pytest

from chexseg.core import ChexsegError, wait_for, watching
from chexseg.dataset import write_phantom
from chexseg.owners import first_is_there, owned
from chexseg.pipeline import run_pipeline
from chexseg.runs import Run

TINY = dict(side=64, experts=8, classifier_epochs=1, segmenter_steps=2, segmenter_bs=4, methods=("full",),
            bootstraps=10, workers=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    "A folder of films in the layout of CheXpert."
    return write_phantom(tmp_path_factory.mktemp("data")/"films", 40, 30, 8, side=64)


def test_run_and_films_may_be_moved(data, tmp_path):
    shutil.copytree(data, tmp_path/"old"/"films")
    run_pipeline(tmp_path/"old"/"films", tmp_path/"old"/"run", until="prepare", **TINY)
    here = tmp_path/"new disk"
    (tmp_path/"old").rename(here)
    with pytest.raises(ChexsegError, match="films"):
        run_pipeline(tmp_path/"old"/"films", here/"run", **TINY) # they are not there any more
    run = run_pipeline(here/"films", here/"run", until="classifier", **TINY)
    assert all(str(here/"films") in path for path in run.table.path)
    assert Run(here/"run").part("test").film(0, 64).shape == (64, 64) # without naming the folder again
    assert run.damaged() == {}


def test_other_films_are_refused(data, tmp_path):
    run_pipeline(data, tmp_path/"run", until="prepare", **TINY)
    other = write_phantom(tmp_path/"other", 40, 30, 8, side=64, seed=1)
    with pytest.raises(ChexsegError, match="is not the file that it was made with"):
        run_pipeline(other, tmp_path/"run", **TINY)


def test_a_run_on_a_phantom_may_be_moved(tmp_path):
    run_pipeline(out=tmp_path/"a", until="prepare", films=(40, 30, 8), **TINY)
    (tmp_path/"a").rename(tmp_path/"b")
    run = run_pipeline(out=tmp_path/"b", until="classifier", films=(40, 30, 8), **TINY)
    assert all(str(tmp_path/"b") in path for path in run.table.path)


HOLD = """
import sys, time
from chexseg.owners import owned
with owned(sys.argv[1]):
    print(1, flush=True)
    time.sleep(99)
"""


@pytest.fixture
def other(tmp_path):
    "A process that works on the folder `run`."
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path/"run")], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_and_told_by_whom(other, tmp_path):
    with pytest.raises(ChexsegError, match=f"is being worked on by process {other.pid} on "):
        run_pipeline(out=tmp_path/"run", films=(40, 30, 8), **TINY)
    assert not (tmp_path/"run"/"config.json").exists() # nothing was written beside the owner


def test_the_folder_of_a_dead_owner_is_taken_over(other, tmp_path):
    other.kill()
    other.wait()
    with owned(tmp_path/"run"):
        pass


def test_nobody_waits_for_a_dead_first_process(other, tmp_path):
    start = time.monotonic()
    other.kill()
    look = first_is_there(tmp_path/"run", patience=.3)
    with pytest.raises(ChexsegError, match="has ended without finishing it"), watching(look):
        wait_for(tmp_path/"run"/"never", every=.05, limit=60)
    assert time.monotonic() - start < 30


SPAWN = """
import multiprocessing
import sys
from pathlib import Path

def main():
    multiprocessing.set_start_method("spawn", force=True)
    from chexseg.data import open_study
    from chexseg.dataset import write_phantom
    from chexseg.classifier import fit_classifier
    from chexseg.inference import predict_masks
    from chexseg.saliency import compute_saliency
    from chexseg.segmentation import build_segmenter
    from chexseg.training import fingerprint
    study = open_study(write_phantom(Path(sys.argv[1]), 24, 12, 2, side=64, workers=2))
    weak, valid = study.part("weak"), study.part("valid")
    model = fit_classifier(weak, valid, "small", side=64, epochs=1, bs=8, workers=2).model
    maps = compute_saliency(model, weak, workers=2)
    masks = predict_masks(build_segmenter("small", study.tasks, 64).eval(), valid, workers=2)
    print(fingerprint(model), round(float(maps.maxima.sum()), 4), len(masks))

if __name__ == "__main__":
    main()
"""


@pytest.mark.skipif(not os.environ.get("CHEXSEG_TEST_HARD"), reason="a minute: CHEXSEG_TEST_HARD=1, or `make hard`")
def test_nothing_needs_a_fork(tmp_path):
    "Workers that are started anew, as on Windows and macOS, find the same."
    (tmp_path/"job.py").write_text(SPAWN)
    env = os.environ | dict(OMP_NUM_THREADS="1", CHEXSEG_PROGRESS="0", CHEXSEG_DEVICE="cpu", PYTHONWARNINGS="ignore")
    done = subprocess.run([sys.executable, "job.py", "phantom"], cwd=tmp_path, env=env, capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    (tmp_path/"job.py").write_text(SPAWN.replace("workers=2", "workers=0"))
    alone = subprocess.run([sys.executable, "job.py", "again"], cwd=tmp_path, env=env, capture_output=True, text=True,
                           timeout=600)
    assert done.stdout == alone.stdout != ""
