"""Training steps of the classifier and the U-Net through fastai, against the same model in a bare torch loop.   python -m benchmarks.training"""
import time

import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader

from benchmarks.common import table, verdict
from chexseg.classifier import NaNBCE, autocast, best_device, build_classifier, fast_bf16, film_learner
from chexseg.irnet import NoValidation
from chexseg.segmentation import AugmentMasks, DiceBCE, augment_masks, build_segmenter

SIDE, STEPS, ROUNDS = 96, 30, 3


class Batches(torch.utils.data.Dataset):
    "Random films and labels or masks, made before any clock runs."
    def __init__(self, n, target):
        g = torch.Generator().manual_seed(0)
        self.x = torch.rand(n, 1, SIDE, SIDE, generator=g)
        self.y = (torch.rand(n, 10, generator=g) > .7).float() if target == "labels" else (torch.rand(n, 10, SIDE//8, SIDE//8, generator=g) > .9).to(torch.uint8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    def __len__(self): return len(self.x)
    def __getitem__(self, i): return self.x[i], self.y[i]


def setting(kind):
    "Model, loss, batch size, data, callbacks, and what moves a batch."
    torch.manual_seed(0)
    if kind == "classifier": return build_classifier("small", 10), NaNBCE(), 32, Batches(32*STEPS, "labels"), [], None
    return build_segmenter("small", list(map(str, range(10))), SIDE), DiceBCE(), 16, Batches(16*STEPS, "masks"), [AugmentMasks()], augment_masks


def through_fastai(kind):
    "Films a second, and the loss of the first step."
    model, loss, bs, ds, cbs, _ = setting(kind)
    first = FirstLoss()
    learn = film_learner(DataLoaders(*[DataLoader(ds, bs=bs)]*2, device=best_device()), model, loss, [*cbs, first, NoValidation()])
    torch.manual_seed(1)
    start = time.perf_counter(); learn.fit(1, 1e-3, wd=.01)
    return len(ds)/(time.perf_counter() - start), first.loss


class FirstLoss(Callback):
    loss = None
    def after_loss(self): self.loss = float(self.learn.loss) if self.loss is None else self.loss


def bare(kind, half=True, channels_last=True):
    "The loop that one writes."
    model, loss, bs, ds, _, move = setting(kind)
    device = best_device(); model.to(device).train()
    if not channels_last: model.to(memory_format=torch.contiguous_format)
    opt = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=.01)
    dl, first = torch.utils.data.DataLoader(ds, bs), None
    torch.manual_seed(1)
    start = time.perf_counter()
    for x, y in dl:
        x, y = x.to(device), y.to(device)
        if move: x, y = move(x, y, SIDE//model.coarse)
        with autocast(device) if half else torch.autocast(device.type, enabled=False): z = model(x)
        l = loss(z.float(), y); l.backward(); opt.step(); opt.zero_grad()
        first = l.item() if first is None else first
    return len(ds)/(time.perf_counter() - start), first


def main():
    rates, rows = {}, {}
    for kind in ("classifier", "U-Net"):
        runs = {name: (f, []) for name, f in (("fastai", through_fastai), ("bare", bare), ("float32", lambda k: bare(k, half=False)),
                                              ("bf16, contiguous", lambda k: bare(k, channels_last=False)), ("float32, contiguous", lambda k: bare(k, False, False)))}
        losses = {}
        for _ in range(ROUNDS):
            for name, (f, seen) in runs.items(): rate, losses[name] = f(kind); seen.append(rate)
        assert abs(losses["fastai"] - losses["bare"]) < 1e-3*losses["bare"], losses      # the same first step
        rates[kind] = {name: max(seen) for name, (_, seen) in runs.items()}
        rows |= {f"{kind}, {name}": f"{r:.0f} films/s" for name, r in rates[kind].items()}
    share = min(r["fastai"]/r["bare"] for r in rates.values())                           # of the bare loop's throughput, the worse of the two
    chosen = min(r["bare"]/max(v for k, v in r.items() if k != "fastai") for r in rates.values())
    rows |= {"fastai's share of the bare loop, the worse": f"{share:.2f}", "the chosen precision and layout, of the best of four": f"{chosen:.2f}"}
    table(f"training steps at {SIDE} px, half precision {'chosen' if fast_bf16() else 'not chosen'} on this processor", rows)
    verdict("training", share, 1, share, chosen_of_best=round(chosen, 3), films_per_second={k: {n: round(v) for n, v in r.items()} for k, r in rates.items()})


if __name__ == "__main__": main()
