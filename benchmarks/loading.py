"""Letterboxed 320 px batches from JPEG films of 2320x2828: chexseg against a plain PIL + torchvision pipeline, over the
three epochs of a training.

    python -m benchmarks.loading"""
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torchvision.transforms import v2

from benchmarks.common import best, table, verdict
from chexseg.data import Part
from chexseg.phantom import phantom_film
from chexseg.training import Films

SIZE = (2320, 2828)
SIDE = 320
FILMS = 16
BS = 8
EPOCHS = 3 # CheXpert's classifier learns for three epochs


def large_film(k, r):
    "A phantom blown up to the size of CheXpert's films, with the noise that makes its JPEG as long."
    small = Image.fromarray(phantom_film(0, k, 256).image)
    x = np.asarray(small.resize(SIZE[::-1], Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray((x + r.normal(0, 3, SIZE)).clip(0, 255).astype(np.uint8))


def write(folder):
    "A table of large films on disk."
    r = np.random.default_rng(0)
    paths = [str(Path(folder)/f"{k}.jpg") for k in range(FILMS)]
    for k, path in enumerate(paths):
        large_film(k, r).save(path, quality=90)
    return pd.DataFrame(dict(id=[f"film{k}" for k in range(FILMS)], path=paths))


class Plain(torch.utils.data.Dataset):
    "What one writes: open, grey, shrink, pad, scale."
    def __init__(self, paths):
        self.paths = paths
        w = round(SIDE*SIZE[0]/SIZE[1])
        pad = (SIDE - w)//2
        self.tfm = v2.Compose([
            v2.ToImage(),
            v2.Resize((w, SIDE), antialias=True),
            v2.Pad((0, pad, 0, SIDE - w - pad)),
            v2.ToDtype(torch.float32, scale=True)])

    def __len__(self): return len(self.paths)
    def __getitem__(self, i): return self.tfm(Image.open(self.paths[i]).convert("L"))


def read(ds, workers=0):
    "Every batch once."
    def first(b): return b[0] if isinstance(b, (list, tuple)) else b
    return torch.cat([first(b) for b in torch.utils.data.DataLoader(ds, BS, num_workers=workers)])


def draft(path):
    "What libjpeg needs at the least."
    with Image.open(path) as im:
        im.draft("L", (2*SIDE, 2*SIDE))
        im.load()


def loader(films, cache=None):
    "chexseg's own films, read anew each time."
    return Films(Part(films, cache=cache), SIDE, in_memory=False)


def time_first(films):
    "Seconds of the peer, of ours and of decoding alone; what ours read; and how far the two are apart, in greys."
    theirs, want = best(lambda: read(Plain(list(films.path))), 2)
    ours, got = best(lambda: read(loader(films)), 3)
    decode, _ = best(lambda: [draft(p) for p in films.path], 3)
    off = float((got - want).abs().mean())*255
    assert off < 1, off # the two shrink by different filters
    return theirs, ours, decode, got, off


def time_kept(films, cache, got):
    "Seconds for films that were kept as squares, in this process; and films a second in two others."
    squares = loader(films, cache)
    read(squares)
    kept, again = best(lambda: read(squares), 3)
    assert torch.equal(again, got)
    many = pd.concat([films]*20, ignore_index=True)
    two, _ = best(lambda: read(loader(many, cache), workers=2), 1)
    return kept, len(many)/two


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as d:
        films = write(d)
        size = sum(os.path.getsize(p) for p in films.path)/FILMS/1e6
        theirs, ours, decode, got, off = time_first(films)
        kept, two_workers = time_kept(films, Path(d)/"kept", got)
    table(f"{FILMS} JPEG films of {SIZE[0]}x{SIZE[1]}, {size:.1f} MB each, letterboxed to {SIDE} px, one process", {
        "PIL + torchvision": f"{FILMS/theirs:.1f} films/s",
        "chexseg, first reading": f"{FILMS/ours:.1f} films/s",
        "decoding alone, at a quarter": f"{FILMS/decode:.1f} films/s",
        "chexseg, kept as squares": f"{FILMS/kept:.0f} films/s",
        "ratio, first reading": f"{theirs/ours:.1f}",
        "ratio, kept": f"{theirs/kept:.0f}",
        "kept, two workers": f"{two_workers:.0f} films/s",
        "mean difference": f"{off:.2f} greys"})
    pace = dict(first=round(FILMS/ours, 1), kept=round(FILMS/kept), two_workers=round(two_workers))
    verdict("loading", EPOCHS*theirs, ours + (EPOCHS - 1)*kept, decode, ratio_first=round(theirs/ours, 2),
            ratio_kept=round(theirs/kept, 1), films_per_second=pace)


if __name__ == "__main__":
    main()
