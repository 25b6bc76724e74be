"""Folders that nobody prepared: one label file, masks as pictures or polygons, columns of all kinds, a heart on every
film, thirteen classes, boxes. What strangers tripped over, each mended once and tested here."""
import json
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chexseg.__main__ import main
from chexseg.check import check_data, check_page
from chexseg.core import TASKS, ChexsegError, read_json
from chexseg.data import assign_roles, open_study, understood
from chexseg.formats import CHESTX_DET
from chexseg.masks import MaskSet
from chexseg.outlines import masks_to_annotations, write_annotations
from chexseg.own import find_films, init_folder
from chexseg.phantom import phantom_film
from chexseg.pipeline import run_pipeline
from chexseg.report import draw_saliency, results_text
from chexseg.runs import Run

SIDE = 64
TINY = dict(side=SIDE, classifier_epochs=1, segmenter_steps=6, segmenter_bs=8, bootstraps=20, workers=0)


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(picture, np.uint8)).save(path)


def write_films(folder, n):
    "n drawn films under names of their own; their masks {name: (tasks, h, w)}."
    masks = {}
    for k in range(n):
        film = phantom_film(11, k, SIDE)
        save(folder/f"films/chest {k}.png", film.image)
        masks[f"chest {k}"] = film.masks
    return masks


def write_labels(folder, **columns):
    table = pd.DataFrame({"Path": [f.relative_to(folder).as_posix() for f in find_films(folder)]})
    names = [p.rsplit("/", 1)[-1].removesuffix(".png") for p in table.Path]
    for name, f in columns.items():
        table[name] = [f(i) for i in names]
    table.to_csv(folder/"labels.csv", index=False)


def said(capsys, *argv):
    status = main([str(a) for a in argv])
    out = capsys.readouterr()
    return status, out.out, out.err


@pytest.fixture
def hearts(tmp_path):
    "Thirty films, all with a heart; it is outlined on ten."
    folder = tmp_path/"hearts"
    masks = write_films(folder, 30)
    for k in range(10):
        mask = masks[f"chest {k}"][TASKS.index("Enlarged Cardiomediastinum")]
        mask = mask if mask.any() else np.pad(np.ones((20, 20)), 22)
        save(folder/f"masks/Heart/chest {k}.png", 255*mask)
    write_labels(folder, Heart=lambda i: 1)
    return folder


# Columns -------------------------------------------------------------------------------------------------------------

def test_a_height_is_no_finding_and_a_smoker_is_said(hearts, tmp_path, capsys):
    write_labels(hearts, Heart=lambda i: 1, Height=lambda i: 172, Ward=lambda i: "B3", Smoker=lambda i: len(i) % 2)
    study = open_study(hearts)
    assert study.tasks == ["Heart"] and study.not_labels == {"Height": 172, "Ward": "B3"}
    assert "Smoker. Choose with --tasks" in understood(study) and "Height (172), Ward (B3)" in understood(study)
    run = run_pipeline(hearts, out=tmp_path/"run", until="prepare", experts=3, **TINY)
    assert capsys.readouterr().out.count("Findings: Heart.") == 1
    assert "Height (172)" in (run/"study.txt").read_text() and read_json(run/"tasks.json") == ["Heart"]


def test_a_slip_of_the_pen_is_refused(hearts):
    write_labels(hearts, Heart=lambda i: "yes" if i == "chest 7" else 1)
    with pytest.raises(ChexsegError, match="'yes' in column 'Heart' is not 1, 0"):
        open_study(hearts)


def test_words_instead_of_numbers_are_refused_when_asked_for(hearts):
    write_labels(hearts, Heart=lambda i: "yes", Lung=lambda i: 1)
    with pytest.raises(ChexsegError, match="'yes' in column 'Heart' is not 1, 0"):
        open_study(hearts, tasks="Heart")
    with pytest.raises(ChexsegError, match="The masks show Heart, but the columns with labels are Lung"):
        open_study(hearts)


def test_chosen_tasks_are_remembered(hearts, tmp_path):
    write_labels(hearts, Heart=lambda i: 1, Smoker=lambda i: len(i) % 2)
    more = dict(out=tmp_path/"run", until="prepare", experts=3, **TINY)
    assert run_pipeline(hearts, tasks=["Heart"], **more).tasks == ["Heart"]
    assert run_pipeline(hearts, **more).choices.study.tasks == ("Heart",)
    with pytest.raises(ChexsegError, match="holds a run with --tasks"):
        run_pipeline(hearts, tasks=["Smoker"], **more)


