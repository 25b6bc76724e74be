"""Does it hold on real films? Wingspan's hearts and NIH's pneumonia with a handful of masks: all methods, three draws.

    CHEXSEG_TEST_DATA=FOLDER python -m benchmarks.real --draws 0 1 2 --experts 5 10 20 40
    python -m benchmarks.real --show

adds to benchmarks/results/real.csv: set, draw, experts, method, convention, mean, and films, which count test films
with a finding. What is there is not done again, networks are kept in --out, so the work can be done in parts.

- *wingspan*: 259 films; the label is a heart wider than half the chest, the mask is the heart of such a film.
  `tests/wingspan.py` names the split: 119 films for training, 80 that experts are drawn from, 60 to test on.
- *nih*: the label is Pneumonia as text mining found it in reports; the masks are **boxes, filled**, that RSNA's readers
  drew. `tests/nih.py` names the split and why films are left out: 365 films for training, 208 that experts are drawn
  from, 131 to test on.

The budget is total: nobody looks at another mask than those of the N expert films. They are drawn among films that have
one; whoever has to look for them sees films without, which nothing learns from. Their image labels and those of all
other films are free: the classifier learns from them, but for a fifth of the films without masks, by whose labels its
epoch and the cutoffs of all methods are chosen. A draw changes experts, held-out films, classifier and training; the
test films stay."""
import argparse
import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks.common import RESULTS
from benchmarks.protocol import shared_methods, trained
from chexseg.classifier import auroc_table, fit_classifier, load_classifier, predict_probs
from chexseg.data import Part, hold_out, open_study, stratified_experts
from chexseg.evaluation import areas_table, fractions, miou
from chexseg.inference import predict_masks
from chexseg.pseudomasks import best_per_task, pseudo_masks, tune_thresholds
from chexseg.saliency import compute_saliency
from chexseg.training import save_checkpoint
from tests import nih, wingspan

SETS = {"wingspan": ("wingspan", wingspan.convert), "nih": ("nih-pneumonia-1000", nih.convert)} # folder, converter
EXPERTS = (5, 10, 20, 40)
HELD_OUT = .2
SIDE = 96
STEPS = 400 # of every segmenter
CONVENTIONS = ("either", "truth")
COLUMNS = ["set", "draw", "experts", "method", "convention", "mean", "films"]
METHODS = ("weak", "full", "full+vote", "full+ensemble", "full+ensemble+vote", "semi", "semi+vote", "ours", "ours+vote")


class Films(NamedTuple):
    "The films of one draw."
    pool: Part # films with masks, in the order in which they are drawn: the first 5 are those of N = 5
    rest: Part # films with image labels
    held: Part # films with image labels that no network learns from
    test: Part # with masks


def open_set(name, out):
    "The study of a set, which is converted when it is not there."
    folder, convert = SETS[name]
    data = out/"data"/name
    if not data.exists():
        convert(Path(os.environ["CHEXSEG_TEST_DATA"])/folder, data)
    return open_study(data, check=False)


def films_of(study, seed):
    "Draw experts, and hold films out of the others."
    valid = study.part("valid")
    drawn = stratified_experts(valid.ids, valid.masks, max(EXPERTS), seed)
    others = study.part("weak", "valid")
    others = others.where(~others.table.id.isin(drawn))
    rest, held = hold_out(others, HELD_OUT, seed)
    return Films(valid.subset(drawn), rest, held, study.part("test"))


def joined(*parts):
    "The films of some parts of a study."
    return replace(parts[0], table=pd.concat([p.table for p in parts], ignore_index=True))


def classifier_of(folder, films, seed):
    "The classifier of a draw, and its maps of all films but those held out."
    path = folder/"classifier"
    known = joined(films.pool, films.rest)
    if not path.with_suffix(".json").exists():
        save_checkpoint(path, fit_classifier(known, films.held, "small", seed, side=SIDE).model)
    model = load_classifier(path)
    return model, compute_saliency(model, known, saliency="gradcam+layercam", folder=folder/"maps")


