"""The explorers and the outline editor without a browser: what their widgets show, and what their files hold."""
import io
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from nbclient import NotebookClient
from PIL import Image

pytest.importorskip("ipywidgets")
from chexseg.__main__ import main
from chexseg.cases import KINDS, CaseView, disagreement, explore_cases, explore_errors, films_to_outline
from chexseg.core import TASKS, ChexsegError
from chexseg.data import Part
from chexseg.editor import Outlining, edit_outlines
from chexseg.evaluation import iou_table
from chexseg.explore import BODY, FINDINGS, SaliencyView, build_phantom, explore_phantom, explore_saliency
from chexseg.masks import MaskSet, iou
from chexseg.outlines import annotations_to_masks, contours, read_annotations, write_annotations
from chexseg.own import read_masks
from chexseg.pseudomasks import min_max
from chexseg.runs import story
from chexseg.trainings import Look, TrainingRecord, explore_training, read_training

TRIANGLE = [[100., 300.], [200., 300.], [150., 400.]]


@pytest.fixture(scope="module")
def run(): return story()


@pytest.fixture(scope="module")
def part(run): return run.part("test")


def seen(explorer, name="picture"):
    "The picture that an explorer shows."
    return np.asarray(Image.open(io.BytesIO(explorer.outputs[name].value)), np.int16)


def cyan(picture):
    "The pixels of the saliency explorer's mask line."
    return (picture[..., 0] < 60) & (picture[..., 1] > 170) & (picture[..., 2] > 190)


# Saliency ------------------------------------------------------------------------------------------------------------

def test_the_picture_follows_the_threshold_without_a_network(run, monkeypatch):
    explorer = explore_saliency(run, task="Pleural Effusion")
    monkeypatch.setattr("chexseg.maps.SaliencySet.upsample", lambda *a, **kw: pytest.fail("a map was enlarged"))
    monkeypatch.setattr("chexseg.data.Part.film", lambda *a, **kw: pytest.fail("a film was read"))
    shown = set()
    for threshold in np.linspace(.1, .9, 9):
        explorer["threshold"].value = threshold
        shown.add((explorer.outputs["picture"].value, explorer.outputs["text"].value))
    assert len(shown) == 9
    assert max(len(picture) for picture, _ in shown) < 120_000, "too much for a slow line"


def test_no_torch_is_loaded_by_it():
    code = """
import sys
from pathlib import Path
from chexseg.explore import explore_saliency
from chexseg.runs import story
explorer = explore_saliency(story())
explorer["threshold"].value = .7
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_the_line_is_where_the_mask_ends(run, part):
    explorer = explore_saliency(run, task="Pleural Effusion", threshold=.6)
    explorer["warm"].value = False
    line = cyan(seen(explorer))
    mask = min_max(run.maps("test").upsample(part.ids[0], tasks=["Pleural Effusion"])[0]) > .6
    assert line.sum() > 100
    assert mask[line].mean() > .9 # the line is the inner border


def test_scores_are_those_of_the_whole_film(run, part):
    explorer = explore_saliency(run, task="Edema", threshold=.5)
    mask = min_max(run.maps("test").upsample(part.ids[0], tasks=["Edema"])[0]) > np.float32(.5)
    for masks in (part.masks, run.masks("readers")):
        truth = masks.get(part.ids[0], mask.shape, ["Edema"])[0]
        assert f"{iou(mask, truth):.2f}" in explorer.outputs["text"].value


@pytest.mark.parametrize("role", ["weak", "valid", "test"])
def test_all_films_and_tasks_can_be_chosen(run, role):
    explorer = explore_saliency(run, role)
    for film in [value for _, value in explorer["film"].options][:2]:
        for task in run.tasks:
            explorer.choose(film=film, task=task)
            assert seen(explorer).std() > 10


def test_texts_of_a_study_cannot_write_html(run):
    explorer = explore_saliency(run)
    view_text = explorer.draw.__globals__["saliency_text"]
    case = explorer.draw.__closure__[0].cell_contents.case(run.part("test").ids[0], "Edema")
    text = view_text(case, .5, dict(expert="<script>x</script>", readers="b"))
    assert "<script>" not in text


# Cases ---------------------------------------------------------------------------------------------------------------

def test_filters_change_the_films(run):
    explorer = explore_cases(run)
    films = len(explorer["film"].options)
    before = seen(explorer)
    explorer["task"].value = "Pneumothorax"
    explorer["label"].value = "present"
    assert 0 < len(explorer["film"].options) < films
    assert (seen(explorer) != before).any()
    explorer["label"].value = "absent"
    absent = len(explorer["film"].options)
    explorer["label"].value = "any label"
    assert absent < films == len(explorer["film"].options)


def test_one_method_has_nobody_to_disagree_with(run):
    explorer = explore_cases(run, order="lowest IoU", methods=["full"])
    assert "full" in explorer.outputs["text"].value and seen(explorer).std() > 10


def test_every_explorer_has_a_static_twin(run, part, tmp_path):
    calls = (lambda **kw: explore_saliency(run, **kw), lambda **kw: explore_cases(run, **kw),
             lambda **kw: explore_errors(run, **kw), lambda **kw: explore_phantom(side=96, **kw),
             lambda **kw: edit_outlines(part, tmp_path/"mine.json", **kw), lambda **kw: explore_training(drawn(), **kw))
    for call in calls:
        figure = call(static=True)
        assert isinstance(figure, Figure)
        plt.close(figure)
    assert not (tmp_path/"mine.json").exists()


def test_static_twins_need_no_widgets(tmp_path):
    code = """
