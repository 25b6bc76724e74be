"""Bytes a film for ten saliency maps, and the time to read them, against pickled maps at full size.   python -m benchmarks.storage"""
import pickle
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.saliency import SaliencySet, pack_maps

FILMS, SIZE = 10_000, (2320, 2828)


def main():
    r = np.random.default_rng(0)
    raw = r.random((FILMS, 10, 10, 10), np.float32)*1e-4
    sal = SaliencySet(*pack_maps(raw), r.random((FILMS, 10)), [SIZE]*FILMS, [f"patient{k:05d}_study1_view1_frontal" for k in range(FILMS)], TASKS, 320)
    with tempfile.TemporaryDirectory() as d:
        sal.save(Path(d)/"maps")
        mine = sum(f.stat().st_size for f in (Path(d)/"maps").iterdir())/FILMS
        seconds, back = best(lambda: SaliencySet.load(Path(d)/"maps"))
        assert back.ids == sal.ids and np.array_equal(back.maps, sal.maps) and np.array_equal(back.maxima, sal.maxima)
        m = F.interpolate(torch.from_numpy(raw[:1, :1]), SIZE, mode="bilinear")
        path = Path(d)/"one.pkl"
        path.write_bytes(pickle.dumps(dict(map=m, prob=.5, task=TASKS[0], gt=1, cxr_img=torch.zeros(3, 320, 320), cxr_dims=SIZE[::-1])))
        theirs = 10*path.stat().st_size
    limit = 10*10*10*2
    assert np.allclose(back.raw(sal.ids[0]), raw[0], rtol=2e-3)
    table(f"ten DenseNet121 maps a film, films of {SIZE[0]}x{SIZE[1]}", {"pickles": f"{theirs/1e6:.1f} MB a film", "chexseg": f"{mine:.0f} bytes a film",
          f"reading the maps of {FILMS:,} films": f"{seconds:.3f} s"})
    verdict("storage", theirs, mine, limit, read_seconds=round(seconds, 4))


if __name__ == "__main__": main()
