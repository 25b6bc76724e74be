"""Does the order hold? The paper's main table over fresh seeds: phantom set, classifier, draw of experts and training
all change.

    python -m benchmarks.supervision --seeds 10 11 12

prints mIoU on the test films a seed and method, and how the methods compare; writes benchmarks/results/supervision.csv
and pseudomasks.csv, the quality of pseudo-masks by what they are gated with. Runs are kept in --out and continued."""
import argparse
from pathlib import Path

import pandas as pd

from chexseg.evaluation import gap_reduction
from chexseg.pipeline import PAIRS, run_pipeline

RESULTS = Path(__file__).parent/"results"
CHOICES = dict(preset="table", films=(2000, 140, 160), tune_on="validation", classifier_epochs=10, segmenter_steps=300)
OF_WEAK = {"chexseg": "weak+irnet", "semi": "weak", "semi+vote": "weak", "ours": "weak"} # whose gap it closes


def arguments():
    "What the command line asks for."
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", nargs="+", type=int, default=[10, 11, 12])
    p.add_argument("--out", default="runs/seeds")
    return p.parse_args()


def mean_rows(run, seed):
    "The mIoU of each method of a run, by two conventions."
    rows = [run.results(c).query("task == 'mIoU'").assign(seed=seed, convention=c) for c in ("either", "truth")]
    return pd.concat(rows)[["convention", "seed", "method", "mean", "low", "high"]]


def print_comparison(convention, part):
    "One convention: a row a seed, then what each method gains on others."
    wide = part.pivot(index="seed", columns="method", values="mean")[list(part.method.unique())]
    mean = wide.mean()
    with_mean = pd.concat([wide, mean.to_frame("mean").T])
    print(f"\nmIoU on test films, convention {convention!r}\n{with_mean.round(3).to_string()}")
    for x, y in [p for p in PAIRS if {*p} <= {*wide}]:
        differences = ", ".join(f"{d:+.3f}" for d in wide[x] - wide[y])
        print(f"{x} - {y}: {differences}; relative gain {mean[x]/mean[y] - 1:+.1%}")
    for method, weak in OF_WEAK.items():
        closed = gap_reduction(mean[weak], mean[method], mean["readers"])
        print(f"gap from {weak} to the simulated readers closed by {method}: {closed:.1%}")


def main():
    a = arguments()
    runs = {seed: run_pipeline(out=f"{a.out}/{seed}", seed=seed, **CHOICES) for seed in a.seeds}
    t = pd.concat([mean_rows(run, seed) for seed, run in runs.items()])
    quality = [pd.read_csv(run/"pseudomask_quality.csv").assign(seed=seed) for seed, run in runs.items()]
    t.to_csv(RESULTS/"supervision.csv", index=False, float_format="%.4f")
    pd.concat(quality).to_csv(RESULTS/"pseudomasks.csv", index=False, float_format="%.4f")
    for convention, part in t.groupby("convention", sort=False):
        print_comparison(convention, part)


if __name__ == "__main__":
    main()
