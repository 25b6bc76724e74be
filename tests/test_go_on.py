"""A run that goes on from another one: what it takes over, which films may be tested, and that it can be repeated."""
import shutil

import pandas as pd
import pytest
from PIL import Image

from chexseg.__main__ import main
from chexseg.core import TASKS, ChexsegError, read_json
from chexseg.go_on import begun_from, taken_over
from chexseg.inference import load_segmenter
from chexseg.outlines import contours, write_annotations
from chexseg.phantom import phantom_film
from chexseg.pipeline import run_pipeline
from chexseg.runs import Run
from chexseg.training import fingerprint
from chexseg.trainings import read_training

NAMES = ["Cardiomegaly", "Pleural Effusion"]
TINY = dict(side=64, classifier_epochs=1, segmenter_steps=6, segmenter_bs=8, bootstraps=20, workers=0)
SPLITS = {"train": range(30), "val": range(30, 60), "test": range(60, 75)}


def write_folder(folder, split=True, more=()):
    "Drawn films, a label file and outlines, as a user has them; `more`: training films that are outlined too."
    rows, outlined = [], {}
    for name, films in SPLITS.items():
        for k in films:
            film = phantom_film(5, k, 64)
            masks = {t: film.masks[TASKS.index(t)] for t in NAMES}
            path = folder/f"films/f{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(film.image).save(path)
            rows.append({"Path": f"films/f{k}.png", "Patient": f"p{k}", **({"Split": name} if split else {})}
                        | {t: int(m.any()) for t, m in masks.items()})
            if name != "train" or k in more:
                outlined[f"f{k}"] = {"img_size": [64, 64]} | {t: contours(m) for t, m in masks.items() if m.any()}
    pd.DataFrame(rows).to_csv(folder/"labels.csv", index=False)
    write_annotations(folder/"outlines.json", outlined)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory): return write_folder(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def first(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")/"first"
    return run_pipeline(folder, out, experts=10, until="segmenters", methods=["full", "full+vote"], watch=3, **TINY)


def go_on(first, folder, out, **chosen):
    how = dict(experts=14, until="segmenters", classifier_epochs=1, segmenter_steps=6, bootstraps=20, workers=0)
    return run_pipeline(folder, out, begin=str(first.folder), **(how | chosen))


def split_of(folder, changes):
    "Write other splits into the label file: {name of a film: split}."
    table = pd.read_csv(folder/"labels.csv")
    for name, split in changes.items():
        table.loc[table.Path == f"films/{name}.png", "Split"] = split
    table.to_csv(folder/"labels.csv", index=False)


def test_choices_and_networks_are_taken_over(first, folder, tmp_path):
    second = go_on(first, folder, tmp_path/"second")
    for name in ("side", "tasks"):
        assert getattr(second.choices.study, name) == getattr(first.choices.study, name)
    assert second.choices.run.methods == first.choices.run.methods
    assert second.choices.segmenter.lr == first.choices.segmenter.lr/4
    kept = read_json(second/"config.json")["choices"]["run"]["begin"]
    assert kept == str(first.folder)
    assert set(read_json(second/"begin.json")["files"]) == {"classifier.safetensors", "segmenters/full.safetensors",
                                                            "segmenters/full+vote.safetensors"}
    was, now = (load_segmenter(run/"segmenters/full") for run in (first, second))
    assert fingerprint(begun_from(second, "full")) == fingerprint(was) != fingerprint(now)


def test_it_can_be_repeated_and_resumed(first, folder, tmp_path):
    whole = go_on(first, folder, tmp_path/"whole")
    go_on(first, folder, tmp_path/"parts", until="classifier")
    parts = go_on(first, folder, tmp_path/"parts")
    same = [fingerprint(load_segmenter(run/"segmenters/full")) for run in (whole, parts)]
    assert same[0] == same[1]
    with pytest.raises(ChexsegError, match="holds a run with"):
        run_pipeline(folder, tmp_path/"whole", experts=14, until="segmenters", methods=["full", "full+vote"], **TINY)


def test_few_steps_further_stay_near_the_first_network(first, folder, tmp_path):
    "A network that was begun anew has other weights altogether."
    second = go_on(first, folder, tmp_path/"second", segmenter_steps=1, segmenter_lr=1e-6)
    was, now = (load_segmenter(run/"segmenters/full").state_dict() for run in (first, second))
    weights = [k for k, v in was.items() if v.is_floating_point() and "running" not in k]
    far = max(float((was[k] - now[k]).abs().max()) for k in weights)
    assert far < 1e-3


def test_new_outlines_are_among_the_experts(first, tmp_path):
    more = write_folder(tmp_path/"more", more=range(8))
    second = go_on(first, more, tmp_path/"second", experts=14, until="prepare")
    table = second.table.set_index("id").role
    new = [f"f{k}" for k in range(8)]
    assert set(table[new]) <= {"expert", "valid"} and (table[new] == "expert").any()
    assert set(table.index[table == "test"]) == set(first.part("test").ids)


def test_who_judges_goes_on_judging(first, tmp_path):
    more = write_folder(tmp_path/"more", more=range(8))
    second = go_on(first, more, tmp_path/"second", experts=14, until="prepare", seed=first.choices.run.seed + 1)
    was, now = (run.table.set_index("id").role for run in (first, second))
    assert (now[was.index[was == "expert"]] == "expert").all() # learnt from, so they can check nothing
    learnt = was.index[was.isin(["weak", "expert"])]
    assert not set(now.index[now == "held"]) & set(learnt)
    assert set(now.index[now == "held"]) == set(was.index[was == "held"]) - {f"f{k}" for k in range(8)} != set()
    assert "10 films from which" in (second/"study.txt").read_text()


def test_more_outlines_than_usual_are_learnt_from(first, tmp_path):
    more = write_folder(tmp_path/"more", more=range(12))
    second = run_pipeline(more, tmp_path/"second", begin=str(first.folder), until="prepare", workers=0)
    assert len(second.part("expert")) == 10 + 8 # those of the first run, and two in three of twelve
    assert set(first.part("expert").ids) < set(second.part("expert").ids)
    assert {f"f{k}" for k in range(12)} & set(second.part("expert").ids)


def test_without_splits_the_test_films_are_those_of_the_first_run(tmp_path):
    plain = write_folder(tmp_path/"plain", split=False)
    first = run_pipeline(plain, tmp_path/"first", experts=8, until="segmenters", methods=["full"], **TINY)
    write_folder(plain, split=False, more=range(10))
    second = go_on(first, plain, tmp_path/"second", experts=12, until="prepare")
    tested, before = (set(run.part("test").ids) for run in (second, first))
    assert tested <= before and len(tested) > .9*len(before)


def test_what_was_learnt_from_is_not_tested(first, folder, tmp_path):
    other = shutil.copytree(folder, tmp_path/"other")
    film = first.part("expert").ids[0]
    split_of(other, {film: "test"})
    with pytest.raises(ChexsegError, match=f"^{film} is a test film here, but .* has learnt from the film: write"):
        go_on(first, other, tmp_path/"second")
    table = pd.read_csv(other/"labels.csv")
    table.loc[table.Path == f"films/{film}.png", "Path"] = "films/new.png"
    table.to_csv(other/"labels.csv", index=False)
    (other/f"films/{film}.png").rename(other/"films/new.png")
    text = (other/"outlines.json").read_text().replace(f'"{film}"', '"new"')
    (other/"outlines.json").write_text(text)
    with pytest.raises(ChexsegError, match="^new is a test film here, but .* learnt from the patient"):
        go_on(first, other, tmp_path/"second")
    table.loc[table.Path == "films/new.png", "Patient"] = "somebody"
    table.to_csv(other/"labels.csv", index=False)
    with pytest.raises(ChexsegError, match="^new is a test film here, but .* learnt from a film that shows the same"):
        go_on(first, other, tmp_path/"second")
    assert not (tmp_path/"second"/"stages").exists()


def test_what_was_tested_may_be_learnt_from(first, folder, tmp_path):
    other = shutil.copytree(folder, tmp_path/"other")
    film = first.part("test").ids[0]
    split_of(other, {film: "val"})
    second = go_on(first, other, tmp_path/"second", until="prepare")
    assert film not in second.part("test").ids and film in second.part("expert", "valid").ids


@pytest.mark.parametrize("chosen, said", [
    (dict(side=96), "was trained with side=64, so it cannot go on with 96: leave --side out"),
    (dict(classifier_arch="resnet18"), "leave --classifier-arch out"),
    (dict(tasks=["Cardiomegaly"]), "outlines Cardiomegaly, Pleural Effusion, this folder has Cardiomegaly"),
])
def test_other_tasks_and_shapes_are_refused(first, folder, tmp_path, chosen, said):
    with pytest.raises(ChexsegError, match=said):
        go_on(first, folder, tmp_path/"second", **chosen)


def test_what_is_no_trained_run_is_said(first, folder, tmp_path, capsys):
    assert main(["run", str(folder), "--from", str(tmp_path/"nowhere"), "--out", str(tmp_path/"second")]) != 0
    assert "nowhere is not a run folder" in capsys.readouterr().err
    begun = run_pipeline(folder, tmp_path/"begun", experts=10, until="prepare", **TINY)
    with pytest.raises(ChexsegError, match="begun has no trained segmenters: finish it first"):
        taken_over(begun.folder, {})


def test_a_first_run_that_has_changed_is_noticed(first, folder, tmp_path):
    copy = Run(shutil.copytree(first.folder, tmp_path/"copy"))
    second = go_on(copy, folder, tmp_path/"second", until="classifier")
    (copy/"segmenters/full.safetensors").write_bytes((copy/"classifier.safetensors").read_bytes())
    with pytest.raises(ChexsegError, match="is not what it was when .* began with it"):
        go_on(copy, folder, second.folder)


def test_trainings_are_recorded_and_films_known(first):
    record = read_training(first/"trainings/full.json")
    assert record.tasks == NAMES and len(record.looks) >= 3 and record.steps == record.looks[-1].step
    assert not (first/"trainings/full+vote.json").exists()
    for method in ("full", "full+vote"):
        assert load_segmenter(first/"segmenters"/method).config["typical"]["films"] >= 20


def test_unlike_films_are_said_and_outlined(first, tmp_path, capsys):
    films = tmp_path/"films"
    films.mkdir()
    for k in range(3):
        film = phantom_film(5, 100 + k, 64).image
        Image.fromarray(255 - film if k == 1 else film).save(films/f"a{k}.png")
    assert main(["predict", str(films), "--model", str(first.folder), "--out", str(tmp_path/"out")]) == 0
    said = capsys.readouterr().err
    table = pd.read_csv(tmp_path/"out/films.csv").set_index("id")
    assert table.unlike["a1"] > 1 and len(table) == 3
    assert "unlike those that the segmenter has learnt from" in said and "a1 (" in said
