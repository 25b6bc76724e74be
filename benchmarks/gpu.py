"""What a GPU does at the paper's sizes: films a second, how busy the device is, and the hours of the whole of CheXpert.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --small       # the same, small, to see that it runs; for a processor

Each stage reads films from files through chexseg's own loaders. Its peer is the same network in a bare loop over
random numbers that are on the device already. *busy* is the share of the time in which the device computes, as
PyTorch's profiler sees it. What is found goes to benchmarks/results/gpu, named for the card; with --small nothing is
written."""
import argparse
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image

from benchmarks.common import RESULTS
from chexseg.classifier import NaNBCE, build_classifier
from chexseg.core import TASKS
from chexseg.data import Part
from chexseg.hardware import autocast, best_device, device_text
from chexseg.inference import film_masks
from chexseg.masks import MaskSet
from chexseg.phantom import phantom_film
from chexseg.saliency import gradcam
from chexseg.segmentation import AugmentMasks, DiceBCE, MaskFilms, augment_masks, build_segmenter, mask_loader
from chexseg.training import Augment, Films, NoValidation, augment, film_learner
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader

CHEXPERT = 223_414 # training films
OUTLINED = 668 # test films


class Sizes(NamedTuple):
    "How large everything is."
    classifier: str
    encoder: str
    decoder: str
    side: int # of the squares
    bs: int
    films: int # on disk
    film_side: int # of the files
    steps: int # that are timed


PAPER = Sizes("densenet121", "resnet34", "dynamic", 320, 16, 256, 640, 200)
SMALL = Sizes("small", "small", "light", 64, 4, 12, 96, 2)


def written(folder, sizes):
    "Phantoms as JPEG files, and what is on them."
    masks = MaskSet()
    paths = []
    for k in range(sizes.films):
        film = phantom_film(0, k, sizes.film_side)
        paths.append(str(Path(folder)/f"film{k}.jpg"))
        Image.fromarray(film.image).save(paths[-1], quality=92)
        masks.add(f"film{k}", film.masks)
    return Part(pd.DataFrame(dict(id=masks.ids, path=paths)), masks=masks)


def waited():
    "The time, once the device has done all that it was told."
    if best_device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(work):
    "How long something takes the second time."
    work()
    start = waited()
    work()
    return waited() - start


def busy(work):
    "The share of the time in which the device computes; None on a processor."
    if best_device().type != "cuda":
        return None
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
        start = waited()
        work()
        wall = waited() - start
    return sum(e.self_device_time_total for e in seen.key_averages())/1e6/wall


def peak(work):
    "The most memory that the device has given out, in GB; None on a processor."
    if best_device().type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats()
    work()
    return torch.cuda.max_memory_allocated()/1e9


class Stage(NamedTuple):
    "A network in training: through chexseg from files, and bare."
    model: object # function that makes the network
    loss: torch.nn.Module
    loader: object # batches from files
    callback: object # that moves and lights a batch
    target: torch.Tensor # of a bare batch
    move: object # function of a bare batch and its target


def classifier_stage(part, sizes, workers):
    "The classifier's training."
    films = repeated(part, sizes)
    y = torch.rand(len(films), len(TASKS)).round()
    loader = DataLoader(Films(films, sizes.side, y, in_memory=False), sizes.bs, num_workers=workers, shuffle=True)
    return Stage(lambda: build_classifier(sizes.classifier, len(TASKS)), NaNBCE(), loader, Augment(), y[:sizes.bs],
                 lambda x, y: (augment(x), y))