import sys
from pathlib import Path
sys.modules["ipywidgets"] = sys.modules["anywidget"] = None
import matplotlib
matplotlib.use("Agg")
from chexseg.cases import explore_cases, explore_errors
from chexseg.core import ChexsegError
from chexseg.editor import edit_outlines
from chexseg.explore import explore_phantom, explore_saliency
from chexseg.runs import story
run = story()
for f, args in ((explore_saliency, [run]), (explore_cases, [run]), (explore_errors, [run]), (explore_phantom, []),
                (edit_outlines, [run.part("test"), sys.argv[1]])):
    f(*args, static=True)
    try:
        f(*args)
    except ChexsegError as e:
        assert "pip install" in str(e) and str(e).count(". ") == 1
    else:
        raise AssertionError(f)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path/"mine.json")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_film_is_like_that(run):
    explorer = explore_cases(run, task="Cardiomegaly")
    explorer["film"].options = []
    explorer.update()
    assert "No film" in explorer.outputs["text"].value


def test_the_line_moves(run):
    explorer = explore_cases(run)
    pictures = []
    for border in (0, 1):
        explorer["border"].value = border
        pictures.append(seen(explorer))
    explorer["border"].value = .5
    middle = seen(explorer)
    assert np.abs(middle[:, :240] - pictures[1][:, :240]).mean() < 1 # left of the line the left one
    assert np.abs(middle[:, 272:] - pictures[0][:, 272:]).mean() < 1


def test_disagreement_is_symmetric_and_bounded(run, part):
    made = run.predictions()
    a, b = made["full"], made["ours"]
    one, two = (disagreement(dict(x=x, y=y), part.ids) for x, y in ((a, b), (b, a)))
    assert one.equals(two)
    assert (1 - one).fillna(-1).to_numpy() == pytest.approx(iou_table(a, b, part.ids).fillna(-1).to_numpy())
    assert np.nansum(disagreement(dict(x=a, y=a), part.ids)) == 0


# Errors --------------------------------------------------------------------------------------------------------------

def test_errors_are_those_of_the_scores(run, part):
    view = CaseView(run)
    iou_of, outlined = run.film_ious()["ours"], run.film_ious("truth")["ours"]
    for case in view.errors("missed").itertuples():
        assert iou_of.loc[case.id, case.task] == 0 and outlined.loc[case.id, case.task] == 0
    for case in view.errors("false alarm").itertuples():
        assert iou_of.loc[case.id, case.task] == 0 and np.isnan(outlined.loc[case.id, case.task])
    bad = view.errors("bad outline")
    assert bad.iou.is_monotonic_increasing
    assert bad.iou.to_numpy() == pytest.approx([iou_of.loc[c.id, c.task] for c in bad.itertuples()])
    assert len(view.errors("bad outline", "Edema")) < len(bad)


