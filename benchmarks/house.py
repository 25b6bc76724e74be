"""The way of the data through the package, one box a stage, its modules below.

    python -m benchmarks.house

writes nbs/images/house.png."""
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parent.parent
STAGES = { # stage -> what happens there, and its modules
    "films and labels": ("what a report says\nof each film", "films, tables, data, formats"),
    "classifier": ("learns what is\non a film", "training, classifier"),
    "maps": ("show where\nit looked", "maps, saliency"),
    "masks": ("what is warm enough,\nor what an expert drew", "pseudomasks, crf, irnet"),
    "segmenter": ("learns to outline\nfrom masks", "decoders, segmentation, recipes, supervision, inference"),
    "scores": ("how good it is,\nand how sure that is", "evaluation, analysis"),
}
FLOORS = { # what stands above and below all stages, and its modules
    "above": ("a run from end to end", "runs, report, pipeline, studies, __main__"),
    "beside": ("no data? drawn films", "shapes, anatomy, skeleton, radiograph, devices, pathology, phantom, dataset"),
    "below": ("what all stages use", "core, choices, masks, outlines, show, charts"),
}
BOX = dict(boxstyle="round,pad=0,rounding_size=.06", edgecolor="#555", linewidth=1)
WIDTH = 1.62 # of a box
STEP = 1.9 # from one box to the next


def there(names):
    "Those of some module names that the package has."
    return [n for n in names.split(", ") if (ROOT/"chexseg"/f"{n}.py").exists()]


def draw_stage(ax, x, name, text, modules):
    "One box of the main road, and the names of its modules below."
    ax.add_patch(FancyBboxPatch((x, 1.55), WIDTH, 1.05, facecolor="#E8F1FB", **BOX))
    ax.text(x + WIDTH/2, 2.42, name, ha="center", va="center", fontsize=12, fontweight="bold")
    ax.text(x + WIDTH/2, 1.95, text, ha="center", va="center", fontsize=9)
    below = "\n".join(there(modules))
    ax.text(x + WIDTH/2, 1.45, below, ha="center", va="top", fontsize=9, family="monospace", color="#1F4E8C")


def draw_floor(ax, y, text, modules):
    "A long box for modules that serve all stages."
    ax.add_patch(FancyBboxPatch((0, y), 5*STEP + WIDTH, .42, facecolor="#F5F0E6", **BOX))
    ax.text(.12, y + .2, text, va="center", fontsize=10)
    ax.text(2.6, y + .2, "  ".join(there(modules)), va="center", fontsize=9, family="monospace", color="#1F4E8C")


def check_complete():
    "Every module has its place."
    named = ", ".join(modules for _, modules in [*STAGES.values(), *FLOORS.values()]).split(", ")
    lost = {p.stem for p in (ROOT/"chexseg").glob("*.py")} - {"__init__", "_modidx", *named}
    if lost:
        raise SystemExit(f"These modules have no place in the picture: {', '.join(sorted(lost))}.")


def main():
    check_complete()
    fig, ax = plt.subplots(figsize=(11.2, 4.3), layout="constrained")
    for k, (name, (text, modules)) in enumerate(STAGES.items()):
        draw_stage(ax, k*STEP, name, text, modules)
        if k:
            ends = (k*STEP - .02, 2.07), ((k - 1)*STEP + WIDTH + .02, 2.07)
            ax.annotate("", *ends, arrowprops=dict(arrowstyle="-|>", color="#555", lw=1.5))
    for y, floor in ((3., "above"), (.05, "beside"), (-.5, "below")):
        draw_floor(ax, y, *FLOORS[floor])
    ax.set(xlim=(-.05, 5*STEP + WIDTH + .05), ylim=(-.55, 3.5))
    ax.set_axis_off()
    path = ROOT/"nbs"/"images"/"house.png"
    fig.savefig(path, dpi=100)
    print(path, f"{path.stat().st_size/1000:.0f} kB")


if __name__ == "__main__":
    main()
