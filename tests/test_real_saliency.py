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
