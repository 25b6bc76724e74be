"""What a user types: help, mistakes, and what comes back."""
import json
import os
import re
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
from chexseg.core import ChexsegError
from chexseg.data import open_study
from chexseg.dataset import write_phantom
from chexseg.evaluation import CONVENTIONS, bootstrap, fractions
from chexseg.pipeline import RUN_STAGE, run_pipeline
from chexseg.report import EXPLAINED, results_text
from chexseg.runs import Run, story
from chexseg.settings import EXIT_CODES, FIRST_STEPS

OWN = ("init", "run", "predict", "retune", "verify", "phantom", "excerpt", "study", "figures", "subgroups", "runs",
       "completion", "check", "import", "export", "cards", "push", "pull", "chexlocalize", "agree")
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


def test_the_first_steps_of_the_help_are_commands_that_are_understood():
    steps = [line.split("  ")[1].split() for line in FIRST_STEPS.splitlines() if line.startswith("  chexseg")]
    assert [parser().parse_args(words[1:]).command for words in steps] == ["run", "init", "check", "run", "predict"]
    assert FIRST_STEPS in parser().format_help()


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
    "film is missing": (lambda d: film_in(d/TRAIN_FILMS).unlink(), "does not exist"),
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
    overlay = Image.open(next(out.glob("overlays/*.png"))) # with its legend below
    assert (overlay.width, overlay.height > Image.open(film).height) == (Image.open(film).width, True)
    assert pd.read_csv(out/"failed.csv").id.tolist() == ["broken"]
    table = pd.read_csv(out/"films.csv")
    mask = np.asarray(Image.open(next(out.glob("masks/Enlarged Cardiomediastinum/*.png"))))
    assert table["Enlarged Cardiomediastinum: pixels"].tolist() == [np.count_nonzero(mask)]


def test_predict_ends_with_1_where_no_film_could_be_outlined(one_task, tmp_path, capsys):
    (tmp_path/"broken.png").write_text("nothing")
    broken, out = tmp_path/"broken.png", tmp_path/"out"
    status, sentence = said(capsys, "predict", broken, "--model", one_task.folder, "--out", out)
    assert status == 1 and "No film could be outlined" in sentence
    failed = pd.read_csv(out/"failed.csv")
    assert (failed.id.tolist(), failed.path.tolist()) == (["broken"], [str(broken)])
    assert [f.name for f in out.glob("[!.]*")] == ["failed.csv"]
    assert said(capsys, "predict", broken, "--model", one_task.folder, "--out", tmp_path/"b", "--write", "json")[0] == 1
    assert not (tmp_path/"b").exists()


def test_a_prediction_begun_twice_works_once(films, one_task, tmp_path, capsys):
    film = film_in(films/"chexlocalize/CheXpert/test")
    command = ("predict", film, "--model", one_task.folder, "--out", tmp_path/"out")
    holds = "import sys; from chexseg.owners import owned\nwith owned(sys.argv[1]):\n    print(flush=True)\n    input()"
    with subprocess.Popen([sys.executable, "-c", holds, str(tmp_path/"out")], stdin=-1, stdout=-1, text=True) as other:
        other.stdout.readline()
        status, sentence = said(capsys, *command)
        other.communicate("\n")
    assert status == 1 and f"is being worked on by process {other.pid}" in sentence
    assert not list((tmp_path/"out").glob("[!.]*"))
    assert said(capsys, *command)[0] == 0


def test_films_that_are_not_given_again_are_told(films, one_task, tmp_path, capsys):
    both = sorted((films/"chexlocalize/CheXpert/test").rglob("*.jpg"))[:2]
    command = ("--model", one_task.folder, "--out", tmp_path)
    assert said(capsys, "predict", *both, *command, "--write", "masks", "csv")[0] == 0
    status, sentence = said(capsys, "predict", both[0], *command, "--write", "masks", "csv")
    assert status == 0 and "also holds pictures of 1 film that it was given before and not this time" in sentence


