"""Each stage on another device, or in half precision, gives what the processor gives in full precision.

Where there is no GPU, the tests on `cuda` are skipped and say why; those in half precision run on any processor, and
those on the device `meta`, which has shapes but no numbers, know the sizes of the paper."""
import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch

from chexseg.classifier import build_classifier, fit_classifier, load_classifier, predict_probs
from chexseg.core import TASKS, ChexsegError, set_seed
from chexseg.data import open_study
from chexseg.dataset import write_phantom
from chexseg.evaluation import iou_table
from chexseg.hardware import best_device, enough_memory, missing_gpu, on_device, training_bytes
from chexseg.inference import predict_masks
from chexseg.irnet import fit_irnet, walk_maps
from chexseg.ours import fit_ours
from chexseg.runs import story
from chexseg.saliency import compute_saliency
from chexseg.segmentation import build_segmenter, mask_probs
from chexseg.supervision import add_vote, fit_segmenter, fit_student

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason=f"no GPU: {missing_gpu()}"))
NEAR = .06 # probabilities in half precision


@pytest.fixture(params=["half", CUDA])
def other(request):
    "Another way to compute: half precision on the processor, or a GPU."
    if request.param == "cuda":
        with on_device("cuda"):
            yield "cuda"
        return
    with mock.patch("chexseg.hardware.fast_bf16", lambda: True), on_device("cpu"):
        yield "half"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_phantom(tmp_path_factory.mktemp("phantom"), 80, 40, 24, side=64, seed=2))


@pytest.fixture(scope="module")
def learnt(study):
    "The story's classifier, a segmenter that begins with its trunk, and films that neither has seen."
    with plain():
        classifier = load_classifier(story()/"classifier")
        how = dict(expert=study.part("valid"), labelled=study.part("weak"), side=64, weights=classifier)
        return classifier, fit_segmenter("full", steps=60, lr=4e-3, **how).model, story().part("test")


def plain():
    "The processor, in full precision."
    return mock.patch.dict(os.environ, CHEXSEG_HALF="0", CHEXSEG_DEVICE="cpu")


def moved(model):
    "A model on the device in use."
    return model.to(best_device())


def test_probabilities(other, learnt):
    classifier, _, films = learnt
    with plain():
        want = predict_probs(classifier.cpu(), films)
    assert np.abs(predict_probs(moved(classifier), films) - want).max() < NEAR


@pytest.mark.parametrize("saliency", ["gradcam", "gradcam+layercam", "integratedgradients"])
def test_maps(other, learnt, saliency):
    classifier, _, films = learnt
    few = films.subset(films.ids[:3])
    with plain():
        want = compute_saliency(classifier.cpu(), few, saliency=saliency)
    got = compute_saliency(moved(classifier), few, saliency=saliency)
    assert np.abs(got.probs - want.probs).max() < NEAR
    strong = want.maxima > .1*want.maxima.max()
    assert np.median(np.abs(got.maps.astype(float) - want.maps)[strong].mean((-1, -2))) < .05
    np.testing.assert_allclose(got.maxima[strong], want.maxima[strong], rtol=.25)


def test_outlines(other, learnt):
    _, segmenter, films = learnt
    with plain():
        want = predict_masks(segmenter.cpu(), films)
    got = predict_masks(moved(segmenter), films)
    assert iou_table(got, want, films.ids).mean().mean() > .95


def test_vote_and_memory(other, learnt):
    "The voter goes where the segmenter is."
    classifier, segmenter, films = learnt
    model = add_vote(moved(segmenter), classifier.cpu(), expert=films, labelled=films)
    probs, scores = next(mask_probs(model, films))
    assert next(model.voter.parameters()).device.type == best_device().type
    assert np.isfinite(probs).all() and np.isfinite(scores).all()


def first_losses(study, steps=3):
    "The losses of a short training of classifier and segmenter."
    weak, expert = study.part("weak"), study.part("valid")
    classifier = fit_classifier(weak, expert, "small", side=64, epochs=1, bs=16, moved=False)
    segmenter = fit_segmenter("full", expert=expert, side=64, weights=classifier.model, steps=steps, moved=False)
    return np.array([classifier.recorder.losses[0], segmenter.recorder.losses[0]], float)


def test_losses_of_the_first_steps(other, study):
    with plain():
        want = first_losses(study)
    np.testing.assert_allclose(first_losses(study), want, rtol=.05)


