"""What of `ours` matters? The same student, one thing changed at a time, on development seeds.

    python -m benchmarks.ablation --seeds 0 3

adds to benchmarks/results/ablation.csv, task by task. Films, classifier, experts and networks are those of
`python -m benchmarks.protocol`, kept in the same folder; what is there is not done again. To be affordable, all but the
last row are of one round, so half of the student's steps."""
import argparse
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks.common import RESULTS
from benchmarks.protocol import SIDE, STEPS, films_of, guessed, maps_of, trained
from chexseg.core import TASKS
from chexseg.evaluation import areas_table, fractions, miou
from chexseg.inference import predict_masks
from chexseg.recipes import Recipe
from chexseg.ours import STUDENT, TEACHERS, fit_ours
from chexseg.supervision import fit_segmenter

TABLE = RESULTS/"ablation.csv"


class Variant(NamedTuple):
    "A student."
    recipe: Recipe = STUDENT
    teachers: int = TEACHERS
    taught: bool = True # by its teachers; otherwise saliency above a threshold
    saliency: bool = True # asked by the teachers, too
    anew: bool = False # begin with weights of its own, at the teachers' learning rate
    rounds: int = 1


VARIANTS = {
    "one round": Variant(),
    "begun anew": Variant(anew=True),
    "no loss on image labels": Variant(replace(STUDENT, image=0.)),
    "denied findings are empty masks": Variant(replace(STUDENT, denied=1.)),
    "both": Variant(replace(STUDENT, image=0., denied=1.)),
    "taught without saliency": Variant(saliency=False),
    "taught by one network": Variant(teachers=1),
    "saliency above a threshold, not taught": Variant(taught=False),
    "ours: two rounds": Variant(rounds=2),
}


def student_of(variant, films, expert, full, maps, how, seed):
    "The student of a variant."
    if not variant.taught:
        weak = guessed(maps, expert, films.weak)
        return fit_segmenter(variant.recipe, weak=weak, begin=full[0], seed=seed, **how | dict(lr=how["lr"]/2)).model
    saliency = maps["weak"] if variant.saliency else None
    chosen = dict(recipe=variant.recipe, teachers=variant.teachers, anew=variant.anew, rounds=variant.rounds)
    return fit_ours(weak=films.weak, maps=saliency, trained=full, seed=seed, **chosen, **how).model


def scores_of(model, films):
    "Convention, task and mean IoU."
    areas = areas_table(predict_masks(model, films.test), films.test.masks, films.test.ids, TASKS)
    return [dict(convention=c, task=task, mean=round(float(mean), 4))
            for c in ("either", "truth") for task, mean in miou(fractions(areas, c)).items()]


def run_seed(out, seed, n, there):
    "The rows of one seed that are not there yet; they are added to the table one variant at a time."
    folder = Path(out)/f"{seed}-8000"
    films = films_of(folder, seed, 8000)
    model, maps = maps_of(folder, films, seed)
    expert = films.pool.subset(films.pool.ids[:n])
    how = dict(side=SIDE, weights=model, steps=STEPS, lr=4e-3, expert=expert, labelled=films.held)
    networks = folder/f"experts-{n}"
    def full(k): return trained(networks/f"full-{k}", lambda: fit_segmenter("full", seed=seed + 1000*k, **how).model)
    for name in [v for v in VARIANTS if (seed, n, v) not in there]:
        student = student_of(VARIANTS[name], films, expert, [full(k) for k in range(TEACHERS)], maps, how, seed)
        rows = pd.DataFrame(scores_of(student, films)).assign(seed=seed, experts=n, variant=name)
        before = [pd.read_csv(TABLE)] if TABLE.exists() else []
        pd.concat([*before, rows]).to_csv(TABLE, index=False)
        show()


def show():
    "Means over the seeds."
    rows = pd.read_csv(TABLE).query("task == 'mIoU'")
    wide = rows.pivot_table(index="variant", columns=["convention", "seed"], values="mean", sort=False)
    print(wide.round(3).to_string(), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 3])
    p.add_argument("--experts", type=int, default=12)
    p.add_argument("--out", default="runs/protocol")
    a = p.parse_args()
    done = pd.read_csv(TABLE)[["seed", "experts", "variant"]] if TABLE.exists() else pd.DataFrame()
    there = set(done.itertuples(index=False, name=None))
    for seed in a.seeds:
        run_seed(a.out, seed, a.experts, there)
    show()


if __name__ == "__main__":
    main()
