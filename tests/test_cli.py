"""What a user types: help, mistakes, and what comes back."""
import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from PIL import Image

from chexseg.phantom import write_phantom
from chexseg.__main__ import main, parser
from chexseg.pipeline import STAGES, run_pipeline


@pytest.fixture(scope="module")
def films(tmp_path_factory): return write_phantom(tmp_path_factory.mktemp("films")/"phantom", train=24, val=40, test=12, side=64, seed=3, workers=1)


@pytest.fixture
def copy(films, tmp_path): return shutil.copytree(films, tmp_path/"copy")


def said(capsys, *argv):
    "Exit status and the one sentence on the error stream."
    status = main([str(a) for a in argv])
    err = [l for l in capsys.readouterr().err.splitlines() if l.startswith("chexseg:")]
    return status, err[-1] if err else ""


def test_every_command_has_help(capsys):
    for command in ("run", "predict", "phantom", *STAGES):
        with pytest.raises(SystemExit) as stop: parser().parse_args([command, "--help"])
        assert stop.value.code == 0 and "usage:" in capsys.readouterr().out


def test_installed_command_answers():
    got = subprocess.run([sys.executable, "-m", "chexseg", "--version"], capture_output=True, text=True)
    assert got.returncode == 0 and got.stdout.startswith("chexseg ") and "Warning" not in got.stderr, got.stderr


MISTAKES = {
    "missing folder": (lambda d: shutil.rmtree(d), [], "is not a folder"),
    "missing column": (lambda d: _edit(d/"CheXpert-v1.0/train.csv", lambda t: t.drop(columns="Path")), [], "has no column 'Path'"),
    "unknown task": (lambda d: None, ["--tasks", "Oedema"], "has no column 'Oedema'"),
    "two splits": (lambda d: _edit(d/"chexlocalize/CheXpert/val_labels.csv", _second_life), [], "is in the splits"),
    "mask without film": (lambda d: _masks(d, lambda m: m.update(nobody=next(iter(m.values())))), [], "have no film"),
    "size of a mask": (lambda d: _masks(d, lambda m: _resize(next(iter(m.values())))), [], "32x128"),
    "empty split": (lambda d: _edit(d/"CheXpert-v1.0/train.csv", lambda t: t[:0]), [], "lists no films"),
    "no test films": (lambda d: (d/"chexlocalize/CheXpert/test_labels.csv").unlink(), [], "'test'"),
    "more experts than films": (lambda d: None, ["--experts", "400"], "ask for fewer"),
    "film is missing": (lambda d: next((d/"CheXpert-v1.0/train").rglob("*.jpg")).unlink(), [], "films are missing"),
    "no positive": (lambda d: _edit(d/"CheXpert-v1.0/train.csv", lambda t: t.assign(Edema=0.)), [], "positive for Edema"),
    "policy": (lambda d: None, ["--uncertain", "U-Maybe"], "Unknown choice of uncertain 'U-Maybe'"),
    "cache": (lambda d: None, ["--cache", "/dev/null/films"], "cannot keep films"),
    "decoder": (lambda d: None, ["--decoder", "fnp"], "did you mean 'fpn'?"),
    "threshold": (lambda d: None, ["--threshold", "otzu"], "did you mean 'otsu'?"),
    "saliency method": (lambda d: None, ["--method", "gradcan"], "Unknown saliency method 'gradcan'"),
    "segmenters": (lambda d: None, ["--methods", "weakly"], "did you mean 'weak'?"),
    "gate without its method": (lambda d: None, ["--methods", "weak", "semi"], "is made from chexseg"),
    "truncated validation film": (lambda d: _cut(next((d/"chexlocalize/CheXpert/val").rglob("*.jpg"))), [], "is truncated or damaged"),
    "truncated film": (lambda d: _cut(next((d/"CheXpert-v1.0/train").rglob("*.jpg"))), [], "is truncated or damaged"),
}


def _edit(path, f): f(pd.read_csv(path)).to_csv(path, index=False)
def _cut(path): path.write_bytes(path.read_bytes()[:700])


def _second_life(t):
    "The first validation film becomes a film of a training patient."
    return t.assign(Patient=["patient00001"] + [None] * (len(t) - 1))


def _masks(d, f):
    path = d/"chexlocalize/CheXlocalize/gt_segmentations_val.json"
    m = json.loads(path.read_text()); f(m); path.write_text(json.dumps(m))


def _resize(film):
    for rle in film.values(): rle["size"] = [32, 128]  # as many pixels in another shape


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_met_with_a_sentence(name, copy, tmp_path, capsys):
    spoil, options, words = MISTAKES[name]
    spoil(copy)
    status, sentence = said(capsys, "run", copy, "--out", tmp_path/"run", "--side", 64, "--epochs", 1, "--until", "classifier", "--workers", 1, *options)
    assert status == 1 and words in sentence, sentence
    assert "\n" not in sentence and "Traceback" not in sentence


def test_predict_does_what_it_can(films, tmp_path, capsys):
    run = run_pipeline(films, out=tmp_path/"run", tasks=["Enlarged Cardiomediastinum"], side=64, epochs=2, steps=10, seg_bs=8, bootstraps=50, workers=1)
    film = next((films/"chexlocalize/CheXpert/test").rglob("*.jpg"))
    broken = tmp_path/"broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    status, sentence = said(capsys, "predict", film, broken, "--model", run.folder, "--out", tmp_path/"out")
    assert status == 1 and "broken.png" in sentence
    made = json.loads((tmp_path/"out"/"segmentations.json").read_text())
    assert [list(m) for m in made.values()] == [["Enlarged Cardiomediastinum"]]
    assert Image.open(next((tmp_path/"out").glob("*.png"))).size == Image.open(film).size
    assert said(capsys, "predict", film, "--model", tmp_path/"nowhere")[0] == 1


def test_films_are_kept_as_squares(films, tmp_path, monkeypatch):
    monkeypatch.setenv("CHEXSEG_CACHE", "")                        # so that it is as before afterwards
    tiny = dict(data=films, side=32, epochs=1, experts=12, until="classifier", workers=0)
    run = run_pipeline(out=tmp_path/"kept", cache=tmp_path/"squares", **tiny)
    squares = list((tmp_path/"squares").rglob("*.png"))
    monkeypatch.setenv("CHEXSEG_CACHE", ""); STAGES["saliency"](run.folder)  # a later stage, asked for by itself, keeps and reads them too
    assert os.environ["CHEXSEG_CACHE"] == str(tmp_path/"squares")
    assert len(squares) == len(pd.read_csv(run/"study.csv")) and {Image.open(p).size for p in squares} == {(32, 32)}
    monkeypatch.setenv("CHEXSEG_CACHE", "")
    again = run_pipeline(out=tmp_path/"read", **tiny)
    assert (run/"classifier.safetensors").read_bytes() == (again/"classifier.safetensors").read_bytes()
