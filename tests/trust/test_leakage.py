"""Nothing of the test films, and no outline beyond the experts', can reach a network, a threshold or a map."""
import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chexseg.core import ChexsegError, read_json, write_json
from chexseg.data import open_study
from chexseg.dataset import write_phantom
from chexseg.masks import MaskSet
from chexseg.pipeline import run_pipeline

LEARNT = ("classifier.*", "segmenters/*", "masks/pseudo.json", "tuning_results.csv", "saliency/weak/*",
          "saliency/expert/*")
SMALL = dict(side=64, experts=8, classifier_epochs=1, segmenter_steps=4, segmenter_bs=4, bootstraps=10, workers=0,
             methods=("full", "full+vote", "semi", "ours"), until="segmenters")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    "A folder of films in the layout of CheXpert."
    return write_phantom(tmp_path_factory.mktemp("data")/"films", 40, 30, 10, side=64)


def learnt(folder, run):
    "{file: digest} of all that a run over a folder has learnt."
    run_pipeline(folder, run, **SMALL)
    files = sorted(p for pattern in LEARNT for p in run.glob(pattern))
    assert len(files) > 12
    return {p.relative_to(run).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def honest(data, tmp_path_factory):
    "What a run has learnt from the films as they are."
    return learnt(data, tmp_path_factory.mktemp("honest")/"run")


def spoil_masks(file, ids):
    "Give films each other's outlines."
    masks = read_json(file)
    some = [i for i in masks if i in set(ids)]
    write_json(file, masks | dict(zip(some, [masks[i] for i in some[1:] + some[:1]])))
    return len(some)


def test_test_films_teach_nothing(data, honest, tmp_path):
    "Other pixels, other labels and other outlines of all test films: not a bit of what is learnt changes."
    folder = shutil.copytree(data, tmp_path/"films")
    test = open_study(folder).part("test")
    for k, path in enumerate(test.paths):
        noise = np.random.default_rng(k).integers(0, 255, test.size(k), np.uint8)
        Image.fromarray(noise).save(path)
    labels = next(folder.rglob("test_labels.csv"))
    table = pd.read_csv(labels)
    findings = table.columns[5:]
    table[findings] = 1 - table[findings].fillna(0).clip(0, 1)
    table.to_csv(labels, index=False)
    assert all(spoil_masks(file, test.ids) > 2 for file in folder.rglob("*_segmentations_test.json"))
    assert learnt(folder, tmp_path/"run") == honest


def mirror_masks(file, ids):
    "Exchange left and right in the outlines of films; which findings they show stays as it is."
    masks = MaskSet.read(file)
    some = [i for i in masks.ids if i in set(ids)]
    for i in some:
        masks.add(i, masks.get(i)[..., ::-1])
    masks.save(file)
    return len(some)


def test_outlines_beyond_the_experts_teach_nothing(data, honest, tmp_path):
    """The budget is total: outlines of validation films that were not drawn as experts' change nothing.

    (Which findings they show, not where, has been looked at: the draw covers every finding as evenly as it can.)"""
    folder = shutil.copytree(data, tmp_path/"films")
    run = run_pipeline(folder, tmp_path/"look", **SMALL | dict(until="prepare"))
    assert mirror_masks(next(folder.rglob("gt_segmentations_val.json")), run.part("valid").ids) > 5
    assert learnt(folder, tmp_path/"run") == honest


def test_experts_outlines_do_teach(data, honest, tmp_path):
    "The same test with the experts' films, so that it is known to be able to fail."
    folder = shutil.copytree(data, tmp_path/"films")
    run = run_pipeline(folder, tmp_path/"look", **SMALL | dict(until="prepare"))
    assert mirror_masks(next(folder.rglob("gt_segmentations_val.json")), run.part("expert").ids) > 5
    other = learnt(folder, tmp_path/"run")
    changed = {name for name in honest if honest[name] != other[name]}
    assert {"segmenters/full.safetensors", "segmenters/ours.safetensors"} <= changed
    assert "classifier.safetensors" not in changed # which learns from labels


def in_test_too(folder, film):
    "Put a film of the first training patient among the test films as well."
    labels, train = (next(folder.rglob(name)) for name in ("test_labels.csv", "train.csv"))
    patient = pd.read_csv(train).Path[0].split("/")[2]
    place = labels.parent/"test"/patient/"study9"/"view1_frontal.jpg"
    place.parent.mkdir(parents=True)
    film(next(folder.rglob(f"{patient}/*/*.jpg")), place)
    theirs = pd.read_csv(labels)
    row = theirs.iloc[[0]].assign(Path=f"test/{patient}/study9/view1_frontal.jpg")
    pd.concat([theirs, row]).to_csv(labels, index=False)
    return patient


def another_film(_, place):
    "Noise."
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(place)


@pytest.mark.parametrize("film, says", [(another_film, "is in the splits"), (shutil.copyfile, "is in the splits")])
def test_a_patient_or_a_film_in_two_splits_is_refused(data, tmp_path, film, says):
    folder = shutil.copytree(data, tmp_path/"films")
    patient = in_test_too(folder, film)
    with pytest.raises(ChexsegError, match=f"{patient}.*{says}"):
        run_pipeline(folder, tmp_path/"run", **SMALL)