@pytest.mark.parametrize("method", ["weak", "full", "semi", "ours"])
def test_every_case_has_one_sentence(run, method):
    view = CaseView(run)
    for kind in KINDS:
        for case in view.errors(kind, method=method).itertuples():
            disputed = kind == "most disputed"
            said = view.dispute_text(case.id, case.task) if disputed else view.explain(case.id, case.task, method)
            assert said.endswith(".") and 20 < len(said) < 300, said
            assert "nan" not in said


def test_kinds_and_methods_change_what_is_seen(run):
    explorer = explore_errors(run)
    shown = set()
    for kind in KINDS:
        for method in ("weak", "full"):
            explorer.choose(method=method, kind=kind)
            shown.add((explorer.outputs["text"].value, explorer.outputs["picture"].value))
    assert len(shown) == 2*len(KINDS)


def test_a_kind_without_a_case(run):
    explorer = explore_errors(run, "false alarm", "Pneumothorax")
    assert explorer["case"].value is None and "no such case" in explorer.outputs["text"].value
    with pytest.raises(ChexsegError, match="no false alarm of ours of Pneumothorax"):
        explore_errors(run, "false alarm", "Pneumothorax", static=True)


# Training ------------------------------------------------------------------------------------------------------------

def drawn(looks=5):
    "A record of a training that nobody did: a square grows on two films."
    films = {i: np.full((64, 64), 60 + 40*k, np.uint8) for k, i in enumerate("ab")}
    record = TrainingRecord(["Edema", "Hernia <b>"], films, MaskSet(tasks=["Edema", "Hernia <b>"]), [(0, "x")], 40)
    for i in films:
        record.expert.add(i, np.pad(np.ones((2, 30, 30)), ((0, 0), (10, 24), (10, 24))))
    for k in range(looks):
        masks = MaskSet(tasks=record.tasks)
        for i in films:
            masks.add(i, np.pad(np.ones((2, 6*k, 6*k)), ((0, 0), (10, 54 - 6*k), (10, 54 - 6*k))))
        record.looks.append(Look(10*k, {"Edema": k/5, "Hernia <b>": k/9}, masks))
        record.loss += [(10*k + 5, 1/(k + 1)), (10*k + 10, 1/(k + 2))]
    record.valid.append((40, dict(valid_loss=.5, miou=.4)))
    return record


def test_mask_and_numbers_follow_the_step():
    explorer = explore_training(drawn(), step=0)
    shown = set()
    for step in range(0, 50, 10):
        explorer["step"].value = step
        shown.add((explorer.outputs["picture"].value, explorer.outputs["text"].value))
    assert len(shown) == 5
    assert max(len(picture) for picture, _ in shown) < 120_000, "too much for a slow line"
    assert ">0.80<" in explorer.outputs["text"].value and "Hernia <b>" not in explorer.outputs["text"].value
    before = seen(explorer)
    explorer["film"].value = "b"
    assert (seen(explorer) != before).any()


def test_a_step_between_two_looks_shows_the_one_before():
    explorer = explore_training(drawn(), step=10)
    before = explorer.outputs["picture"].value
    explorer["step"].value = 19
    assert explorer.outputs["picture"].value == before


def test_an_open_explorer_follows_a_training_unless_somebody_looks_back():
    done, live = drawn(), TrainingRecord()
    explorer = explore_training(live)
    live.tasks, live.films, live.expert, live.steps = done.tasks, done.films, done.expert, done.steps
    for look in done.looks[:3]:
        live.looks.append(look)
        live.tell()
        assert explorer["step"].value == look.step
    explorer["step"].value = 5
    live.looks.append(done.looks[3])
    live.tell()
    assert explorer["step"].value == 5 and explorer["step"].max == 40


