"""Training steps of the classifier and the U-Net through fastai, against the same model in a bare torch loop.

    python -m benchmarks.training
    python -m benchmarks.training --busy     # while other processes want the cores, too

Films and masks come from memory, through chexseg's own data sets and types in one case, as plain tensors in the
other. The ways take turns."""
import argparse
import multiprocessing
import time
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.common import table, verdict
from chexseg.classifier import NaNBCE, build_classifier
from chexseg.core import TASKS
from chexseg.data import Part
from chexseg.hardware import autocast, best_device, fast_bf16
from chexseg.masks import MaskSet
from chexseg.segmentation import AugmentMasks, DiceBCE, MaskFilms, augment_masks, build_segmenter, mask_loader
from chexseg.training import Augment, Films, NoValidation, augment, film_learner
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader

SIDE = 96
STEPS = 30
ROUNDS = 3


class Drawn(Part):
    "Random films that are in no file."
    def film(self, k, side): return np.random.default_rng(k).integers(0, 256, (side, side), dtype=np.uint8)


def drawn_part(n):
    "Random films with ten random masks each."
    names = [f"film{k}" for k in range(n)]
    coarse = np.random.default_rng(0).random((16, len(TASKS), SIDE//8, SIDE//8)) > .9
    masks = MaskSet()
    for k, name in enumerate(names):
        masks.add(name, coarse[k % 16].repeat(8, 1).repeat(8, 2))
    return Drawn(pd.DataFrame(dict(id=names, path=names)), masks=masks)


class Plain(torch.utils.data.Dataset):
    "The same films and labels or masks, as one would write it."
    def __init__(self, films): self.films = films
    def __len__(self): return len(self.films)
    def __getitem__(self, i):
        film, *masks = self.films.kept[i]
        y = torch.from_numpy(masks[0]) if masks else self.films.y[i]
        return torch.from_numpy(film)[None].float()/255, y


class Setting(NamedTuple):
    "What is trained, and on what."
    model: nn.Module
    loss: nn.Module
    bs: int
    films: Films # in memory
    callbacks: tuple = ()
    move: object = None # what moves and lights a batch


def setting(kind):
    "A classifier or a U-Net with its batches."
    torch.manual_seed(0)
    if kind == "classifier":
        y = (torch.rand(32*STEPS, 10) > .7).float()
        films = Films(drawn_part(len(y)), SIDE, y).fill()
        def moved(x, y, size): return augment(x), y
        return Setting(build_classifier("small", 10), NaNBCE(), 32, films, (Augment(),), moved)
    films = MaskFilms(drawn_part(16*STEPS), SIDE).fill()
    return Setting(build_segmenter("small", TASKS, SIDE), DiceBCE(), 16, films, (AugmentMasks(),), augment_masks)


class FirstLoss(Callback):
    "The loss of the first step."
    first = None

    def after_loss(self):
        if self.first is None:
            self.first = self.learn.loss.item()


def through_fastai(kind):
    "Films a second, and the loss of the first step."
    s = setting(kind)
    first = FirstLoss()
    loader = (DataLoader if kind == "classifier" else mask_loader)(s.films, s.bs)
    dls = DataLoaders(loader, loader, device=best_device())
    learn = film_learner(dls, s.model, s.loss, [*s.callbacks, first, NoValidation()])
    torch.manual_seed(1)
    start = time.perf_counter()
    learn.fit(1, 1e-3, wd=.01)
    return len(s.films)/(time.perf_counter() - start), first.first


def precision(device, half):
    "The context of the forward pass."
    return autocast(device) if half else torch.autocast(device.type, enabled=False)


def bare(kind, half=True, channels_last=True):
    "The loop that one writes: films a second, and the loss of the first step."
    s = setting(kind)
    device = best_device()
    model = s.model.to(device).train()
    if not channels_last:
        model.to(memory_format=torch.contiguous_format)
    opt = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=.01)
    batches = torch.utils.data.DataLoader(Plain(s.films), s.bs)
    first = None
    torch.manual_seed(1)
    start = time.perf_counter()
    for x, y in batches:
        x, y = x.to(device), y.to(device)
        if s.move:
            x, y = s.move(x, y, SIDE//getattr(model, "coarse", 1))
        with precision(device, half):
            z = model(x)
        loss = s.loss(z.float(), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
        first = loss.item() if first is None else first
    return len(s.films)/(time.perf_counter() - start), first


WAYS = { # name -> what takes the kind of model and gives films a second
    "fastai": through_fastai,
    "bare": bare,
    "float32": partial(bare, half=False),
    "bf16, contiguous": partial(bare, channels_last=False),
    "float32, contiguous": partial(bare, half=False, channels_last=False),
}


def measure(kind, ways):
    "The best films a second of each way, taken in turns."
    seen = {name: [] for name in ways}
    losses = {}
    for _ in range(ROUNDS):
        for name, f in ways.items():
            rate, losses[name] = f(kind)
            seen[name].append(rate)
    assert abs(losses["fastai"] - losses["bare"]) < 1e-3*losses["bare"], losses # the same first step
    return {name: max(rates) for name, rates in seen.items()}


def spin():
    "Want a core for ever."
    while True:
        pass


@contextmanager
def other_work(n):
    "As long as this lasts, `n` other processes want the cores."
    others = [multiprocessing.Process(target=spin, daemon=True) for _ in range(n)]
    for p in others:
        p.start()
    try:
        yield
    finally:
        for p in others:
            p.kill()


def chosen_of_best(rates):
    "Throughput of the precision and layout that chexseg chooses, over the best of four."
    return rates["bare"]/max(v for name, v in rates.items() if name != "fastai")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--busy", action="store_true", help="measure while as many other processes as there are cores run")
    a = p.parse_args()
    ways = {name: f for name, f in WAYS.items() if not a.busy or name in ("fastai", "bare")}
    with other_work(torch.get_num_threads() if a.busy else 0):
        rates = {kind: measure(kind, ways) for kind in ("classifier", "U-Net")}
    share = min(r["fastai"]/r["bare"] for r in rates.values()) # the worse of the two
    chosen = min(map(chosen_of_best, rates.values()))
    rows = {f"{kind}, {name}": f"{r:.0f} films/s" for kind, found in rates.items() for name, r in found.items()}
    rows["fastai's share of the bare loop, the worse"] = f"{share:.2f}"
    rows["the chosen precision and layout, of the best of four"] = f"{chosen:.2f}"
    half = "chosen" if fast_bf16() else "not chosen"
    table(f"training steps at {SIDE} px, half precision {half} on this processor", rows)
    pace = {kind: {name: round(r) for name, r in found.items()} for kind, found in rates.items()}
    name = "training_busy" if a.busy else "training"
    verdict(name, share, 1, share, chosen_of_best=round(chosen, 3), films_per_second=pace)


if __name__ == "__main__":
    main()
