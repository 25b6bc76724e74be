"""What a user types: help, mistakes, and what comes back."""
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file

from chexseg.__main__ import main, parser
from chexseg.choices import STAGES, STUDIES
from chexseg.data import open_study
from chexseg.dataset import write_phantom
from chexseg.evaluation import CONVENTIONS, bootstrap, fractions
from chexseg.pipeline import RUN_STAGE, run_pipeline
from chexseg.report import EXPLAINED, results_text

OWN = ("init", "run", "predict", "retune", "verify", "phantom", "excerpt", "study")
COMMANDS = [[c] for c in (*OWN, *STAGES)] + [["study", s] for s in STUDIES]


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")/"phantom"
    return write_phantom(folder, train=24, val=40, test=12, side=64, seed=3, workers=1)


@pytest.fixture
def copy(films, tmp_path):
    return shutil.copytree(films, tmp_path/"copy")


def said(capsys, *argv):
    "Exit status and the one sentence on the error stream."
    status = main([str(a) for a in argv])
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("chexseg:")]
    return status, err[-1] if err else ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        parser().parse_args([*command, "--help"])
    assert stop.value.code == 0 and "usage:" in capsys.readouterr().out


def test_installed_command_answers():
    got = subprocess.run([sys.executable, "-m", "chexseg", "--version"], capture_output=True, text=True)
    assert got.returncode == 0 and got.stdout.startswith("chexseg ") and "Warning" not in got.stderr, got.stderr


# Mistakes ------------------------------------------------------------------------------------------------------------

TRAIN = "CheXpert-v1.0/train.csv"
VALID = "chexlocalize/CheXpert/val_labels.csv"
TEST = "chexlocalize/CheXpert/test_labels.csv"
TRAIN_FILMS = "CheXpert-v1.0/train"
VALID_FILMS = "chexlocalize/CheXpert/val"
MASKS = "chexlocalize/CheXlocalize/gt_segmentations_val.json"


def edit(path, f):
    "Write a table anew after `f`."
    f(pd.read_csv(path)).to_csv(path, index=False)


def edit_masks(folder, f):
    "Write the experts' masks anew after `f` has changed them."
    path = folder/MASKS
    masks = json.loads(path.read_text())
    f(masks)
    path.write_text(json.dumps(masks))


def film_in(folder):
    "One film of a folder."
    return next(folder.rglob("*.jpg"))


def cut_off(path):
    "Leave the first bytes of a file."
    path.write_bytes(path.read_bytes()[:700])


def second_life(t):
    "The first film of a table becomes a film of a training patient."
    return t.assign(Patient=["patient00001"] + [None]*(len(t) - 1))


def add_nobody(masks):
    "Masks of a film that is not there."
    masks["nobody"] = next(iter(masks.values()))


def other_shape(masks):
    "As many pixels in another shape."
    for rle in next(iter(masks.values())).values():
        rle["size"] = [32, 128]


SPOILED = { # name -> what is done to the folder, and words of the sentence that says so
    "missing folder": (shutil.rmtree, "is not a folder"),
    "missing column": (lambda d: edit(d/TRAIN, lambda t: t.drop(columns="Path")), "has no column 'Path'"),
    "two splits": (lambda d: edit(d/VALID, second_life), "is in the splits"),
    "mask without film": (lambda d: edit_masks(d, add_nobody), "have no film"),
    "size of a mask": (lambda d: edit_masks(d, other_shape), "32x128"),
    "empty split": (lambda d: edit(d/TRAIN, lambda t: t[:0]), "lists no films"),
    "no test films": (lambda d: (d/TEST).unlink(), "'test'"),
    "film is missing": (lambda d: film_in(d/TRAIN_FILMS).unlink(), "films are missing"),
    "no positive": (lambda d: edit(d/TRAIN, lambda t: t.assign(Edema=0.)), "positive for Edema"),
    "truncated validation film": (lambda d: cut_off(film_in(d/VALID_FILMS)), "is truncated or damaged"),
    "truncated film": (lambda d: cut_off(film_in(d/TRAIN_FILMS)), "is truncated or damaged"),
}
MISTYPED = { # name -> options, and words of the sentence that says what is wrong with them
    "unknown task": ("--tasks Oedema", "has no column 'Oedema'"),
    "more experts than films": ("--experts 400", "ask for fewer"),
    "policy": ("--uncertain U-Maybe", "Unknown choice of uncertain 'U-Maybe'"),
    "cache": ("--cache /dev/null/films", "cannot keep films"),
    "decoder": ("--segmenter-decoder fnp", "did you mean 'fpn'?"),
    "threshold": ("--threshold otzu", "did you mean 'otsu'?"),
    "saliency method": ("--saliency gradcan", "Unknown saliency method 'gradcan'"),
    "segmenters": ("--methods weakly", "did you mean 'weak'?"),
    "vote without its method": ("--methods weak semi+vote", "is made from semi"),
}


