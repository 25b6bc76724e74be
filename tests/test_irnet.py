"""The dense CRF and the random walk against code that others wrote, or wrote differently."""
import numpy as np
import pytest
import torch

from chexseg.crf import CRFKernel, mean_field
from chexseg.irnet import affinities, paths, random_walk


def disc(side=64, seed=0):
    "A bright disc, a rough label of it, and the truth."
    r = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    truth = (y - side/2)**2 + (x - side/2)**2 < (side*.3)**2
    grey = (70 + 50*truth + r.normal(0, 2, truth.shape)).clip(0, 255).astype(np.uint8)
    rough = np.roll(truth, (side//10, -side//12), (0, 1))
    return grey, rough, truth


def iou(a, b):
    "Overlap of two masks."
    return (a & b).sum()/(a | b).sum()


def test_mean_field_is_that_of_pydensecrf():
    dcrf = pytest.importorskip("pydensecrf.densecrf", reason="its peer is missing: pip install pydensecrf2")
    from pydensecrf.utils import unary_from_labels
    grey, rough, truth = disc()
    unary = unary_from_labels(rough.astype(np.int32), 2, gt_prob=.7, zero_unsure=False)
    d = dcrf.DenseCRF2D(64, 64, 2)
    d.setUnaryEnergy(np.ascontiguousarray(unary))
    d.addPairwiseGaussian(sxy=3, compat=3)
    rgb = np.ascontiguousarray(np.repeat(grey[..., None], 3, 2))
    d.addPairwiseBilateral(sxy=50, srgb=5, rgbim=rgb, compat=10)
    theirs = np.array(d.inference(10))[1].reshape(64, 64) > .5
    kernel = CRFKernel(grey, stride=1, theta_beta=5)
    ours = mean_field(kernel, torch.from_numpy(unary.T.copy()), 10)[:, 1].view(64, 64).numpy() > .5
    assert (ours == theirs).mean() > .99 # theirs is an approximation on a lattice
    assert iou(ours, truth) >= iou(theirs, truth) - .005
    assert iou(ours, truth) > iou(rough, truth)


def dense(maps, edge, radius, beta, times):
    "IRNet's way: the matrix of all transitions, in double precision."
    h, w = edge.shape
    a = affinities(torch.from_numpy(edge)[None], radius)[0].numpy()
    A = np.eye(h*w)
    for k, ((dy, dx), *_) in enumerate(paths(radius)):
        y, x = np.mgrid[:h, :w]
        ok = (y + dy < h) & (0 <= x + dx) & (x + dx < w)
        i = (y*w + x)[ok]
        j = ((y + dy)*w + x + dx)[ok]
        A[i, j] = A[j, i] = a[k][ok]**beta
    T = np.linalg.matrix_power(A / A.sum(0), 2**times)
    return ((maps * (1 - edge)).reshape(len(maps), -1) @ T).reshape(maps.shape)


WALKS = [(3, 5, 3, torch.float32, 1e-5), (4, 1, 1, torch.float32, 1e-5), (5, 10, 8, torch.float64, 1e-11)]


@pytest.mark.parametrize("radius, beta, times, dtype, eps", WALKS)
def test_random_walk_is_the_dense_one(radius, beta, times, dtype, eps):
    r = np.random.default_rng(radius)
    maps, edge = (a.astype(np.float32).astype(float) for a in (r.random((10, 24, 20)), r.random((24, 20))**3))
    want = dense(maps, edge, radius, beta, times)
    batch = [torch.from_numpy(a).to(dtype)[None] for a in (maps, edge)]
    got = random_walk(*batch, radius, beta, times)[0].numpy()
    assert np.abs(got - want).max() / want.max() < eps


def test_walk_keeps_within_walls():
    wall = torch.zeros(1, 16, 16)
    wall[:, :, 8] = 1
    warm = torch.zeros(1, 1, 16, 16)
    warm[..., 2:6, 2:6] = 1
    out = random_walk(warm, wall, exp_times=8)[0, 0]
    assert out[:, 8:].abs().max() < 1e-12 and out[:, :8].min() > 0
