"""Other people's annotations: each format there and back to the last pixel, what is wrong with a file said in one
sentence with nothing written, and folders that a run understands. Files are made by hand from what is published on each
format (cited in the chapters); real files where there are some."""
import copy
import gzip
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chexseg.__main__ import FORMAT_NAMES, main
from chexseg.core import ChexsegError, read_json
from chexseg.data import open_study
from chexseg.formats import Films
from chexseg.importing import FORMATS, export_masks, masks_from, page, plan_import, problems, write_import
from chexseg.masks import MaskSet, encode
from chexseg.phantom import phantom_film
from chexseg.runs import story

SIDE = 64
N = 16
LARGE = ("siim", "rsna", "chestx-det") # their films all have 1024 x 1024 pixels
BOXES = [a.name for a in FORMATS.values() if a.holds == "boxes"]
ENDS = dict(siim=".csv", chexmask=".csv", csv=".csv", rsna=".csv", png="", colours="", yolo="", labelme="")
ONE = dict(siim="Pneumothorax", rsna="Lung Opacity") # they have one finding
RENAMED = {"chexmask": ["Cardiomegaly=Heart", "Edema=Left Lung"], "chestx-det": ["Edema=Effusion"]}
DATA = os.environ.get("CHEXSEG_TEST_DATA")
real = pytest.mark.skipif(not DATA or not (Path(DATA)/"wingspan").exists() or not (Path(DATA)/"chestx-det").exists(),
                          reason="needs real films and annotations: set CHEXSEG_TEST_DATA to their folder")


def said(capsys, *argv):
    "Exit status, what was printed, and what was complained about."
    status = main([str(a) for a in argv])
    out = capsys.readouterr()
    assert "Traceback" not in out.err
    return status, out.out, out.err


# Made by hand ---------------------------------------------------------------------------------------------------------

