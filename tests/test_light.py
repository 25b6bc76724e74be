"""Masks can be read, drawn and scored where there is no torch: these modules must not import it, nor fastai."""
import subprocess, sys

CODE = """
import sys
for name in ("torch", "torchvision", "fastai"): sys.modules[name] = None   # importing one of them now fails
import chexseg, chexseg.core, chexseg.masks, chexseg.evaluation
import numpy as np
from chexseg.masks import MaskSet
from chexseg.evaluation import iou_table, miou
ms = MaskSet(tasks=["Heart"]).add("a", np.ones((1, 4, 5)))
assert miou(iou_table(ms, ms))["mIoU"] == 1
"""


def test_core_masks_and_evaluation_need_no_torch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_import_chexseg_is_light():
    code = "import sys, chexseg; print(*(m for m in ('torch', 'fastai', 'pandas', 'matplotlib', 'cv2') if m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
