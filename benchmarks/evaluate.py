"""IoU table and 1,000 bootstrap draws against loops over decoded masks and resampled tables.

    python -m benchmarks.evaluate"""
import numpy as np
import pandas as pd
from pycocotools import mask as coco

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.evaluation import bootstrap, iou_table, miou, resample
from chexseg.masks import MaskSet

FILMS = 668
PATIENTS = 500
SIZE = (1024, 1024)
DRAWS = 1000
SAMPLE = 10 # films that the loop over masks compares
SAMPLE_DRAWS = 20 # draws that the loop over tables takes


def encoded(mask):
    "A mask as run lengths, the way JSON files have them."
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(rle, counts=rle["counts"].decode())


def ellipse(r, y, x):
    "A random ellipse."
    cy, cx, a, b = r.uniform(300, 700), r.uniform(300, 700), r.uniform(40, 250), r.uniform(40, 250)
    return encoded(((y - cy)/a)**2 + ((x - cx)/b)**2 < 1)


def reader(r, shapes, empty):
    "What one reader drew: on each film about a third of the tasks."
    def drawn(): return shapes[r.integers(40)] if r.random() < .35 else empty
    return MaskSet({f"film{k}": {t: drawn() for t in TASKS} for k in range(FILMS)}, TASKS)


def study():
    "Two readers' ellipses on films of patients."
    r = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE[0], :SIZE[1]].astype(np.float32)
    shapes = [ellipse(r, y, x) for _ in range(40)]
    empty = encoded(np.zeros(SIZE))
    first = reader(r, shapes, empty)
    second = reader(r, shapes, empty)
    patients = r.permutation(np.arange(FILMS) % PATIENTS)
    return first, second, {f"film{k}": f"patient{int(p)}" for k, p in enumerate(patients)}


def loop_iou(a, b):
    "IoU of two decoded masks."
    m = coco.decode(a)
    n = coco.decode(b)
    either = np.logical_or(m, n).sum()
    return np.logical_and(m, n).sum()/either if either else np.nan


def loop_table(a, b, ids):
    "Decode, compare, one film and task at a time."
    rows = [{t: loop_iou(a.rle(i, t), b.rle(i, t)) for t in TASKS} for i in ids]
    return pd.DataFrame(rows, index=ids)


def loop_bootstrap(t, patients, draws):
    "Draw patients, gather their films, take means: one draw at a time."
    films = {}
    for i in t.index:
        films.setdefault(patients[i], []).append(i)
    r = np.random.default_rng(0)
    out = []
    for _ in range(draws):
        drawn = [i for p in r.choice(list(films), len(films)) for i in films[p]]
        means = t.loc[drawn].mean()
        out.append([*means, means.mean()])
    return np.array(out)


def check_draws(full, patients, draws):
    "Fast draws and slow ones have the same means."
    fast = resample({"x": full}, patients, DRAWS)["x"].to_numpy()[:, -1]
    slow = draws[:, -1]
    assert abs(np.median(fast) - miou(full)["mIoU"]) < .01
    assert abs(slow.mean() - fast.mean()) < 5*fast.std()/SAMPLE_DRAWS**.5


def time_runs_alone(a, b):
    "Seconds for the IoU of the run lengths, where both readers have a pixel: nothing can do without it."
    pairs = [(a.rle(i, t), b.rle(i, t)) for i in a.ids for t in TASKS]
    pairs = [p for p in pairs if all(coco.area(r) for r in p)]
    return best(lambda: [coco.iou([x], [y], [0]) for x, y in pairs])[0]


def main():
    a, b, patients = study()
    ids = a.ids
    ours, _ = best(lambda: bootstrap({"x": iou_table(a, b, ids)}, patients, DRAWS), 2)
    table_time, want = best(lambda: loop_table(a, b, ids[:SAMPLE]), 1)
    full = iou_table(a, b, ids)
    assert np.nanmax(np.abs(full.loc[ids[:SAMPLE]].to_numpy() - want.to_numpy())) < 1e-12
    draws_time, draws = best(lambda: loop_bootstrap(full, patients, SAMPLE_DRAWS), 1)
    theirs = table_time*FILMS/SAMPLE + draws_time*DRAWS/SAMPLE_DRAWS
    check_draws(full, patients, draws)
    limit = time_runs_alone(a, b)
    table(f"{FILMS} films of {PATIENTS} patients, ten tasks, {DRAWS} draws", {
        "loops (from a sample)": f"{theirs:.1f} s",
        "chexseg": f"{ours:.2f} s",
        "IoU of the run lengths alone": f"{limit:.2f} s"})
    verdict("evaluate", theirs, ours, limit)


if __name__ == "__main__":
    main()
