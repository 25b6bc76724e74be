"""What each process of tests/test_distributed.py does: saliency and masks of a study, and one short training of each kind."""
import sys
from pathlib import Path

import torch

import chexseg.classifier
from chexseg.classifier import build_classifier, fit_classifier
from chexseg.core import world, write_json
from chexseg.data import open_study
from chexseg.inference import write_masks
from chexseg.saliency import saliency_shards
from chexseg.segmentation import build_segmenter
from chexseg.supervision import fit_segmenter

READ = []  # paths of the films that this process has read


def count(read):
    "`read_film`, with a note of each film."
    def noted(path, side=None): READ.append(str(path)); return read(path, side)
    return noted


def main(folder):
    folder, rank = Path(folder), world()[0]
    study = open_study(folder.parent/"phantom")
    train, val = study.rows("train"), study.rows("val")
    chexseg.classifier.read_film = count(chexseg.classifier.read_film)
    torch.manual_seed(0)
    model = build_classifier("small", len(study.tasks))
    model.config |= dict(side=64, tasks=study.tasks)
    assert [i for part in saliency_shards(model, train, folder/"saliency", shard=7) for i in part.ids] == list(train.id)
    mapped = list(READ)
    torch.manual_seed(1)
    write_masks(folder/"masks.json", build_segmenter("small", study.tasks, 64).eval(), train, shard=5)
    outlined = READ[len(mapped):]
    learn = fit_classifier(train, val, study.tasks, "small", side=64, epochs=2, bs=8)
    seg = fit_segmenter("full", (val, study.experts), None, (val, study.experts), study.tasks, 64, steps=4, bs=8, epochs=2)
    weights = [float(p.detach().double().sum()) for m in (learn.model, seg.model) for p in m.parameters()]
    write_json(folder/f"rank-{rank}.json", dict(mapped=mapped, outlined=outlined, weights=weights, steps=[learn.train_iter, seg.train_iter],
                                                auroc=learn.recorder.values[-1][-1], miou=seg.recorder.values[-1][-1]))


if __name__ == "__main__": main(sys.argv[1])