def test_a_record_is_the_same_after_it_was_read_again(tmp_path):
    record = drawn()
    record.save(tmp_path/"x.json")
    again = read_training(tmp_path/"x.json")
    for a, b in ((record, again), (again, record)):
        assert (a.tasks, a.trainings, a.steps, a.loss, a.valid) == (b.tasks, b.trainings, b.steps, b.loss, b.valid)
        assert [k.masks.masks for k in a.looks] == [k.masks.masks for k in b.looks]
        assert all((a.films[i] == b.films[i]).all() for i in a.films)
    from_file = explore_training(tmp_path/"x.json")
    assert from_file.outputs["text"].value == explore_training(record).outputs["text"].value


@pytest.mark.parametrize("text", ["[]", "{}", '{"record": 2}', '{"record": 1}', "no json",
                                  '{"record": 1, "tasks": [], "looks": [{}]}'])
def test_what_is_no_record_is_said_in_one_sentence(tmp_path, text):
    (tmp_path/"x.json").write_text(text)
    with pytest.raises(ChexsegError, match="x.json is") as e:
        explore_training(tmp_path/"x.json")
    assert str(e.value).count("\n") == 0


# Phantom -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", [*BODY, *FINDINGS])
def test_every_slider_changes_the_film(name):
    dial = (BODY | FINDINGS)[name]
    plain = dict(ratio=.45, unfold=0.)
    films = [build_phantom(1, 96, **plain | {name: value}).image for value in (dial.low, dial.high)]
    assert (films[0] != films[1]).mean() > .001


@pytest.mark.parametrize("name, task", [
    ("edema", "Edema"), ("effusion", "Pleural Effusion"), ("consolidation", "Consolidation"),
    ("atelectasis", "Atelectasis"), ("pneumothorax", "Pneumothorax"), ("lesion", "Lung Lesion"),
    ("devices", "Support Devices")])
def test_a_finding_leaves_the_others_alone(name, task):
    "Alone it has its mask, and nothing else has; those of the lung belong to the opacities."
    masks = build_phantom(4, 128, ratio=.45, unfold=0., **{name: .9}).masks
    found = {t for t, m in zip(TASKS, masks) if m.any()}
    assert found - {"Airspace Opacity"} == {task}


def test_the_sliders_begin_at_the_patient_and_move_the_film():
    explorer = explore_phantom(5, 96, effusion=.6)
    assert (seen(explorer)[:, :96].astype(int).mean() > 20)
    before = explorer.outputs["picture"].value
    explorer["seed"].value = 6
    assert explorer.outputs["picture"].value != before
    assert "Pleural Effusion" in explorer.outputs["text"].value


# Editor --------------------------------------------------------------------------------------------------------------

def test_what_is_drawn_is_in_the_file_at_once(part, tmp_path):
    editor = edit_outlines(part, tmp_path/"mine.json")
    editor.receive(dict(do="draw", task="Edema", outlines=[TRIANGLE], edit=1))
    assert read_annotations(tmp_path/"mine.json") == {part.ids[0]: {"img_size": [512, 512], "Edema": [TRIANGLE]}}
    assert editor.widget.state["outlines"] == {"Edema": [TRIANGLE]}
    assert editor.widget.state["edit"] == 1
    mask = annotations_to_masks(read_annotations(tmp_path/"mine.json"))[part.ids[0]]
    assert mask.sum() > 4000


def test_undo_and_redo(part, tmp_path):
    desk = Outlining(part, tmp_path/"mine.json")
    states = [None]
    for task in ("Edema", "Cardiomegaly", "Edema"):
        desk.draw(task, [TRIANGLE]*len(states))
        states.append(desk.entry)
    for state in reversed(states[:-1]):
        desk.undo()
        assert desk.entry == state
        assert read_annotations(desk.path).get(desk.id) == state
    desk.undo() # there is nothing left
    for state in states[1:]:
        desk.redo()
        assert desk.entry == state
    desk.undo()
    desk.draw("Edema", [])
    desk.redo() # a new change cannot be followed by an old one
    assert desk.entry == {"img_size": [512, 512], "Cardiomegaly": [TRIANGLE]*2}


def test_the_work_is_taken_up_where_it_was_left(part, tmp_path):
    desk = Outlining(part, tmp_path/"mine.json")
    for k in (4, 2):
        desk.open(part.ids[k])
        desk.draw("Edema", [TRIANGLE])
    desk.step(1) # looked at, not changed
    assert Outlining(part, tmp_path/"mine.json").id == part.ids[2]
    assert list(read_annotations(desk.path)) == [part.ids[4], part.ids[2]]


