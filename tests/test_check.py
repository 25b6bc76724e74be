"""`chexseg check`: every kind of trouble is found in a folder that has it and in no other, and a run heeds it.

The last part is about real films; it is skipped without them: name their folder in CHEXSEG_TEST_DATA."""
import json
import os
import shutil
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from chexseg.__main__ import main
from chexseg.check import balance_table, check_data, check_page
from chexseg.choices import make_choices
from chexseg.core import read_json, write_json
from chexseg.cost import cost_lines, run_cost, run_work
from chexseg.data import open_study
from chexseg.dataset import SPLIT_FILES, write_phantom
from chexseg.films import read_film
from chexseg.masks import MaskSet
from chexseg.phantom import phantom_film
from chexseg.runs import Run
from chexseg.screening import film_troubles, look_at, orientation, screen_films

SHORT = "--side 64 --experts 8 --workers 0 --methods full --classifier-epochs 1 --segmenter-steps 4".split()
GT = "chexlocalize/CheXlocalize/gt_segmentations_test.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")/"whole"
    return write_phantom(folder, train=40, val=24, test=12, side=128, seed=3, workers=1)


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path/"copy"))


def film(folder, split, k): return sorted((folder/SPLIT_FILES[split].films).rglob("*.jpg"))[k]
def save(path, image): Image.fromarray(image).save(path, quality=95)


def labels(folder, split, change):
    "Change a label file."
    path = folder/SPLIT_FILES[split].labels
    table = pd.read_csv(path, dtype=object)
    change(table)
    table.to_csv(path, index=False)


def masks(folder, change):
    "Change the experts' masks of the test films."
    found = read_json(folder/GT)
    change(found, [i for i in found if MaskSet(found).positive(i).any()])
    write_json(folder/GT, found)


def written(image):
    picture = Image.fromarray(image).resize((512, 512))
    ImageDraw.Draw(picture).text((20, 460), "SMITH ANNA 1961", fill=255, font_size=28)
    return np.asarray(picture)


def folder_for(path):
    path.unlink()
    path.mkdir()


def lay_down(folder): save(film(folder, "val", 2), np.rot90(read_film(film(folder, "val", 2))).copy())
def set_all(column, value): return lambda t: t.__setitem__(column, [value]*len(t))


def set_cell(row, column, value):
    return lambda t: t.__setitem__(column, [value if k == row else v for k, v in enumerate(t[column])])


def another_patient(folder):
    "A film of a test patient among those for training."
    patient = film(folder, "test", 0).parent.parent.name
    path = folder/SPLIT_FILES["train"].films/patient/"study9"/"view1_frontal.jpg"
    path.parent.mkdir(parents=True)
    save(path, phantom_film(9, 9, 128).image)
    labels(folder, "train", lambda t: t.__setitem__(
        "Path", [f"CheXpert-v1.0/train/{patient}/study9/view1_frontal.jpg", *t.Path[1:]]))


def larger(found, ids):
    size, empty = [64, 64], MaskSet(tasks=["x"]).add("a", np.zeros((1, 64, 64))).masks["a"]["x"]
    found[ids[0]] = {t: dict(empty, size=size) for t in found[ids[0]]}


def nothing(found, ids):
    empty = MaskSet(tasks=["x"]).add("a", np.zeros((1, 128, 128))).masks["a"]["x"]
    found[ids[0]] = dict.fromkeys(found[ids[0]], empty)


def everywhere(found, ids):
    found[ids[0]]["Edema"] = MaskSet(tasks=["x"]).add("a", np.ones((1, 128, 128))).masks["a"]["x"]