def run_says(capsys, films, out, options=""):
    "What a short run says of these films and options: exit status 1 and one sentence."
    short = "--side 64 --classifier-epochs 1 --until saliency --workers 1"
    status, sentence = said(capsys, "run", films, "--out", out, *short.split(), *options.split())
    assert status == 1 and "Traceback" not in sentence
    return sentence


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_data_is_met_with_a_sentence(name, copy, tmp_path, capsys):
    spoil, words = SPOILED[name]
    spoil(copy)
    assert words in run_says(capsys, copy, tmp_path/"run")


@pytest.mark.parametrize("name", MISTYPED)
def test_mistyped_options_are_met_with_a_sentence(name, films, tmp_path, capsys):
    options, words = MISTYPED[name]
    assert words in run_says(capsys, films, tmp_path/"run", options)


# What comes back -----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def one_task(films, tmp_path_factory):
    "A short run on one task, with segmenters."
    return run_pipeline(films, out=tmp_path_factory.mktemp("one_task")/"run", tasks=["Enlarged Cardiomediastinum"],
                        side=64, classifier_epochs=2, segmenter_steps=10, segmenter_bs=8, bootstraps=50, workers=1)


def test_a_run_ends_with_one_table(one_task):
    "What `chexseg run` prints: at most 100 columns, all films with masks named, every number explained."
    text = results_text(one_task)
    assert max(len(line) for line in text.splitlines()) <= 100
    films = one_task.films
    outlined = f"{films['expert']} films outlined by experts to learn from, and {films['valid']} more that only"
    assert outlined in " ".join(text.split())
    assert all(f"{name}: {meaning}" in text for name, meaning in EXPLAINED.items())
    page = (one_task/"report.html").read_text(encoding="utf-8")
    assert f"and {films['valid']} more that only" in page


def test_readers_of_a_phantom_are_not_called_radiologists(one_task, copy, tmp_path):
    assert "simulated readers" in results_text(one_task) and "radiologist" not in results_text(one_task)
    assert "radiologist" not in (one_task/"report.html").read_text(encoding="utf-8")
    assert set(pd.read_csv(one_task/"hits.csv").method) == {"saliency", "readers"}
    (copy/"phantom.json").unlink() # now they are films of a user
    assert run_pipeline(copy, out=tmp_path/"run", until="prepare", workers=1).labels["readers"] == "radiologists"


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_follows_from_the_areas(convention, one_task):
    chosen = one_task.choices.run
    scores = {m: fractions(a, convention) for m, a in one_task.areas().items()}
    again = bootstrap(scores, one_task.part("test").patients, chosen.bootstraps, chosen.seed)
    pd.testing.assert_frame_equal(again, one_task.results(convention))


def test_predict_does_what_it_can(films, one_task, tmp_path, capsys):
    film = film_in(films/"chexlocalize/CheXpert/test")
    broken = tmp_path/"broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    out = tmp_path/"out"
    status = main(["predict", str(film), str(broken), "--model", str(one_task.folder), "--out", str(out)])
    err = capsys.readouterr().err
    assert status == 3 and "broken.png cannot be read" in err and "1 of 2 films could not be outlined" in err
    made = json.loads((out/"segmentations.json").read_text())
    assert [list(m) for m in made.values()] == [["Enlarged Cardiomediastinum"]]
    assert Image.open(next(out.glob("*.png"))).size == Image.open(film).size
    table = pd.read_csv(out/"films.csv")
    mask = np.asarray(Image.open(next(out.glob("masks/Enlarged Cardiomediastinum/*.png"))))
    assert table["Enlarged Cardiomediastinum: pixels"].tolist() == [np.count_nonzero(mask)]


def test_predict_ends_with_1_where_no_film_could_be_outlined(one_task, tmp_path, capsys):
    (tmp_path/"broken.png").write_text("nothing")
    broken, out = tmp_path/"broken.png", tmp_path/"out"
    status, sentence = said(capsys, "predict", broken, "--model", one_task.folder, "--out", out)
    assert status == 1 and "No film could be outlined" in sentence and not (tmp_path/"out").exists()


def test_predict_takes_folders_and_patterns(films, one_task, tmp_path, capsys):
    test = films/"chexlocalize/CheXpert/test"
    n = len(list(test.rglob("*.jpg")))
    for k, what in enumerate((test, test/"**"/"*.jpg")):
        out = tmp_path/str(k)
        assert said(capsys, "predict", what, "--model", one_task.folder, "--out", out, "--write", "csv", "json")[0] == 0
        assert len(pd.read_csv(out/"films.csv")) == n and sorted(f.name for f in out.iterdir())[0] == "films.csv"
    status, sentence = said(capsys, "predict", tmp_path/"*.dcm", "--model", one_task.folder, "--out", tmp_path/"out")
    assert status == 1 and "name a film, a folder of films or a pattern" in sentence


