"""What IRNet's choices do to its pseudo-masks: seeds with and without the CRF, and how far warmth walks.

    python -m benchmarks.irnet RUN

RUN is a finished `chexseg run --preset table` on a phantom. Mean IoU on its validation films: thresholds are tuned on
the films of other patients, and masks gated by labels as reports would have them. Writes benchmarks/results/irnet.csv.
"""
import sys

import pandas as pd

from benchmarks.common import RESULTS
from chexseg.irnet import fit_irnet, load_irnet, walk_maps
from chexseg.quality import as_reported, crossfit_masks, mask_quality
from chexseg.runs import Run


def quality(maps, valid, seed):
    "mIoU of the pseudo-masks of validation films, where labels err as reports do."
    gates = {"report labels": as_reported(valid, seed).labels}
    return mask_quality(crossfit_masks(maps, valid, seed=seed), valid, gates).loc["mIoU", "report labels"]


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
    seed = run.choices.run.seed
    rows = [dict(seeds="no IRNet", steps=0, mIoU=quality(maps, valid, seed))]
    networks = {"with the CRF": load_irnet(run/"irnet"), "without": without_crf(run)}
    for seeds, net in networks.items():
        for k in (0, 1, 2, 3):
            walked = walk_maps(net, valid, maps, exp_times=k)
            rows.append(dict(seeds=seeds, steps=2**k, mIoU=quality(walked, valid, seed)))
    t = pd.DataFrame(rows)
    t.to_csv(RESULTS/"irnet.csv", index=False, float_format="%.4f")
    print(t.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