# What is done to a folder -> the level and the kind of what is then found, and words of its sentence.
SPOILT = {
    "gone": (lambda d: film(d, "train", 3).unlink(), "stop", "missing", "does not exist"),
    "cut short": (lambda d: film(d, "train", 3).write_bytes(film(d, "train", 3).read_bytes()[:1500]),
                  "stop", "unreadable", "truncated"),
    "empty": (lambda d: film(d, "val", 3).write_bytes(b""), "stop", "unreadable", "cannot be read"),
    "a text": (lambda d: film(d, "val", 3).write_text("no film"), "stop", "unreadable",
               "is it DICOM, JPEG, PNG, TIFF or BMP"),
    "a folder": (lambda d: folder_for(film(d, "train", 3)), "stop", "unreadable", "is a folder"),
    "black": (lambda d: save(film(d, "train", 3), np.zeros((128, 128), np.uint8)), "stop", "blank", "one grey"),
    "in two splits": (lambda d: shutil.copy(film(d, "test", 1), film(d, "train", 3)),
                      "stop", "duplicate", "train and test"),
    "twice": (lambda d: shutil.copy(film(d, "train", 1), film(d, "train", 3)), "look", "duplicate", "keep one"),
    "saved again, in two splits": (
        lambda d: save(film(d, "train", 3), np.asarray(Image.open(film(d, "val", 1)).resize((100, 100)))),
        "stop", "look-alike", "train and val"),
    "negative": (lambda d: save(film(d, "test", 2), 255 - read_film(film(d, "test", 2))),
                 "look", "inverted", "invert it"),
    "lying": (lay_down, "look", "rotated", "90 degrees"),
    "small": (lambda d: save(film(d, "train", 2), read_film(film(d, "train", 2), 50)), "look", "size", "50 x 50"),
    "named": (lambda d: save(film(d, "train", 4), written(read_film(film(d, "train", 4)))),
              "look", "text", "a name"),
    "a word": (lambda d: labels(d, "train", set_cell(2, "Edema", "yes")), "stop", "labels", "'yes'"),
    "a number": (lambda d: labels(d, "val", set_cell(2, "Edema", 7)), "stop", "labels", "7"),
    "no path": (lambda d: labels(d, "val", set_cell(2, "Path", None)), "stop", "labels", "row 4 names no film"),
    "no table": (lambda d: (d/SPLIT_FILES["val"].labels).write_bytes(b"\xff\xfe\x00a,b\n"),
                 "stop", "labels", "not a label file"),
    "no labels": (lambda d: (d/SPLIT_FILES["val"].labels).unlink(), "stop", "split", "'val'"),
    "no JSON": (lambda d: (d/GT).write_text("{"), "stop", "masks", "not valid JSON"),
    "a patient": (another_patient, "stop", "patient", "in the splits test and train"),
    "another size": (lambda d: masks(d, larger), "stop", "mask size", "64x64 pixels but its film is 128x128"),
    "copied": (lambda d: masks(d, lambda m, ids: m.__setitem__(ids[1], m[ids[0]])),
               "look", "equal masks", "pixel by pixel"),
    "all white": (lambda d: masks(d, everywhere), "look", "large mask", "covers 100%"),
    "a stranger": (lambda d: masks(d, lambda m, ids: m.__setitem__("patient9", m[ids[0]])),
                   "stop", "masks", "patient9"),
    "denied": (lambda d: labels(d, "test", set_all("Lung Opacity", "0")),
               "look", "mask, label 0", "the label is 0"),
    "not drawn": (lambda d: masks(d, nothing), "look", "label 1, no mask", "drew none"),
    "nobody has it": (lambda d: labels(d, "train", lambda t: t.__setitem__("Cardiomegaly", ["0"]*len(t))), "stop",
                      "no positive", "Cardiomegaly"),
}


def test_nothing_is_wrong_with_a_whole_folder(whole):
    assert {t.level for t in check_data(whole, side=64, workers=0).troubles} == {"note"}


@pytest.mark.parametrize("name", SPOILT)
def test_each_trouble_is_found(name, copy):
    spoil, level, kind, words = SPOILT[name]
    spoil(copy)
    found = check_data(copy, side=64, workers=0).troubles
    assert [t for t in found if (t.level, t.kind) == (level, kind) and words in t.sentence], found


def test_a_folder_has_all_of_them_at_once(copy):
    alone = ("no table", "no labels", "no JSON", "gone", "a folder", "cut short", "black", "twice",
             "saved again, in two splits", "another size", "denied", "not drawn")
    together = [n for n in SPOILT if n not in alone]
    for name in together:
        SPOILT[name][0](copy)
    checked = check_data(copy, side=64, workers=0)
    missed = {SPOILT[n][2] for n in together} - {t.kind for t in checked.troubles}
    assert missed <= {"equal masks", "duplicate", "inverted", "rotated"}, missed # several were done to one film
    page = check_page(checked).splitlines()
    assert len(page) <= 60 and max(map(len, page)) <= 100


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0" + b"\0"*50, b"GIF89a" + b"\1"*99, b"DICM"*99,
                                     b"\x89PNG\r\n\x1a\n" + zlib.compress(b"0"*10**6), os.urandom(3000)])
@pytest.mark.parametrize("name", ["film.png", "film.jpg", "film.dcm", "film"])
def test_whatever_a_file_holds_is_met_with_a_sentence(content, name, tmp_path):
    (tmp_path/name).write_bytes(content)
    look = look_at(tmp_path/name)
    assert name in look.wrong and "\n" not in look.wrong and "Traceback" not in look.wrong


