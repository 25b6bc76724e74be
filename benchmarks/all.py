"""Run every benchmark and draw how each compares with its peer.   python -m benchmarks.all   (make bench)"""
import json
import subprocess
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.common import RESULTS

NAMES = ["saliency", "random_walk", "crf", "thresholds", "evaluate", "storage", "loading", "training", "phantom", "scale", "demo"]
WORDS = dict(saliency="Grad-CAM of ten tasks\npytorch-grad-cam", random_walk="random walk\ndense transition matrix", crf="dense CRF\npydensecrf2", thresholds="61 thresholds\na loop over them",
             evaluate="IoU and 1,000 draws\nloops over masks and tables", storage="bytes of ten maps\npickles at full size", loading="three epochs of films\nPIL + torchvision")


def main():
    failed = [n for n in NAMES if subprocess.run([sys.executable, "-m", f"benchmarks.{n}"]).returncode]
    chart()
    if failed: sys.exit(f"These did not run to their end: {', '.join(failed)}.")


def chart():
    "Draw what the results say."
    found = [json.loads((RESULTS/f"{n}.json").read_text()) for n in NAMES if (RESULTS/f"{n}.json").exists()]
    shown = [r for r in found if r["benchmark"] in WORDS]
    fig, ax = plt.subplots(figsize=(6, .5*len(shown) + .6))
    for k, r in enumerate(shown):
        ax.barh(k, r["ratio"], color="#0072B2", height=.6)
        ax.text(r["ratio"]*1.1, k, f"{r['ratio']:,.0f}x" if r["ratio"] >= 10 else f"{r['ratio']:.1f}x", va="center", fontsize=8)
    ax.set_yticks(range(len(shown)), [WORDS[r["benchmark"]] for r in shown], fontsize=8); ax.invert_yaxis(); ax.set_xscale("log")
    ax.set_xlabel("the peer's cost over ours"); ax.spines[["top", "right"]].set_visible(False); ax.set_xlim(1, 10*max(r["ratio"] for r in shown))
    fig.savefig(RESULTS/"chart.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__": main()