def two_findings(k, side):
    "Masks of two findings that do not overlap, on every second and on every third film: two pieces each, and corners."
    masks = np.zeros((2, SIDE, SIDE), np.uint8)
    if k % 2 == 0:
        masks[0, 20:40, 10 + k:30 + k] = 1
        masks[0, 25:30, 5 + k:12 + k] = 1
    if k % 3 == 0:
        masks[1, 45:60, 3:20 + k] = 1
        masks[1, 2, 2] = 1
    return masks.repeat(side//SIDE, 1).repeat(side//SIDE, 2)


def films_and_masks(folder, name, n=N):
    "A folder of drawn films as a format has them, their `Films`, and masks of two findings, or of one."
    folder.mkdir(parents=True)
    side = 1024 if name in LARGE else SIDE
    masks = MaskSet(tasks=["Cardiomegaly", "Edema"])
    for k in range(n):
        film = phantom_film(11, k, SIDE).image.repeat(side//SIDE, 0).repeat(side//SIDE, 1)
        Image.fromarray(film).save(folder/f"chest {k:02}.png")
        masks.add(f"chest {k:02}", two_findings(k, side))
    films = Films({i: folder/f"{i}.png" for i in masks.ids})
    return films, masks.select("Cardiomegaly") if name in ONE else masks


def write(masks, name, folder):
    "Masks as a file or folder of a format, by the names that it has."
    out = folder/f"theirs{ENDS.get(name, '.json')}"
    rename = [f"Cardiomegaly={ONE[name]}"] if name in ONE else RENAMED.get(name, ())
    export_masks(masks, name, out, rename=rename)
    return out


def shown(masks):
    "{film: {finding: run lengths}} of what films show."
    return {i: {t: masks.rle(i, t) for t, n in zip(masks.tasks, masks.area(i)) if n} for i in sorted(masks.ids)}


def without_names(masks):
    "{film: run lengths in some order}."
    return {i: sorted(rle["counts"] for rle in of.values()) for i, of in shown(masks).items()}


def fill_in(file):
    "Give the films that nobody outlined labels, as the reports of a user would: every second one has everything."
    table = pd.read_csv(file)
    for finding in table.columns[3:]:
        table[finding] = table[finding].fillna(pd.Series(np.arange(len(table)) % 2))
    table.to_csv(file, index=False)


# There and back -------------------------------------------------------------------------------------------------------

def test_the_command_line_knows_all_formats():
    assert FORMAT_NAMES == tuple(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_there_and_back(name, tmp_path):
    "Masks come back to the last pixel; boxes come back as the boxes that were written."
    films, masks = films_and_masks(tmp_path/"films", name, 4)
    first = FORMATS[name].read(write(masks, name, tmp_path), films)
    again = tmp_path/f"again{ENDS.get(name, '.json')}"
    FORMATS[name].write(first.masks, again)
    second = FORMATS[name].read(again, films)
    assert (first.strangers, second.strangers) == ([], [])
    assert sorted(first.masks.ids) == sorted(masks.ids)
    assert shown(second.masks) == shown(first.masks) and second.boxes == first.boxes
    if name not in BOXES:
        assert without_names(first.masks) == without_names(masks)
    else:
        assert all((a >= b).all() for a, b in zip(map(sorted, map(first.masks.area, masks.ids)),
                                                  map(np.sort, map(masks.area, masks.ids))))


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_understands_what_was_imported(name, tmp_path, capsys):
    films, masks = films_and_masks(tmp_path/"films", name)
    file = write(masks.subset(masks.ids[1:9]), name, tmp_path)
    theirs = FORMATS[name].read(file, films).masks
    folder = tmp_path/"mine"
    more = ["--boxes", "masks"] if name in BOXES else []
    command = ("import", "auto", file, folder, "--films", tmp_path/"films", *more)
    status, told, _ = said(capsys, *command, "--dry-run")
    assert status == 0 and "Nothing was written" in told and not folder.exists()
    assert f"{N} at hand; the file tells of 8 of them, and says nothing of 8" in told
    status, out, err = said(capsys, *command)
    assert (status, err) == (0, "") and out.splitlines()[:6] == told.splitlines()[:6]
    assert "fill in labels.csv for the 8 films" in out
    fill_in(folder/"labels.csv")
    status, out, err = said(capsys, "run", folder, "--out", tmp_path/"run", "--until", "prepare", "--experts", 2,
                            "--side", SIDE, "--workers", 0)
    assert status == 0 and "8 films outlined by experts" in " ".join(out.split()), err
    study = open_study(folder)
    assert without_names(study.experts) == without_names(theirs)
    assert study.table.split.value_counts().to_dict() == dict(train=8, val=4, test=4)
    labels = study.part().subset(study.experts.ids).labels
    assert (labels == [study.experts.positive(i) for i in study.experts.ids]).all()
    (tmp_path/"back").mkdir()
    out = tmp_path/"back"/file.name
    assert said(capsys, "export", folder, name, out)[0] == 0
    assert shown(FORMATS[name].read(out, films).masks) == shown(theirs)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_told_by_its_file(name, tmp_path):
    films, masks = films_and_masks(tmp_path/"films", name, 2)
    file = write(masks, name, tmp_path)
    assert plan_import("auto", file, tmp_path/"mine", tmp_path/"films").adapter.name == name


def test_formats_need_no_torch_and_help_is_instant():
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "fastai", *sys.argv[2:]):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
if sys.argv[1] == "formats":
    import chexseg.importing
else:
    from chexseg.__main__ import parser
    parser().parse_args([sys.argv[1], "--help"])
"""
    for argv in (["formats"], ["import", "pandas", "cv2"], ["export", "pandas", "PIL"]):
        done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_compressed_table_is_read(tmp_path):
    films, masks = films_and_masks(tmp_path/"films", "chexmask", 3)
    file = write(masks, "chexmask", tmp_path)
    with gzip.open(tmp_path/"theirs.csv.gz", "wb") as f:
        f.write(file.read_bytes())
    plan = plan_import("auto", tmp_path/"theirs.csv.gz", tmp_path/"mine", tmp_path/"films")
    assert without_names(plan.masks) == without_names(masks)


def test_a_run_is_exported_with_the_names_of_its_films(tmp_path, capsys):
    run = story()
    status, out, _ = said(capsys, "export", run.folder, "coco", tmp_path/"ours.json")
    assert status == 0 and "12 films" in out
    method = run.choices.run.methods[-1]
    expected = run.predictions()[method].subset(run.part("test").ids)
    assert without_names(masks_from_coco(tmp_path/"ours.json")) == without_names(expected)
    assert said(capsys, "export", run.folder, "coco", tmp_path/"weak.json", "--method", "weak")[0] == 0
    assert (tmp_path/"weak.json").read_bytes() != (tmp_path/"ours.json").read_bytes()
    status, _, err = said(capsys, "export", run.folder, "coco", tmp_path/"x.json", "--method", "weekly")
    assert status == 1 and "Unknown method 'weekly'" in err


def masks_from_coco(path): return FORMATS["coco"].read(path).masks


# The folder -----------------------------------------------------------------------------------------------------------

@pytest.fixture
def coco(tmp_path):
    "Films and a file of COCO."
    _, masks = films_and_masks(tmp_path/"films", "coco")
    return write(masks, "coco", tmp_path)


def all_bytes(folder): return {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_nothing_is_written_over(coco, tmp_path, capsys):
    folder = tmp_path/"mine"
    command = ("import", "coco", coco, folder)
    assert said(capsys, *command, "--films", tmp_path/"films")[0] == 0
    before = all_bytes(folder)
    assert said(capsys, *command)[0] == 0 # nothing new
    assert all_bytes(folder) == before
    drawn = MaskSet.read(folder/"masks.json")
    drawn.add(drawn.ids[3], 1 - drawn.get(drawn.ids[3])).save(folder/"masks.json")
    before = all_bytes(folder)
    status, _, err = said(capsys, *command)
    assert status == 1 and "masks.json has other masks of 1 film of" in err
    assert drawn.ids[3] in err and "--overwrite" in err
    assert all_bytes(folder) == before
    table = pd.read_csv(folder/"labels.csv", dtype=str, keep_default_na=False).assign(Ward="B3")
    table.loc[0, "Edema"] = "-1"
    table.loc[1, "Edema"] = ""
    table.drop(columns="Cardiomegaly").to_csv(folder/"labels.csv", index=False)
    (folder/"masks.json").unlink()
    status, _, err = said(capsys, *command)
    assert status == 1 and "what you have written stays (--overwrite)" in err
    assert "labels.csv has no column Cardiomegaly: name the one that is meant (--rename 'Cardiomegaly'=COLUMN)" in err
    assert not (folder/"masks.json").exists()
    assert said(capsys, *command, "--overwrite")[0] == 0
    now = pd.read_csv(folder/"labels.csv", dtype=str, keep_default_na=False)
    assert now.Ward.tolist() == ["B3"]*N and now.Edema[0] == "-1" and now.Edema[1] == "0"
    assert set(now.Cardiomegaly) == {"0", "1"}


def test_a_folder_of_init_is_filled(coco, tmp_path, capsys):
    folder = tmp_path/"mine"
    shutil.copytree(tmp_path/"films", folder/"films")
    assert said(capsys, "init", folder, "--tasks", "Edema", "Cardiomegaly")[0] == 0
    assert said(capsys, "import", "coco", coco, folder)[0] == 0
    assert (pd.read_csv(folder/"labels.csv").Edema.isna()).all()
    assert said(capsys, "import", "coco", coco, folder, "--overwrite")[0] == 0
    assert set(pd.read_csv(folder/"labels.csv").Edema) == {0, 1}


def test_annotations_may_lie_among_films(tmp_path, capsys):
    "LabelMe saves beside the film; masks as pictures cannot be told from films there, and that is said."
    _, masks = films_and_masks(tmp_path/"films", "labelme", 8)
    for f in write(masks, "labelme", tmp_path).iterdir():
        shutil.copy(f, tmp_path/"films")
    for more in ([], ["--overwrite"]):
        assert said(capsys, "import", "auto", tmp_path/"films", tmp_path/"films", *more)[0] == 0
    assert without_names(masks_from(tmp_path/"films")) == without_names(masks)
    export_masks(masks, "png", tmp_path/"mine/drawn")
    shutil.copytree(tmp_path/"films", tmp_path/"mine/films", ignore=shutil.ignore_patterns("*.json", "*.csv"))
    status, _, err = said(capsys, "import", "png", tmp_path/"mine", tmp_path/"mine")
    assert status == 1 and "beside the pictures of masks" in err
    assert said(capsys, "import", "auto", tmp_path/"mine/drawn", tmp_path/"mine")[0] == 0
    assert without_names(masks_from(tmp_path/"mine")) == without_names(masks)


def test_masks_that_would_be_hidden_are_said(coco, tmp_path, capsys):
    folder = tmp_path/"mine"
    shutil.copytree(tmp_path/"films", folder/"films")
    (folder/"masks/Edema").mkdir(parents=True)
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(folder/"masks/Edema/chest 00.png")
    for more in ([], ["--overwrite"]):
        status, _, err = said(capsys, "import", "coco", coco, folder, *more)
        assert status == 1 and "holds masks of 1 film of" in err and "first 'chest 00', and only one can count" in err
        assert not (folder/"masks.json").exists()


def test_more_outlines_join_those_that_are_there(coco, tmp_path, capsys):
    folder = tmp_path/"mine"
    masks = FORMATS["coco"].read(coco, Films({f.stem: f for f in (tmp_path/"films").iterdir()})).masks
    parts = [write(masks.subset(ids), "labelme", tmp_path/name)
             for name, ids in (("first", masks.ids[:8]), ("later", masks.ids[8:]))]
    assert said(capsys, "import", "labelme", parts[0], folder, "--films", tmp_path/"films")[0] == 0
    status, told, _ = said(capsys, "import", "labelme", parts[1], folder)
    assert status == 0
    assert f"the masks of 8 films stay, those of {len(masks) - 8} more are added" in " ".join(told.split())
    assert without_names(MaskSet.read(folder/"masks.json")) == without_names(masks)
    (folder/"masks.json").unlink()
    (folder/"masks/Edema").mkdir(parents=True) # pictures of other films
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(folder/f"masks/Edema/{masks.ids[0]}.png")
    assert said(capsys, "import", "labelme", parts[1], folder)[0] == 0
    assert len(open_study(folder).experts) == len(masks) - 7


def test_boxes_are_no_experts_masks_unless_asked_for(tmp_path, capsys):
    films, masks = films_and_masks(tmp_path/"films", "yolo")
    file = write(masks, "yolo", tmp_path)
    command = ("import", "yolo", file, tmp_path/"mine", "--films", tmp_path/"films")
    status, told, _ = said(capsys, *command)
    assert status == 0 and "a box holds more than the finding" in told and "nobody is scored against them" in told
    assert not (tmp_path/"mine/masks.json").exists()
    with pytest.raises(ChexsegError, match="0 patients have masks"):
        open_study(tmp_path/"mine")
    outlines = write(masks.subset(masks.ids[:8]), "coco", tmp_path)
    assert said(capsys, "import", "coco", outlines, tmp_path/"mine")[0] == 0
    study = open_study(tmp_path/"mine")
    assert len(study.experts) == 8 and without_names(study.experts) == without_names(masks.subset(masks.ids[:8]))
    weak = study.part("weak").with_masks(MaskSet.read(tmp_path/"mine/boxes.json").select(study.tasks))
    assert (weak.labels == [weak.masks.positive(i) for i in weak.ids]).all() and len(weak) == 8


@pytest.mark.parametrize("layout", ["{}/train", "train/{}", "{}"])
@pytest.mark.parametrize("names", ["[Mass, Nodule]", "{1: Nodule, 0: Mass}"])
def test_what_ultralytics_lays_out(layout, names, tmp_path, capsys):
    data = tmp_path/"data"
    for kind in ("images", "labels"):
        (data/layout.format(kind)).mkdir(parents=True)
    for k in range(2):
        Image.fromarray(np.zeros((40, 50), np.uint8)).save(data/layout.format("images")/f"a{k}.png")
        (data/layout.format("labels")/f"a{k}.txt").write_text("1 .5 .5 .2 .5\n"*k)
    (data/"data.yaml").write_text(f"path: ../data\ntrain: images/train\nnames: {names}\n")
    for what in (data, data/"data.yaml"):
        folder = tmp_path/f"mine{what.suffix}"
        assert said(capsys, "import", "auto", what, folder, "--films", data)[0] == 0
        boxes = MaskSet.read(folder/"boxes.json")
        assert boxes.tasks == ["Mass", "Nodule"] and [boxes.area(i).tolist() for i in boxes.ids] == [[0, 0], [0, 200]]
        assert pd.read_csv(folder/"labels.csv").Nodule.tolist() == [0, 1]


def test_filled_boxes_teach_a_weak_segmenter(tmp_path):
    from chexseg.data import assign_roles
    from chexseg.supervision import fit_segmenter
    _, masks = films_and_masks(tmp_path/"films", "csv")
    for format, some in (("csv", masks), ("coco", masks.subset(masks.ids[:8]))):
        file = write(some, format, tmp_path)
        write_import(plan_import(format, file, tmp_path/"mine", None if format == "coco" else tmp_path/"films"))
    study = assign_roles(open_study(tmp_path/"mine"), experts=2)
    weak = study.part("weak", masks=MaskSet.read(tmp_path/"mine/boxes.json").select(study.tasks))
    model = fit_segmenter("weak", study.part("expert"), weak, side=32, steps=2, bs=4).model
    assert model.config["tasks"] == study.tasks


def test_where_all_films_have_masks_some_are_for_training(coco, tmp_path, capsys):
    status, told, _ = said(capsys, "import", "coco", coco, tmp_path/"mine", "--films", tmp_path/"films")
    assert status == 0 and "drawn (8 train, 4 val, 4 test)" in told
    assert "fill in labels.csv" not in told
    assert open_study(tmp_path/"mine").table.split.value_counts().to_dict() == dict(train=8, val=4, test=4)
    same = ("--side", SIDE, "--workers", 0, "--tasks", "Cardiomegaly")
    for more in ((), ("--out", tmp_path/"run", "--until", "prepare")): # check, then run: each says what comes next
        command = shlex.split(told.splitlines()[-1])[1:] # as it is printed
        status, told, err = said(capsys, *command, *same, *more)
        assert status == 0, err
    assert (tmp_path/"run"/"study.csv").exists()


def test_findings_can_be_chosen_renamed_and_put_together(coco, tmp_path, capsys):
    more = ("--films", tmp_path/"films")
    assert said(capsys, "import", "coco", coco, tmp_path/"a", *more, "--tasks", "Edema")[0] == 0
    assert open_study(tmp_path/"a").tasks == ["Edema"]
    both = ("--rename", "Edema=Lung Opacity", "Cardiomegaly=Lung Opacity")
    assert said(capsys, "import", "coco", coco, tmp_path/"b", *more, *both)[0] == 0
    study = open_study(tmp_path/"b")
    assert study.tasks == ["Airspace Opacity"]
    assert int(study.experts.area("chest 00")[0]) == int(two_findings(0, SIDE).sum())


def test_smaller_films_need_a_word(coco, tmp_path, capsys):
    for f in (tmp_path/"films").iterdir():
        Image.open(f).resize((32, 32)).save(f)
    command = ("import", "coco", coco, tmp_path/"mine", "--films", tmp_path/"films")
    status, told, err = said(capsys, *command)
    assert status == 1 and "0 of 16 have the size of their film" in told and "64x64 and 32x32" in err
    assert not (tmp_path/"mine").exists()
    assert said(capsys, *command, "--resize")[0] == 0
    study = open_study(tmp_path/"mine")
    assert abs(int(study.experts["chest 00"].sum()) - two_findings(0, SIDE).sum()/4) < 20
    Image.open(tmp_path/"films/chest 03.png").resize((32, 40)).save(tmp_path/"films/chest 03.png")
    status, _, err = said(capsys, "import", "coco", coco, tmp_path/"other", "--films", tmp_path/"films", "--resize")
    assert status == 1 and "is 64x64 pixels but its film is 40x32" in err and not (tmp_path/"other").exists()


def test_whose_films_they_are_is_said(coco, tmp_path):
    plan = plan_import("coco", coco, tmp_path/"mine", tmp_path/"films")
    assert "every film counts as a patient of its own" in page(plan)
    for k, f in enumerate(sorted((tmp_path/"films").iterdir())):
        f.rename(f.with_name(f"patient{k//2:03}_{k}.png"))
    names = read_json(coco)
    for k, image in enumerate(names["images"]):
        image["file_name"] = f"patient{k//2:03}_{k}.png"
    coco.write_text(json.dumps(names))
    plan = plan_import("coco", coco, tmp_path/"mine", tmp_path/"films")
    assert "patients  8, told apart by patientNNN" in page(plan)
    write_import(plan)
    assert open_study(tmp_path/"mine").table.groupby("patient").split.nunique().max() == 1


def test_films_that_are_missing_are_counted(coco, tmp_path):
    (tmp_path/"films/chest 00.png").unlink()
    plan = plan_import("coco", coco, tmp_path/"mine", tmp_path/"films")
    assert plan.told.strangers == ["chest 00.png"] and len(plan.masks) == N - 1 and problems(plan) == []


def test_an_import_that_is_stopped_leaves_nothing(coco, tmp_path, monkeypatch):
    plan = plan_import("coco", coco, tmp_path/"mine", tmp_path/"films")
    def stop(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr(pd.DataFrame, "to_csv", stop)
    with pytest.raises(KeyboardInterrupt):
        write_import(plan)
    assert all_bytes(tmp_path/"mine") == {}


@pytest.mark.parametrize("name", ["png", "colours", "yolo", "labelme"])
def test_a_folder_is_never_written_over(name, tmp_path):
    _, masks = films_and_masks(tmp_path/"films", name, 2)
    before = all_bytes(tmp_path/"films")
    with pytest.raises(ChexsegError, match="is there already: name a new folder"):
        export_masks(masks, name, tmp_path/"films", overwrite=True)
    assert all_bytes(tmp_path/"films") == before and len(list(tmp_path.iterdir())) == 1


# What may be wrong ----------------------------------------------------------------------------------------------------

COCO = dict(images=[dict(id=1, file_name="chest 00.png", height=SIDE, width=SIDE)],
            categories=[dict(id=1, name="Mass")],
            annotations=[dict(id=1, image_id=1, category_id=1, segmentation=[[1, 1, 9, 1, 9, 9]], bbox=[1, 1, 8, 8])])
LABELME = dict(imagePath="chest 00.png", imageHeight=SIDE, imageWidth=SIDE,
               shapes=[dict(label="Mass", shape_type="polygon", points=[[1, 1], [9, 1], [9, 9]])])
DET = [dict(file_name="chest 00.png", syms=["Mass"], polygons=[[[1, 1], [9, 1], [9, 9]]])]
RUNS = {"chest 00": {"Mass": encode(np.eye(SIDE))}}
DRAWN = {"chest 00": {"img_size": [SIDE, SIDE], "Mass": [[[1, 1], [9, 1], [9, 9]]]}}
SAMPLES = {"coco": COCO, "labelme": LABELME, "chestx-det": DET, "chexlocalize": RUNS, "outlines": DRAWN}
HEADS = dict(siim="ImageId,EncodedPixels", chexmask="image_id,Left Lung,Right Lung,Heart,Height,Width",
             csv="image_id,class_name,x_min,y_min,x_max,y_max", rsna="patientId,x,y,width,height,Target")


def changed(name, *path_and_value):
    "A sample with one value changed: the keys that lead to it, then the value."
    *keys, last, value = path_and_value
    sample = copy.deepcopy(SAMPLES[name])
    at = sample
    for key in keys:
        at = at[key]
    at[last] = value
    return json.dumps(sample)


def bad_json(name, *path_and_value): return name, {"theirs.json": changed(name, *path_and_value)}
def bad_row(name, row): return name, {"theirs.csv": f"{HEADS[name]}\n{row}\n"}
def bad_yolo(line, classes="Mass\nNodule\n"): return "yolo", {"classes.txt": classes, "labels/chest 00.txt": line}


def bad_yaml(text):
    return "yolo", {"labels/chest 00.txt": "0 .5 .5 .1 .1", "data.yaml": text}


def picture(*values):
    "A picture with these values, as a PNG."
    return np.array(values, np.uint8)


def bad_colours(legend, *pixel):
    plain = np.full((SIDE, SIDE, 3), pixel, np.uint8)
    return "colours", {"labelmap.txt": legend, "SegmentationClass/chest 00.png": plain}


SEG = ("annotations", 0, "segmentation")
NAN = float("nan")
BAD = { # name -> (format, files), and words of the sentence that says so
    "truncated JSON": (("coco", {"theirs.json": json.dumps(COCO)[:80]}), "is not valid JSON"),
    "deep JSON": (("coco", {"theirs.json": "["*100_000}), "is not valid JSON"),
    "JSON of bytes": (("labelme", {"theirs.json": b"\xff\xfe\x00\x01"}), "is not valid JSON"),
    "COCO: no list": (bad_json("coco", "images", {}), "has no list 'images'"),
    "COCO: no annotations": (bad_json("coco", "annotations", None), "has no list 'annotations'"),
    "COCO: image of no kind": (bad_json("coco", "images", [7]), "in images lacks id"),
    "COCO: two images of one number": (bad_json("coco", "images", COCO["images"]*2), "stands twice in images"),
    "COCO: two images of one film": (bad_json("coco", "images", [COCO["images"][0], COCO["images"][0] | {"id": 2}]),
                                     "is the second image of the film"),
    "COCO: number that is a list": (bad_json("coco", "images", 0, "id", [1]), "in images lacks id"),
    "COCO: name that is a number": (bad_json("coco", "images", 0, "file_name", 7), "is no text"),
    "COCO: height as text": (bad_json("coco", "images", 0, "height", "64"), "which no film is"),
    "COCO: height below 0": (bad_json("coco", "images", 0, "height", -64), "which no film is"),
    "COCO: enormous": (bad_json("coco", "images", 0, "height", 10**9), "which no film is"),
    "COCO: other size": (bad_json("coco", "images", 0, "height", 128), "128x64 and 64x64: use the films"),
    "COCO: film that is not there": (bad_json("coco", "images", 0, "file_name", "x.png"), "None of the 1 films that"),
    "COCO: unknown image": (bad_json("coco", "annotations", 0, "image_id", 9), "has image_id 9, which is not"),
    "COCO: unknown class": (bad_json("coco", "annotations", 0, "category_id", 9), "has category_id 9"),
    "COCO: class without a name": (bad_json("coco", "categories", 0, "name", ""), "cannot be the name of a finding"),
    "COCO: class that is a column": (bad_json("coco", "categories", 0, "name", "Age"), "cannot be called 'Age' here"),
    "COCO: class with a slash": (bad_json("coco", "categories", 0, "name", "../x"), "cannot be called '../x' here"),
    "COCO: odd number": (bad_json("coco", *SEG, [[1, 1, 9, 1, 9]]), "has 5 numbers"),
    "COCO: two points": (bad_json("coco", *SEG, [[1, 1, 9, 1]]), "has 4 numbers"),
    "COCO: NaN": (bad_json("coco", *SEG, [[1, 1, 9, 1, 9, NAN]]), "[9, nan] is not a point"),
    "COCO: infinite": (bad_json("coco", *SEG, [[1, 1, 9, 1, 9, float("inf")]]), "is not a point"),
    "COCO: far away": (bad_json("coco", *SEG, [[1, 1, 9, 1, 9, 900]]), "is not a point [x, y] on a film of 64x64"),
    "COCO: text": (bad_json("coco", *SEG, "here"), "give outlines or run lengths"),
    "COCO: run lengths below 0": (bad_json("coco", *SEG, dict(size=[64, 64], counts=[-1, 4097])), "do not add up"),
    "COCO: run lengths too short": (bad_json("coco", *SEG, dict(size=[64, 64], counts=[5, 5])), "do not add up to"),
    "COCO: run lengths of text": (bad_json("coco", *SEG, dict(size=[64, 64], counts="\u00ff")), "do not add up"),
    "COCO: run lengths of another size": (bad_json("coco", *SEG, dict(size=[9, 9], counts=[81])), "its image is of"),
    "COCO: box of text": (("coco", {"theirs.json": json.dumps(COCO | dict(annotations=[
        dict(image_id=1, category_id=1, bbox="here")]))}), "bbox is here, not [x, y, width, height]"),
    "LabelMe: no shapes": (bad_json("labelme", "shapes", None), "lacks the list shapes"),
    "LabelMe: no size": (bad_json("labelme", "imageHeight", None), "which no film is"),
    "LabelMe: label that is a number": (bad_json("labelme", "shapes", 0, "label", 3), "cannot be the name of a"),
    "LabelMe: unknown shape": (bad_json("labelme", "shapes", 0, "shape_type", "mask"), "'mask' is not read"),
    "LabelMe: one point": (bad_json("labelme", "shapes", 0, "points", [[1, 1]]), "a polygon of 1 points"),
    "LabelMe: points of text": (bad_json("labelme", "shapes", 0, "points", [["1", "1"]]*3), "is not a point"),
    "ChestX-Det: not a film": (("chestx-det", {"theirs.json": "[7]"}), "lacks file_name, syms or polygons"),
    "ChestX-Det: uneven": (bad_json("chestx-det", 0, "syms", []), "has 0 names for 1 outlines"),
    "ChestX-Det: unknown name": (bad_json("chestx-det", 0, "syms", ["Oedema"]), "Unknown finding"),
    "ChestX-Det: empty outline": (bad_json("chestx-det", 0, "polygons", [[]]), "is not a list of points"),
    "ChestX-Det: listed twice": (("chestx-det", {"theirs.json": json.dumps(DET*2)}), "is listed twice"),
    "run lengths of another length": (bad_json("chexlocalize", "chest 00", "Mass", "size", [64, 63]), "it is damaged"),
    "run lengths without a size": (bad_json("chexlocalize", "chest 00", "Mass", "size", None), 'is not {"size": [h'),
    "outlines without a size": (bad_json("outlines", "chest 00", "img_size", [64]), "lacks its img_size"),
    "outlines that are numbers": (bad_json("outlines", "chest 00", "Mass", [[1, 2]]), "is not a list of outlines"),
    "SIIM: one number too many": (bad_row("siim", "chest 00,5 5 5"), "has 3 numbers"),
    "SIIM: below 0": (bad_row("siim", "chest 00,5 -5"), "has a number below 0"),
    "SIIM: words": (bad_row("siim", "chest 00,none"), "is not a row of whole numbers"),
    "SIIM: beyond the film": (bad_row("siim", "chest 00,1048570 9"), "reach beyond the 1024x1024 pixels"),
    "SIIM: films of another size": (bad_row("siim", "chest 00,5 9"), "1024x1024 and 64x64"),
    "SIIM: no such column": (("siim", {"theirs.csv": "ImageId,Runs\na,1 1\n"}), "has no column 'encodedpixels'"),
    "SIIM: empty file": (("siim", {"theirs.csv": ""}), "is not a table in CSV form"),
    "SIIM: uneven rows": (("siim", {"theirs.csv": "ImageId,EncodedPixels\na,1,2,3\nb,1\nc,1,2,3,4,5\n"}), "CSV form"),
    "CheXmask: start 0": (bad_row("chexmask", "chest 00,0 5,1 5,1 5,64,64"), "lies outside the pixels 1 to 4096"),
    "CheXmask: height of text": (bad_row("chexmask", "chest 00,1 5,1 5,1 5,tall,64"), "Height is 'tall'"),
    "CheXmask: enormous": (bad_row("chexmask", "chest 00,1 5,1 5,1 5,99999,99999"), "which no film is"),
    "CheXmask: listed twice": (bad_row("chexmask", "chest 00,,,,64,64\nchest 00,,,,64,64"), "is the second row"),
    "CheXmask: no organ": (("chexmask", {"theirs.csv": "image_id,Height,Width\na,1,1\n"}), "is it a table of CheX"),
    "CheXmask: no width": (("chexmask", {"theirs.csv": "image_id,Heart,Height\na,1 1,1\n"}), "has no column 'width'"),
    "PNG: many greys": (("png", {"Mass/chest 00.png": np.arange(4096).reshape(64, 64) % 256}), "grey values, a mask"),
    "PNG: no picture": (("png", {"Mass/chest 00.png": b"none"}), "cannot be read as a film"),
    "PNG: nothing there": (("png", {"note.txt": "none"}), "holds no PNG"),
    "PNG: another size": (("png", {"Mass/chest 00.png": np.zeros((9, 9))}), "9x9 and 64x64"),
    "colours: unknown one": (bad_colours("Mass:1,2,3::\n", 1, 2, 4), "of the colour 1,2,4, which labelmap.txt"),
    "colours: two of one": (bad_colours("Mass:1,2,3::\nNodule:1,2,3::\n", 1, 2, 3), "'Mass' has already"),
    "colours: not a colour": (bad_colours("Mass:1,2,333::\n", 1, 2, 3), "is not NAME:RED,GREEN,BLUE"),
    "colours: no names": (("colours", {"chest 00.png": np.zeros((64, 64, 3))}), "labelmap.txt is missing"),
    "YOLO: unknown class": (bad_yolo("2 .5 .5 .1 .1"), "there is no class 2 among the 2"),
    "YOLO: pixels": (bad_yolo("1 30 30 9 9"), "has a number outside 0 to 1"),
    "YOLO: NaN": (bad_yolo("1 nan .5 .1 .1"), "has a number outside 0 to 1"),
    "YOLO: an outline": (bad_yolo("1 .1 .1 .2 .2 .3 .3 .1 .2"), "a box has five"),
    "YOLO: words": (bad_yolo("Mass .5 .5 .1 .1"), "is not five numbers"),
    "YOLO: no names": (("yolo", {"labels/chest 00.txt": "0 .5 .5 .1 .1"}), "has neither classes.txt nor data.yaml"),
    "YOLO: no YAML": (bad_yaml("names: [Mass"), "data.yaml cannot be read as YAML, line"),
    "YOLO: YAML without names": (bad_yaml("train: images/train\n"), "data.yaml has no names of classes"),
    "YOLO: names with gaps": (bad_yaml("names: {0: Mass, 2: Nodule}"), "must be 0, 1, 2 and so on"),
    "YOLO: names that are words of YAML": (bad_yaml("names: [Mass, no]"), "put names into quotes"),
    "YOLO: nothing in it": (("yolo", {"data.yaml": "names: [Mass]"}), "has no text file of boxes"),
    "YOLO: no size": (bad_yolo("1 .5 .5 0 .1"), "does not lie on a film"),
    "boxes: no columns": (("csv", {"theirs.csv": "image_id,class_name,x\nchest 00,Mass,1\n"}), "has no columns of box"),
    "boxes: no finding": (("csv", {"theirs.csv": "image_id,x,y,w,h\nchest 00,1,1,5,5\n"}), "has no column 'class"),
    "boxes: upside down": (bad_row("csv", "chest 00,Mass,9,9,1,1"), "does not lie on a film"),
    "boxes: outside": (bad_row("csv", "chest 00,Mass,9,9,900,20"), "does not lie on a film of 64x64"),
    "boxes: three numbers": (bad_row("csv", "chest 00,Mass,9,9,,20"), "are not four numbers"),
    "boxes: no name": (bad_row("csv", "chest 00,,9,9,20,20"), "cannot be the name of a finding"),
    "RSNA: target of text": (bad_row("rsna", "chest 00,1,1,9,9,yes"), "is not 0 or 1"),
    "RSNA: target without a box": (bad_row("rsna", "chest 00,,,,,1"), "Target 1 without a box"),
    "RSNA: box without a target": (bad_row("rsna", "chest 00,1,1,9,9,0"), "Target 0 with a box"),
}


def put(folder, files):
    "Write files; arrays become pictures. Returns the one file, or the folder."
    for name, content in files.items():
        path = folder/name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            Image.fromarray(content.astype(np.uint8)).save(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder/next(iter(files)) if list(files)[0].startswith("theirs.") else folder


@pytest.fixture(scope="module")
def few_films(tmp_path_factory):
    "Two small films."
    folder = tmp_path_factory.mktemp("films")
    for k in range(2):
        Image.fromarray(phantom_film(11, k, SIDE).image).save(folder/f"chest {k:02}.png")
    return folder


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said_in_one_sentence(what, few_films, tmp_path, capsys):
    (name, files), words = BAD[what]
    file = put(tmp_path/"theirs", files)
    status, _, err = said(capsys, "import", name, file, tmp_path/"mine", "--films", few_films)
    assert status == 1 and words in err and err.startswith("chexseg: ") and err.count("\n") == 1, err
    assert "mine" not in os.listdir(tmp_path)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_good_as_they_are(name, few_films, tmp_path):
    "Otherwise the rows above would say nothing."
    file = put(tmp_path, {"theirs.json": json.dumps(SAMPLES[name])})
    assert FORMATS[name].read(file, Films({"chest 00": few_films/"chest 00.png"})).masks.area("chest 00")[0] > 0


WRONG = { # what somebody types -> words of the sentence that says so
    "format": (["cocoa"], {}, "Unknown format 'cocoa': did you mean 'coco'?"),
    "no file": (["coco"], dict(file="nowhere.json"), "nowhere.json does not exist"),
    "no films": (["coco"], dict(films="nowhere"), "nowhere is not a folder"),
    "empty films": (["coco"], dict(films="empty"), "There is no film below"),
    "task": (["coco", "--tasks", "Edemma"], {}, "did you mean 'Edema'?"),
    "renamed": (["coco", "--rename", "Oedema=Water"], {}, "did you mean 'Edema'?"),
    "rename without a name": (["coco", "--rename", "Edema"], {}, "'Edema' is not OLD=NEW"),
    "a film as annotations": (["auto"], dict(file="films/chest 00.png"), "is neither JSON nor CSV nor a folder"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_mistyped_is_said_in_one_sentence(what, coco, tmp_path, capsys):
    (name, *more), places, words = WRONG[what]
    (tmp_path/"empty").mkdir()
    file, films = tmp_path/places.get("file", coco.name), tmp_path/places.get("films", "films")
    status, _, err = said(capsys, "import", name, file, tmp_path/"mine", "--films", films, *more)
    assert status == 1 and words in err and err.count("\n") == 1 and not (tmp_path/"mine").exists()


def test_a_file_of_some_other_kind_is_not_guessed(few_films, tmp_path, capsys):
    for content in ("{}", "[]", "7", "null", '{"a": 1}', "[[1]]"):
        (tmp_path/"other.json").write_text(content)
        status, _, err = said(capsys, "import", "auto", tmp_path/"other.json", tmp_path/"mine", "--films", few_films)
        assert status == 1 and "looks like none of the known formats" in err


ANYTHING = ("{}", "[]", "7", "null", '"text"', "[[1]]", '{"a": null}', "a,b\n1,2\n", "\x00\x01")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", ANYTHING)
def test_no_reader_breaks_on_any_file(name, content, few_films, tmp_path, capsys):
    "Whatever a reader is given, it reads it or says one sentence."
    file = tmp_path/f"theirs{ENDS.get(name) or '.json'}"
    file.write_text(content)
    status, _, err = said(capsys, "import", name, file, tmp_path/"mine", "--films", few_films)
    assert status == 1 and err.startswith("chexseg: ") and err.count("\n") == 1, err


# Real files -----------------------------------------------------------------------------------------------------------

@real
def test_chexlocalizes_own_files(tmp_path, capsys):
    films = Path(DATA)/"chexlocalize/CheXpert/val"
    truth = MaskSet.read(Path(DATA)/"chexlocalize/CheXlocalize/gt_segmentations_val.json")
    for kind in ("segmentations", "annotations"):
        file = Path(DATA)/f"chexlocalize/CheXlocalize/gt_{kind}_val.json"
        plan = plan_import("auto", file, tmp_path/kind, films)
        assert problems(plan) == [] and shown(plan.masks) == shown(truth)
    for name in ("coco", "labelme", "png", "chexlocalize", "outlines"):
        out = tmp_path/(name + FORMATS[name].ending)
        export_masks(truth, name, out)
        assert shown(FORMATS[name].read(out).masks) == shown(truth)


@real
def test_wingspans_hearts_and_lungs(tmp_path, capsys):
    "FILM_left_lung.png and so on, 40 films; the sides are the patient's."
    for f in sorted((Path(DATA)/"wingspan/masks").glob("ws0[0-3]*.png")):
        put(tmp_path/"masks", {f.name: f.read_bytes()})
    films = tmp_path/"films"
    for f in sorted((Path(DATA)/"wingspan/images").glob("ws0[0-4]*.png")):
        put(films, {f.name: f.read_bytes()})
    n = len(list(films.iterdir()))
    command = ("import", "auto", tmp_path/"masks", tmp_path/"mine", "--films", films)
    status, told, _ = said(capsys, *command, "--rename", "heart=Heart", "left_lung=Left Lung", "right_lung=Right Lung")
    assert status == 0 and f"{n} at hand; the file tells of 40 of them" in told
    assert "Left Lung lies on the right of Right Lung in the picture on 40 of 40 films" in " ".join(told.split())
    study = open_study(tmp_path/"mine")
    heart = np.asarray(Image.open(tmp_path/"masks/ws003_heart.png")) > 0
    assert (study.experts.get("ws003", tasks=["Heart"])[0] == heart).all() and len(study.experts) == 40
    assert said(capsys, "export", tmp_path/"mine", "chexmask", tmp_path/"lungs.csv")[0] == 0
    again = FORMATS["chexmask"].read(tmp_path/"lungs.csv").masks
    assert shown(again.select(study.tasks)) == shown(study.experts)


@real
def test_chestx_det_there_and_back(tmp_path):
    "Forty films of the published file, written again: the same masks."
    entries = read_json(Path(DATA)/"chestx-det/ChestX_Det_test.json")[:40]
    (tmp_path/"some.json").write_text(json.dumps(entries))
    masks = FORMATS["chestx-det"].read(tmp_path/"some.json").masks
    assert len(masks) == 40 and sum(m.any() for i in masks.ids for m in masks[i]) > 20
    export_masks(masks, "chestx-det", tmp_path/"again.json")
    assert shown(FORMATS["chestx-det"].read(tmp_path/"again.json").masks) == shown(masks)


@real
def test_nihs_boxes_as_labels(tmp_path, capsys):
    "RSNA's and NIH's boxes on films of NIH, as a table with a corner and a size."
    source = Path(DATA)/"nih-pneumonia-1000"
    boxes = pd.read_csv(source/"boxes.csv").query("source == 'RSNA_stage2'")
    names = sorted(set(boxes.image))[:20]
    boxes[boxes.image.isin(names)].to_csv(tmp_path/"boxes.csv", index=False)
    for name in names:
        put(tmp_path/"films", {Path(name).name: (source/name).read_bytes()})
    status, told, _ = said(capsys, "import", "auto", tmp_path/"boxes.csv", tmp_path/"mine", "--films", tmp_path/"films")
    assert status == 0 and "20 at hand; the file tells of 20 of them" in told and "Airspace Opacity on 20" in told
    first = boxes[boxes.image == names[0]].iloc[0]
    mask = MaskSet.read(tmp_path/"mine/boxes.json").get(Path(names[0]).stem, tasks=["Airspace Opacity"])[0]
    assert mask[int(first.y + first.h/2), int(first.x + first.w/2)] == 1
