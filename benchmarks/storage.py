"""Bytes a film for ten saliency maps, and the time to read them, against pickled maps at full size.

    python -m benchmarks.storage"""
import pickle
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.maps import SaliencySet, pack_maps

FILMS = 10_000
SIZE = (2320, 2828)
LIMIT = 10*10*10*2 # bytes of ten 10x10 maps in half precision


def random_maps():
    "Raw maps (films, 10, 10, 10), and the set of them."
    r = np.random.default_rng(0)
    raw = r.random((FILMS, 10, 10, 10), np.float32)*1e-4
    ids = [f"patient{k:05d}_study1_view1_frontal" for k in range(FILMS)]
    return raw, SaliencySet(*pack_maps(raw), r.random((FILMS, 10)), [SIZE]*FILMS, ids, TASKS, 320)


def folder_bytes(folder):
    "Bytes of all files in a folder."
    return sum(f.stat().st_size for f in folder.iterdir())


def pickle_bytes(raw, path):
    "Bytes of one pickled map as CheXlocalize has them: at the size of the film, with the film."
    m = F.interpolate(torch.from_numpy(raw[:1, :1]), SIZE, mode="bilinear")
    film = torch.zeros(3, 320, 320)
    path.write_bytes(pickle.dumps(dict(map=m, prob=.5, task=TASKS[0], gt=1, cxr_img=film, cxr_dims=SIZE[::-1])))
    return path.stat().st_size


def main():
    raw, sal = random_maps()
    with tempfile.TemporaryDirectory() as d:
        folder = Path(d)/"maps"
        sal.save(folder)
        mine = folder_bytes(folder)/FILMS
        seconds, back = best(lambda: SaliencySet.load(folder))
        assert back.ids == sal.ids and np.array_equal(back.maps, sal.maps) and np.array_equal(back.maxima, sal.maxima)
        theirs = 10*pickle_bytes(raw, Path(d)/"one.pkl")
    assert np.allclose(back.raw(sal.ids[0]), raw[0], rtol=2e-3)
    table(f"ten DenseNet121 maps a film, films of {SIZE[0]}x{SIZE[1]}", {
        "pickles": f"{theirs/1e6:.1f} MB a film",
        "chexseg": f"{mine:.0f} bytes a film",
        f"reading the maps of {FILMS:,} films": f"{seconds:.3f} s"})
    verdict("storage", theirs, mine, LIMIT, read_seconds=round(seconds, 4))


if __name__ == "__main__":
    main()
