"""Is it worth it? Every method with the same few outlines and nothing else: the comparison that the README shows.

    python -m benchmarks.protocol --seeds 100 101 102 103 104
    python -m benchmarks.protocol --seeds 100 101 102 --experts 24 --weak 500 2000 20000
    python -m benchmarks.protocol --show

A seed changes phantom, classifier, draw of experts and training. Seeds 0 to 12 were used to choose recipes, results
come from 100 on. The budget is total: N expert films are all the outlines there are, for training, thresholds and
everything else; labels as in train.csv are free. Experts are drawn by noisy image labels, the classifier's epoch is
picked on held-out films by their noisy labels. Every network takes the same number of steps. The three teachers of
`ours` are the three networks of full+ensemble.

A seed takes about an hour on two cores. What is finished is kept in --out and in benchmarks/results/protocol: the areas
of every film, task and method, one file a seed and number of experts; protocol.csv is written from them."""
import argparse
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.common import RESULTS
from chexseg.classifier import fit_classifier, load_classifier
from chexseg.core import TASKS, rng
from chexseg.data import Part, hold_out, open_study, stratified_experts
from chexseg.dataset import patient_list, write_phantom
from chexseg.evaluation import areas_table, fractions, interval, miou, read_areas, resample, save_areas
from chexseg.inference import load_segmenter, predict_masks, save_segmenter
from chexseg.irnet import fit_irnet, load_irnet, save_irnet, walk_maps
from chexseg.maps import SaliencySet
from chexseg.masks import MaskSet
from chexseg.ours import fit_ours
from chexseg.phantom import phantom_film
from chexseg.pseudomasks import best_per_task, pseudo_masks, tune_thresholds
from chexseg.saliency import compute_saliency
from chexseg.segmentation import Ensemble
from chexseg.supervision import add_vote, decide, fit_segmenter, fit_student
from chexseg.training import save_checkpoint

POOL = 1000 # training films that experts are drawn from; the classifier sees none of them
TEST = 400
FRESH = 100 # seeds from here on were never used to choose anything
SIDE = 96
STEPS = 1200
EXPERTS = (12, 24, 48, 96, 147)
CONVENTIONS = ("either", "truth", "pooled")
FILES = RESULTS/"protocol"


class Films(NamedTuple):
    "The films of one seed and number of weak films."
    pool: Part # films that experts may be asked about, in the order in which they are asked; with their masks
    weak: Part # films with image labels
    held: Part # films with image labels that no network learns from
    test: Part # with the experts' masks
    readers: MaskSet # a second reading of the test films


class Reported:
    "Image labels in the place of masks: which findings a report affirms."
    def __init__(self, part):
        self.affirmed = dict(zip(part.ids, part.labels == 1))
    def __contains__(self, id): return id in self.affirmed
    def positive(self, id): return self.affirmed[id]


def outlined(pool, seed, n):
    "Training films of a phantom with exact masks, drawn again from what they were made of; n: all training films."
    visits = patient_list(seed, "train", n)
    masks = MaskSet(tasks=TASKS)
    for i in pool.ids:
        visit = visits[pool.table.number[pool.table.id == i].item()]
        masks.add(i, phantom_film(seed, visit.index, SIDE, visit.patient).masks)
    return pool.with_masks(masks)


def asked(pool, seed):
    "The films that experts are asked about, by their noisy labels, in order: the first 12 are those of N = 12."
    return stratified_experts(pool.ids, Reported(pool), max(EXPERTS), seed)


def films_of(folder, seed, weak):
    "Draw the phantom and divide its films."
    data = write_phantom(folder/"phantom", POOL + weak, 0, TEST, side=SIDE, seed=seed)
    study = open_study(data, TASKS)
    train = study.part("weak")
    train = replace(train, table=train.table.assign(number=range(len(train))))
    first = {train.patients[i] for i in train.ids[:POOL]}
    in_pool = np.array([train.patients[i] in first for i in train.ids])
    pool = train.where(in_pool)
    pool = outlined(pool.subset(asked(pool, seed)), seed, POOL + weak)
    rest, held = hold_out(train.where(~in_pool), .1, seed)
    return Films(pool, rest, held, study.part("test"), study.readers)


def trained(path, make):
    "A segmenter that is trained once."
    if not path.with_suffix(".json").exists():
        save_segmenter(path, make())
    return load_segmenter(path)


