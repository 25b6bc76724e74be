"""What IRNet's choices do to its pseudo-masks: seeds with and without the CRF, and how far warmth walks.

    python -m benchmarks.irnet RUN

RUN is a finished `chexseg run --preset table`. Mean IoU on its validation films, thresholds tuned on the same; writes
benchmarks/results/irnet.csv."""
import sys

import pandas as pd

from benchmarks.common import RESULTS
from chexseg.evaluation import iou_table, miou
from chexseg.irnet import fit_irnet, load_irnet, walk_maps
from chexseg.pseudomasks import best_per_task, pseudo_masks, tune_thresholds
from chexseg.runs import Run


def quality(maps, valid):
    "mIoU of the pseudo-masks of validation films."
    masks = pseudo_masks(maps, best_per_task(tune_thresholds(maps, valid.masks)), labels=valid.labels)
    return miou(iou_table(masks, valid.masks, valid.ids, tasks=valid.tasks))["mIoU"]


def without_crf(run):
    "The network of the run, but for its seeds."
    weak = run.part("weak")
    shown = weak.labels == 1
    some = shown.any(1)
    c = run.choices
    return fit_irnet(run/"classifier", weak.where(some), run.maps("weak"), shown[some], c.study.side,
                     steps=c.irnet.steps, crf=False, seed=c.run.seed).model


def main():
    run = Run(sys.argv[1])
    valid = run.part("valid")
    maps = run.maps("valid")
    rows = [dict(seeds="no IRNet", steps=0, mIoU=quality(maps, valid))]
    networks = {"with the CRF": load_irnet(run/"irnet"), "without": without_crf(run)}
    for seeds, net in networks.items():
        for k in (0, 1, 2, 3):
            walked = walk_maps(net, valid, maps, exp_times=k)
            rows.append(dict(seeds=seeds, steps=2**k, mIoU=quality(walked, valid)))
    t = pd.DataFrame(rows)
    t.to_csv(RESULTS/"irnet.csv", index=False, float_format="%.4f")
    print(t.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