def test_a_choice_that_was_refused_may_be_mended_in_the_same_folder(hearts, tmp_path):
    with pytest.raises(ChexsegError, match=r"\(--experts 3\)"):
        run_pipeline(hearts, out=tmp_path/"run", until="prepare", experts=9, **TINY)
    run_pipeline(hearts, out=tmp_path/"run", until="prepare", experts=3, **TINY)


def test_few_outlines_are_enough_for_a_run_that_says_nothing_of_experts(hearts, tmp_path, capsys):
    status, page, _ = said(capsys, "check", hearts, "--side", SIDE, "--workers", 0)
    told = "Of 5 outlined films that are not for testing, segmenters learn from 3 (--experts)"
    assert status == 0 and told in " ".join(page.split())
    run = run_pipeline(hearts, out=tmp_path/"run", until="prepare", **TINY)
    assert told in (run/"study.txt").read_text() and len(run.part("expert")) == 3 and len(run.part("valid")) == 2


def test_tasks_that_were_refused_are_not_kept(hearts, tmp_path):
    with pytest.raises(ChexsegError, match="Hart"):
        run_pipeline(hearts, out=tmp_path/"run", tasks=["Hart"], until="prepare", **TINY)
    assert run_pipeline(hearts, out=tmp_path/"run", until="prepare", **TINY).tasks == ["Heart"]


def test_all_choices_that_differ_are_named_as_they_are_typed(hearts, tmp_path):
    more = dict(out=tmp_path/"run", until="prepare", **TINY)
    run_pipeline(hearts, methods=["full"], **more)
    told = "with --methods full --seed 0, not --methods weak full --seed 4: name another"
    with pytest.raises(ChexsegError, match=told):
        run_pipeline(hearts, methods=["weak", "full"], seed=4, **more)


@pytest.mark.parametrize("kind, names, mend", [
    ("stray masks", lambda f: f.parents[1]/f.name, "masks are PNG, in masks/FINDING/, called like their films"),
    ("masks", lambda f: f.with_name(f"{f.stem}_mask.png"), "call each mask like its film, this one 'chest 0'"),
    ("masks", lambda f: f.with_name(f"{f.stem.upper()}.png"), "call each mask like its film, this one 'chest 0'"),
])
def test_the_cause_is_told_where_no_mask_is_of_a_film(hearts, kind, names, mend):
    for file in sorted(hearts.glob("masks/Heart/*.png")):
        file.rename(names(file))
    stops = check_data(hearts, workers=0).stops
    assert [t.kind for t in stops] == [kind] and mend in stops[0].sentence


def test_films_are_looked_for_where_there_are_none(tmp_path, capsys):
    status, out, _ = said(capsys, "init", tmp_path/"new", "--tasks", "Heart")
    assert status == 0 and f"made {tmp_path/'new'}, which was not there" in out and "no film is there yet" in out
    status, page, _ = said(capsys, "check", tmp_path/"new")
    assert status == 1 and f"list them (chexseg init {tmp_path/'new'} --add)" in " ".join(page.split())


def test_other_films_are_listed_beside_one_of_a_known_name(hearts, capsys):
    film = find_films(hearts)[0]
    for name in (film.name, "later.png"):
        save(hearts/f"films/ward/{name}", phantom_film(11, 99, SIDE).image)
    status, out, _ = said(capsys, "init", hearts, "--add")
    assert status == 0 and "added 1 film (films/ward/later.png)" in out
    assert f"not added: {hearts/'films/ward'/film.name} is called like {film}, which is listed" in out


def test_bad_films_can_be_left_out_and_the_page_says_so(hearts, capsys):
    save(hearts/"films/chest 20.png", np.full((SIDE, SIDE), 9))
    status, page, _ = said(capsys, "check", hearts, "--side", SIDE, "--workers", 0)
    assert status == 1 and "blank: 1" in page and "leave 1 bad film out and go on, say --bad-films skip" in page


# Two names of one finding --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("column", ["Lung Opacity", "Airspace Opacity"])
@pytest.mark.parametrize("drawn", ["Lung Opacity", "Airspace Opacity"])
@pytest.mark.parametrize("asked", [None, "Lung Opacity", "Airspace Opacity"])
def test_both_names_of_airspace_opacity_mean_the_same(column, drawn, asked, hearts):
    (hearts/"masks/Heart").rename(hearts/f"masks/{drawn}")
    write_labels(hearts, **{column: lambda i: 1})
    study = open_study(hearts, tasks=asked)
    assert study.tasks == ["Airspace Opacity"] and len(study.experts) == 10
    assert all(study.experts.positive(i).all() for i in study.experts.ids)