def maps_of(folder, films, seed):
    "The classifier of a seed, and its maps of weak and expert films."
    path = folder/"classifier"
    if not path.with_suffix(".json").exists():
        learn = fit_classifier(films.weak, films.held, "small", seed, side=SIDE, epochs=8)
        save_checkpoint(path, learn.model)
    model = load_classifier(path)
    return model, {
        role: compute_saliency(model, part, saliency="gradcam+layercam", folder=folder/"maps"/role, only=only)
        for role, part, only in (("weak", films.weak, films.weak.labels != 0), ("pool", films.pool, None))}


def walked_maps(folder, films, model, maps, seed):
    "Maps that IRNet has spread."
    if not (folder/"irnet.json").exists():
        shown = films.weak.labels == 1
        some = shown.any(1)
        save_irnet(folder/"irnet", fit_irnet(model, films.weak.where(some), maps["weak"], shown[some], side=SIDE,
                                             seed=seed).model)
    out = {}
    for role, part in (("weak", films.weak), ("pool", films.pool)):
        if not (folder/"walked"/role/"index.json").exists():
            walk_maps(load_irnet(folder/"irnet"), part, maps[role]).save(folder/"walked"/role)
        out[role] = SaliencySet.load(folder/"walked"/role)
    return out


def guessed(maps, expert, weak):
    "Pseudo-masks of the weak films, at thresholds tuned on the expert films."
    thresholds = best_per_task(tune_thresholds(maps["pool"].subset(expert.ids), expert.masks))
    return weak.with_masks(pseudo_masks(maps["weak"], thresholds, labels=weak.labels))


def averaged(full, judges):
    "Networks averaged, with thresholds and cutoffs of their own."
    three = Ensemble(full)
    best = decide(three, **judges)
    three.config |= dict(thresholds=best.thresholds, cutoffs=best.cutoffs)
    return three


def shared_methods(fit, weak, maps, how, judges, seed):
    "Methods of this benchmark and of `benchmarks.real` alike; fit(name, make) trains a network once."
    model = how["weights"]
    full = [fit(f"full-{k}", lambda: fit_segmenter("full", seed=seed + 1000*k, **how)) for k in range(3)]
    three = averaged(full, judges)
    semi = fit("semi", lambda: fit_segmenter("semi", weak=weak, seed=seed, **how))
    ours = fit("ours", lambda: fit_ours(weak=weak, maps=maps, trained=full, seed=seed, **how))
    return {
        "weak": fit("weak", lambda: fit_segmenter("weak", weak=weak, seed=seed, **how)),
        "full": full[0],
        "full+vote": add_vote(full[0], model, **judges),
        "full+ensemble": three,
        "full+ensemble+vote": add_vote(three, model, **judges),
        "semi": semi,
        "semi+vote": add_vote(semi, model, **judges),
        "ours": ours,
        "ours+vote": add_vote(ours, model, **judges),
    }


def methods_of(folder, films, expert, found, seed):
    "Train or load everything for one number of experts: method -> segmenter."
    model, maps, walked = found
    plain, spread = guessed(maps, expert, films.weak), guessed(walked, expert, films.weak)
    judges = dict(expert=expert, labelled=films.held)
    how = dict(side=SIDE, weights=model, steps=STEPS, lr=4e-3, **judges)
    student = {k: v for k, v in how.items() if k != "side"}
    def fit(name, make): return trained(folder/name, lambda: make().model)
    shared = shared_methods(fit, plain, maps["weak"], how, judges, seed)
    chexseg = fit("chexseg", lambda: fit_segmenter("semi", weak=spread, seed=seed, **how))
    return shared | {
        "chexseg": chexseg,
        "chexseg+vote": add_vote(chexseg, model, **judges),
        "distilled": fit("distilled", lambda: fit_student(shared["full"], films.weak, seed=seed, **student)),
    }


def areas_of(methods, films):
    "Areas of every method on the test films, the simulated readers' last."
    made = {name: predict_masks(model, films.test) for name, model in methods.items()} | {"readers": films.readers}
    return {name: areas_table(masks, films.test.masks, films.test.ids, TASKS) for name, masks in made.items()}


def run_seed(out, seed, weak, experts):
    "One seed and number of weak films: what is missing is done."
    folder = Path(out)/f"{seed}-{weak}"
    todo = [n for n in experts if not areas_file(seed, weak, n).exists()]
    if not todo:
        return
    films = films_of(folder, seed, weak)
    model, maps = maps_of(folder, films, seed)
    found = model, maps, walked_maps(folder, films, model, maps, seed)
    for n in todo:
        expert = films.pool.subset(films.pool.ids[:n])
        methods = methods_of(folder/f"experts-{n}", films, expert, found, seed)
        save_areas(areas_file(seed, weak, n), areas_of(methods, films))
        show(scores_of(seed, weak, n))