def segmenter_stage(part, sizes, workers):
    "The U-Net's training."
    films = MaskFilms(repeated(part, sizes), sizes.side, in_memory=False)
    loader = mask_loader(films, sizes.bs, workers, shuffle=True)
    masks = (torch.rand(sizes.bs, len(TASKS), sizes.side, sizes.side) > .9).to(torch.uint8)
    def make(): return build_segmenter(sizes.encoder, side=sizes.side, decoder=sizes.decoder)
    coarse = make().coarse
    return Stage(make, DiceBCE(), loader, AugmentMasks(), masks,
                 lambda x, y: augment_masks(x, y, -(-sizes.side//coarse)))


def repeated(part, sizes):
    "As many films as the timed steps take."
    n = sizes.steps*sizes.bs
    return part.subset((part.ids*(n//len(part) + 1))[:n])


def through_chexseg(stage):
    "A training from files, one pass over them."
    dls = DataLoaders(stage.loader, stage.loader, device=best_device())
    learn = film_learner(dls, stage.model(), stage.loss, [stage.callback, NoValidation()])
    return lambda: learn.fit(1, 1e-4, wd=.01)


def bare(stage, sizes):
    "The loop that one writes, on a batch that is on the device."
    device = best_device()
    model = stage.model().to(device).train()
    opt = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    x = torch.rand(sizes.bs, 1, sizes.side, sizes.side, device=device)
    target = stage.target.to(device)
    def step():
        moved, y = stage.move(x, target)
        with autocast(device):
            z = model(moved)
        scaler.scale(stage.loss(z.float(), y)).backward()
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
    def steps():
        for _ in range(sizes.steps):
            step()
    return steps


def training_row(stage, sizes):
    "Films a second of both, how busy the device is, and how much memory is taken."
    n = sizes.steps*sizes.bs
    ours, peer = through_chexseg(stage), bare(stage, sizes)
    row = dict(films_per_second=n/seconds(ours), bare=n/seconds(peer), busy=busy(ours), peak_gb=peak(ours))
    return row | dict(share_of_bare=row["films_per_second"]/row["bare"])


def map_row(sizes):
    "Grad-CAM of all tasks, beside one forward pass."
    device = best_device()
    model = build_classifier(sizes.classifier, len(TASKS)).to(device).eval()
    x = torch.rand(sizes.bs, 1, sizes.side, sizes.side, device=device)
    def maps():
        for _ in range(sizes.steps):
            with autocast(device):
                gradcam(model, x)
    def forward():
        for _ in range(sizes.steps):
            with torch.no_grad(), autocast(device):
                model(x)
    n = sizes.steps*sizes.bs
    took, plain = seconds(maps), seconds(forward)
    return dict(films_per_second=n/took, bare=n/plain, busy=busy(maps), peak_gb=peak(maps), share_of_bare=plain/took)


@torch.no_grad()
def outline_row(sizes):
    "Outlining films: the network alone, and with masks at film size as run lengths."
    device = best_device()
    model = build_segmenter(sizes.encoder, side=sizes.side, decoder=sizes.decoder).to(device).eval()
    film = sizes.film_side, sizes.film_side
    x = torch.rand(sizes.bs, 1, sizes.side, sizes.side, device=device)
    def network():
        for _ in range(sizes.steps):
            with autocast(device):
                probs = model(x).float().sigmoid()
        return probs.cpu().numpy()
    probs = network()
    def both():
        network()
        for _ in range(sizes.steps):
            for p in probs:
                film_masks(p, film, np.full(len(TASKS), .5))
    n = sizes.steps*sizes.bs
    return dict(films_per_second=n/seconds(both), bare=n/seconds(network), busy=busy(network), peak_gb=peak(network))


def measured(sizes, workers):
    "A row for each stage."
    with tempfile.TemporaryDirectory() as folder:
        part = written(folder, sizes)
        return {"classifier, training": training_row(classifier_stage(part, sizes, workers), sizes),
                "Grad-CAM of ten tasks": map_row(sizes),
                "U-Net, training": training_row(segmenter_stage(part, sizes, workers), sizes),
                "U-Net, outlining": outline_row(sizes)}


def hours(rows):
    "How long the whole of CheXpert takes, stage by stage."
    def of(stage, films): return films/rows[stage]["films_per_second"]/3600
    return {"classifier, three epochs": of("classifier, training", 3*CHEXPERT),
            "maps of all training films": of("Grad-CAM of ten tasks", CHEXPERT),
            "U-Net, one pass over all training films": of("U-Net, training", CHEXPERT),
            "outlines of the test films": of("U-Net, outlining", OUTLINED)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--small", action="store_true", help="small networks and films, nothing is written")
    p.add_argument("--workers", type=int, default=min(8, os.cpu_count()), help="reading processes")
    a = p.parse_args()
    sizes = SMALL if a.small else PAPER
    rows = measured(sizes, a.workers)
    print(f"on {device_text()}; {sizes}")
    print(pd.DataFrame(rows).T.round(2).to_string())
    print(pd.Series(hours(rows)).round(2).to_string())
    if not a.small:
        card = torch.cuda.get_device_name() if best_device().type == "cuda" else "processor"
        path = RESULTS/"gpu"/f"{re.sub(r'[^A-Za-z0-9]+', '_', card)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        found = dict(card=card, torch=torch.__version__, sizes=sizes._asdict(), stages=rows, hours=hours(rows))
        path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