def guessed(maps, expert, weak):
    "Pseudo-masks of the weak films, at the threshold that is best on the expert films."
    thresholds = best_per_task(tune_thresholds(maps.subset(expert.ids), expert.masks))
    return weak.with_masks(pseudo_masks(maps.subset(weak.ids), thresholds, labels=weak.labels))


def methods_of(folder, expert, weak, held, found, seed):
    "Train or load everything for one number of experts: method -> segmenter."
    model, maps = found
    judges = dict(expert=expert, labelled=held)
    how = dict(side=SIDE, weights=model, steps=STEPS, lr=4e-3, **judges)
    def fit(name, make): return trained(folder/name, lambda: make().model)
    return shared_methods(fit, weak, maps, how, judges, seed)


def scores_of(model, test):
    "The rows of one segmenter: convention, mean, test films with a finding."
    areas = areas_table(predict_masks(model, test), test.masks, test.ids, test.tasks)
    shown = sum(bool(test.masks.positive(i).any()) for i in test.ids)
    return [(c, round(float(miou(fractions(areas, c))["mIoU"]), 4), shown) for c in CONVENTIONS]


def describe(name, seed, model, test):
    "Print how well the classifier ranks the test films, by image labels and by masks."
    probs = predict_probs(model, test)
    shown = pd.DataFrame([test.masks.positive(i) for i in test.ids]).to_numpy(float)
    by_label, by_mask = (auroc_table(probs, y, test.tasks).auroc.mean() for y in (test.labels, shown))
    print(f"{name} {seed}: AUROC {by_label:.3f} by the labels, {by_mask:.3f} by the masks", flush=True)


def finished(path):
    "Set, draw, experts and method of the rows that are there."
    return set(pd.read_csv(path)[COLUMNS[:4]].itertuples(index=False, name=None)) if path.exists() else set()


def append(path, rows):
    "Add rows to a CSV file."
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with open(path, "a", newline="") as f:
        table = csv.writer(f)
        if new:
            table.writerow(COLUMNS)
        table.writerows(rows)


def run_experts(key, folder, films, found, results):
    "One number of experts: train, score, write."
    *_, seed, n = key
    expert = films.pool.subset(films.pool.ids[:n])
    weak = joined(films.rest, films.pool.subset(films.pool.ids[n:])) if n < len(films.pool) else films.rest
    weak = guessed(found[1], expert, weak)
    there = finished(results)
    for method, segmenter in methods_of(folder/f"experts-{n}", expert, weak, films.held, found, seed).items():
        if (*key, method) not in there:
            rows = [(*key, method, *row) for row in scores_of(segmenter, films.test)]
            append(results, rows)
            print(*key, method, *(f"{c} {mean:.3f}" for *_, c, mean, _ in rows), flush=True)


def run_draw(name, study, seed, a):
    "All numbers of experts of one draw that are not finished."
    there = finished(a.results)
    todo = [n for n in a.experts if any((name, seed, n, m) not in there for m in METHODS)]
    if not todo:
        return
    folder = a.out/f"{name}-{seed}"
    films = films_of(study, seed)
    found = classifier_of(folder, films, seed)
    describe(name, seed, found[0], films.test)
    for n in todo:
        run_experts((name, seed, n), folder, films, found, a.results)


def show(path):
    "Mean over draws: a row a method, a column a set and number of experts."
    for convention, part in pd.read_csv(path).groupby("convention"):
        means = part.pivot_table(index="method", columns=["set", "experts"], values="mean", sort=False)
        print(f"\nmIoU on test films, convention {convention!r}, mean of {part.draw.nunique()} draws")
        print(means.round(3).to_string(), flush=True)


def arguments():
    "What the command line asks for."
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    p.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2])
    p.add_argument("--experts", nargs="+", type=int, choices=EXPERTS, default=EXPERTS)
    p.add_argument("--out", type=Path, default=Path("runs/real"))
    p.add_argument("--results", type=Path, default=RESULTS/"real.csv")
    p.add_argument("--show", action="store_true", help="only print what there is")
    return p.parse_args()


def main():
    a = arguments()
    for name in [] if a.show else a.sets:
        study = open_set(name, a.out)
        for seed in a.draws:
            run_draw(name, study, seed, a)
    show(a.results)


if __name__ == "__main__":
    main()
