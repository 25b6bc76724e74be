"""On the real CheXlocalize film: outlines to masks bit for bit, and an IoU table equal to one computed by hand."""
import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from chexseg.core import TASKS, read_json
from chexseg.evaluation import iou_table, miou
from chexseg.masks import MaskSet, letterbox
from chexseg.outlines import annotations_to_masks, masks_to_annotations, read_annotations

DATA = os.environ.get("CHEXSEG_TEST_DATA")
FOLDER = Path(DATA or ".")/"chexlocalize"/"CheXlocalize"
pytestmark = pytest.mark.skipif(not (DATA and FOLDER.exists()),
                                reason="needs real films: set CHEXSEG_TEST_DATA to a folder with chexlocalize/")
TRUTH = FOLDER/"gt_segmentations_val.json"
GRADCAM = FOLDER/"gradcam_segmentations_val.json"
OUTLINES = FOLDER/"gt_annotations_val.json"


def test_outlines_become_the_published_masks_bit_for_bit():
    drawn = annotations_to_masks(read_annotations(OUTLINES))
    assert drawn.masks == read_json(TRUTH) # sizes and compressed run lengths, as strings
    assert drawn.positive(drawn.ids[0]).sum() == 3 # and they are not all empty


@pytest.mark.parametrize("file", [TRUTH, GRADCAM])
def test_masks_survive_pixels_outlines_and_files(file, tmp_path):
    ms = MaskSet.read(file)
    assert ms.tasks == TASKS
    again = MaskSet()
    for i in ms.ids:
        again.add(i, ms[i])
    assert again.masks == ms.masks
    assert annotations_to_masks(masks_to_annotations(ms)).masks == ms.masks
    again.save(tmp_path/"masks.json")
    assert MaskSet.read(tmp_path/"masks.json").masks == ms.masks == read_json(file)


def iou_by_hand(pred, truth, convention):
    "IoU of two masks from decoded arrays and plain NumPy."
    a = coco.decode(pred).astype(bool)
    b = coco.decode(truth).astype(bool)
    counts = {"either": a.any() or b.any(), "both": a.any() and b.any(), "truth": b.any()}[convention]
    return np.logical_and(a, b).sum()/np.logical_or(a, b).sum() if counts else np.nan


def by_hand(convention):
    "IoU of each film and task, with nothing of chexseg but the JSON reader."
    truth = read_json(TRUTH)
    pred = read_json(GRADCAM)
    return {(i, t): iou_by_hand(pred[i][t], truth[i][t], convention) for i in truth for t in TASKS}


@pytest.mark.parametrize("convention", ["either", "both", "truth"])
def test_iou_table_equals_one_computed_by_hand(convention):
    table = iou_table(MaskSet.read(GRADCAM), MaskSet.read(TRUTH), convention=convention)
    hand = by_hand(convention)
    values = table.stack(future_stack=True)
    assert values.index.tolist() == list(hand)
    np.testing.assert_allclose(values, list(hand.values()), rtol=0, atol=1e-12)
    assert np.isfinite(table).sum(axis=None) == (10 if convention == "either" else 3)


def test_miou_equals_one_computed_by_hand():
    table = iou_table(MaskSet.read(GRADCAM), MaskSet.read(TRUTH))
    assert miou(table)["mIoU"] == pytest.approx(np.mean(list(by_hand("either").values())))


def test_letterbox_and_back():
    ms = MaskSet.read(TRUTH)
    i = ms.ids[0]
    masks = ms[i]
    box = letterbox(ms.size(i), 320)
    small = box.masks(masks)
    assert small.shape == (10, 320, 320) and ((small.sum((1, 2)) > 0) == ms.positive(i)).all()
    for k in np.flatnonzero(ms.positive(i)):
        back = box.undo(small[k:k + 1])[0] > .5
        assert (back & (masks[k] > 0)).sum()/(back | (masks[k] > 0)).sum() > .98