def test_a_file_of_other_films_is_kept_whole(part, tmp_path):
    other = {"patient1": {"img_size": [9, 9], "Nodule": [[[1, 1], [5, 1], [3, 3]]]}}
    (tmp_path/"mine.json").write_text(json.dumps(other))
    desk = Outlining(part, tmp_path/"mine.json", ["Edema"])
    desk.draw("Edema", [TRIANGLE])
    assert read_annotations(tmp_path/"mine.json")["patient1"] == other["patient1"]


def test_a_write_that_fails_leaves_the_old_file(part, tmp_path, monkeypatch):
    desk = Outlining(part, tmp_path/"mine.json")
    desk.draw("Edema", [TRIANGLE])
    before = desk.path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        desk.draw("Edema", [])
    assert desk.path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine.json"]


def test_what_goes_wrong_is_said_beside_the_film(part, tmp_path):
    editor = edit_outlines(part, tmp_path/"mine.json")
    for message in (dict(do="format"), dict(do="draw", task="Oedema", outlines=[]), dict(do="copy", source="x")):
        editor.receive(message)
        assert "Unknown" in editor.widget.state["said"]
    assert not (tmp_path/"mine.json").exists()


def test_what_python_changes_has_the_number_of_the_browsers_last_change(part, tmp_path):
    "Otherwise the browser takes it for an answer to an older one."
    editor = edit_outlines(part, tmp_path/"mine.json")
    editor.receive(dict(do="choose", task="Edema", edit=7))
    editor.desk.draw("Edema", [TRIANGLE])
    editor.show()
    assert editor.widget.state["edit"] == 7 and editor.widget.state["outlines"] == {"Edema": [TRIANGLE]}


def test_outlines_are_not_taken_away_by_one_call(part, tmp_path):
    desk = Outlining(part, tmp_path/"mine.json", ["Edema"])
    desk.nothing() # nothing is lost: no question
    for task in ("Edema", "Edema"):
        desk.draw(task, [TRIANGLE])
        with pytest.raises(ChexsegError, match=r"^1 finding is outlined on this film \(Edema\): press once more"):
            desk.nothing()
    assert desk.entry["Edema"] == read_annotations(desk.path)[desk.id]["Edema"] == [TRIANGLE]
    desk.nothing()
    assert desk.entry == read_annotations(desk.path)[desk.id] == {"img_size": [512, 512]}
    desk.undo()
    assert desk.entry["Edema"] == [TRIANGLE] and not desk.state()["asked"]


def test_findings_that_the_list_does_not_show_are_named_before_they_are_taken_away(part, tmp_path):
    Outlining(part, tmp_path/"mine.json", ["Nodule"]).draw("Nodule", [TRIANGLE])
    desk = Outlining(part, tmp_path/"mine.json", ["Edema"])
    desk.draw("Edema", [TRIANGLE])
    with pytest.raises(ChexsegError, match=r"2 findings are outlined on this film \(Nodule, Edema\).* take them away"):
        desk.nothing()


@pytest.mark.parametrize("between", [
    [dict(do="choose", task="Edema")], [dict(do="step", by=1), dict(do="step", by=-1)],
    [dict(do="undo"), dict(do="redo")],
    [dict(do="draw", task="Edema", outlines=[TRIANGLE])], [dict(do="copy", source="nobody")]], ids=str)
def test_only_two_presses_in_a_row_take_outlines_away(part, tmp_path, between):
    editor = edit_outlines(part, tmp_path/"mine.json")
    editor.receive(dict(do="draw", task="Edema", outlines=[TRIANGLE]))
    for message in (dict(do="nothing"), *between, dict(do="nothing")):
        editor.receive(message)
    assert editor.widget.state["asked"] and "press once more" in editor.widget.state["said"]
    assert editor.desk.entry["Edema"] == [TRIANGLE]
    editor.receive(dict(do="nothing"))
    assert not editor.widget.state["asked"] and "nothing to outline" in editor.widget.state["said"]
    assert editor.desk.entry == {"img_size": [512, 512]}


