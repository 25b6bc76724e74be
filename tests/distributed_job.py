"""What each process of tests/test_distributed.py does: saliency and masks of a study, and one short training of each
kind."""
import sys
from pathlib import Path

import torch

import chexseg.data
from chexseg.classifier import build_classifier, fit_classifier
from chexseg.core import world, write_json
from chexseg.data import open_study
from chexseg.inference import write_masks
from chexseg.saliency import saliency_shards
from chexseg.segmentation import build_segmenter
from chexseg.supervision import fit_segmenter

READ = [] # paths of the films that this process has read


def noting(read):
    "`read_film`, with a note of each film."
    def noted(path, *args):
        READ.append(str(path))
        return read(path, *args)
    return noted


def read_by(f, *args, **kwargs):
    "What `f` returns, and the films that this process read meanwhile."
    before = len(READ)
    return f(*args, **kwargs), READ[before:]


def map_films(films, folder):
    "Maps of all films by an untrained classifier, in shards: their ids."
    torch.manual_seed(0)
    model = build_classifier("small", len(films.tasks))
    model.config |= dict(side=64, tasks=films.tasks)
    return [i for part in saliency_shards(model, films, folder/"saliency", shard=7) for i in part.ids]


def outline_films(films, folder):
    "Masks of all films by an untrained segmenter."
    torch.manual_seed(1)
    write_masks(folder/"masks.json", build_segmenter("small", films.tasks, 64).eval(), films, shard=5)


def weights_of(model):
    "One number a parameter."
    return [float(p.detach().double().sum()) for p in model.parameters()]


def last_value(learn):
    "The last metric of a training."
    return learn.recorder.values[-1][-1]


def main(folder):
    folder = Path(folder)
    study = open_study(folder.parent/"phantom")
    train = study.part("weak")
    val = study.part("valid")
    chexseg.data.read_film = noting(chexseg.data.read_film)
    ids, mapped = read_by(map_films, train, folder)
    assert ids == train.ids
    _, outlined = read_by(outline_films, train, folder)
    learn = fit_classifier(train, val, "small", side=64, epochs=2, bs=8)
    seg = fit_segmenter("full", val, None, val, side=64, steps=4, bs=8, epochs=2)
    seen = dict(mapped=mapped, outlined=outlined, weights=weights_of(learn.model) + weights_of(seg.model),
                steps=[learn.train_iter, seg.train_iter], auroc=last_value(learn), miou=last_value(seg))
    write_json(folder/f"rank-{world()[0]}.json", seen)


if __name__ == "__main__":
    main(sys.argv[1])
