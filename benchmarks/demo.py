"""How long `chexseg run`, the whole method on the phantom, takes after installing.   python -m benchmarks.demo"""
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import table, verdict
from chexseg.pipeline import Run, results

BAR = 360  # seconds on two cores


def main():
    with tempfile.TemporaryDirectory() as d:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "chexseg", "run", "--out", str(Path(d)/"run")], check=True, stdout=subprocess.DEVNULL)
        took, run = time.perf_counter() - start, Run(Path(d)/"run")
        score = results(run).query("task == 'mIoU'").set_index("method")["mean"]
        assert (score.loc[["weak", "full", "chexseg", "semi"]] > 0).all()
        stages = run.seconds()
    training = stages["classifier"] + stages["segmenters"]
    table("chexseg run, seconds", {**stages, "all": round(took, 1), "bar": BAR})
    verdict("demo", BAR, took, training, seconds=round(took, 1), stages=stages)


if __name__ == "__main__": main()
