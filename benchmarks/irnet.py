"""What IRNet's choices do to its pseudo-masks: seeds with and without the CRF, and how far warmth walks.   python -m benchmarks.irnet RUN

RUN is a finished `chexseg run --preset table`. Mean IoU on its validation films, thresholds tuned on the same; writes benchmarks/results/irnet.csv."""
import sys

import pandas as pd

from benchmarks.common import RESULTS
from chexseg.evaluation import iou_table, miou
from chexseg.irnet import fit_irnet, load_irnet, walk_maps
from chexseg.pipeline import Run, _labels, _masks, _table, _tasks
from chexseg.pseudomasks import as_choice, masks_from, tune_thresholds
from chexseg.saliency import SaliencySet


def main():
    run = Run(sys.argv[1]); c = run.config
    maps = {r: SaliencySet.load(run/"saliency"/r) for r in ("weak", "valid")}
    table, y, valid, yv, truth = _table(run, "weak"), _labels(run, "weak"), _table(run, "valid"), _labels(run, "valid"), _masks(run, "experts")
    def quality(sal):
        masks = masks_from(sal, as_choice(tune_thresholds(sal, truth)), labels=yv)
        return miou(iou_table(masks, truth, valid.id, tasks=_tasks(run)))["mIoU"]
    shown = (y == 1).any(1)
    bare = fit_irnet(run/"classifier", table[shown].reset_index(drop=True), maps["weak"], y[shown] == 1, c.side, steps=c.irnet_steps, crf=False, seed=c.seed).model
    rows = [dict(seeds="no IRNet", steps=0, mIoU=quality(maps["valid"]))]
    for seeds, net in (("with the CRF", load_irnet(run/"irnet")), ("without", bare)):
        rows += [dict(seeds=seeds, steps=2**k, mIoU=quality(walk_maps(net, valid, maps["valid"], exp_times=k))) for k in (0, 1, 2, 3)]
    t = pd.DataFrame(rows)
    t.to_csv(RESULTS/"irnet.csv", index=False, float_format="%.4f")
    print(t.round(3).to_string(index=False))


if __name__ == "__main__": main()