def test_predict_reads_its_options_from_a_file(films, one_task, tmp_path, capsys):
    film = film_in(films/"chexlocalize/CheXpert/test")
    text = f"model = {str(one_task.folder)!r}\nout = {str(tmp_path/'a')!r}\nwrite = ['csv']"
    (tmp_path/"night.toml").write_text(text)
    assert main(["predict", str(film), "--config", str(tmp_path/"night.toml")]) == 0
    assert "1 film to be outlined" in capsys.readouterr().out # before the work, for a log
    assert sorted(f.name for f in (tmp_path/"a").glob("[!.]*")) == ["done.jsonl", "films.csv"]
    typed = ("--out", tmp_path/"b", "--write", "masks") # wins
    assert said(capsys, "predict", film, "--config", tmp_path/"night.toml", *typed)[0] == 0
    assert sorted(f.name for f in (tmp_path/"b").glob("[!.]*")) == ["done.jsonl", "masks"]
    (tmp_path/"night.toml").write_text("overwrite = 'yes'")
    status, sentence = said(capsys, "predict", film, "--config", tmp_path/"night.toml")
    assert status == 1 and "night.toml: overwrite='yes' is not true or false" in sentence


def test_a_prediction_that_is_ended_from_outside_says_so(films, one_task, tmp_path):
    many = [str(f) for f in sorted((films/"chexlocalize/CheXpert/test").rglob("*.jpg"))]*50
    slow = ("import sys, time, chexseg.predict as p; from chexseg.__main__ import main\n"
            "p._block = lambda *args: (print('now', flush=True), time.sleep(60))\nmain(sys.argv[1:])")
    command = [sys.executable, "-c", slow, "predict", *many, "--model", str(one_task.folder), "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as job:
        while job.stdout.readline() not in ("now\n", ""):
            pass
        job.terminate()
        _, err = job.communicate()
    assert job.returncode == -15 and "ended from outside (SIGTERM); the same command goes on where it was" in err


def test_predict_takes_folders_and_patterns(films, one_task, tmp_path, capsys):
    test = films/"chexlocalize/CheXpert/test"
    n = len(list(test.rglob("*.jpg")))
    for k, what in enumerate((test, test/"**"/"*.jpg")):
        out = tmp_path/str(k)
        assert said(capsys, "predict", what, "--model", one_task.folder, "--out", out, "--write", "csv", "json")[0] == 0
        assert len(pd.read_csv(out/"films.csv")) == n
        assert sorted(f.name for f in out.glob("[!.]*")) == ["done.jsonl", "films.csv", "segmentations.json"]
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
    status, sentence = said(capsys, *command)
    assert status == 0 and "were in the run that" in sentence and "test films on which thresholds" in sentence
    status, sentence = said(capsys, *command)
    assert status == 1 and "is there already" in sentence
    old, new = (json.loads(p.read_text()) for p in (one_task/"segmenters/full.json", out.with_suffix(".json")))
    assert {k for k in old if old[k] != new[k]} <= {"thresholds", "cutoffs", "versions", "sha256_config"}
    weights = [load_file(p) for p in (one_task/"segmenters/full.safetensors", out.with_suffix(".safetensors"))]
    assert all((weights[0][k] == weights[1][k]).all() for k in weights[0])


def test_predict_never_writes_over_a_film(films, one_task, tmp_path, capsys, monkeypatch):
    home = tmp_path/"overlays" # where predict writes pictures that are called like their films
    home.mkdir()
    film = home/"film.png"
    Image.open(film_in(films/"chexlocalize/CheXpert/test")).save(film)
    (home/"link.png").symlink_to(film)
    os.link(film, home/"twin.png")
    before = film.read_bytes()
    monkeypatch.chdir(tmp_path)
    (tmp_path/"x").mkdir()
    spellings = {"overlays/film.png": ".", "./overlays/film.png": tmp_path, "overlays/link.png": ".",
                 "overlays/twin.png": tmp_path/"x"/".."}
    for given, out in spellings.items():
        status, sentence = said(capsys, "predict", given, "--model", one_task.folder, "--out", out, "--overwrite")
        assert status == 1 and "would be written over" in sentence
        assert film.read_bytes() == before and not (tmp_path/"segmentations.json").exists()


def test_predict_writes_over_its_own_only_when_asked(films, one_task, tmp_path, capsys):
    command = ("predict", film_in(films/"chexlocalize/CheXpert/test"), "--model", one_task.folder, "--out", tmp_path)
    (tmp_path/"segmentations.json").write_text("{}")
    status, sentence = said(capsys, *command)
    assert status == 1 and "segmentations.json exists" in sentence and "--overwrite" in sentence
    assert [f.name for f in tmp_path.glob("[!.]*")] == ["segmentations.json"]
    assert said(capsys, *command, "--overwrite")[0] == 0
    assert len(json.loads((tmp_path/"segmentations.json").read_text())) == 1


def test_a_finished_prediction_tries_again_only_what_failed(films, one_task, tmp_path, capsys):
    film, bad, out = film_in(films/"chexlocalize/CheXpert/test"), tmp_path/"bad.png", tmp_path/"out"
    bad.write_text("nothing")
    command = ("predict", film, bad, "--model", one_task.folder, "--out", out)
    assert said(capsys, *command)[0] == 3
    before = {f: f.stat().st_mtime_ns for f in out.glob("overlays/*")}
    assert said(capsys, *command)[0] == 3
    Image.open(film).save(bad)
    assert said(capsys, *command)[0] == 0 and not (out/"failed.csv").exists()
    assert len(before) == 1 and all(f.stat().st_mtime_ns == at for f, at in before.items())
    assert len(pd.read_csv(out/"films.csv")) == 2


def test_a_run_that_was_kept_without_networks_says_so(films, tmp_path, capsys):
    film = film_in(films/"chexlocalize/CheXpert/test")
    status, sentence = said(capsys, "predict", film, "--model", story().folder, "--out", tmp_path/"out")
    assert status == 1 and "was kept without its segmenters, as an excerpt is" in sentence


def test_names_with_commas_and_parts_of_options_are_understood_as_slips(tmp_path, capsys):
    status, sentence = said(capsys, "run", "--out", tmp_path/"run", "--methods", "full,weak")
    assert status == 1 and "name one after the other, with blanks between" in sentence
    with pytest.raises(SystemExit) as ended:
        main(["run", "--epochs", "3"])
    err = capsys.readouterr().err
    assert ended.value.code == 2 and "did you mean --classifier-epochs or --segmenter-epochs?" in err


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


# Options from a file, a quiet screen, a log --------------------------------------------------------------------------

SHORT = "--side 64 --classifier-epochs 1 --until prepare --workers 1"


def config(folder, text):
    (folder/"mine.toml").write_text(text, encoding="utf-8")
    return folder/"mine.toml"


MISWRITTEN = { # what stands in the file, and words of the sentence that says what is wrong with it
    "unknown option": ("sdie = 64", "Unknown option 'sdie': did you mean 'side'?"),
    "a section": ("[segmenter]\nsteps = 5", "[segmenter] is a section"),
    "no TOML": ("side: 64", "is not TOML"),
    "a number as a word": ('side = "64"', "side='64' is not a whole number"),
    "a word as a number": ("out = 3", "out=3 is not a text: put it in quotes"),
    "a folder": (None, "cannot be read"),
}


@pytest.mark.parametrize("name", MISWRITTEN)
def test_a_miswritten_file_of_options_is_met_with_a_sentence(name, films, tmp_path, capsys):
    text, words = MISWRITTEN[name]
    file = tmp_path if text is None else config(tmp_path, text)
    status, sentence = said(capsys, "run", films, "--out", tmp_path/"run", "--config", file, *SHORT.split()[2:])
    assert status == 1 and words in sentence and "Traceback" not in sentence
    assert not (tmp_path/"run").exists()


def test_what_is_typed_wins_over_the_file_and_the_file_over_the_preset(films, tmp_path, capsys):
    file = config(tmp_path, f"experts = 9\nclassifier-epochs = 2\nout = '{tmp_path}/run'\npreset = 'gpu'\nside = 96")
    assert said(capsys, "run", films, "--config", file, *SHORT.split())[0] == 0
    c = Run(tmp_path/"run").choices
    assert (c.study.side, c.classifier.epochs, c.study.experts, c.classifier.arch) == (64, 1, 9, "resnet34")


def test_a_run_is_repeated_from_the_file_that_it_leaves(films, tmp_path, capsys):
    assert said(capsys, "run", films, "--out", tmp_path/"one", *SHORT.split())[0] == 0
    again = ("run", "--config", tmp_path/"one"/"run.toml", "--out", tmp_path/"two", "--until", "prepare")
    assert said(capsys, *again)[0] == 0
    assert Run(tmp_path/"one").choices == Run(tmp_path/"two").choices
    assert (tmp_path/"one"/"study.csv").read_text() == (tmp_path/"two"/"study.csv").read_text()


@pytest.mark.parametrize("before", (True, False))
def test_quiet_prints_nothing_but_errors(before, films, tmp_path, capsys):
    def quietly(*argv):
        status = main([str(a) for a in (["--quiet", *argv] if before else [*argv, "--quiet"])])
        return status, *capsys.readouterr()
    command = ("run", films, "--out", tmp_path/"run", *SHORT.split())
    assert quietly(*command) == (0, "", "")
    assert quietly("runs", tmp_path) == (0, "", "")
    status, out, err = quietly(*command, "--experts", "11")
    assert status == 1 and out == "" and err.startswith("chexseg: ") and len(err.splitlines()) == 1


def test_debug_shows_where_an_error_came_from(tmp_path, capsys):
    command = ["scores", str(tmp_path/"nowhere")]
    assert main(command) == 1 and "Traceback" not in capsys.readouterr().err
    assert main([*command, "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and err.splitlines()[-1].startswith("chexseg: ")


def test_help_names_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    text = capsys.readouterr().out
    assert all(f"{number:5}  {meaning}" in text for number, meaning in EXIT_CODES.items())
    with pytest.raises(SystemExit) as stop:
        main(["run", "--sdie", "64"])
    assert stop.value.code == 2


def test_the_log_says_what_happened_and_names_nobody(copy, tmp_path, capsys):
    command = ("run", copy, "--out", tmp_path/"run", "--side", "64", "--classifier-epochs", "1", "--workers", "1")
    assert said(capsys, *command, "--until", "prepare")[0] == 0
    cut_off(film_in(copy/TRAIN_FILMS))
    status, sentence = said(capsys, *command, "--until", "classifier")
    assert status == 1 and "patient" in sentence
    log = (tmp_path/"run"/"log.txt").read_text()
    lines = log.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S", line) for line in lines)
    assert "prepare: begun with python " in lines[0] and "chexseg " in lines[0] and "torch " in lines[0]
    assert "prepare: done in" in lines[1] and "chexseg run: exit status 0" in lines[2]
    assert "classifier: ended by ChexsegError" in lines[4]
    assert "exit status 1: (...) is truncated or damaged" in lines[5]
    assert "patient" not in log and ".jpg" not in log and str(tmp_path) not in log


def test_before_a_run_knows_its_films_its_log_keeps_no_sentence(copy, tmp_path, capsys):
    edit(copy/VALID, second_life)
    assert "patient00001" in run_says(capsys, copy, tmp_path/"run")
    log = (tmp_path/"run"/"log.txt").read_text()
    assert "exit status 1: (a sentence that may name a film)" in log and "patient" not in log


def test_a_shell_is_told_names(capsys):
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert all(f"_shtab_chexseg_{command}_" in script for command in OWN) and "--segmenter-steps" in script


# Runs beside one another ---------------------------------------------------------------------------------------------

def test_runs_are_listed_and_compared(films, one_task, tmp_path, capsys):
    shutil.copytree(one_task.folder, tmp_path/"b")
    told = json.loads((tmp_path/"b"/"config.json").read_text())
    told["choices"]["run"]["seed"] = 5
    (tmp_path/"b"/"config.json").write_text(json.dumps(told))
    with pytest.raises(ChexsegError, match="says seed=5, but the run was begun with 0: put that back"):
        Run(tmp_path/"b")
    first = tmp_path/"b"/"stages"/"prepare.json"
    first.write_text(json.dumps(json.loads(first.read_text()) | dict(choices={})))
    (tmp_path/"old").mkdir()
    (tmp_path/"old"/"config.json").write_text("{}")
    assert main(["runs", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text.count("report") == 1 and "is of format 1" in text and f"{mean_of(one_task, 'full'):.3f}" in text
    assert main(["runs", str(one_task.folder), str(tmp_path/"b")]) == 0
    text = capsys.readouterr().out
    assert re.search(r"seed +0 +5", text) and re.search(r"full( +0\.\d+){2} +0\.0 +0\.0 +0\.0", text)


def mean_of(run, method): return run.results().query("task == 'mIoU'").set_index("method")["mean"][method]


def test_runs_on_other_films_have_no_difference(one_task, capsys):
    assert main(["runs", str(one_task.folder), str(story().folder)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "No differences:" in text and "look for different findings" in text
    status, sentence = said(capsys, "runs", "a", "b", "c")
    assert status == 1 and "name one that holds runs, or two runs to compare" in sentence
    status, sentence = said(capsys, "runs", "nowhere")
    assert status == 1 and "is not a folder" in sentence


# Figures and subgroups -----------------------------------------------------------------------------------------------

def test_figures_of_a_run_are_drawn(one_task, tmp_path, capsys):
    assert main(["figures", str(one_task.folder), "--out", str(tmp_path/"paper"), "--format", "svg"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("The figure 'examples' shows drawn films") and "not drawn: learning:" in out
    made = {p.stem for p in (tmp_path/"paper").iterdir()}
    assert {"intervals", "roc", "precision_recall", "reliability", "thresholds", "examples"} <= made
    assert "means" not in made and "not drawn: means:" in out # of one finding they say what intervals say
    for options, words in (("--only rok", "did you mean 'roc'?"), ("--format tif", "Unknown format of figures"),
                           ("--methods ful", "did you mean 'full'?"), ("--only learning", "has no learning curves")):
        status, sentence = said(capsys, "figures", one_task.folder, "--out", tmp_path/"none", *options.split())
        assert status == 1 and words in sentence and not (tmp_path/"none").exists()


def test_whose_films_are_shown_is_said_before(one_task, copy, tmp_path, capsys):
    shutil.copytree(one_task.folder, tmp_path/"run")
    told = json.loads((tmp_path/"run"/"manifest.json").read_text())
    told["inputs"].pop("phantom.json", None)
    (tmp_path/"run"/"manifest.json").write_text(json.dumps(told)) # now they are films of a user
    assert main(["figures", str(tmp_path/"run"), "--only", "examples", "--format", "png"]) == 0
    assert "shows films of patients: ask whether you may publish them" in capsys.readouterr().out
    assert (tmp_path/"run"/"paper"/"examples.png").exists()


def test_subgroups_of_a_run(one_task, tmp_path, capsys):
    facts = tmp_path/"facts.csv"
    ids = one_task.part("test").ids
    pd.DataFrame(dict(id=ids, Ward=["A", "B"]*(len(ids)//2))).to_csv(facts, index=False)
    shutil.copytree(one_task.folder, tmp_path/"run")
    assert main(["subgroups", str(tmp_path/"run"), "--facts", str(facts), "--methods", "full"]) == 0
    out = capsys.readouterr().out
    assert "by sex" in out and "by Ward" in out and ", few)" in out
    table = pd.read_csv(tmp_path/"run"/"paper"/"subgroups.csv")
    assert (table.groupby("by").films.sum() == len(ids)).all() and table.few.all()
    status, sentence = said(capsys, "subgroups", tmp_path/"run", "--facts", tmp_path/"none.csv")
    assert status == 1 and "none.csv does not exist: check the name" in sentence
    with pytest.raises(SystemExit) as ended:
        main(["subgroups", str(tmp_path/"run"), "--convention", "eiter"])
    assert ended.value.code == 2 and "did you mean 'either'?" in capsys.readouterr().err
    command = ["figures", str(tmp_path/"run"), "--only", "subgroups", "--format", "svg", "--methods", "full"]
    assert main([*command, "--facts", str(facts)]) == 0
    assert "Ward" in (tmp_path/"run"/"paper"/"subgroups.svg").read_text()


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    run = f"run --out {tmp_path}/run --films 12 12 6 --until prepare --workers 0"
    for words in ("completion bash", run):
        shell = f"{sys.executable} -m chexseg {words}"
        with subprocess.Popen(shell.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
            if words == run:
                command.stdout.readline()
            command.stdout.close() # before anything more is written
            err = command.stderr.read()
            assert command.wait() == 141 and b"Traceback" not in err, err
            assert words == run or err == b""
    assert "chexseg run: exit status 141" in (tmp_path/"run"/"log.txt").read_text()
