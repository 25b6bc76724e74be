"""A run that is killed at any moment goes on, and ends with the files of a run that nobody disturbed."""
import hashlib
import os
import random
import subprocess
import sys
import time

import pytest

TINY = ("run --films 40 30 12 --side 64 --experts 8 --classifier-epochs 1 --segmenter-steps 3 --segmenter-bs 4 "
        "--methods weak full full+vote semi --bootstraps 20 --workers 0 --out run").split()
ENV = dict(OMP_NUM_THREADS="1", CHEXSEG_PROGRESS="0", CHEXSEG_DEVICE="cpu", PYTHONWARNINGS="ignore")
KILLS = int(os.environ.get("CHEXSEG_TEST_KILLS", 3))


def start(folder):
    "The run in a process of its own."
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-m", "chexseg", *TINY], cwd=folder, env=os.environ | ENV,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(folder):
    "Let the run come to its end; seconds that it took."
    began = time.perf_counter()
    process = start(folder)
    said = process.communicate(timeout=600)[1]
    assert process.returncode == 0, said.decode()[-2000:]
    return time.perf_counter() - began


def digests(folder):
    "{name: digest} of what a run has made; stage records and the page hold times and so differ."
    skip = ("stages", "report.html", "manifest.json")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*"))
            if p.is_file() and not any(part in skip for part in p.relative_to(folder).parts)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "A run that nobody disturbed, and how long it took."
    folder = tmp_path_factory.mktemp("whole")
    return folder, finish(folder)


def test_a_killed_run_goes_on(whole, tmp_path, capsys):
    "Killed after a random share of its time, again and again."
    folder, seconds = whole
    moments = random.Random(0)
    killed = 0
    for _ in range(KILLS):
        process = start(tmp_path)
        try:
            process.wait(timeout=2 + moments.random()*(seconds - 2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    finish(tmp_path)
    assert digests(tmp_path/"run") == digests(folder/"run")
    left = [p.name for p in (tmp_path/"run").rglob("*") if p.name.startswith(".")]
    assert left == [], left
    with capsys.disabled():
        print(f"\nkills survived: {killed}")