def test_what_predict_writes_can_be_learnt_from(films, one_task, tmp_path, capsys):
    "Predict, correct, train again: masks come out in the layout in which they go in."
    folder = tmp_path/"mine"
    shutil.copytree(films/"chexlocalize/CheXpert/test", folder/"films")
    main(["init", str(folder), "--tasks", "Enlarged Cardiomediastinum"])
    assert said(capsys, "predict", folder/"films", "--model", one_task.folder, "--out", tmp_path/"out")[0] == 0
    shutil.copytree(tmp_path/"out/masks", folder/"masks", dirs_exist_ok=True)
    table = pd.read_csv(folder/"labels.csv").assign(**{"Enlarged Cardiomediastinum": 1})
    table.to_csv(folder/"labels.csv", index=False)
    study = open_study(folder)
    made = json.loads((tmp_path/"out/segmentations.json").read_text())
    assert len(study.experts) == len(made)


def test_retune_changes_thresholds_and_nothing_else(films, one_task, tmp_path, capsys):
    out = tmp_path/"retuned"
    command = ("retune", films, "--model", one_task.folder, "--method", "full", "--out", out)
    assert said(capsys, *command)[0] == 0
    status, sentence = said(capsys, *command)
    assert status == 1 and "is there already" in sentence
    old, new = (json.loads(p.read_text()) for p in (one_task/"segmenters/full.json", out.with_suffix(".json")))
    assert {k for k in old if old[k] != new[k]} <= {"thresholds", "cutoffs", "versions"}
    weights = [load_file(p) for p in (one_task/"segmenters/full.safetensors", out.with_suffix(".safetensors"))]
    assert all((weights[0][k] == weights[1][k]).all() for k in weights[0])


def test_predict_never_writes_over_a_film(films, one_task, tmp_path, capsys, monkeypatch):
    film = tmp_path/"film.png"
    Image.open(film_in(films/"chexlocalize/CheXpert/test")).save(film)
    (tmp_path/"link.png").symlink_to(film)
    os.link(film, tmp_path/"twin.png")
    before = film.read_bytes()
    monkeypatch.chdir(tmp_path)
    for given, out in (("film.png", "."), ("./film.png", tmp_path), ("link.png", "."), ("twin.png", tmp_path/"x"/"..")):
        (tmp_path/"x").mkdir(exist_ok=True)
        status, sentence = said(capsys, "predict", given, "--model", one_task.folder, "--out", out, "--overwrite")
        assert status == 1 and "would be written over" in sentence
        assert film.read_bytes() == before and not (tmp_path/"segmentations.json").exists()


def test_predict_writes_over_its_own_only_when_asked(films, one_task, tmp_path, capsys):
    command = ("predict", film_in(films/"chexlocalize/CheXpert/test"), "--model", one_task.folder, "--out", tmp_path)
    (tmp_path/"segmentations.json").write_text("{}")
    status, sentence = said(capsys, *command)
    assert status == 1 and "segmentations.json exists" in sentence and "--overwrite" in sentence
    assert [f.name for f in tmp_path.iterdir()] == ["segmentations.json"]
    assert said(capsys, *command, "--overwrite")[0] == 0
    assert len(json.loads((tmp_path/"segmentations.json").read_text())) == 1


def test_predict_wants_a_model(films, tmp_path, capsys):
    film = film_in(films/"chexlocalize/CheXpert/test")
    status, sentence = said(capsys, "predict", film, "--model", tmp_path/"nowhere")
    assert status == 1 and sentence


def test_films_are_kept_as_squares(films, tmp_path):
    tiny = dict(data=films, side=32, classifier_epochs=1, experts=12, until="saliency", workers=0)
    run = run_pipeline(out=tmp_path/"kept", cache=tmp_path/"squares", **tiny)
    squares = set((tmp_path/"squares").rglob("*.png"))
    RUN_STAGE["pseudomasks"](run.folder) # a later stage, asked for by itself, adds none
    assert squares == set((tmp_path/"squares").rglob("*.png"))
    assert "CHEXSEG_CACHE" not in os.environ
    assert len(squares) == len(pd.read_csv(run/"study.csv")) and {Image.open(p).size for p in squares} == {(32, 32)}
    again = run_pipeline(out=tmp_path/"read", **tiny)
    assert (run/"classifier.safetensors").read_bytes() == (again/"classifier.safetensors").read_bytes()
