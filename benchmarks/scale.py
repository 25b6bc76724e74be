"""Saliency, pseudo-masks and evaluation of 1,000, 10,000 and 100,000 small films: does a film cost the same, and does
memory stay where it is?

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

import numpy as np
import pandas as pd
import torch
from PIL import Image

from benchmarks.common import table, verdict
from chexseg.classifier import build_classifier
from chexseg.core import TASKS
from chexseg.data import Part
from chexseg.evaluation import iou_table
from chexseg.masks import MaskSet
from chexseg.phantom import phantom_film
from chexseg.pseudomasks import pseudo_masks
from chexseg.saliency import saliency_shards

SIZES = (1_000, 10_000, 100_000)
SIDE = 32
DISTINCT = 500 # files: many names for the same few films
SHOWN = ["Cardiomegaly", "Pleural Effusion", "Consolidation"]


def draw_films(folder):
    "Draw the distinct films and their masks, where they are not there yet."
    for k in range(DISTINCT):
        path = folder/f"{k}.png"
        if path.exists():
            continue
        film = phantom_film(0, k, SIDE)
        Image.fromarray(film.image).save(path)
        np.save(folder/f"{k}.npy", film.masks[[TASKS.index(t) for t in SHOWN]])


def read_masks(folder):
    "The masks of the distinct films."
    masks = MaskSet(tasks=SHOWN)
    for k in range(DISTINCT):
        masks.add(str(k), np.load(folder/f"{k}.npy"))
    return masks


def named_films(folder, n):
    "As many films as wanted, by name."
    paths = [str(folder/f"{k % DISTINCT}.png") for k in range(n)]
    return Part(pd.DataFrame(dict(id=[f"film{k}" for k in range(n)], path=paths)), SHOWN)


def network():
    "An untrained classifier, no map of which is empty."
    torch.manual_seed(0)
    model = build_classifier("small", len(SHOWN))
    model.config |= dict(side=SIDE, tasks=SHOWN)
    model.head.weight.data.abs_()
    return model


def experts_of(ids, truth):
    "The masks of named films."
    return MaskSet({i: truth.masks[str(int(i[4:]) % DISTINCT)] for i in ids}, SHOWN)


def mean_iou(model, films, truth, out):
    "The whole way, shard by shard: maps, pseudo-masks, and their mean IoU."
    total = np.zeros(len(SHOWN))
    count = np.zeros(len(SHOWN))
    for k, part in enumerate(saliency_shards(model, films, out/"maps")):
        masks = pseudo_masks(part, .5)
        masks.save(out/"masks"/f"{k:05d}.json")
        iou = iou_table(masks, experts_of(part.ids, truth), part.ids)
        total += iou.sum().to_numpy()
        count += iou.notna().sum().to_numpy()
    return float((total/count).mean())


def seconds_to_resume(model, films, out):
    "Seconds until a finished set of maps has been found complete."
    start = time.perf_counter()
    again = sum(len(p) for p in saliency_shards(model, films, out/"maps"))
    took = time.perf_counter() - start
    assert again == len(films)
    return took


def job(n, folder):
    "Run `n` films; print seconds a film, peak memory in MB, seconds to resume, and the mean IoU."
    folder = Path(folder)
    draw_films(folder)
    truth = read_masks(folder)
    model = network()
    mean_iou(model, named_films(folder, 600), truth, folder/f"warm-{n}")
    films = named_films(folder, n)
    start = time.perf_counter()
    score = mean_iou(model, films, truth, folder/str(n))
    took = time.perf_counter() - start
    resume = seconds_to_resume(model, films, folder/str(n))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
    print(json.dumps(dict(films=n, seconds=took/n, memory=memory, resume=resume, iou=score)))


def run_job(n, folder):
    "What a job in a process of its own printed, as text."
    code = f"from benchmarks.scale import job; job({n}, {folder!r})"
    env = dict(os.environ, CHEXSEG_PROGRESS="0")
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.splitlines()[-1]


def measure(sizes):
    "One row a size."
    rows = []
    with tempfile.TemporaryDirectory() as d:
        run_job(100, d) # only draws the films
        for n in sizes:
            line = run_job(n, d)
            print(line, flush=True)
            rows.append(json.loads(line))
    return rows


def main():
    rows = measure(tuple(map(int, sys.argv[1:])) or SIZES)
    t = pd.DataFrame(rows).set_index("films")
    assert (t.iou - t.iou.iloc[-1]).abs().max() < .01, t # the same films, the same scores
    slower = t.seconds.max()/t.seconds.min()
    memory = t.memory.max()/t.memory.min()
    resume = t.resume.iloc[-1]
    table("saliency, pseudo-masks and evaluation", {
        "seconds a film, slowest size over fastest": f"{slower:.2f} (bar 1.15)",
        "peak memory, most over least": f"{memory:.2f} (bar 1.10)",
        f"resuming after {t.index[-1]:,} films": f"{resume:.1f} s (bar 5)"})
    verdict("scale", t.seconds.iloc[0], t.seconds.iloc[-1], t.seconds.min(), memory_growth=round(memory, 3),
            resume_seconds=round(resume, 2), sizes=rows)


if __name__ == "__main__":
    main()