def test_what_another_window_has_drawn_is_asked_about_anew(part, tmp_path):
    one, other = (edit_outlines(part, tmp_path/"mine.json") for _ in range(2))
    one.receive(dict(do="draw", task="Edema", outlines=[TRIANGLE]))
    other.desk.open(part.ids[0])
    one.receive(dict(do="nothing"))
    other.receive(dict(do="draw", task="Cardiomegaly", outlines=[TRIANGLE]))
    one.receive(dict(do="nothing"))
    assert "was changed by another window" in one.widget.state["said"]
    one.receive(dict(do="nothing"))
    assert "2 findings are outlined" in one.widget.state["said"] and len(one.desk.entry) == 3


def test_points_stay_on_the_film(part, tmp_path):
    desk = Outlining(part, tmp_path/"mine.json")
    desk.draw("Edema", [[[-50, -50], [900, -50], [900, 900.25]]])
    assert desk.entry["Edema"] == [[[0, 0], [511, 0], [511, 511]]]


@pytest.mark.parametrize("source", ["ours", "full", "readers"])
def test_copies_agree_with_their_source(run, part, tmp_path, source):
    desk = Outlining(part, tmp_path/"mine.json", sources=run.predictions())
    for i in part.ids[:4]:
        desk.open(i)
        desk.copy(source)
    copied = annotations_to_masks(desk.kept, part.tasks)
    wide = [t for t in part.tasks if t != "Support Devices"] # a thin line loses most
    scores = iou_table(copied, run.predictions()[source], part.ids[:4])[wide]
    assert scores.stack().mean() > .93
    points = sum(len(o) for entry in desk.kept.values() for t in wide for o in entry.get(t, []))
    whole = sum(len(o) for i in part.ids[:4] for m in run.predictions()[source][i] for o in contours(m))
    assert points < .5*whole


TWO = {"one": [[[10, 10], [50, 10], [50, 50], [10, 50]]], "half": [[[10, 10], [30, 10], [30, 50], [10, 50]]]}


def agree(capsys, *argv):
    status = main(["agree", *map(str, argv)])
    out = capsys.readouterr()
    return status, out.out, out.err


def write_readers(folder):
    "Two files of outlines, under any names: a film alike, one half, one seen by one of them, and a film each alone."
    def film(**drawn): return {"img_size": [64, 64]} | drawn
    first = dict(a=film(Rib=TWO["one"]), b=film(Rib=TWO["one"]), c=film(Rib=TWO["one"]), d=film(), e=film())
    second = dict(c=film(), b=film(Rib=TWO["half"]), a=film(Rib=TWO["one"]), d=film(), f=film(Rib=TWO["one"]))
    write_annotations(folder/"ann.json", first)
    write_annotations(folder/"ben.json", second)
    return folder/"ann.json", folder/"ben.json"


def test_two_readers_are_put_side_by_side(tmp_path, capsys):
    ann, ben = write_readers(tmp_path)
    status, out, _ = agree(capsys, ann, ben, "--out", tmp_path/"films.csv")
    row = next(line for line in out.splitlines() if line.startswith("Rib")).split()
    half = 21*41/41**2 # both edges of an outline are inside
    assert status == 0 and row[1:5] == ["2", "1", "0", "1"]
    kappa = (3/4 - 1/2)/(1 - 1/2) # they agree on three of four films; 3 and 2 of them with a rib: by chance on half
    expected = (kappa, (1 + half)/2, half, 1, (1 + 2*half/(1 + half))/2) # kappa; IoU, low, high; Dice
    assert [float(cell) for cell in row[5:]] == pytest.approx(expected, abs=.006)
    films = pd.read_csv(tmp_path/"films.csv", index_col="id", keep_default_na=False)
    assert list(films.index) == ["c", "b", "a", "d"] and list(films.disputed) == ["Rib", "Rib", "", ""]
    assert films.disagreement.tolist() == pytest.approx([1, 1 - half, 0, 0])
    assert "On 4 films that both hold" in out
    assert f"1 film only in {ann}: e\n" in out and f"1 film only in {ben}: f\n" in out
    disputed = out.partition("Most disputed")[2].partition("\n\n")[0].splitlines()[2:]
    assert [line.split()[0] for line in disputed] == ["c", "b"] # those on which they differ
    assert f"All films, most disputed first: {tmp_path/'films.csv'}" in out
    status, out, err = agree(capsys, ann, ann)
    assert "No film is disputed." in out and "is compared with itself: name the file of another reader" in err


