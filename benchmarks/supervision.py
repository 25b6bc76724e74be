"""Does the order hold? The whole run of `make demo` over fresh seeds: phantom set, classifier, draw of experts and training all change.

    python -m benchmarks.supervision --seeds 4 5 6

prints mIoU on the test films a seed and method, and how the methods compare; writes benchmarks/results/supervision.csv. A seed takes as long as
`make demo`; runs are kept in --out and continued."""
import argparse
from pathlib import Path

import pandas as pd

from chexseg.evaluation import gap_reduction
from chexseg.pipeline import PAIRS, results, run_pipeline

HERE = Path(__file__).parent


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", nargs="+", type=int, default=[4, 5, 6])
    p.add_argument("--out", default="runs/seeds")
    a = p.parse_args()
    rows = []
    for seed in a.seeds:
        run = run_pipeline(out=f"{a.out}/{seed}", seed=seed, methods=("weak", "full", "full+gate", "chexseg", "semi"))
        for convention in ("chexseg", "positives"):
            rows.append(results(run, convention).query("task == 'mIoU'").assign(seed=seed, convention=convention))
    t = pd.concat(rows)[["convention", "seed", "method", "mean", "low", "high"]]
    t.to_csv(HERE/"results"/"supervision.csv", index=False, float_format="%.4f")
    for convention, part in t.groupby("convention", sort=False):
        wide = part.pivot(index="seed", columns="method", values="mean")[list(part.method.unique())]
        print(f"\nmIoU on test films, convention {convention!r}\n{pd.concat([wide, wide.mean().to_frame('mean').T]).round(3).to_string()}")
        for x, y in [p for p in PAIRS if {*p} <= {*wide}]:
            print(f"{x} - {y}: " + ", ".join(f"{d:+.3f}" for d in wide[x] - wide[y]) + f"; relative gain {wide[x].mean()/wide[y].mean() - 1:+.1%}")
        print(f"gap to the radiologists closed by semi: {gap_reduction(wide['weak'].mean(), wide['semi'].mean(), wide['radiologists'].mean()):.1%}")


if __name__ == "__main__": main()
