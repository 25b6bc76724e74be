"""The best threshold of each task: one pass over the pixels against a loop over thresholds, maps and films.

    python -m benchmarks.thresholds"""
import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as coco

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.maps import SaliencySet, pack_maps
from chexseg.masks import MaskSet
from chexseg.pseudomasks import threshold_scores

SIZE = (2320, 2828)
FILMS = 200
SAMPLE = 2 # films that are really measured
GRIDS = {"61": np.arange(20, 81)/100, "7": np.arange(2, 9)/10} # name -> thresholds


def study(n):
    "Maps of `n` films and masks near their warm spots."
    r = np.random.default_rng(0)
    small = torch.from_numpy(r.random((n, 10, 4, 4), np.float32))
    raw = F.interpolate(small, (10, 10), mode="bilinear").numpy()
    sal = SaliencySet(*pack_maps(raw), np.ones((n, 10)), [SIZE]*n, [f"film{k}" for k in range(n)], TASKS)
    truth = MaskSet(tasks=TASKS)
    for i in sal.ids:
        truth.add(i, (sal.upsample(i) > .6 + .2*r.random((10, 1, 1))).astype(np.uint8))
    return sal, truth


def stretched(raw):
    "A map at the size of the film, from 0 to 1."
    m = torch.from_numpy(raw.astype(np.float32))[None, None]
    m = F.interpolate(m, SIZE, mode="bilinear", align_corners=False)[0, 0].numpy()
    m = m - m.min()
    return m/m.max()


def loop_iou(raw, rle, threshold):
    "One map against one mask at one threshold."
    a = stretched(raw) > np.float32(threshold)
    b = coco.decode(rle) > 0
    return (a & b).sum()/(a | b).sum()


def loop(sal, truth, grid):
    "As cheXlocalize tunes: for each threshold every map is enlarged, stretched, thresholded and compared anew."
    out = np.zeros((len(grid), 10))
    for k, threshold in enumerate(grid):
        for i in sal.ids:
            for j, task in enumerate(TASKS):
                out[k, j] += loop_iou(sal.maps[sal.row(i), j], truth.rle(i, task), threshold)/len(sal)
    return out


def check_scores(sal, truth, grid, want):
    "Both ways find the same scores and the same best threshold."
    mine = threshold_scores(sal, truth, grid).to_numpy()
    assert np.abs(mine - want).max() < 1e-12 and (mine.argmax(0) == want.argmax(0)).all()


def compare(sal, truth, name):
    "Seconds of the loop and of ours on one grid, for the sample."
    grid = GRIDS[name]
    few = grid if name == "7" else grid[::12]
    one = sal.subset(sal.ids[:1])
    ours, _ = best(lambda: threshold_scores(sal, truth, grid), 2)
    theirs, want = best(lambda: loop(one, truth, few), 1)
    theirs *= SAMPLE*len(grid)/len(few)
    check_scores(one, truth, few, want)
    table(f"{FILMS} films of {SIZE[0]}x{SIZE[1]}, ten tasks, {name} thresholds (from {SAMPLE} films)", {
        "loop": f"{theirs*FILMS/SAMPLE:.0f} s",
        "chexseg": f"{ours*FILMS/SAMPLE:.0f} s",
        "ratio": f"{theirs/ours:.1f}"})
    return theirs, ours


def one_pass():
    "Seconds to touch each pixel of each map once."
    one = np.random.default_rng(0).random(SIZE, np.float32)
    return best(lambda: [(one > .5).sum() for _ in range(10*SAMPLE)])[0]


def main():
    sal, truth = study(SAMPLE)
    seconds = {name: compare(sal, truth, name) for name in GRIDS}
    theirs, ours = seconds["7"]
    verdict("thresholds", *seconds["61"], one_pass(), ratio_of_7=round(theirs/ours, 2))


if __name__ == "__main__":
    main()
