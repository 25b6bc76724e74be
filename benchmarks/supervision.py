"""Does the order hold? The paper's main table over fresh seeds: phantom set, classifier, draw of experts and training all change.

    python -m benchmarks.supervision --seeds 10 11 12

prints mIoU on the test films a seed and method, and how the methods compare; writes benchmarks/results/supervision.csv and pseudomasks.csv. A seed takes
six to nine minutes on two cores; runs are kept in --out and continued."""
import argparse
from pathlib import Path

import pandas as pd

from chexseg.evaluation import gap_reduction
from chexseg.pipeline import PAIRS, results, run_pipeline

HERE = Path(__file__).parent


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", nargs="+", type=int, default=[10, 11, 12])
    p.add_argument("--out", default="runs/seeds")
    a = p.parse_args()
    rows, quality = [], []
    for seed in a.seeds:
        run = run_pipeline(out=f"{a.out}/{seed}", preset="table", seed=seed)
        quality.append(pd.read_csv(run/"pseudomask_quality.csv").assign(seed=seed))
        for convention in ("chexseg", "positives"):
            rows.append(results(run, convention).query("task == 'mIoU'").assign(seed=seed, convention=convention))
    t = pd.concat(rows)[["convention", "seed", "method", "mean", "low", "high"]]
    t.to_csv(HERE/"results"/"supervision.csv", index=False, float_format="%.4f")
    pd.concat(quality).to_csv(HERE/"results"/"pseudomasks.csv", index=False, float_format="%.4f")
    for convention, part in t.groupby("convention", sort=False):
        wide = part.pivot(index="seed", columns="method", values="mean")[list(part.method.unique())]
        print(f"\nmIoU on test films, convention {convention!r}\n{pd.concat([wide, wide.mean().to_frame('mean').T]).round(3).to_string()}")
        for x, y in [p for p in PAIRS if {*p} <= {*wide}]:
            print(f"{x} - {y}: " + ", ".join(f"{d:+.3f}" for d in wide[x] - wide[y]) + f"; relative gain {wide[x].mean()/wide[y].mean() - 1:+.1%}")
        for m, weak in (("chexseg+irnet", "weak+irnet"), ("chexseg", "weak"), ("semi", "weak")):
            print(f"gap to the radiologists closed by {m}: {gap_reduction(wide[weak].mean(), wide[m].mean(), wide['radiologists'].mean()):.1%}")


if __name__ == "__main__": main()