def test_a_file_with_both_names_is_one_column_or_refused(hearts):
    (hearts/"masks/Heart").rename(hearts/"masks/Lung Opacity")
    both = {"Lung Opacity": lambda i: 1, "Airspace Opacity": lambda i: None if i == "chest 3" else 1}
    write_labels(hearts, **both)
    assert open_study(hearts).table["Airspace Opacity"].tolist() == [1]*30
    write_labels(hearts, **(both | {"Airspace Opacity": lambda i: int(i == "chest 3")}))
    with pytest.raises(ChexsegError, match="'Lung Opacity' and 'Airspace Opacity' are one finding, but differ on film"):
        open_study(hearts)


# A heart on every film -----------------------------------------------------------------------------------------------

def test_a_finding_on_every_film_is_learnt_from_outlines(hearts, tmp_path, capsys):
    run = run_pipeline(hearts, out=tmp_path/"run", experts=3, methods=["weak", "full", "ours"], **TINY)
    assert "Every training film has Heart" in capsys.readouterr().out
    assert read_json(run/"classifier.json")["one_sided"] == ["Heart"]
    assert not run.maps("test").maxima.any()
    assert set(run.results().task) == {"Heart", "mIoU"}
    assert "fully supervised" in results_text(run) and "hottest" not in results_text(run)


# Healthy films -------------------------------------------------------------------------------------------------------

def test_films_that_an_expert_left_empty_are_experts_films_too(hearts):
    for k in range(5):
        save(hearts/f"masks/Heart/chest {k}.png", np.zeros((SIDE, SIDE)))
    def split(i): return "test" if i > "chest 2" else "val"
    write_labels(hearts, Heart=lambda i: int(int(i.split()[1]) >= 5), Split=split)
    table = pd.read_csv(hearts/"labels.csv")
    number = table.Path.str.extract(r"chest (\d+)")[0].astype(int)
    table["Split"] = np.select([number < 10, number < 20], ["val", "test"], "train")
    table.to_csv(hearts/"labels.csv", index=False)
    part = assign_roles(open_study(hearts), experts=6).part("expert")
    assert len(part) == 6
    assert sum(part.masks.positive(i).any() for i in part.ids) == 3


# Masks ---------------------------------------------------------------------------------------------------------------

def test_a_label_map_is_no_mask(hearts):
    save(hearts/"masks/Heart/chest 0.png", np.repeat(np.arange(4)[None], 16, 0).repeat(4, 0).repeat(16, 1))
    with pytest.raises(ChexsegError, match="chest 0.png has 4 grey values, a mask has two"):
        open_study(hearts)


def test_a_mask_of_another_size_is_refused(hearts):
    save(hearts/"masks/Heart/chest 0.png", np.full((32, 32), 255))
    with pytest.raises(ChexsegError, match="use the film that it was drawn on"):
        open_study(hearts)


def test_labels_without_a_mask_are_said(hearts):
    save(hearts/"masks/Heart/chest 0.png", np.zeros((SIDE, SIDE)))
    assert "with a label and no mask of it: Heart on 1" in understood(open_study(hearts))


# As many findings as one likes ---------------------------------------------------------------------------------------

def polygon(n, k):
    "A square, somewhere."
    x, y = 8 + (7*n) % 40, 8 + (11*k) % 40
    return [[x, y], [x + 12, y], [x + 12, y + 12], [x, y + 12]]


def test_thirteen_classes_and_polygons(tmp_path):
    folder = tmp_path/"thirteen"
    write_films(folder, 72)
    def has(name, i): return (int(i.split()[1])*5 + CHESTX_DET.index(name)) % 13 in (0, 1, 2)
    write_labels(folder, **{name: lambda i, name=name: int(has(name, i)) for name in CHESTX_DET})
    outlines = {f"chest {k}": {"img_size": [SIDE, SIDE]} | {name: [polygon(n, k)] for n, name in enumerate(CHESTX_DET)
                                                          if has(name, f"chest {k}")} for k in range(52)}
    (folder/"outlines.json").write_text(json.dumps(outlines))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = run_pipeline(folder, out=tmp_path/"run", experts=16, methods=["weak", "full"], **TINY)
    assert sorted(run.tasks) == sorted(CHESTX_DET)
    assert len([ax for ax in draw_saliency(run).axes if ax.get_title()]) == 13
    page = (run/"report.html").read_text()
    assert all(name in page for name in CHESTX_DET) and max(map(len, results_text(run).splitlines())) <= 100


