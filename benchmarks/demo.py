"""How long `chexseg run`, the whole method on the phantom, takes after installing.   python -m benchmarks.demo"""
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import table, verdict
from chexseg.runs import Run

BAR = 360 # seconds on two cores


def timed_run(folder):
    "Seconds that the command takes, and the run it made."
    command = [sys.executable, "-m", "chexseg", "run", "--out", str(folder)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, Run(folder)


def check_scores(run):
    "Every method found something."
    score = run.results().query("task == 'mIoU'").set_index("method")["mean"]
    assert (score.loc[["weak", "full", "semi", "semi+vote"]] > 0).all()


def main():
    with tempfile.TemporaryDirectory() as d:
        took, run = timed_run(Path(d)/"run")
        check_scores(run)
        stages = run.seconds()
    training = stages["classifier"] + stages["segmenters"]
    table("chexseg run, seconds", {**stages, "all": round(took, 1), "bar": BAR})
    verdict("demo", BAR, took, training, seconds=round(took, 1), stages=stages)


if __name__ == "__main__":
    main()
