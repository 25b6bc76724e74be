"Published heat maps of a CheXpert film: import, Otsu, filled contours, against the published segmentations."
import os
from pathlib import Path

import numpy as np, pytest

ROOT = os.environ.get("CHEXSEG_TEST_DATA")
pytestmark = pytest.mark.skipif(not ROOT, reason="CHEXSEG_TEST_DATA is not set: no real films here")

@pytest.fixture(scope="module")
def published(): return Path(ROOT)/"chexlocalize"

@pytest.fixture(scope="module")
def maps(published):
    from chexseg.saliency import import_maps
    return import_maps(published/"CheXlocalize/gradcam_maps_val")

def test_maps_are_those_of_the_film(maps):
    assert maps.sizes.tolist() == [[2320, 2828]] and maps.maps.shape == (1, 10, 320, 320)
    assert ((maps.probs > 0) & (maps.probs < 1)).all() and (maps.maxima > 0).all()

def test_otsu_reproduces_the_published_segmentations(maps, published):
    from chexseg.masks import MaskSet
    from chexseg.pseudomasks import masks_from
    ours, theirs = masks_from(maps), MaskSet.read(published/"CheXlocalize/gradcam_segmentations_val.json")
    for i in maps.ids:
        a, b = (m.select(maps.tasks)[i].astype(bool) for m in (ours, theirs))
        iou = (a & b).sum((1, 2)) / (a | b).sum((1, 2))
        assert len(iou) == 10 and (iou >= .9999).all(), dict(zip(maps.tasks, iou))

def test_published_tuning_tables_are_read(maps, published):
    from chexseg.pseudomasks import as_choice, masks_from
    thresholds, cutoffs = as_choice(published/"tuning_results.csv"), as_choice(published/"probability_tuning_results.csv")
    assert set(thresholds) == set(maps.tasks) and thresholds["Cardiomegaly"] == .2 and cutoffs["Cardiomegaly"] == .1
    gated = masks_from(maps, thresholds, cutoffs)
    below = np.array([maps.probs[0, j] < cutoffs[t] for j, t in enumerate(maps.tasks)])
    assert (gated.positive(maps.ids[0]) == ~below).all()

def test_analyses_of_the_published_masks(maps, published):
    "CheXlocalize's questions on its own files, answered from decoded arrays."
    from chexseg.analysis import FEATURES, pathology_features, percentage_decrease, pixel_scores
    from chexseg.evaluation import hit_rate, iou_table
    from chexseg.masks import MaskSet, read_annotations
    from chexseg.saliency import peaks
    root = published/"CheXlocalize"
    truth, pred = (MaskSet.read(root/f"{kind}_segmentations_val.json") for kind in ("gt", "gradcam"))
    i = maps.ids[0]; t, p = truth[i].astype(bool), pred.select(truth.tasks)[i].astype(bool)
    scores = pixel_scores(pred, truth.subset([i])).set_index("pathology")
    for j, task in enumerate(truth.tasks):
        if not t[j].any(): continue
        assert np.isclose(scores.loc[task, "recall/sensitivity"], (t[j] & p[j]).sum()/t[j].sum())
        assert np.isclose(scores.loc[task, "specificity"], (~t[j] & ~p[j]).sum()/(~t[j]).sum())
    hits = hit_rate(peaks(maps), truth, [i])
    for j, task in enumerate(truth.tasks):
        if t[j].any(): x, y = peaks(maps)[i][task]; assert hits.loc[i, task] == t[j][y, x]
    outlines = read_annotations(root/"gt_annotations_val.json")
    features = pathology_features(truth, outlines, [i])
    assert set(features) == set(FEATURES)
    assert features["num_instances"].loc[0, truth.tasks].tolist() == [len(outlines[i].get(task, [])) for task in truth.tasks]
    assert np.allclose(features["area_ratio"].loc[0, truth.tasks].astype(float).fillna(0), t.mean((1, 2)))
    table = iou_table(pred, truth, [i])
    both = percentage_decrease(table, table)
    assert (both.pct_diff.dropna() == 0).all()
