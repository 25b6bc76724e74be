"""Saliency, pseudo-masks and evaluation of 1,000, 10,000 and 100,000 small films: does a film cost the same, and memory stay where it is?

    python -m benchmarks.scale [FILMS ...]

Each size runs in a process of its own, in the way a set that does not fit into memory is run: shard by shard."""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.common import table, verdict

SIZES, SIDE, DISTINCT, TASKS = (1_000, 10_000, 100_000), 32, 500, ["Cardiomegaly", "Pleural Effusion", "Consolidation"]


def job(n, folder):
    "Run `n` films; print seconds a film, peak memory in MB, seconds to resume, and the mean IoU."
    import numpy as np
    import torch
    from PIL import Image
    from chexseg.classifier import build_classifier
    from chexseg.core import TASKS as ALL
    from chexseg.evaluation import iou_table
    from chexseg.masks import MaskSet
    from chexseg.phantom import phantom_film
    from chexseg.pseudomasks import masks_from
    from chexseg.saliency import saliency_shards
    folder, truth = Path(folder), MaskSet(tasks=TASKS)
    for k in range(DISTINCT):                                      # many names for the same few files
        if (path := folder/f"{k}.png").exists(): continue
        film = phantom_film(0, k, SIDE); Image.fromarray(film.image).save(path)
        np.save(folder/f"{k}.npy", film.masks[[ALL.index(t) for t in TASKS]])
    for k in range(DISTINCT): truth.add(str(k), np.load(folder/f"{k}.npy"))
    def films(n): return pd.DataFrame(dict(id=[f"film{k}" for k in range(n)], path=[str(folder/f"{k % DISTINCT}.png") for k in range(n)]))
    torch.manual_seed(0); model = build_classifier("small", len(TASKS)); model.config |= dict(side=SIDE, tasks=TASKS)
    model.head.weight.data.abs_()                                  # so that no map is empty
    def run(rows, out):
        total, count = np.zeros(len(TASKS)), np.zeros(len(TASKS))
        for k, part in enumerate(saliency_shards(model, rows, out/"maps")):
            masks = masks_from(part, .5); masks.save(out/"masks"/f"{k:05d}.json")
            experts = MaskSet({i: truth.masks[str(int(i[4:]) % DISTINCT)] for i in part.ids}, TASKS)
            iou = iou_table(masks, experts, part.ids)
            total += iou.sum().to_numpy(); count += iou.notna().sum().to_numpy()
        return float((total/count).mean())
    run(films(600), folder/f"warm-{n}")
    rows, start = films(n), time.perf_counter()
    score = run(rows, folder/str(n)); took = time.perf_counter() - start
    start = time.perf_counter(); again = sum(len(p) for p in saliency_shards(model, rows, folder/str(n)/"maps")); resume = time.perf_counter() - start
    assert again == n
    print(json.dumps(dict(films=n, seconds=took/n, memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024, resume=resume, iou=score)))


def main():
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    with tempfile.TemporaryDirectory() as d:
        for n in (100, *sizes):                                    # the first only draws the films
            found = subprocess.run([sys.executable, "-W", "ignore", "-c", f"from benchmarks.scale import job; job({n}, {d!r})"], check=True, capture_output=True, text=True, env=dict(os.environ, CHEXSEG_PROGRESS="0")).stdout
            if n == 100: rows = []
            else: rows.append(json.loads(found.splitlines()[-1])); print(found.splitlines()[-1], flush=True)
    t = pd.DataFrame(rows).set_index("films")
    assert (t.iou - t.iou.iloc[-1]).abs().max() < .01, t               # the same films, the same scores
    time_, memory = t.seconds.max()/t.seconds.min(), t.memory.max()/t.memory.min()
    table("saliency, pseudo-masks and evaluation", {"seconds a film, slowest size over fastest": f"{time_:.2f} (bar 1.15)", "peak memory, most over least": f"{memory:.2f} (bar 1.10)",
          f"resuming after {t.index[-1]:,} films": f"{t.resume.iloc[-1]:.1f} s (bar 5)"})
    verdict("scale", t.seconds.iloc[0], t.seconds.iloc[-1], t.seconds.min(), memory_growth=round(memory, 3), resume_seconds=round(t.resume.iloc[-1], 2), sizes=rows)


if __name__ == "__main__": main()
