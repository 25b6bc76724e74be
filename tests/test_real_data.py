"""Reading real films: the CheXlocalize download, NIH ChestX-ray14, Wingspan and ChestX-Det. Needs the films in `CHEXSEG_TEST_DATA`."""
import os
from collections import Counter
from pathlib import Path

import numpy as np, pandas as pd, pytest

from chexseg.core import OBSERVATIONS, TASKS, observation_of, read_json
from chexseg.data import CHESTX_DET, film_size, labels, open_study, read_chestx_det, read_film
from chexseg.masks import letterbox

DATA = Path(os.environ.get("CHEXSEG_TEST_DATA", "") or "-")
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="set CHEXSEG_TEST_DATA to a folder of real films")
ID = "patient64541_study1_view1_frontal"


@pytest.fixture(scope="module")
def study(): return open_study(DATA/"chexlocalize")


def test_chexlocalize_opens(study):
    assert study.tasks == TASKS and study.annotated == ["val"] and study.readers is None
    assert study.table.id.tolist() == study.experts.ids == [ID]
    assert study.table.loc[0, ["patient", "view", "split"]].tolist() == ["patient64541", "frontal", "val"]


def test_chexlocalize_labels_are_the_files_own(study):
    csv = pd.read_csv(DATA/"chexlocalize/CheXpert/val_labels.csv")
    names = [observation_of(o) for o in study.table.columns[5:]]
    assert sorted(names) == sorted(OBSERVATIONS)
    assert (study.table.iloc[:, 5:].to_numpy() == csv[names].to_numpy()).all()
    y = dict(zip(TASKS, labels(study.table, TASKS)[0]))
    assert [t for t, v in y.items() if v == 1] == ["Enlarged Cardiomediastinum", "Cardiomegaly", "Airspace Opacity"]


def test_chexlocalize_film_and_masks_have_one_size(study):
    path = study.table.path[0]
    film = read_film(path)
    assert film.shape == film_size(path) == study.experts.size(ID) == (2320, 2828)
    assert film.dtype == np.uint8 and film.std() > 20
    assert (study.experts.positive(ID) == labels(study.table, TASKS)[0]).all()


@pytest.mark.parametrize("side", [128, 320])
def test_reduced_decoding_is_the_letterboxed_film(study, side):
    path = study.table.path[0]
    fast, slow = read_film(path, side), letterbox((2320, 2828), side).image(read_film(path))
    assert fast.shape == (side, side) and np.abs(fast.astype(float) - slow).mean() < 1


def test_outlines_alone_give_the_same_masks(study, tmp_path):
    (tmp_path/"CheXpert").symlink_to((DATA/"chexlocalize/CheXpert").resolve())
    (tmp_path/"CheXlocalize").mkdir()
    (tmp_path/"CheXlocalize/gt_annotations_val.json").symlink_to((DATA/"chexlocalize/CheXlocalize/gt_annotations_val.json").resolve())
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
    raw, masks = read_json(path), read_chestx_det(path)
    assert len(masks) == len(raw)
    assert masks.tasks == CHESTX_DET == sorted({s for f in raw for s in f["syms"]})
    positive = np.array([masks.positive(i) for i in masks.ids])
    assert dict(zip(CHESTX_DET, positive.sum(0))) == Counter(s for f in raw for s in set(f["syms"]))
    for film in raw[:40]:                                    # a mask reaches exactly as far as its outlines
        for t in set(film["syms"]):
            m = masks.get(Path(film["file_name"]).stem, tasks=[t])[0]
            xy = np.concatenate([p for s, p in zip(film["syms"], film["polygons"]) if s == t]).clip(0, 1023)
            y, x = np.nonzero(m)
            assert (x.min(), y.min(), x.max(), y.max()) == (*xy.min(0), *xy.max(0))