def test_a_reader_is_put_beside_a_network(tmp_path, capsys):
    ann, ben = write_readers(tmp_path)
    masks = read_masks(ben)
    masks.save(tmp_path/"network.json") # masks, not outlines
    (tmp_path/"found/masks/Rib").mkdir(parents=True) # a folder, as `predict` writes it
    for i in masks.ids:
        Image.fromarray(255*masks.get(i, (64, 64))[0]).save(tmp_path/f"found/masks/Rib/{i}.png")
    expected = agree(capsys, ann, ben)[1].replace("ben.json", "")
    for other in ("network.json", "found"):
        assert agree(capsys, ann, tmp_path/other)[1].replace(other, "") == expected


def test_readers_without_a_film_or_an_outline_in_common_are_refused(tmp_path, capsys):
    ann, ben = write_readers(tmp_path)
    write_annotations(tmp_path/"other.json", {"z": {"img_size": [64, 64]}})
    assert "where the first is called 'a'" in agree(capsys, ann, tmp_path/"other.json")[2]
    write_annotations(tmp_path/"blank.json", {"d": {"img_size": [64, 64]}})
    assert "there is nothing to compare" in agree(capsys, ann, tmp_path/"blank.json")[2]
    write_annotations(tmp_path/"large.json", {"a": {"img_size": [99, 64], "Rib": TWO["one"]}})
    assert f"a has 64x64 pixels in {ann} and 99x64 in" in agree(capsys, ann, tmp_path/"large.json")[2]
    write_annotations(tmp_path/"named.json", {"a": {"img_size": [64, 64], "rib": TWO["one"]}})
    status, out, err = agree(capsys, ann, tmp_path/"named.json")
    assert status == 1 and not out and "call a finding by one name in both" in err
    assert "does not exist" in agree(capsys, ann, tmp_path/"none.json")[2]
    assert "ben.json would be a table in CSV" in agree(capsys, ann, ben, "--out", ben)[2]
    (tmp_path/"films.csv").write_text("mine")
    assert "films.csv is there already" in agree(capsys, ann, ben, "--out", tmp_path/"films.csv")[2]


def test_an_outline_beyond_its_film_is_told(tmp_path, capsys):
    ann, ben = write_readers(tmp_path)
    far = [[[100, 10], [150, 10], [150, 50]], [[10, 10], [200, 10], [10, 50]]]
    write_annotations(tmp_path/"far.json", {"a": {"img_size": [64, 64], "Rib": far}})
    status, _, err = agree(capsys, ann, tmp_path/"far.json")
    assert status == 0 and "an outline of Rib of a (and 1 more) reaches beyond its film of 64x64 pixels" in err


def test_a_finding_that_nobody_has_changes_no_dispute(tmp_path, capsys):
    ann, ben = write_readers(tmp_path)
    before = agree(capsys, ann, ben, "--out", tmp_path/"before.csv")
    write_annotations(ann, {i: entry | {"Lung": []} for i, entry in read_annotations(ann).items()})
    after = agree(capsys, ann, ben, "--out", tmp_path/"after.csv")
    assert before[0] == after[0] == 0
    assert (tmp_path/"before.csv").read_text() == (tmp_path/"after.csv").read_text()


def test_the_figure_shows_what_its_source_knows(run, part, tmp_path):
    ours = run.predictions()["ours"]
    shown = next(i for i in part.ids if ours.get(i, tasks=["Edema"]).any())
    some = dict(ours=ours.select(["Edema"]))
    figure = edit_outlines(part, tmp_path/"mine.json", sources=some, film=shown, copy="ours", static=True)
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["Edema"]