def test_a_file_of_boxes_means_only_what_it_names(tmp_path):
    folder = tmp_path/"boxes"
    write_films(folder, 12)
    write_labels(folder, Edema=lambda i: 1, Cardiomegaly=lambda i: 0)
    boxes = {f"chest {k}": {"img_size": [SIDE, SIDE], "Edema": [polygon(0, k)]} for k in range(4)}
    (folder/"outlines.json").write_text(json.dumps(boxes))
    assert open_study(folder).tasks == ["Edema"]


def test_a_rare_finding_is_missed_before_anything_is_trained(tmp_path):
    folder = tmp_path/"rare"
    write_films(folder, 16)
    write_labels(folder, Edema=lambda i: int(len(i) > 7), Fracture=lambda i: int(i == "chest 2"))
    boxes = {f"chest {k}": {"img_size": [SIDE, SIDE], "Edema": [polygon(0, k)], "Fracture": []} for k in range(8)}
    (folder/"outlines.json").write_text(json.dumps(boxes))
    with pytest.raises(ChexsegError, match='None of the 2 expert films shows Fracture.*--tasks "Edema"'):
        run_pipeline(folder, out=tmp_path/"run", until="prepare", experts=2, **TINY)


# chexseg init --------------------------------------------------------------------------------------------------------

def test_init_lists_films_and_changes_nothing(tmp_path, capsys):
    folder = tmp_path/"mine"
    write_films(folder, 3)
    status, out, _ = said(capsys, "init", folder, "--tasks", "Heart", "Clavicle fracture")
    assert status == 0 and out.index(f"chexseg check {folder}") < out.index(f"chexseg run {folder}")
    columns = ["Path", "Patient", "Split", "Heart", "Clavicle fracture"]
    assert pd.read_csv(folder/"labels.csv").columns.tolist() == columns
    assert len(pd.read_csv(folder/"labels.csv")) == 3 and (folder/"masks/Clavicle fracture").is_dir()
    before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    assert said(capsys, "init", folder)[0] == 0
    assert {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()} == before
    status, _, err = said(capsys, "init", folder/"labels.csv")
    assert status == 1 and "labels.csv is a file" in err
    assert not (tmp_path/"other").exists() and said(capsys, "init", tmp_path/"other", "--tasks", "a", "A")[0] == 1
    assert not (tmp_path/"other").exists()


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("begins", ["films/", ""])
def test_films_that_came_later_join_the_list(tmp_path, capsys, begins, end):
    "However the file names its films and ends its lines; what was filled in stays, to the last byte."
    folder = tmp_path/"mine"
    write_films(folder, 2)
    rows = [f"{begins}chest {k}.png,Patient {k},,{k}" for k in range(2)]
    before = (end or "\n").join(["Path,Patient,Split,Heart", *rows]) + end
    (folder/"labels.csv").write_bytes(before.encode())
    assert said(capsys, "init", folder, "--add")[1] == f"{folder/'labels.csv'} lists all films of {folder} already\n"
    save(folder/"films/ward 3/later.png", phantom_film(11, 9, SIDE).image)
    out = said(capsys, "init", folder)[1]
    assert f"labels.csv does not list 1 film (films/ward 3/later.png): chexseg init {folder} --add does" in out
    told = [t.sentence for t in check_data(folder, workers=0).troubles if t.kind == "not listed"]
    assert len(told) == 1 and told[0].startswith("1 film not listed in labels.csv (films/ward 3/later.png)")
    status, out, _ = said(capsys, "init", folder, "--add")
    assert status == 0 and "added 1 film (films/ward 3/later.png)" in out
    there = (folder/"labels.csv").read_bytes().decode()
    assert there == before + "\n"*(not end) + f"{begins}ward 3/later.png,,,{end or chr(10)}"
    assert len(pd.read_csv(folder/"labels.csv")) == 3
    assert "not listed" not in {t.kind for t in check_data(folder, workers=0).troubles}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_no_lists_and_no_outlines(tmp_path, capsys):
    "Opened, each would wait for ever."
    for name in ("labels.csv", "first.json", "outlines.json"):
        os.mkfifo(tmp_path/name)
    for command in (["init", tmp_path], ["init", tmp_path, "--add"], ["agree", tmp_path/"first.json", "none.json"],
                    ["agree", tmp_path/"outlines.json", "none.json"]):
        status, _, err = said(capsys, *command)
        assert status == 1 and "is a device or a pipe, not a file" in err, command


