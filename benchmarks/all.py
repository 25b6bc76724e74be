"""Run every benchmark and draw how each compares with its peer.   python -m benchmarks.all   (make bench)"""
import json
import subprocess
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.common import RESULTS

NAMES = ["saliency", "random_walk", "crf", "thresholds", "evaluate", "storage", "phantom"]


def main():
    failed = [n for n in NAMES if subprocess.run([sys.executable, "-m", f"benchmarks.{n}"]).returncode]
    found = [json.loads((RESULTS/f"{n}.json").read_text()) for n in NAMES if (RESULTS/f"{n}.json").exists()]
    fig, ax = plt.subplots(figsize=(5, .35*len(found) + .6))
    for k, r in enumerate(found): ax.barh(k, r["ratio"], color="#0072B2"); ax.text(r["ratio"]*1.1, k, f"{r['ratio']:,.0f}x" if r["ratio"] >= 10 else f"{r['ratio']:.1f}x", va="center", fontsize=8)
    ax.set_yticks(range(len(found)), [r["benchmark"].replace("_", " ") for r in found]); ax.invert_yaxis(); ax.set_xscale("log"); ax.axvline(1, color="#888", lw=.8)
    ax.set_xlabel("the peer's cost over ours"); ax.spines[["top", "right"]].set_visible(False); ax.margins(x=.25)
    fig.savefig(RESULTS/"chart.png", dpi=130, bbox_inches="tight")
    if failed: sys.exit(f"These did not run to their end: {', '.join(failed)}.")


if __name__ == "__main__": main()
