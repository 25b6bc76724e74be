"""Reading real films: the CheXlocalize download, NIH ChestX-ray14, Wingspan and ChestX-Det.

Needs the films in `CHEXSEG_TEST_DATA`."""
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chexseg.core import OBSERVATIONS, TASKS, ChexsegError, observation_of, read_json
from chexseg.data import open_study, view_counts
from chexseg.films import film_size, read_film
from chexseg.formats import CHESTX_DET, read_chestx_det
from chexseg.masks import letterbox
from chexseg.tables import KEYS, label_array

DATA = Path(os.environ.get("CHEXSEG_TEST_DATA", "") or "-")
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="set CHEXSEG_TEST_DATA to a folder of real films")
ID = "patient64541_study1_view1_frontal"


@pytest.fixture(scope="module")
def study():
    return open_study(DATA/"chexlocalize")


def test_chexlocalize_opens(study):
    assert study.tasks == TASKS and study.annotated == ["val"] and study.readers is None
    assert study.table.id.tolist() == study.experts.ids == [ID]
    assert study.table.loc[0, ["patient", "view", "split"]].tolist() == ["patient64541", "frontal", "val"]


def test_chexlocalize_counts_its_views(study):
    counted = [dict(split="val", view="frontal", films=1, outlined=1, used=True)]
    assert view_counts(study).to_dict("records") == counted and study.left_out is None
    assert open_study(DATA/"chexlocalize", views="frontal").table.equals(study.table)
    with pytest.raises(ChexsegError, match="views='lateral' leaves no film of val, which has 1 frontal"):
        open_study(DATA/"chexlocalize", views="lateral")


def test_chexlocalize_labels_are_the_files_own(study):
    csv = pd.read_csv(DATA/"chexlocalize/CheXpert/val_labels.csv")
    labels = study.table.drop(columns=[c for c in KEYS if c in study.table])
    names = [observation_of(o) for o in labels]
    assert sorted(names) == sorted(OBSERVATIONS)
    assert (labels.to_numpy() == csv[names].to_numpy()).all()
    y = dict(zip(TASKS, label_array(study.table, TASKS)[0]))
    assert [t for t, v in y.items() if v == 1] == ["Enlarged Cardiomediastinum", "Cardiomegaly", "Airspace Opacity"]


def test_chexlocalize_film_and_masks_have_one_size(study):
    path = study.table.path[0]
    film = read_film(path)
    assert film.shape == film_size(path) == study.experts.size(ID) == (2320, 2828)
    assert film.dtype == np.uint8 and film.std() > 20
    assert (study.experts.positive(ID) == label_array(study.table, TASKS)[0]).all()


@pytest.mark.parametrize("side", [128, 320])
def test_reduced_decoding_is_the_letterboxed_film(study, side):
    path = study.table.path[0]
    fast = read_film(path, side)
    slow = letterbox((2320, 2828), side).image(read_film(path))
    assert fast.shape == (side, side) and np.abs(fast.astype(float) - slow).mean() < 1


def test_a_part_holds_film_labels_and_masks(study):
    part = study.part("valid")
    assert part.ids == [ID] and part.patients == {ID: "patient64541"}
    assert part.size(0) == part.film(0).shape == part.masks.size(ID)
    assert part.film(0, 320).shape == (320, 320)
    assert (part.labels[0] == part.masks.positive(ID)).all()
    heart = part.select("Cardiomegaly")
    assert heart.labels.shape == (1, 1) and heart.masks.area(ID)[0] == part.masks.area(ID)[TASKS.index("Cardiomegaly")]


def test_outlines_alone_give_the_same_masks(study, tmp_path):
    (tmp_path/"CheXlocalize").mkdir()
    for name in ("CheXpert", "CheXlocalize/gt_annotations_val.json"):
        (tmp_path/name).symlink_to((DATA/"chexlocalize"/name).resolve())
    alone = open_study(tmp_path)
    assert alone.tasks == TASKS and alone.experts.masks == study.experts.masks


@pytest.mark.parametrize("folder, n", [("nih-pneumonia-1000/images", 1000), ("wingspan/images", 259)])
def test_films_read(folder, n):
    files = sorted((DATA/folder).iterdir())
    assert len(files) == n
    for f in files[::n//20]:
        film = read_film(f)
        assert film.shape == film_size(f) == (512, 512) and film.dtype == np.uint8 and film.std() > 10


def test_chestx_det_counts():
    for name, films, polygons in (("test", 553, 1734), ("train", 3025, 7905)):
        raw = read_json(DATA/f"chestx-det/ChestX_Det_{name}.json")
        assert len(raw) == films and sum(len(f["polygons"]) for f in raw) == polygons


def test_chestx_det_masks():
    path = DATA/"chestx-det/ChestX_Det_test.json"
    raw = read_json(path)
    masks = read_chestx_det(path)
    assert len(masks) == len(raw)
    assert masks.tasks == CHESTX_DET == sorted({s for f in raw for s in f["syms"]})
    positive = np.array([masks.positive(i) for i in masks.ids])
    assert dict(zip(CHESTX_DET, positive.sum(0))) == Counter(s for f in raw for s in set(f["syms"]))


def box_of(points):
    "Left, top, right and bottom of points (n, 2) as (x, y)."
    return (*points.min(0), *points.max(0))


def test_chestx_det_masks_reach_as_far_as_their_outlines():
    path = DATA/"chestx-det/ChestX_Det_test.json"
    masks = read_chestx_det(path)
    for film in read_json(path)[:40]:
        for task in set(film["syms"]):
            mask = masks.get(Path(film["file_name"]).stem, tasks=[task])[0]
            outlined = [p for s, p in zip(film["syms"], film["polygons"]) if s == task]
            assert box_of(np.argwhere(mask)[:, ::-1]) == box_of(np.concatenate(outlined).clip(0, 1023))
