"""IoU table and 1,000 bootstrap draws against loops over decoded masks and resampled tables.   python -m benchmarks.evaluate"""
import numpy as np
import pandas as pd
from pycocotools import mask as coco

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.evaluation import bootstrap, iou_table, miou, resample
from chexseg.masks import MaskSet

FILMS, PATIENTS, SIZE, DRAWS, SAMPLE, SAMPLE_DRAWS = 668, 500, (1024, 1024), 1000, 10, 20


def study():
    "Two readers' ellipses on films of patients."
    r = np.random.default_rng(0); y, x = np.mgrid[:SIZE[0], :SIZE[1]].astype(np.float32)
    shapes = []
    for _ in range(40):
        cy, cx, a, b = r.uniform(300, 700), r.uniform(300, 700), r.uniform(40, 250), r.uniform(40, 250)
        shapes.append(coco.encode(np.asfortranarray((((y - cy)/a)**2 + ((x - cx)/b)**2 < 1).astype(np.uint8))))
    for s in shapes: s["counts"] = s["counts"].decode()
    empty = coco.encode(np.zeros(SIZE, np.uint8, order="F")); empty["counts"] = empty["counts"].decode()
    def reader(): return MaskSet({f"film{k}": {t: shapes[r.integers(40)] if r.random() < .35 else empty for t in TASKS} for k in range(FILMS)}, TASKS)
    return reader(), reader(), {f"film{k}": f"patient{int(p)}" for k, p in enumerate(r.permutation(np.arange(FILMS) % PATIENTS))}


def loop_table(a, b, ids):
    "Decode, compare, one film and task at a time."
    rows = []
    for i in ids:
        row = {}
        for t in TASKS:
            m, n = coco.decode(a.rle(i, t)), coco.decode(b.rle(i, t))
            any_ = np.logical_or(m, n).sum()
            row[t] = np.logical_and(m, n).sum()/any_ if any_ else np.nan
        rows.append(row)
    return pd.DataFrame(rows, index=ids)


def loop_bootstrap(t, patients, draws):
    "Draw patients, gather their films, take means: one draw at a time."
    films = {}
    for i in t.index: films.setdefault(patients[i], []).append(i)
    r, out = np.random.default_rng(0), []
    for _ in range(draws):
        drawn = [i for p in r.choice(list(films), len(films)) for i in films[p]]
        means = t.loc[drawn].mean()
        out.append([*means, means.mean()])
    return np.array(out)


def main():
    a, b, patients = study()
    ids = a.ids
    ours, got = best(lambda: bootstrap({"x": iou_table(a, b, ids)}, patients, DRAWS), 2)
    t_table, want = best(lambda: loop_table(a, b, ids[:SAMPLE]), 1)
    full = iou_table(a, b, ids)
    assert np.nanmax(np.abs(full.loc[ids[:SAMPLE]].to_numpy() - want.to_numpy())) < 1e-12
    t_draws, draws = best(lambda: loop_bootstrap(full, patients, SAMPLE_DRAWS), 1)
    theirs = t_table*FILMS/SAMPLE + t_draws*DRAWS/SAMPLE_DRAWS
    # the same draws, one by one, give the same means
    fast = resample({"x": full}, patients, DRAWS)["x"].to_numpy()
    assert abs(np.median(fast[:, -1]) - miou(full)["mIoU"]) < .01 and abs(draws[:, -1].mean() - fast[:, -1].mean()) < 5*fast[:, -1].std()/SAMPLE_DRAWS**.5
    pairs = [(a.rle(i, t), b.rle(i, t)) for i in ids for t in TASKS]
    pairs = [p for p in pairs if all(coco.area(r) for r in p)]
    limit, _ = best(lambda: [coco.iou([x], [y], [0]) for x, y in pairs])  # only where both have a pixel
    table(f"{FILMS} films of {PATIENTS} patients, ten tasks, {DRAWS} draws", {"loops (from a sample)": f"{theirs:.1f} s", "chexseg": f"{ours:.2f} s",
          "IoU of the run lengths alone": f"{limit:.2f} s"})
    verdict("evaluate", theirs, ours, limit)


if __name__ == "__main__": main()
