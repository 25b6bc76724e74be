"""How long `chexseg run`, the method on the phantom, takes after installing, and whether its claim holds at each seed.

python -m benchmarks.demo --seeds 0 1 2 3 4 --out runs/demos      a run that is there already goes on where it stands
"""
import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import RESULTS, table, verdict
from chexseg.runs import Run

BAR = 480 # seconds on two quiet cores
CONVENTIONS = ("either", "truth")


def demo(folder, seed):
    "The run of one seed, and the seconds that the command took; None where parts of it were there before."
    anew = not folder.exists()
    start = time.perf_counter()
    command = [sys.executable, "-m", "chexseg", "run", "--out", str(folder), "--seed", str(seed)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took = round(time.perf_counter() - start, 1)
    return Run(folder), took if anew else None


def scores(run):
    "The mIoU of every method in both conventions: {method: [either, truth]}."
    rows = [run.results(convention=c).query("task == 'mIoU'").set_index("method")["mean"] for c in CONVENTIONS]
    return {method: [round(float(row[method]), 4) for row in rows] for method in rows[0].index}


def kept_seconds(seed, stages):
    "How long the command took when this same run was made; None when that is not known."
    path = RESULTS/"demo.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    return kept["seconds"][str(seed)] if kept.get("stages", {}).get(str(seed)) == stages else None


def ahead(row):
    "Whether ours stands above full and above weak in both conventions."
    return all(ours > max(full, weak) for ours, full, weak in zip(row["ours"], row["full"], row["weak"]))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/demos"))
    args = parser.parse_args(argv)
    found, seconds, stages = {}, {}, {}
    for seed in args.seeds:
        run, seconds[seed] = demo(args.out/str(seed), seed)
        found[seed] = scores(run)
        stages[seed] = run.seconds()
        seconds[seed] = seconds[seed] or kept_seconds(seed, stages[seed])
        table(f"seed {seed}: mIoU, either and truth", found[seed])
    behind = [seed for seed in args.seeds if not ahead(found[seed])]
    timed = [seed for seed in args.seeds if seconds[seed]]
    kept = dict(seconds=seconds, stages=stages, scores=found, behind=behind)
    if timed:
        first = timed[0]
        training = stages[first]["classifier"] + stages[first]["segmenters"]
        table(f"seed {first}: seconds", {**stages[first], "all": seconds[first], "bar": BAR})
        verdict("demo", BAR, seconds[first], training, **kept)
    else: # runs that were there before, stopped or beside other work: their seconds say nothing
        (RESULTS/"demo.json").write_text(json.dumps(dict(benchmark="demo") | kept, indent=1) + "\n")
    if behind:
        sys.exit(f"At seeds {behind} the method is not above full and weak in both conventions.")


if __name__ == "__main__":
    main()