def test_films_of_one_name_are_not_passed_over(hearts, capsys):
    film = find_films(hearts)[0]
    save(hearts/f"films/ward/{film.name}", phantom_film(11, 99, SIDE).image)
    status, _, err = said(capsys, "init", hearts, "--add")
    assert status == 1 and f"ward/{film.name} is called like {film}" in err and "rename one" in err
    told = [t.sentence for t in check_data(hearts, workers=0).troubles if t.kind == "same name"]
    assert len(told) == 1 and str(film) in told[0]
    if hasattr(os, "symlink"): # another name of the same file is none
        (hearts/f"films/ward/{film.name}").unlink()
        os.symlink(film, hearts/f"films/ward/{film.name}")
        assert not [t for t in check_data(hearts, workers=0).troubles if t.kind == "same name"]


@pytest.mark.parametrize("place", ["Heart/chest 0.jpg", "chest 0.png", "Heart/new/chest 0.png"])
def test_masks_that_are_not_read_are_told(hearts, place):
    save(hearts/"masks"/place, np.zeros((SIDE, SIDE)))
    told = [t.sentence for t in check_data(hearts, workers=0).troubles if t.kind == "stray masks"]
    assert len(told) == 1 and told[0].startswith("1 file below masks/ not read") and place.split("/")[-1] in told[0]


def test_a_misspelt_finding_is_not_to_be_added(hearts):
    (hearts/"masks/Heart").rename(hearts/"masks/heart")
    told = [t.sentence for t in check_data(hearts, workers=0).troubles if t.kind == "no column"]
    assert len(told) == 1 and told[0].endswith("if it is 'Heart', write it like that.")


def test_a_folder_that_has_a_list_gets_no_finding_that_nobody_named(hearts, capsys):
    assert said(capsys, "init", hearts)[0] == 0
    assert not (hearts/"masks/Finding").exists()


def test_a_finding_that_comes_later_gets_a_column_and_nothing_else_changes(hearts, capsys):
    before = [line.split(",") for line in (hearts/"labels.csv").read_text().splitlines()]
    status, told, _ = said(capsys, "init", hearts, "--add", "--tasks", "Lung")
    after = [line.split(",") for line in (hearts/"labels.csv").read_text().splitlines()]
    assert status == 0 and after[0] == [*before[0], "Lung"] and after[1:] == [[*row, ""] for row in before[1:]]
    assert "made masks/Lung" in told and "look at them once more" in told
    told = " ".join(said(capsys, "check", hearts, "--workers", 0)[1].split())
    assert "Lung" in told and "blank" in told


@pytest.mark.parametrize("spelling", ["outlines", "masks"])
def test_a_second_reading_becomes_the_readers_of_a_run(hearts, tmp_path, capsys, spelling):
    first = open_study(hearts)
    assert first.readers is None
    drawn = first.experts.masks
    second = MaskSet({i: drawn[i] for i in sorted(drawn)[::-1]}, ["Heart"])
    if spelling == "masks":
        second.save(hearts/"readers.json")
    else:
        write_annotations(hearts/"readers.json", masks_to_annotations(second))
    study = open_study(hearts)
    test = [i for i in study.table.id[study.table.split == "test"] if i in drawn]
    assert sorted(study.readers.ids) == sorted(test) and test
    run = run_pipeline(hearts, out=tmp_path/"run", until="prepare", experts=3, **TINY)
    assert sorted(run.masks("readers").ids) == sorted(test)
    status, _, err = said(capsys, "predict", find_films(hearts)[0], "--model", run.folder, "--out", tmp_path/"found")
    assert status == 1 and f"go on with chexseg run --out {run.folder}" in err


def test_a_second_reading_of_some_films_or_another_finding_is_refused(hearts):
    study = open_study(hearts)
    drawn = study.experts.masks
    test = [i for i in study.table.id[study.table.split == "test"] if i in drawn]
    MaskSet({i: m for i, m in drawn.items() if i != test[0]}, ["Heart"]).save(hearts/"readers.json")
    expected = f"1 of the {len(test)} outlined test films are not in it \\({test[0]}\\)"
    with pytest.raises(ChexsegError, match=expected):
        open_study(hearts)
    assert any("not in it" in t.sentence for t in check_data(hearts, workers=0).stops)
    MaskSet({i: {"heart": m["Heart"]} for i, m in drawn.items()}, ["heart"]).save(hearts/"readers.json")
    with pytest.raises(ChexsegError, match="outlines heart, and not Heart: call a finding by one name in both"):
        open_study(hearts)


