"""Training steps of the classifier and the U-Net through fastai, against the same model in a bare torch loop.

    python -m benchmarks.training"""
import time
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from benchmarks.common import table, verdict
from chexseg.classifier import NaNBCE, build_classifier
from chexseg.segmentation import AugmentMasks, DiceBCE, augment_masks, build_segmenter
from chexseg.hardware import autocast, best_device, fast_bf16
from chexseg.training import NoValidation, film_learner
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader

SIDE = 96
STEPS = 30
ROUNDS = 3


class Batches(torch.utils.data.Dataset):
    "Random films and labels or masks, made before any clock runs."
    def __init__(self, n, target):
        g = torch.Generator().manual_seed(0)
        self.x = torch.rand(n, 1, SIDE, SIDE, generator=g)
        if target == "labels":
            self.y = (torch.rand(n, 10, generator=g) > .7).float()
        else:
            small = (torch.rand(n, 10, SIDE//8, SIDE//8, generator=g) > .9).to(torch.uint8)
            self.y = small.repeat_interleave(8, 2).repeat_interleave(8, 3)

    def __len__(self): return len(self.x)
    def __getitem__(self, i): return self.x[i], self.y[i]


class Setting(NamedTuple):
    "What is trained, and on what."
    model: nn.Module
    loss: nn.Module
    bs: int
    films: Batches
    callbacks: tuple = ()
    move: object = None # what moves and lights a batch


def setting(kind):
    "A classifier or a U-Net with its batches."
    torch.manual_seed(0)
    if kind == "classifier":
        return Setting(build_classifier("small", 10), NaNBCE(), 32, Batches(32*STEPS, "labels"))
    model = build_segmenter("small", list(map(str, range(10))), SIDE)
    return Setting(model, DiceBCE(), 16, Batches(16*STEPS, "masks"), (AugmentMasks(),), augment_masks)


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
    dls = DataLoaders(*[DataLoader(s.films, bs=s.bs)]*2, device=best_device())
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
    batches = torch.utils.data.DataLoader(s.films, s.bs)
    first = None
    torch.manual_seed(1)
    start = time.perf_counter()
    for x, y in batches:
        x, y = x.to(device), y.to(device)
        if s.move:
            x, y = s.move(x, y, SIDE//model.coarse)
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


def measure(kind):
    "The best films a second of each way, taken in turns."
    seen = {name: [] for name in WAYS}
    losses = {}
    for _ in range(ROUNDS):
        for name, f in WAYS.items():
            rate, losses[name] = f(kind)
            seen[name].append(rate)
    assert abs(losses["fastai"] - losses["bare"]) < 1e-3*losses["bare"], losses # the same first step
    return {name: max(rates) for name, rates in seen.items()}


def chosen_of_best(rates):
    "Throughput of the precision and layout that chexseg chooses, over the best of four."
    return rates["bare"]/max(v for name, v in rates.items() if name != "fastai")


def main():
    rates = {kind: measure(kind) for kind in ("classifier", "U-Net")}
    share = min(r["fastai"]/r["bare"] for r in rates.values()) # the worse of the two
    chosen = min(map(chosen_of_best, rates.values()))
    rows = {f"{kind}, {name}": f"{r:.0f} films/s" for kind, found in rates.items() for name, r in found.items()}
    rows["fastai's share of the bare loop, the worse"] = f"{share:.2f}"
    rows["the chosen precision and layout, of the best of four"] = f"{chosen:.2f}"
    half = "chosen" if fast_bf16() else "not chosen"
    table(f"training steps at {SIDE} px, half precision {half} on this processor", rows)
    pace = {kind: {name: round(r) for name, r in found.items()} for kind, found in rates.items()}
    verdict("training", share, 1, share, chosen_of_best=round(chosen, 3), films_per_second=pace)


if __name__ == "__main__":
    main()
