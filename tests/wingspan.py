"""Bring your own labels: the Wingspan films (Dong et al., MICCAI 2018) as a data set in CheXpert and CheXlocalize layout.

    python tests/wingspan.py FOLDER_OF_WINGSPAN OUT && chexseg run OUT --tasks Cardiomegaly --experts 40

The image label is what a radiologist measures: a heart wider than half the chest is Cardiomegaly. The pixel label is the heart, on
positive films only, as CheXlocalize's radiologists drew it. The set names no patients, so every film is its own."""
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from chexseg.core import rng
from chexseg.masks import MaskSet

TASK = "Cardiomegaly"
SIZES = {"val": 80, "test": 60}  # the rest is for training


def convert(source, out, seed=0):
    "Write `source`, a folder with images.csv, as a data set at `out`; return `out`."
    source, out = Path(source), Path(out)
    films = pd.read_csv(source/"images.csv")
    films[TASK] = (films.ctr_published.fillna(films.ctr_from_masks) > 0.5).astype(float)
    films["split"] = "train"
    order = rng(seed, "wingspan").permutation(len(films))
    films.loc[order[:SIZES["test"]], "split"] = "test"
    films.loc[order[SIZES["test"]:sum(SIZES.values())], "split"] = "val"
    for split, part in films.groupby("split"):
        root = out/("CheXpert-v1.0" if split == "train" else "chexlocalize/CheXpert")
        table, masks = [], MaskSet(tasks=[TASK])
        for f in part.itertuples():
            (root/split).mkdir(parents=True, exist_ok=True)
            shutil.copy(source/f.image, root/split/f"{f.id}.png")
            table.append({"Path": f"{split}/{f.id}.png", "Frontal/Lateral": "Frontal", TASK: getattr(f, TASK)})
            heart = np.array(Image.open(source/f.heart_mask)) > 0
            masks.add(f.id, (heart & bool(getattr(f, TASK)))[None].astype(np.uint8))
        pd.DataFrame(table).to_csv(root/("train.csv" if split == "train" else f"{split}_labels.csv"), index=False)
        if split == "train": continue
        (out/"chexlocalize/CheXlocalize").mkdir(parents=True, exist_ok=True)
        masks.save(out/f"chexlocalize/CheXlocalize/gt_segmentations_{split}.json")
    return out


if __name__ == "__main__": print(convert(*sys.argv[1:3]))