def test_what_is_no_source_is_refused(part, tmp_path):
    with pytest.raises(ChexsegError, match="source ours is of type dict: give a MaskSet"):
        Outlining(part, tmp_path/"mine.json", sources=dict(ours={}))


def test_films_of_ones_own(run, tmp_path):
    editor = edit_outlines(run.folder/"films", tmp_path/"mine.json", ["Nodule"])
    editor.receive(dict(do="draw", task="Nodule", outlines=[TRIANGLE]))
    assert list(read_annotations(tmp_path/"mine.json").values()) == [{"img_size": [512, 512], "Nodule": [TRIANGLE]}]


def test_large_films_are_made_smaller_for_the_browser_and_outlined_at_their_size(tmp_path):
    Image.fromarray(np.tile(np.arange(240, dtype=np.uint8), (3000, 10))).save(tmp_path/"large.png")
    editor = edit_outlines(tmp_path/"large.png", tmp_path/"mine.json", ["Nodule"])
    assert Image.open(io.BytesIO(editor.widget.film)).size == (1280, 1600)
    assert editor.widget.state["size"] == [3000, 2400]
    editor.receive(dict(do="draw", task="Nodule", outlines=[[[2000, 2000], [2390, 2000], [2390, 2990]]]))
    assert editor.desk.entry["img_size"] == [3000, 2400]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ChexsegError, match="no film to outline"):
        edit_outlines(tmp_path, tmp_path/"mine.json")


def test_films_that_teach_most_come_first(run, part):
    made = run.predictions()
    rows = films_to_outline({m: made[m] for m in ("weak", "full", "semi")}, known=part.ids[:2])
    assert len(rows) == len(part) - 2
    assert rows.disagreement.is_monotonic_decreasing
    assert set(rows.disputed) <= set(part.tasks)


def test_equal_films_stay_in_the_order_given(run, part):
    ours = run.predictions()["ours"]
    for ids in (part.ids, part.ids[::-1], part.ids[3:] + part.ids[:3]):
        rows = films_to_outline({"one": ours, "two": ours}, ids)
        assert list(rows.index) == ids
        assert set(rows.disagreement) == {0} and set(rows.disputed) == {""}


@pytest.mark.parametrize("kind", [Path, str])
def test_what_the_editors_file_holds_is_known(run, part, tmp_path, kind):
    desk = Outlining(part, tmp_path/"mine.json")
    desk.draw("Edema", [TRIANGLE])
    desk.step(1)
    desk.nothing() # read, too
    made = run.predictions()
    committee = {m: made[m] for m in ("weak", "full")}
    rows = films_to_outline(committee, part.ids, known=kind(desk.path))
    assert rows.equals(films_to_outline(committee, part.ids, known=part.ids[:2])) and len(rows) == len(part) - 2
    with pytest.raises(ChexsegError, match="none.json does not exist"):
        films_to_outline(committee, known=kind(tmp_path/"none.json"))


def test_the_tutorial_has_controls_where_they_are_asked_for():
    path = Path(__file__).parents[1]/"nbs"/"tutorials"/"explorers.ipynb"
    nb = nbformat.read(path, 4)
    setting = next(c for c in nb.cells if c.source.find("\nstatic = True") > 0)
    setting.source = setting.source.replace("\nstatic = True", "\nstatic = False")
    calls = [c for c in nb.cells if c.cell_type == "code" and "static=static" in c.source]
    resources = dict(metadata=dict(path=str(path.parent)))
    NotebookClient(nb, timeout=600, kernel_name="python3", resources=resources).execute()
    shown = [sum("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in c.outputs) for c in calls]
    assert shown == [1]*5


def test_a_dark_film_is_spread_where_it_is_looked_at(monkeypatch):
    real = Part.film
    def dark(self, k, side=None): return (.4*real(self, k, side)).astype(np.uint8)
    monkeypatch.setattr(Part, "film", dark)
    view, cases = SaliencyView(story()), CaseView(story())
    id = view.part.ids[0]
    assert np.ptp(view.part.film(0)) < 110
    case = view.case(id, view.part.tasks[0])
    assert all(np.ptp(p) > 200 for p in (case.film, cases.picture(id, "film"), cases.error_picture(id, "Edema")))