def test_films_join_an_empty_list_and_none_from_elsewhere(tmp_path, capsys):
    folder = tmp_path/"mine"
    init_folder(folder, "Heart")
    write_films(folder, 2)
    assert said(capsys, "init", folder, "--add")[0] == 0
    assert pd.read_csv(folder/"labels.csv").Path.tolist() == ["films/chest 0.png", "films/chest 1.png"]
    (folder/"labels.csv").write_text("Path,Heart\nchest 0.png,1\nchest 1.png,0\n")
    save(folder/"new/elsewhere.png", phantom_film(11, 9, SIDE).image)
    status, _, err = said(capsys, "init", folder, "--add")
    assert status == 1 and "elsewhere.png lies outside of" in err
    assert said(capsys, "init", tmp_path/"nowhere", "--add")[2].count("\n") == 1


def test_outlined_findings_without_a_column_are_told(hearts):
    drawn = {"img_size": [SIDE, SIDE], "Heart": [[[20, 20], [40, 20], [40, 44]]], "Rib": [[[5, 5], [9, 5], [9, 9]]]}
    masks = sorted((hearts/"masks/Heart").iterdir())
    (hearts/"outlines.json").write_text(json.dumps({f.stem: drawn for f in masks}))
    for f in masks:
        f.unlink()
    told = [t.sentence for t in check_data(hearts, workers=0).troubles if t.kind == "no column"]
    expected = f"Rib is outlined on {len(masks)} films, but the label file has no column 'Rib'"
    assert len(told) == 1 and told[0].startswith(expected)


def test_masks_that_are_there_twice_are_told_before_what_follows_from_it(hearts):
    masks, pictured = sorted((hearts/"masks/Heart").iterdir()), open_study(hearts).experts
    (hearts/"outlines.json").write_text(json.dumps({f.stem: {"img_size": [SIDE, SIDE]} for f in masks}))
    with pytest.warns(UserWarning, match="outlines.json and .* both outline .* 9 more .*outlines.json counts"):
        found = open_study(hearts).experts
    assert len(found) == 10 and not any(found.positive(i).any() for i in found.ids)
    pictured.save(hearts/"masks.json") # which of these two counts is not clear
    (hearts/"outlines.json").unlink()
    stops = check_data(hearts, workers=0).stops
    assert [t.kind for t in stops] == ["masks"] and "(and of 9 more films), and only one" in stops[0].sentence
    (hearts/"masks.json").unlink()
    (hearts/"outlines.json").write_text(json.dumps({"chest 29": {"img_size": [SIDE, SIDE]}})) # another film
    found = open_study(hearts).experts
    assert len(found) == 11 and not found.positive("chest 29").any() and found.tasks == ["Heart"]


def test_the_editor_offers_the_masks_that_a_folder_holds(hearts):
    from chexseg.editor import edit_outlines
    desk = edit_outlines(hearts, hearts/"outlines.json").desk
    desk.open("chest 0")
    desk.copy("masks")
    assert len(desk.entry["Heart"]) == 1
    first = open_study(hearts).experts
    desk.draw("Heart", [[[5, 5], [20, 5], [20, 25]]])
    with pytest.warns(UserWarning, match="outlines.json and .*masks both outline chest 0: outlines.json counts"):
        second = open_study(hearts).experts
    assert check_data(hearts, workers=0).stops == []
    changed = [i for i in first.ids if first.masks[i]["Heart"] != second.masks[i]["Heart"]]
    assert (changed, sorted(first.ids)) == (["chest 0"], sorted(second.ids))
    assert not edit_outlines(hearts, hearts/"readers.json").desk.sources # a second reader is to see nobody's outlines
    second.save(hearts/"masks.json") # beside pictures it is not clear which count
    page = " ".join(check_page(check_data(hearts, workers=0)).split())
    assert f"chexseg export {hearts/'masks'} outlines NEW.json" in page # as it can be typed