def test_every_training_runs(other, study):
    "Classifier, IRNet, each kind of segmenter, and a student: on this device to the end."
    weak, expert = study.part("weak"), study.part("valid")
    net = fit_classifier(weak, expert, "small", side=64, epochs=1).model
    maps = compute_saliency(net, weak, saliency="gradcam+layercam")
    walked = walk_maps(fit_irnet(net, weak, maps, weak.labels == 1, side=64, steps=2).model, weak, maps)
    assert np.isfinite(walked.maps.astype(np.float32)).all()
    how = dict(expert=expert, labelled=weak, steps=2)
    full = fit_segmenter("full", side=64, weights=net, **how).model
    ours = fit_ours(weak=weak, maps=maps, trained=[full]*3, rounds=1, **how).model
    student = fit_student(full, weak, **how).model
    for model in (full, ours, student):
        assert next(model.parameters()).device.type == best_device().type
        assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("encoder, decoder", [("resnet34", "dynamic"), ("densenet121", "dynamic"), ("small", "light"),
                                             ("resnet18", "fpn"), ("resnet18", "deeplabv3plus")])
def test_networks_of_the_paper_at_320_pixels(encoder, decoder):
    "Without a number computed: as many masks as tasks, and a step of 16 films within the memory of a T4."
    pytest.importorskip("segmentation_models_pytorch")
    seen = []
    model = build_segmenter(encoder, TASKS, 320, decoder=decoder)
    coarse = model.coarse
    used = training_bytes(model, 320, 16, lambda z: (seen.append(z.shape), z.sum())[1])
    assert seen == [(16, 10, 320//coarse, 320//coarse)]
    assert used < 15e9*.9


def test_classifier_of_the_paper_at_320_pixels():
    seen = []
    used = training_bytes(build_classifier("densenet121", 14), 320, 16, lambda z: (seen.append(z.shape), z.sum())[1])
    assert seen == [(16, 14)] and used < 15e9/2


def small_run(out, *more):
    "A whole run by the command line."
    short = ("--films 60 40 20 --side 64 --experts 10 --classifier-epochs 1 --segmenter-steps 2 --irnet-steps 2 "
             "--bootstraps 20 --workers 0")
    done = subprocess.run([sys.executable, "-m", "chexseg", "run", "--out", str(out), *short.split(), *more],
                          capture_output=True, text=True, env=os.environ | dict(CHEXSEG_PROGRESS="0"), timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(not torch.cuda.is_available(), reason=f"no GPU: {missing_gpu()}")
def test_a_whole_run_on_a_gpu(tmp_path):
    said = small_run(tmp_path/"run", "--device", "cuda", "--preset", "table")
    assert torch.cuda.get_device_name() in said
    assert (tmp_path/"run"/"report.html").exists()


def test_the_preset_for_a_gpu_runs_small_on_a_processor(tmp_path):
    small_run(tmp_path/"run", "--device", "cpu", "--preset", "gpu", "--no-classifier-pretrained",
              "--classifier-arch", "small", "--segmenter-encoder", "small", "--methods", "full", "ours")
    assert (tmp_path/"run"/"report.html").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason=f"no GPU: {missing_gpu()}")
def test_a_full_gpu_is_one_sentence():
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(.05)
    try:
        with pytest.raises(ChexsegError, match="the memory of the GPU is full.*make the batch smaller"):
            with enough_memory("this test", "the batch"):
                torch.empty(int(torch.cuda.get_device_properties(0).total_memory*.5), dtype=torch.uint8, device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.)


def test_seeds_are_the_same_on_each_device(other):
    "Weights and moves are drawn on the processor, so that a GPU begins from the same network."
    set_seed(1)
    want = build_segmenter("small", side=64).state_dict()
    set_seed(1)
    got = moved(build_segmenter("small", side=64)).state_dict()
    assert all(torch.equal(want[k], got[k].cpu()) for k in want)


def test_the_benchmark_of_a_gpu_runs_small():
    from benchmarks.gpu import SMALL, hours, measured
    rows = measured(SMALL, 0)
    assert list(rows) == ["classifier, training", "Grad-CAM of ten tasks", "U-Net, training", "U-Net, outlining"]
    assert all(row["films_per_second"] > 0 for row in rows.values())
    assert all(h > 0 for h in hours(rows).values())
