"""Bring your own labels: the Wingspan films (Dong et al., MICCAI 2018) as a data set in the layout of CheXpert and
CheXlocalize.

    python tests/wingspan.py FOLDER_OF_WINGSPAN OUT && chexseg run OUT --tasks Cardiomegaly --experts 40

The image label is what a radiologist measures: a heart wider than half the chest is Cardiomegaly. The pixel label is
the heart, on positive films only, as CheXlocalize's radiologists drew it. The set names no patients, so every film is
its own."""
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from chexseg.core import rng
from chexseg.masks import MaskSet

TASK = "Cardiomegaly"
SIZES = {"val": 80, "test": 60} # the rest is for training


def read_films(source, seed):
    "The table of Wingspan with a label and a split for each film."
    films = pd.read_csv(source/"images.csv")
    films[TASK] = (films.ctr_published.fillna(films.ctr_from_masks) > 0.5).astype(float)
    films["split"] = "train"
    order = rng(seed, "wingspan").permutation(len(films))
    films.loc[order[:SIZES["test"]], "split"] = "test"
    films.loc[order[SIZES["test"]:sum(SIZES.values())], "split"] = "val"
    return films


def write_films(source, films, split, root):
    "Copy the films of a split and write its table."
    (root/split).mkdir(parents=True)
    for f in films.itertuples():
        shutil.copy(source/f.image, root/split/f"{f.id}.png")
    paths = [f"{split}/{id}.png" for id in films.id]
    table = pd.DataFrame({"Path": paths, "Frontal/Lateral": "Frontal", TASK: films[TASK].to_numpy()})
    table.to_csv(root/("train.csv" if split == "train" else f"{split}_labels.csv"), index=False)


def heart_masks(source, films):
    "Hearts of the positive films, nothing on the others."
    masks = MaskSet(tasks=[TASK])
    for f in films.itertuples():
        heart = np.array(Image.open(source/f.heart_mask)) > 0
        masks.add(f.id, (heart & bool(getattr(f, TASK)))[None].astype(np.uint8))
    return masks


def convert(source, out, seed=0):
    "Write `source`, a folder with images.csv, as a data set at `out`; return `out`."
    source = Path(source)
    out = Path(out)
    for split, films in read_films(source, seed).groupby("split"):
        if split == "train":
            write_films(source, films, split, out/"CheXpert-v1.0")
            continue
        write_films(source, films, split, out/"chexlocalize/CheXpert")
        folder = out/"chexlocalize/CheXlocalize"
        folder.mkdir(parents=True, exist_ok=True)
        heart_masks(source, films).save(folder/f"gt_segmentations_{split}.json")
    return out


if __name__ == "__main__":
    print(convert(*sys.argv[1:3]))
