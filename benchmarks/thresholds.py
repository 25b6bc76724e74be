"""The best threshold of each task: one pass over the pixels against a loop over thresholds, maps and films.   python -m benchmarks.thresholds"""
import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as coco

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.masks import MaskSet
from chexseg.pseudomasks import threshold_scores
from chexseg.saliency import SaliencySet, pack_maps

SIZE, FILMS, SAMPLE = (2320, 2828), 200, 2


def study(n):
    "Maps of `n` films and masks near their warm spots."
    r = np.random.default_rng(0)
    raw = F.interpolate(torch.from_numpy(r.random((n, 10, 4, 4), np.float32)), (10, 10), mode="bilinear").numpy()
    sal = SaliencySet(*pack_maps(raw), np.ones((n, 10)), [SIZE]*n, [f"film{k}" for k in range(n)], TASKS)
    truth = MaskSet(tasks=TASKS)
    for i in sal.ids: truth.add(i, (sal.upsample(i) > .6 + .2*r.random((10, 1, 1))).astype(np.uint8))
    return sal, truth


def loop(sal, truth, grid):
    "As cheXlocalize tunes: for each threshold every map is enlarged, stretched, cut and compared anew."
    out = np.zeros((len(grid), 10))
    for k, g in enumerate(grid):
        for i in sal.ids:
            for j, t in enumerate(TASKS):
                m = F.interpolate(torch.from_numpy(sal.maps[sal.row(i), j].astype(np.float32))[None, None], SIZE, mode="bilinear", align_corners=False)[0, 0].numpy()
                m = m - m.min(); m = m/m.max()
                a, b = m > np.float32(g), coco.decode(truth.rle(i, t)) > 0
                out[k, j] += (a & b).sum()/(a | b).sum()/len(sal)
    return out


def main():
    sal, truth = study(SAMPLE)
    ratios = {}
    for name, grid in (("61", np.arange(20, 81)/100), ("7", np.arange(2, 9)/10)):
        few = grid if name == "7" else grid[::12]
        ours, got = best(lambda: threshold_scores(sal, truth, grid), 2)
        theirs, want = best(lambda: loop(sal.subset(sal.ids[:1]), truth, few), 1)
        theirs *= SAMPLE*len(grid)/len(few)
        mine = threshold_scores(sal.subset(sal.ids[:1]), truth, few)
        assert np.abs(mine.to_numpy() - want).max() < 1e-12 and (mine.to_numpy().argmax(0) == want.argmax(0)).all()
        ratios[name] = theirs/ours
        table(f"{FILMS} films of {SIZE[0]}x{SIZE[1]}, ten tasks, {name} thresholds (from {SAMPLE} films)",
              {"loop": f"{theirs*FILMS/SAMPLE:.0f} s", "chexseg": f"{ours*FILMS/SAMPLE:.0f} s", "ratio": f"{theirs/ours:.1f}"})
        if name == "61": keep = theirs, ours
    one = np.random.default_rng(0).random(SIZE, np.float32)
    touch, _ = best(lambda: [(one > .5).sum() for _ in range(10*SAMPLE)])   # one pass over the pixels
    verdict("thresholds", *keep, touch, ratio_of_7=round(ratios["7"], 2))


if __name__ == "__main__": main()
