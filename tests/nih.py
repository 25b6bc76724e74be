"""Real films with boxes: 1,000 films of NIH ChestX-ray14, of which readers of the RSNA challenge saw 339, as a data set
in the layout of CheXpert and CheXlocalize.

    python tests/nih.py FOLDER_OF_NIH_PNEUMONIA_1000 OUT && chexseg run OUT --tasks Pneumonia --experts 40

The image label is NIH's, found in the report's text: Pneumonia, against films without any finding. The pixel label is
RSNA's: boxes around opacities that suggest pneumonia, **filled as masks**; a film that RSNA's readers saw and left
without a box is empty. The two disagree, as reports and readers do: 124 of 286 films with the label have a box, and 5
of 53 without it. NIH's own 43 boxes, by other readers, are not used.

The split is by patient. Only patients of whom RSNA read a film are in test and val, with no other films of theirs than
those read; the patients of whom it read none are for training. All three label files have NIH's label.

In this collection 64% of the films without the label were taken in bed (AP) and 43% of those with it, but 67% of those
with a box. A classifier of all films learns the view and ranks boxes no better than chance (AUROC .55, and .70 among AP
films alone). So AP films without the label are left out of training, by chance, until both kinds have the same share of
AP."""
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from chexseg.core import rng
from chexseg.masks import MaskSet

TASK = "Pneumonia"
READER = "RSNA_stage2"
TEST = .4 # share of the patients of whom RSNA read a film; the others of them are in val


def too_many(films, seed):
    "Training films to leave out, so that the view does not tell the label."
    ap = films.view == "AP"
    has = films[TASK] == 1
    seen = films.split != "test"
    odds = (seen & has & ap).sum()/(seen & has & ~ap).sum()
    spare = (seen & ~has & ap).sum() - round(odds*(seen & ~has & ~ap).sum())
    drawn = rng(seed, "view").permutation(films.index[(films.split == "train") & ~has & ap])
    return drawn[:max(0, spare)]


def read_films(source, seed):
    "The table of films with a split for each; films that are in none are left out."
    films = pd.read_csv(source/"labels.csv")
    read = films.rsna_class.notna()
    patients = np.unique(films.patient_id[read])
    test = rng(seed, "nih").permutation(patients)[:round(TEST*len(patients))]
    films["split"] = np.where(films.patient_id.isin(test), "test", "val")
    films.loc[~films.patient_id.isin(patients), "split"] = "train"
    films["id"] = films.image.map(lambda name: Path(name).stem)
    films = films[read | (films.split == "train")]
    return films.drop(index=too_many(films, seed))


def write_films(source, films, split, root):
    "Copy the films of a split and write its table."
    (root/split).mkdir(parents=True)
    for f in films.itertuples():
        shutil.copy(source/f.image, root/split/f"{f.id}.jpg")
    paths = [f"{split}/{id}.jpg" for id in films.id]
    table = pd.DataFrame({"Path": paths, "Patient": films.patient_id.to_numpy(), "Frontal/Lateral": "Frontal",
                          "AP/PA": films.view.to_numpy(), TASK: films[TASK].to_numpy()})
    table.to_csv(root/("train.csv" if split == "train" else f"{split}_labels.csv"), index=False)


def filled(boxes, size):
    "Boxes as one mask (h, w)."
    mask = np.zeros(size, np.uint8)
    for b in boxes.itertuples():
        x, y, right, bottom = np.rint([b.x, b.y, b.x + b.w, b.y + b.h]).astype(int)
        mask[max(y, 0):bottom, max(x, 0):right] = 1
    return mask


def box_masks(source, films):
    "RSNA's boxes, filled; nothing on films without any."
    boxes = pd.read_csv(source/"boxes.csv").query("source == @READER")
    masks = MaskSet(tasks=[TASK])
    for f in films.itertuples():
        masks.add(f.id, filled(boxes[boxes.image == f.image], (f.h, f.w))[None])
    return masks


def convert(source, out, seed=0):
    "Write `source`, a folder with labels.csv and boxes.csv, as a data set at `out`; return `out`."
    source = Path(source)
    out = Path(out)
    for split, films in read_films(source, seed).groupby("split"):
        if split == "train":
            write_films(source, films, split, out/"CheXpert-v1.0")
            continue
        write_films(source, films, split, out/"chexlocalize/CheXpert")
        folder = out/"chexlocalize/CheXlocalize"
        folder.mkdir(parents=True, exist_ok=True)
        box_masks(source, films).save(folder/f"gt_segmentations_{split}.json")
    return out


if __name__ == "__main__":
    print(convert(*sys.argv[1:3]))
