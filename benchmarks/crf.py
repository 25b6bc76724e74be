"""Exact mean field at stride 4 against pydensecrf2 at full size.

    pip install pydensecrf2 && python -m benchmarks.crf"""
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.crf import CRFKernel, mean_field
from chexseg.phantom import phantom_film

SIDE = 320
FILMS = 12
MASKS = ("Cardiomegaly", "Consolidation", "Pleural Effusion")
MISSING = ("crf is left out: pydensecrf2, its peer, is not installed "
           "(pip install pydensecrf2; it needs a compiler)")


class Case(NamedTuple):
    "A film, a mask of it, and a poor version of that mask."
    film: np.ndarray
    truth: np.ndarray
    rough: np.ndarray


def shifted(mask):
    "The mask, an eighth of its height too low and an eighth of its width too far left."
    y, x = (np.ptp(a) + 1 for a in np.nonzero(mask))
    return np.roll(mask > 0, (y//8, -x//8), (0, 1))


def make_cases():
    "Every mask of a few phantoms."
    cases = []
    for k in range(FILMS):
        film = phantom_film(1, k, SIDE)
        masks = [film.masks[TASKS.index(t)] for t in MASKS]
        cases += [Case(film.image, m > 0, shifted(m)) for m in masks if m.any()]
    return cases


def peer(case):
    "pydensecrf2 at full size: probability of the mask."
    import pydensecrf.densecrf as dcrf
    from pydensecrf.utils import unary_from_labels
    d = dcrf.DenseCRF2D(SIDE, SIDE, 2)
    unary = unary_from_labels(case.rough.astype(np.int32), 2, gt_prob=.7, zero_unsure=False)
    d.setUnaryEnergy(np.ascontiguousarray(unary))
    d.addPairwiseGaussian(sxy=3, compat=3)
    rgb = np.ascontiguousarray(np.repeat(case.film[..., None], 3, 2))
    d.addPairwiseBilateral(sxy=50, srgb=20, rgbim=rgb, compat=10)
    return np.array(d.inference(10))[1].reshape(SIDE, SIDE)


def smaller(a):
    "A picture at stride 4."
    return F.adaptive_avg_pool2d(torch.from_numpy(np.float32(a))[None], SIDE//4)[0]


def ours(case):
    "Exact mean field at stride 4: probability of the mask."
    small = smaller(case.film)
    p = smaller(np.where(case.rough, .7, .3))
    cost = -torch.stack([1 - p, p], -1).log().view(-1, 2)
    q = mean_field(CRFKernel(small.numpy(), 4), cost, 10)[:, 1].view(1, 1, SIDE//4, SIDE//4)
    return F.interpolate(q, (SIDE, SIDE), mode="bilinear")[0, 0].numpy()


def iou(mask, truth):
    "Overlap of a probability above one half with the truth."
    return ((mask > .5) & truth).sum()/((mask > .5) | truth).sum()


def mean_iou(f, cases):
    "Mean overlap of what `f` makes of each case."
    return np.mean([iou(f(case), case.truth) for case in cases])


def agreement(cases):
    "Share of pixels that get the same label from both."
    return np.mean([((ours(case) > .5) == (peer(case) > .5)).mean() for case in cases])


def ten_products():
    "Seconds to read the matrix ten times, if it were at hand."
    k = torch.rand(6400, 6400)
    q = torch.rand(6400, 1)
    return best(lambda: [k @ q for _ in range(10)])[0]


def main():
    try:
        import pydensecrf.densecrf  # noqa: F401
    except ImportError:
        return print(MISSING)
    cases = make_cases()
    agree = agreement(cases)
    ways = dict(rough=lambda case: case.rough, peer=peer, ours=ours)
    scores = {name: mean_iou(f, cases) for name, f in ways.items()}
    assert agree > .98 and scores["ours"] >= scores["peer"] - .005, (agree, scores)
    theirs, _ = best(lambda: peer(cases[0]), 5)
    mine, _ = best(lambda: ours(cases[0]), 5)
    product = ten_products()
    table(f"320 px, two labels, ten iterations; IoU: mean of {len(cases)} shifted masks on {FILMS} phantoms", {
        "pydensecrf2, full size": f"{theirs:.3f} s, IoU {scores['peer']:.3f}",
        "exact, stride 4": f"{mine:.3f} s, IoU {scores['ours']:.3f}",
        "shifted mask": f"IoU {scores['rough']:.3f}",
        "pixels with the same label": f"{agree:.1%}",
        "ten matrix products": f"{product:.3f} s"})
    rounded = {name: round(float(value), 4) for name, value in scores.items()}
    verdict("crf", theirs, mine, product, iou_shifted=rounded["rough"], iou=rounded["ours"], iou_peer=rounded["peer"])


if __name__ == "__main__":
    main()
