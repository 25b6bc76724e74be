"""Run every benchmark and draw how each compares with its peer.   python -m benchmarks.all   (make bench)"""
import json
import subprocess
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.common import RESULTS

NAMES = ["saliency", "random_walk", "crf", "thresholds", "evaluate", "storage", "loading", "masks", "training",
         "phantom", "scale", "demo"]
WORDS = { # benchmark -> what is measured, and its peer
    "saliency": "Grad-CAM of ten tasks\npytorch-grad-cam",
    "random_walk": "random walk\ndense transition matrix",
    "crf": "dense CRF\npydensecrf2",
    "thresholds": "61 thresholds\na loop over them",
    "evaluate": "IoU and 1,000 draws\nloops over masks and tables",
    "storage": "bytes of ten maps\npickles at full size",
    "loading": "three epochs of films\nPIL + torchvision",
    "masks": "ten masks into a square\npycocotools + Pillow",
}


def runs_to_its_end(name):
    "Run one benchmark in a process of its own."
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode == 0


def results():
    "What the benchmarks with a peer have found, in their order."
    files = [RESULTS/f"{name}.json" for name in NAMES if name in WORDS]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def ratio_text(ratio):
    "A ratio as the chart shows it."
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.1f}x"


def chart():
    "Draw what the results say."
    shown = results()
    fig, ax = plt.subplots(figsize=(6, .5*len(shown) + .6))
    for k, r in enumerate(shown):
        ax.barh(k, r["ratio"], color="#0072B2", height=.6)
        ax.text(r["ratio"]*1.1, k, ratio_text(r["ratio"]), va="center", fontsize=8)
    ax.set_yticks(range(len(shown)), [WORDS[r["benchmark"]] for r in shown], fontsize=8)
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.set_xlabel("the peer's cost over ours")
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlim(1, 10*max(r["ratio"] for r in shown))
    fig.savefig(RESULTS/"chart.png", dpi=110, bbox_inches="tight")


def main():
    failed = [name for name in NAMES if not runs_to_its_end(name)]
    chart()
    if failed:
        sys.exit(f"These did not run to their end: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
