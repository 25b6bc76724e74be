"""Published heat maps of a CheXpert film: import, Otsu, filled contours, against the published segmentations."""
import os
from pathlib import Path

import numpy as np
import pytest

from chexseg.analysis import FEATURES, pathology_features, percentage_decrease, pixel_scores
from chexseg.evaluation import hit_rate, iou_table
from chexseg.maps import import_maps, peaks, read_map_pickle
from chexseg.masks import MaskSet
from chexseg.outlines import read_annotations
from chexseg.pseudomasks import best_per_task, fill_contours, pseudo_masks

DATA = os.environ.get("CHEXSEG_TEST_DATA")
FOLDER = Path(DATA or ".")/"chexlocalize"
FILES = FOLDER/"CheXlocalize"
pytestmark = pytest.mark.skipif(not DATA, reason="CHEXSEG_TEST_DATA is not set: no real films here")


@pytest.fixture(scope="module")
def maps():
    return import_maps(FILES/"gradcam_maps_val")


@pytest.fixture(scope="module")
def truth():
    return MaskSet.read(FILES/"gt_segmentations_val.json")


@pytest.fixture(scope="module")
def published(truth):
    "The published segmentations, in the order of tasks of the experts'."
    return MaskSet.read(FILES/"gradcam_segmentations_val.json").select(truth.tasks)


def positive_tasks(masks, id):
    "(number, name) of the tasks that a film shows."
    return [(j, t) for j, t in enumerate(masks.tasks) if masks.positive(id)[j]]


def test_maps_are_those_of_the_film(maps):
    assert maps.sizes.tolist() == [[2320, 2828]] and maps.maps.shape == (1, 10, 320, 320)
    assert ((maps.probs > 0) & (maps.probs < 1)).all() and (maps.maxima > 0).all()


def test_each_published_file_holds_one_probability():
    files = sorted((FILES/"gradcam_maps_val").glob("*_map.pkl"))
    assert files and all(np.size(read_map_pickle(f)["prob"]) == 1 for f in files)


def test_otsu_reproduces_the_published_segmentations_pixel_by_pixel(maps, published):
    ours = pseudo_masks(maps).select(published.tasks)
    for i in maps.ids:
        different = (ours[i] != published[i]).sum((1, 2))
        assert published[i].any((1, 2)).all() and not different.any(), dict(zip(published.tasks, different))


def test_a_speck_is_dropped(maps, published):
    for mask in published[maps.ids[0]].astype(bool):
        corner = next(c for c in (mask[:20, :20], mask[:20, -20:], mask[-20:, :20], mask[-20:, -20:]) if not c.any())
        before = mask.copy()
        corner[5, 5] = corner[9, 9] = corner[9, 10] = True # one pixel, and two; a corner is a view of its mask
        filled = fill_contours(mask)
        assert (filled & ~before).sum() == 2 and (before <= filled).all()


def test_published_tuning_tables_are_read(maps):
    thresholds = best_per_task(FOLDER/"tuning_results.csv")
    cutoffs = best_per_task(FOLDER/"probability_tuning_results.csv")
    assert set(thresholds) == set(maps.tasks) and thresholds["Cardiomegaly"] == .2 and cutoffs["Cardiomegaly"] == .1
    gated = pseudo_masks(maps, thresholds, cutoffs)
    below = np.array([maps.probs[0, j] < cutoffs[t] for j, t in enumerate(maps.tasks)])
    assert (gated.positive(maps.ids[0]) == ~below).all()


# CheXlocalize's questions on its own files, answered from decoded arrays ----------------------------------------------

def test_pixel_scores_are_those_of_decoded_arrays(maps, published, truth):
    i = maps.ids[0]
    t = truth[i].astype(bool)
    p = published[i].astype(bool)
    scores = pixel_scores(published, truth.subset([i])).set_index("pathology")
    for j, task in positive_tasks(truth, i):
        assert np.isclose(scores.loc[task, "recall/sensitivity"], (t[j] & p[j]).sum()/t[j].sum())
        assert np.isclose(scores.loc[task, "specificity"], (~t[j] & ~p[j]).sum()/(~t[j]).sum())


def test_a_hit_is_a_peak_inside_the_mask(maps, truth):
    i = maps.ids[0]
    hits = hit_rate(peaks(maps), truth, [i])
    for j, task in positive_tasks(truth, i):
        x, y = peaks(maps)[i][task]
        assert hits.loc[i, task] == truth[i][j][y, x]


def test_features_are_those_of_the_outlines(maps, truth):
    i = maps.ids[0]
    outlines = read_annotations(FILES/"gt_annotations_val.json")
    features = pathology_features(truth, outlines, [i])
    assert set(features) == set(FEATURES)
    counts = [len(outlines[i].get(task, [])) for task in truth.tasks]
    assert features["num_instances"].loc[0, truth.tasks].tolist() == counts
    areas = features["area_ratio"].loc[0, truth.tasks].astype(float).fillna(0)
    assert np.allclose(areas, truth[i].astype(bool).mean((1, 2)))


def test_a_table_is_as_good_as_itself(maps, published, truth):
    table = iou_table(published, truth, [maps.ids[0]])
    assert (percentage_decrease(table, table).pct_diff.dropna() == 0).all()