def areas_file(seed, weak, experts):
    "Where the areas of one seed, number of weak films and number of experts are kept."
    return FILES/f"seed{seed}-weak{weak}-experts{experts}.npz"


def scores_of(seed, weak, experts):
    "The rows of protocol.csv that follow from one file of areas."
    rows = []
    for method, areas in read_areas(areas_file(seed, weak, experts)).items():
        for convention in CONVENTIONS:
            means = miou(fractions(areas, convention))
            rows += [dict(seed=seed, experts=experts, weak_films=weak, method=method, convention=convention, task=task,
                          mean=round(float(mean), 4)) for task, mean in means.items()]
    return pd.DataFrame(rows)


def finished():
    "Seed, number of weak films and number of experts of every file of areas."
    names = [file.stem.split("-") for file in FILES.glob("seed*.npz")]
    return sorted(tuple(int("".join(c for c in word if c.isdigit())) for word in words) for words in names)


def write_table():
    "protocol.csv from all files of areas."
    table = pd.concat([scores_of(*part) for part in finished()])
    table.to_csv(RESULTS/"protocol.csv", index=False)
    return table


def fresh_only(table):
    "The rows of fresh seeds; those of development seeds as long as there are no others."
    fresh = table[table.seed >= FRESH]
    return fresh if len(fresh) else table


def nested_interval(seeds, weak, experts, convention, pair, n=1000):
    "95% interval of the difference between two methods: seeds are drawn again, and patients within each of them."
    deltas = []
    for seed in seeds:
        areas = read_areas(areas_file(seed, weak, experts))
        draws = resample({m: fractions(areas[m], convention) for m in pair}, n=n, seed=seed)
        deltas.append((draws[pair[0]] - draws[pair[1]])["mIoU"].to_numpy())
    drawn = rng(0, "seeds").integers(len(seeds), size=(n, len(seeds)))
    return interval(pd.Series(np.stack(deltas, 1)[np.arange(n)[:, None], drawn].mean(1)))


def gain_of(rows, method="ours"):
    "One row of protocol_gains.csv: a method beside the best full baseline of the same setting."
    wide = rows.pivot(index="seed", columns="method", values="mean")
    means = wide.mean()
    best = means[means.index.str.startswith("full")].idxmax()
    weak, experts, convention = rows[["weak_films", "experts", "convention"]].iloc[0]
    low, high = nested_interval(list(wide.index), weak, experts, convention, (method, best))
    differences = wide[method] - wide[best]
    setting = dict(weak_films=weak, experts=experts, convention=convention, baseline=best)
    found = dict(baseline_mean=means[best], mean=means[method], gain=means[method]/means[best] - 1,
                 difference=differences.mean(), low=low, high=high, wins=(differences > 0).sum())
    each = dict(seeds=" ".join(map(str, wide.index)), differences=" ".join(f"{d:+.3f}" for d in differences))
    return setting | found | each


def write_gains(table):
    "protocol_gains.csv: what `ours` gains on the best full baseline, for every setting and convention."
    rows = fresh_only(table).query("task == 'mIoU'")
    settings = rows.groupby(["weak_films", "experts", "convention"])
    gains = pd.DataFrame([gain_of(part) for _, part in settings])
    gains.round(4).to_csv(RESULTS/"protocol_gains.csv", index=False)
    print(gains.round(3).to_string(index=False), flush=True)


def show(table):
    "Mean over seeds, by number of experts; development seeds apart from fresh ones."
    table = table.assign(seeds=np.where(table.seed < FRESH, "development", "fresh"))
    means = table.query("task == 'mIoU'").groupby(["seeds", "convention", "weak_films", "method", "experts"])["mean"]
    print(means.mean().unstack().round(3).to_string(), flush=True)
    print("seeds:", ", ".join(map(str, sorted(table.seed.unique()))), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", nargs="+", type=int, default=[])
    p.add_argument("--experts", nargs="+", type=int, default=EXPERTS)
    p.add_argument("--weak", nargs="+", type=int, default=[8000])
    p.add_argument("--out", default="runs/protocol")
    p.add_argument("--show", action="store_true", help="only print what there is")
    a = p.parse_args()
    for seed in [] if a.show else a.seeds:
        for weak in a.weak:
            run_seed(a.out, seed, weak, a.experts)
    table = write_table()
    show(table)
    write_gains(table)


if __name__ == "__main__":
    main()
