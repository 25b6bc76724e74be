"""Exact mean field at stride 4 against pydensecrf2 at full size.   pip install pydensecrf2 && python -m benchmarks.crf"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.common import best, table, verdict
from chexseg.irnet import crf_kernel, mean_field

SIDE = 320


def main():
    try:
        import pydensecrf.densecrf as dcrf
        from pydensecrf.utils import unary_from_labels
    except ImportError: sys.exit("pydensecrf2, the peer of this benchmark, is not installed: pip install pydensecrf2 (it needs a compiler).")
    film, truth = picture()
    rough = np.roll(truth, (12, -10), (0, 1))
    def theirs():
        d = dcrf.DenseCRF2D(SIDE, SIDE, 2)
        d.setUnaryEnergy(np.ascontiguousarray(unary_from_labels(rough.astype(np.int32), 2, gt_prob=.7, zero_unsure=False)))
        d.addPairwiseGaussian(sxy=3, compat=3)
        d.addPairwiseBilateral(sxy=50, srgb=20, rgbim=np.ascontiguousarray(np.repeat(film[..., None], 3, 2)), compat=10)
        return np.array(d.inference(10))[1].reshape(SIDE, SIDE)
    def ours():
        small, p = (F.adaptive_avg_pool2d(torch.from_numpy(np.float32(a))[None], SIDE//4)[0] for a in (film, np.where(rough, .7, .3)))
        q = mean_field(crf_kernel(small.numpy(), 4), -torch.stack([1 - p, p], -1).log().view(-1, 2), 10)[:, 1].view(1, 1, SIDE//4, SIDE//4)
        return F.interpolate(q, (SIDE, SIDE), mode="bilinear")[0, 0].numpy()
    def iou(m): return ((m > .5) & truth).sum()/((m > .5) | truth).sum()
    a, b = best(theirs), best(ours)
    scores = dict(rough=iou(rough), peer=iou(a[1]), ours=iou(b[1]))
    assert scores["ours"] >= scores["peer"] - .02, scores
    k, q = torch.rand(6400, 6400), torch.rand(6400, 2)
    product, _ = best(lambda: [k @ q for _ in range(10)])
    table("320 px, two labels, ten iterations", {"pydensecrf2, full size": f"{a[0]:.2f} s, IoU {scores['peer']:.3f}", "exact, stride 4": f"{b[0]:.2f} s, IoU {scores['ours']:.3f}",
          "rough mask": f"IoU {scores['rough']:.3f}", "ten matrix products": f"{product:.3f} s"})
    verdict("crf", a[0], b[0], product, iou=round(float(scores["ours"]), 4), iou_peer=round(float(scores["peer"]), 4))


def picture():
    "A bright disc with soft noise, and its truth."
    r = np.random.default_rng(0); y, x = np.mgrid[:SIDE, :SIDE]
    truth = (y - 160)**2 + (x - 160)**2 < 90**2
    return (70 + 50*truth + r.normal(0, 4, truth.shape)).clip(0, 255).astype(np.uint8), truth


if __name__ == "__main__": main()