def test_films_from_the_side_are_not_judged_by_the_pattern(tmp_path):
    paths = [tmp_path/f"{k}.png" for k in range(2)]
    for k, path in enumerate(paths):
        Image.fromarray(255 - phantom_film(2, k, 128).image).save(path)
    table = pd.DataFrame(dict(id=["a", "b"], path=map(str, paths), view=["lateral", "frontal"]))
    assert [(t.kind, t.what) for t in film_troubles(screen_films(table))] == [("inverted", "b")]


# Many films -----------------------------------------------------------------------------------------------------------

N = int(os.environ.get("CHEXSEG_MANY", 3000)) # 20,000 take some minutes


def test_many_films_take_little_memory(whole):
    "Rows that name a few small films again and again; nothing grows but 2 kB a film."
    few = open_study(whole).table.head(30)
    table = pd.concat([few]*(N//30 + 1), ignore_index=True).head(N)
    table = table.assign(id=[str(k) for k in range(N)])
    tracemalloc.start()
    troubles = film_troubles(screen_films(table, workers=0, text=0), 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e7 + N*5000 # what is worked on at once, and what is kept
    assert Counter(t.kind for t in troubles) == {"duplicate": 30}
    assert sum(len(t.films) for t in troubles) == N - 30


def test_several_processes_find_the_same(whole):
    table = open_study(whole).table
    one, two = screen_films(table, workers=0), screen_films(table, workers=2)
    assert one.films.equals(two.films) and (one.thumbs == two.thumbs).all()


def test_films_that_all_look_alike_are_bounded(tmp_path):
    "Each film has up to seven neighbours, not all of them."
    image = phantom_film(0, 0, 64).image
    for k in range(300):
        x = image.copy()
        x[0, 0] = k % 250
        x[1, 1] = k // 250
        Image.fromarray(x).save(tmp_path/f"{k}.png")
    table = pd.DataFrame(dict(id=[str(k) for k in range(300)], path=[str(tmp_path/f"{k}.png") for k in range(300)]))
    found = [t for t in film_troubles(screen_films(table, workers=0, text=0), 32) if t.kind == "look-alike"]
    assert sum(len(t.films) for t in found) > 250


# The command and a run ------------------------------------------------------------------------------------------------

def test_the_command_says_it_with_its_exit_code(whole, copy, tmp_path, capsys):
    assert main(["check", str(whole), "--json", str(tmp_path/"check.json"), *SHORT]) == 0
    record = json.loads((tmp_path/"check.json").read_text())
    assert record["stops"] == 0 and record["films"] == dict(train=40, val=24, test=12)
    assert record["cost"]["disk"] > 0 and record["balance"][0]["split"] == "train"
    film(copy, "train", 3).unlink()
    assert main(["check", str(copy), *SHORT]) == 1
    assert "STOP  missing: 1" in capsys.readouterr().out
    assert main(["check", str(copy), "--bad-films", "skip", *SHORT]) == 0
    assert main(["check", str(tmp_path/"nowhere")]) == 1
    assert main(["check", str(whole), "--tasks", "Heart", *SHORT]) == 1


def test_a_run_stops_or_skips_and_keeps_the_page(copy, tmp_path, capsys):
    save(film(copy, "train", 3), np.zeros((128, 128), np.uint8))
    shutil.copy(film(copy, "test", 1), film(copy, "train", 4))
    run = ["run", str(copy), "--out", str(tmp_path/"run"), "--until", "prepare", *SHORT]
    assert main(run) == 1
    said = capsys.readouterr()
    assert "--bad-films skip" in said.err and "STOP  blank: 1" in said.out
    assert not (tmp_path/"run"/"stages"/"prepare.json").exists()
    assert main([*run, "--bad-films", "skip"]) == 0
    kept = Run(tmp_path/"run")
    left = read_json(kept/"check.json")["left_out"]
    assert len(left) == 2 and not set(left) & set(kept.table.id) and len(kept.table[kept.table.role == "test"]) == 12
    assert "Left out" in (kept/"check.txt").read_text()


def test_the_phantom_of_a_run_is_not_checked(tmp_path):
    films = ["--films", "40", "24", "8"]
    assert main(["run", "--out", str(tmp_path/"run"), "--until", "prepare", *films, *SHORT]) == 0
    assert not (tmp_path/"run"/"check.txt").exists()


def test_own_films_without_splits_are_checked(tmp_path):
    "One label file and masks as pictures, one of which is white outside."
    (tmp_path/"masks"/"Heart").mkdir(parents=True)
    for k in range(12):
        image = phantom_film(4, k, 96).image
        Image.fromarray(image).save(tmp_path/f"f{k}.png")
        heart = np.zeros((96, 96), np.uint8)
        heart[40:60, 30 + k:60] = 255
        Image.fromarray(heart if k else 255 - heart).save(tmp_path/"masks"/"Heart"/f"f{k}.png")
    pd.DataFrame({"Path": [f"f{k}.png" for k in range(12)], "Heart": 1, "Height": 170}).to_csv(tmp_path/"labels.csv")
    found = check_data(tmp_path, side=64)
    assert {"large mask", "columns", "split"} <= {t.kind for t in found.troubles} # nobody is left for training
    assert balance_table(found.study).outlined.sum() == 12


def test_a_folder_whose_only_label_file_is_none(tmp_path, capsys):
    (tmp_path/"labels.csv").write_bytes(b"\x00\xff\xfe")
    checked = check_data(tmp_path)
    assert checked.study is None and [t.kind for t in checked.stops] == ["labels"]
    assert "Nothing could be read" in check_page(checked)
    assert main(["check", str(tmp_path), "--json", str(tmp_path/"check.json"), *SHORT]) == 1
    assert read_json(tmp_path/"check.json")["cost"] is None


def test_the_cost_counts_what_is_done():
    c = make_choices(methods=("full", "full+vote", "ours"), segmenter_steps=100)
    work = run_work(c, dict(train=1000, val=20, test=10))
    assert work.segmenter == 100*(1 + 2 + 2) and work.irnet == 0
    assert run_work(make_choices("table"), dict(train=1000, val=20, test=10)).irnet == 300
    twice = run_work(make_choices(methods=("full",), segmenter_steps=200), dict(train=1000, val=20, test=10))
    assert twice.segmenter == 200
    few, films = dict(side=64, methods=("full",)), dict(train=100, val=20, test=10)
    small = run_cost(make_choices(**few, segmenter_steps=10), films, 2)
    large = run_cost(make_choices(**few, segmenter_steps=1000), films, 2)
    assert large.stages["segmenters"] > 5*small.stages["segmenters"]
    assert len(cost_lines(small)) in (3, 4) and small.seconds[0] < small.seconds[1]


# Real films -----------------------------------------------------------------------------------------------------------

DATA = Path(os.environ.get("CHEXSEG_TEST_DATA", "") or "-")
real = pytest.mark.skipif(not (DATA/"wingspan").is_dir() or not (DATA/"nih-pneumonia-1000").is_dir(),
                          reason="CHEXSEG_TEST_DATA does not name the folder of the real films")


@pytest.fixture(scope="module")
def films():
    paths = sorted((DATA/"nih-pneumonia-1000"/"images").glob("*")) + sorted((DATA/"wingspan"/"images").glob("*"))
    who = pd.read_csv(DATA/"nih-pneumonia-1000"/"labels.csv").set_index("image").patient_id.astype(str)
    table = pd.DataFrame(dict(id=[p.stem for p in paths], path=[str(p) for p in paths], view="frontal"))
    return screen_films(table.assign(patient=[who.get(f"images/{p.name}", p.stem) for p in paths]))


@real
def test_real_films_are_rarely_called_bad(films):
    "One of 1,259 really stands on its head, and two are one file under two names, of one patient."
    found = [t for t in film_troubles(films, 96) if t.kind != "text"]
    assert [(t.kind, t.level) for t in found] == [("rotated", "look"), ("duplicate", "look")]
    patient = films.films.set_index("id").patient
    assert len({patient[i] for i in found[1].films} | {patient[found[1].what]}) == 1


@real
def test_real_films_that_are_spoilt_are_found(films):
    "Share of negatives, and of films turned by 90, 180 and 270 degrees, that are called so."
    assert (orientation(255 - films.thumbs) == -1).mean() > .97
    turned = [(orientation(np.rot90(films.thumbs, k, (1, 2))) == 90*k).mean() for k in (1, 2, 3)]
    assert min(turned) > .8


@real
def test_text_on_real_films(films):
    "We looked at 48 of those with text: all had it. None of the second set has any."
    text = films.films.letters >= 6
    assert 100 < text.sum() < 200
    assert text[films.films.id.str.startswith("ws")].sum() == 0