def test_a_finished_run_says_that_its_folder_has_changed(hearts, tmp_path):
    more = dict(out=tmp_path/"run", until="prepare", **TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run_pipeline(hearts, **more)
        run_pipeline(hearts, **more)
    save(next(hearts.glob("masks/Heart/*.png")), np.zeros((SIDE, SIDE)))
    (hearts/"readers.json").write_text("{}")
    with pytest.warns(UserWarning, match=r"is not what it was when .*run was begun \(readers.json, masks/\)"):
        run_pipeline(hearts, **more)


def test_a_run_goes_on_with_its_own_choices_where_nothing_is_said(hearts, tmp_path):
    run_pipeline(hearts, out=tmp_path/"run", until="prepare", **TINY)
    again = run_pipeline(out=tmp_path/"run", until="prepare")
    assert again.choices.study.data == str(hearts) and again.choices.study.side == SIDE
    Run(tmp_path/"stopped", again.choices) # before its first stage was done
    assert run_pipeline(out=tmp_path/"stopped", until="prepare").choices == again.choices


def test_a_method_that_outlines_nothing_has_a_row_and_no_score(hearts, tmp_path, monkeypatch):
    from chexseg import pipeline
    kept = pipeline.write_masks
    def nothing(path, segmenter, part, **kwargs):
        segmenter.config["cutoffs"] = dict.fromkeys(segmenter.config["tasks"], 2.)
        return kept(path, segmenter, part, **kwargs)
    monkeypatch.setattr(pipeline, "write_masks", nothing)
    run = run_pipeline(hearts, out=tmp_path/"run", methods=["full"], **TINY)
    assert run.finished("report") and run.results("either")["mean"].tolist() == [0, 0]
    assert run.results("both")["mean"].isna().all()
    assert "0.000" in results_text(run)


def test_a_path_without_its_folder_is_told_with_it(hearts, capsys):
    table = pd.read_csv(hearts/"labels.csv")
    table.assign(Path=table.Path.str.removeprefix("films/")).to_csv(hearts/"labels.csv", index=False)
    (hearts/"films").rename(hearts/"ward 3")
    status, page, _ = said(capsys, "check", hearts, "--workers", 0)
    assert status == 1 and "it lies elsewhere, write 'ward 3/chest" in " ".join(page.split())


def test_words_for_labels_are_named_before_other_columns(hearts, capsys):
    write_labels(hearts, Ward=lambda i: f"ward {i}", Born=lambda i: f"on {i}", Name=lambda i: f"of {i}", City=str,
                 Heart=lambda i: "yes")
    status, page, err = said(capsys, "check", hearts, "--workers", 0)
    assert status == 1 and "'Heart' holds 'yes'" in " ".join((page + err).split())


def test_films_that_all_have_masks_are_told_what_is_missing(hearts):
    table = pd.read_csv(hearts/"labels.csv")
    outlined = {f.stem for f in (hearts/"masks/Heart").iterdir()}
    table[[p.split("/")[-1].split(".")[0] in outlined for p in table.Path]].to_csv(hearts/"labels.csv", index=False)
    stops = [t.sentence for t in check_data(hearts, workers=0).stops if t.what == "train"]
    assert len(stops) == 1 and "All films have masks: list films without masks, too, or write train" in stops[0]


def test_a_finding_that_comes_later_needs_a_column(hearts, capsys):
    status, out, _ = said(capsys, "init", hearts, "--tasks", "Heart", "Nodule")
    assert status == 0 and "labels.csv has no column Nodule: chexseg init" in out and "no column Heart" not in out


def test_a_finding_whose_column_is_blank_says_what_to_fill_in(hearts, capsys):
    table = pd.read_csv(hearts/"labels.csv")
    table["Heart"] = np.nan
    table.to_csv(hearts/"labels.csv", index=False)
    status, page, _ = said(capsys, "check", hearts, "--experts", 3, "--workers", 0)
    assert status == 1 and "the column Heart is blank for all of them: write 1" in " ".join(page.split())


def test_init_text_holds_what_is_needed(tmp_path):
    init_folder(tmp_path/"new", ["Heart"])
    text = (tmp_path/"new/README.txt").read_text()
    words = ("labels.csv", "masks/FINDING/FILM.png", "outlines.json", "chexseg run", "--add", "edit_outlines(")
    assert all(word in text for word in words) and '["Heart"]' in text


def test_a_study_without_patients_enough_is_refused(hearts):
    for f in list((hearts/"masks/Heart").iterdir())[1:]:
        f.unlink()
    with pytest.raises(ChexsegError, match="1 patients have masks, and two are needed"):
        open_study(hearts)


def test_the_run_of_a_stranger_can_be_opened_again(hearts, tmp_path):
    run_pipeline(hearts, out=tmp_path/"run", until="prepare", experts=3, **TINY)
    assert Run(tmp_path/"run").films["expert"] == 3


# Boxes ----------------------------------------------------------------------------------------------------------------

@pytest.fixture
def boxed(tmp_path):
    "24 films: ten at which an expert has looked, and boxes on twelve, of which two are films of val."
    folder = tmp_path/"boxed"
    write_films(folder, 24)
    drawn = np.pad(np.ones((16, 16)), ((10, 38), (30, 18)))
    for k in range(10):
        save(folder/f"masks/Opacity/chest {k}.png", 255*drawn*(k % 4 != 3))
    splits = ["val"]*5 + ["test"]*5 + ["train"]*14
    write_labels(folder, Split=lambda i: splits[int(i.split()[1])],
                 Opacity=lambda i: {"val": 1, "test": 1, "train": ""}[splits[int(i.split()[1])]])
    boxes = MaskSet(tasks=["Opacity"])
    for k in (0, 1, *range(10, 20)):
        boxes.add(f"chest {k}", np.pad(np.ones((20, 24)), ((8, 36), (26, 14)))[None]*(k < 16))
    boxes.save(folder/"boxes.json")
    return folder, boxes


def test_boxes_teach_the_weak_side_and_nobody_else(boxed, tmp_path, capsys):
    folder, boxes = boxed
    before = MaskSet(open_study(folder).experts.masks, ["Opacity"])
    status, page, _ = said(capsys, "check", folder, "--experts", 3, "--side", SIDE, "--workers", 0)
    assert status == 0, page
    page = " ".join(page.split())
    assert "boxes.json is for the weak side: 10 training films, Opacity on 6" in page
    assert "2 films of val and test have boxes too, which are not used" in page
    run = run_pipeline(folder, out=tmp_path/"run", methods=["weak", "full", "ours"], experts=3, **TINY)
    weak, kept = run.part("weak"), run.masks("boxes")
    assert kept.ids and {*kept.ids} <= {*weak.ids} and run.masks().masks == before.masks
    table = run.table.set_index("id").Opacity
    assert [table[f"chest {k}"] for k in (10, 15, 16, 19)] == [1, 1, 0, 0] and np.isnan(table["chest 20"])
    pseudo = run.masks("pseudo")
    for i in kept.ids:
        mask, box = pseudo[i][0].astype(bool), kept[i][0].astype(bool)
        assert not (mask & ~box).any() and mask.any() == box.any()
    page = (run/"report.html").read_text()
    assert f"{len(kept)} training films have boxes" in page
    again = run_pipeline(folder, out=tmp_path/"run", methods=["weak", "full", "ours"], experts=3, **TINY)
    assert again.seconds() == run.seconds()


def test_boxes_that_fit_nothing_stop_before_the_run(boxed, tmp_path, capsys):
    folder, boxes = boxed
    MaskSet(tasks=["Opacity"]).add("chest 10", np.pad(np.ones((20, 20)), 15)[None]).save(folder/"boxes.json")
    status, page, _ = said(capsys, "check", folder, "--experts", 3, "--side", SIDE, "--workers", 0)
    assert status == 1 and "50x50 pixels but its film is 64x64" in " ".join(page.split())
    MaskSet({i: {"Ribs": boxes.rle(i, "Opacity")} for i in boxes.ids}, ["Ribs"]).save(folder/"boxes.json")
    with pytest.raises(ChexsegError, match="has boxes of Ribs, the study looks for Opacity"):
        run_pipeline(folder, out=tmp_path/"run", until="prepare", experts=3, **TINY)


# Nothing to measure on ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("split, shows", [("val", (0, 1, 6, 7)), ("test", (0, 1, 2, 3))])
def test_films_to_measure_on_show_something_or_nothing_is_trained(split, shows, tmp_path, capsys):
    folder = tmp_path/"few"
    write_films(folder, 30)
    for k in range(12):
        save(folder/f"masks/Heart/chest {k}.png", 255*np.pad(np.ones((30, 30)), 17)*(k in shows))
    splits = ["val"]*6 + ["test"]*6 + ["train"]*18
    hearts = [int(k in shows) for k in range(12)] + [k % 2 for k in range(12, 30)]
    write_labels(folder, Split=lambda i: splits[int(i.split()[1])], Heart=lambda i: hearts[int(i.split()[1])])
    status, page, _ = said(capsys, "check", folder, "--experts", 3, "--side", SIDE, "--workers", 0)
    assert status == 1 and f"films of {split}" in page and "shows a finding" in " ".join(page.split())
    with pytest.raises(ChexsegError, match=f"few/masks: none of the . films of {split}.* shows a finding"):
        run_pipeline(folder, out=tmp_path/"run", experts=3, **TINY)
    assert not (tmp_path/"run/classifier.json").exists()
