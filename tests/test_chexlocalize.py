"""cheXlocalize's commands, as typed: files on small made-up films, each number computed again by its formula."""
import json
import math
import os
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw
from pycocotools import mask as coco
from scipy import stats

from chexseg.__main__ import main
from chexseg.core import TASKS

DATA = os.environ.get("CHEXSEG_TEST_DATA")
REAL = Path(DATA or ".")/"chexlocalize"
real = pytest.mark.skipif(not (DATA and REAL.exists()),
                          reason="needs real films: set CHEXSEG_TEST_DATA to a folder with chexlocalize/")
ORDER = sorted(TASKS)
IDS = [f"patient{k:02}_study1_view1_frontal" for k in range(14)]


# Files in their formats ----------------------------------------------------------------------------------------------

def filled(outlines, size):
    "Outlines as pixels."
    image = Image.new("1", size[::-1])
    for outline in outlines:
        ImageDraw.Draw(image).polygon([tuple(p) for p in outline], outline=1, fill=1)
    return np.array(image, np.uint8)


def rle(mask):
    "Pixels as run lengths."
    made = coco.encode(np.asfortranarray(mask, np.uint8))
    return dict(size=made["size"], counts=made["counts"].decode())


def write_film(r, folder, id):
    "Maps of one film; its outlines, masks, the readers' masks and their points."
    size = tuple(int(n) for n in r.integers(50, 80, 2))
    film = dict(outlines=dict(img_size=list(size)), masks={}, readers={}, points={})
    for task in TASKS:
        x, y, w, h = r.uniform(8, 20), r.uniform(8, 20), r.uniform(12, 24), r.uniform(12, 24)
        there = id != IDS[0] and r.random() < .7
        outlines = [[[x, y], [x + w, y + r.uniform(0, 6)], [x + w, y + h], [x, y + h]]]*there
        mask = filled(outlines, size)
        film["outlines"] |= {task: outlines} if there else {}
        film["masks"][task] = rle(mask)
        film["readers"][task] = rle(np.roll(mask, int(r.integers(1, 5)), 1))
        if r.random() < .8:
            film["points"][task] = [[x + w*r.uniform(-.3, 1), y + h/2]]
        warm = cv2.resize(np.float32(mask), (8, 8), interpolation=cv2.INTER_AREA) + 1.3*np.float32(r.random((8, 8)))
        prob = float(r.uniform(.3, .9)) if there else float(r.uniform(.1, .7))
        made = dict(map=torch.from_numpy(warm)[None, None], prob=prob, task=task, gt=0, cxr_dims=size[::-1])
        (folder/"maps"/f"{id}_{task}_map.pkl").write_bytes(pickle.dumps(made))
    return film


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    "A folder with outlines, masks, readers, points and maps of 14 films; the first is healthy."
    folder = tmp_path_factory.mktemp("study")
    (folder/"maps").mkdir()
    r = np.random.default_rng(5)
    films = {i: write_film(r, folder, i) for i in IDS}
    for name, part in dict(ann="outlines", gt="masks", hb="readers", points="points").items():
        (folder/f"{name}.json").write_text(json.dumps({i: f[part] for i, f in films.items()}))
    sick = {i: f["masks"] for i, f in films.items() if i != IDS[0]}
    (folder/"gt_sick.json").write_text(json.dumps(sick))
    return folder


def run(script, out, **options):
    "Type a command; what it wrote there."
    typed = [w for name, value in options.items() for w in (f"--{name}", str(value))]
    if "output_path" not in options:
        typed += ["--save_dir", str(out)]
    assert main(["chexlocalize", script, *typed]) == 0
    return out


def masks_of(path):
    "{id: {task: pixels}} of a JSON file."
    return {i: {t: coco.decode(m) for t, m in of.items()} for i, of in json.loads(Path(path).read_text()).items()}


def enlarged(study, id, task):
    "A map at the size of its film, stretched to 0 .. 1, and its probability."
    one = pickle.loads((study/"maps"/f"{id}_{task}_map.pkl").read_bytes())
    large = torch.nn.functional.interpolate(one["map"], one["cxr_dims"][::-1], mode="bilinear", align_corners=False)
    large = large[0, 0].numpy()
    return (large - large.min())/(large - large.min()).max(), one["prob"]


def overlap(a, b, either):
    "IoU; NaN where a film does not count."
    counts = (a.any() or b.any()) if either else (a.any() and b.any())
    return (a & b).sum()/(a | b).sum() if counts else np.nan


@pytest.fixture(scope="module")
def otsu(study):
    "Masks of all maps at Otsu's threshold."
    run("heatmap_to_segmentation", None, map_dir=study/"maps", output_path=study/"otsu.json")
    return study/"otsu.json"


# Masks and thresholds ------------------------------------------------------------------------------------------------

def test_outlines_become_masks(study, tmp_path):
    run("annotation_to_segmentation", None, ann_path=study/"ann.json", output_path=tmp_path/"new"/"out.json")
    assert (tmp_path/"new"/"out.json").read_text() == (study/"gt.json").read_text()


def otsu_by_hand(a):
    "Otsu's threshold by its definition, contours filled by a flood from outside, pieces of one pixel dropped."
    grey = (255*a).astype(np.uint8)
    n = np.bincount(grey.ravel(), minlength=256)
    level = np.arange(256)
    below, above = n.cumsum(), n.sum() - n.cumsum()
    with np.errstate(all="ignore"):
        means = (n*level).cumsum()/below - ((n*level).sum() - (n*level).cumsum())/above
    mask = np.pad(grey > np.nanargmax(below*above*means**2), 1).astype(np.uint8)
    number, pieces, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    for k in range(1, number):
        mask[pieces == k] = facts[k, cv2.CC_STAT_AREA] > 1
    outside = mask.copy()
    cv2.floodFill(outside, None, (0, 0), 1)
    return (mask | (outside == 0))[1:-1, 1:-1]


def test_maps_become_masks_at_otsus_threshold(study, otsu):
    for id, of in masks_of(otsu).items():
        for task, mask in of.items():
            np.testing.assert_array_equal(mask, otsu_by_hand(enlarged(study, id, task)[0]))


def test_maps_become_masks_at_given_thresholds_above_given_probabilities(study, tmp_path):
    pd.DataFrame(dict(threshold=np.linspace(.2, .8, 10), task=ORDER)).to_csv(tmp_path/"low.csv", index=False)
    tried = pd.DataFrame(dict(prob_threshold=[.2, .5, .8]*10, mIoU=[.1, .3, .2]*10, task=np.repeat(ORDER, 3)))
    tried.to_csv(tmp_path/"sure.csv", index=False)
    run("heatmap_to_segmentation", None, map_dir=study/"maps", output_path=tmp_path/"out.json",
        threshold_path=tmp_path/"low.csv", probability_threshold_path=tmp_path/"sure.csv")
    for id, of in masks_of(tmp_path/"out.json").items():
        for task, mask in of.items():
            a, prob = enlarged(study, id, task)
            level = np.float32(np.linspace(.2, .8, 10)[ORDER.index(task)])
            np.testing.assert_array_equal(mask, (a > level) & (prob >= .5))


def test_smoothing_marks_what_their_formula_marks(study, tmp_path):
    run("heatmap_to_segmentation", None, map_dir=study/"maps", output_path=tmp_path/"out.json", if_smoothing=True, k=5)
    a, _ = enlarged(study, IDS[3], "Edema")
    jet = cv2.applyColorMap((255*a).astype(np.uint8), cv2.COLORMAP_JET).astype(float)
    grey = np.round(jet @ [.299, .587, .114]).astype(np.uint8)
    kept = 255 - cv2.blur(grey, (5, 5))
    _, want = cv2.threshold(kept, 0, 1, cv2.THRESH_OTSU)
    drawn = masks_of(tmp_path/"out.json")[IDS[3]]["Edema"]
    assert (drawn != want).mean() < .05 # holes are filled, pieces of one pixel dropped
    assert drawn[want > 0].mean() > .97


def test_thresholds_are_those_with_the_best_mean_iou(study, tmp_path):
    found = pd.read_csv(run("tune_heatmap_threshold", tmp_path, map_dir=study/"maps", gt_path=study/"gt.json")
                        /"tuning_results.csv")
    truth = masks_of(study/"gt.json")
    grid = np.arange(2, 9)/10
    assert list(found) == ["threshold", "task"] and found.task.tolist() == ORDER
    for level, task in found.to_numpy():
        ious = [[overlap(enlarged(study, i, task)[0] > np.float32(c), truth[i][task] > 0, False) for i in IDS]
                for c in grid]
        assert level == grid[np.nanmean(ious, 1).argmax()]


def test_cutoffs_have_their_mean_iou(study, otsu, tmp_path):
    run("tune_probability_threshold", tmp_path, map_dir=study/"maps", gt_path=study/"gt_sick.json")
    found = pd.read_csv(tmp_path/"probability_tuning_results.csv")
    truth, drawn = masks_of(study/"gt.json"), masks_of(otsu)
    assert len(found) == 89 and found[found.task == "Lung Lesion"].prob_threshold.min() == .1
    for cutoff, miou, task in found.to_numpy():
        ious = [overlap(drawn[i][task]*(enlarged(study, i, task)[1] > cutoff), truth[i][task], True) for i in IDS]
        assert miou == pytest.approx(np.nanmean(ious), abs=.00051)


# Scores --------------------------------------------------------------------------------------------------------------

def check_draws(folder, name, scores):
    "Draws and intervals of scores, a row a film."
    draws = pd.read_csv(folder/f"{name}_bootstrap_results_per_cxr.csv")
    found = pd.read_csv(folder/f"{name}_summary_results.csv", index_col="name")
    assert list(draws) == TASKS and list(found.index) == ORDER
    np.random.seed(0)
    rows = [np.random.choice(len(scores), len(scores)) for _ in range(1000)]
    want = np.array([np.nanmean(scores[TASKS].to_numpy()[k], 0) for k in rows])
    np.testing.assert_allclose(draws, want, rtol=1e-12)
    ranked = np.sort(want, 0)
    three = np.stack([ranked[24], want.mean(0), ranked[974]], 1)
    np.testing.assert_allclose(found.loc[TASKS].to_numpy(), three, atol=.00051)


@pytest.mark.parametrize("both", [True, False])
def test_eval_iou(study, otsu, tmp_path, both):
    run("eval", tmp_path, metric="iou", gt_path=study/"gt_sick.json", pred_path=otsu, true_pos_only=both)
    found = pd.read_csv(tmp_path/"iou_results_per_cxr.csv")
    truth, drawn = masks_of(study/"gt.json"), masks_of(otsu)
    ids = IDS[1:] if both else IDS
    assert list(found) == [*ORDER, "img_id"] and found.img_id.tolist() == ids
    want = [[overlap(drawn[i][t], truth[i][t], not both) for t in ORDER] for i in ids]
    np.testing.assert_allclose(found[ORDER], want, rtol=1e-12)
    check_draws(tmp_path, "iou", found)


def test_eval_hits_of_maps(study, tmp_path):
    run("eval", tmp_path, metric="hitmiss", gt_path=study/"gt.json", pred_path=study/"maps")
    found = pd.read_csv(tmp_path/"hitmiss_results_per_cxr.csv")
    truth = masks_of(study/"gt.json")
    def hit(i, t):
        y, x = divmod(int(enlarged(study, i, t)[0].argmax()), truth[i][t].shape[1])
        return truth[i][t][y, x] if truth[i][t].any() else np.nan
    np.testing.assert_array_equal(found[ORDER], [[hit(i, t) for t in ORDER] for i in IDS])
    check_draws(tmp_path, "hitmiss", found)


def test_eval_hits_of_readers(study, tmp_path):
    run("eval", tmp_path, metric="hitmiss", gt_path=study/"gt.json", pred_path=study/"points.json",
        if_human_benchmark=True)
    found = pd.read_csv(tmp_path/"hitmiss_humanbenchmark_results_per_cxr.csv")
    truth, points = masks_of(study/"gt.json"), json.loads((study/"points.json").read_text())
    def hit(i, t):
        marked = points[i].get(t, [])
        return any(truth[i][t][int(y), int(x)] for x, y in marked) if truth[i][t].any() else np.nan
    np.testing.assert_array_equal(found[ORDER], [[hit(i, t) for t in ORDER] for i in IDS])
    check_draws(tmp_path, "hitmiss_humanbenchmark", found)


def test_counts(study, otsu, tmp_path):
    run("count_segs", tmp_path, seg_path=study/"gt.json")
    truth, drawn, readers = (masks_of(p) for p in (study/"gt.json", otsu, study/"hb.json"))
    want = "".join(f"{t},{sum(bool(truth[i][t].any()) for i in IDS)}\n" for t in ORDER)
    assert (tmp_path/"n_segs.csv").read_text() == ",0\n" + want
    run("precision_recall_specificity", tmp_path, gt_path=study/"gt.json", pred_seg_path=otsu,
        hb_seg_path=study/"hb.json")
    for name, masks in dict(pred=drawn, hb=readers).items():
        found = pd.read_csv(tmp_path/f"{name}_precision_recall_specificity.csv", index_col=0)
        assert list(found) == ["pathology", "precision", "recall/sensitivity", "specificity"]
        for t, *scores in found.to_numpy():
            a, b = (np.concatenate([m[i][t].ravel() for i in IDS]) > 0 for m in (masks, truth))
            right = [(a & b).sum()/a.sum(), (a & b).sum()/b.sum(), (~a & ~b).sum()/(~b).sum()]
            np.testing.assert_allclose(scores, right, rtol=1e-12)


def test_percentage_decrease(tmp_path):
    r = np.random.default_rng(0)
    hb, pred = (pd.DataFrame(r.uniform(low, low + .2, (1000, 10)), columns=TASKS) for low in (.6, .4))
    hb.to_csv(tmp_path/"hb.csv", index=False)
    pred.to_csv(tmp_path/"pred.csv", index=False)
    run("calculate_percentage_decrease", tmp_path, metric="hitrate", hb_bootstrap_results=tmp_path/"hb.csv",
        pred_bootstrap_results=tmp_path/"pred.csv")
    found = pd.read_csv(tmp_path/"hitrate_pct_decrease.csv", index_col=0)
    assert list(found) == ["hb", "pred", "pct_diff", "pct_diff_lower", "pct_diff_upper"]
    assert set(found.index) == {*TASKS, "Average"} and found.index[-1] == "Average"
    assert found.pct_diff[:-1].is_monotonic_decreasing
    share = 100*(1 - pred.mean(axis=1)/hb.mean(axis=1)).sort_values().to_numpy()
    middle = 100*(1 - round(pred.mean().mean(), 3)/round(hb.mean().mean(), 3))
    np.testing.assert_allclose(found.loc["Average"].to_numpy()[2:], [middle, share[24], share[974]], atol=.001)
    one = 100*np.sort(1 - pred.Edema/hb.Edema)
    np.testing.assert_allclose(found.loc["Edema"].to_numpy()[3:], [one[24], one[974]], atol=.051)
    assert found.pct_diff["Edema"] == pytest.approx(100*(1 - pred.Edema.mean()/hb.Edema.mean()), abs=.001)


# Shapes --------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def features(study):
    return run("compute_pathology_features", study/"features", gt_ann=study/"ann.json", gt_seg=study/"gt_sick.json")


def rectangle(mask):
    "Sides of the smallest rectangle around the contour with the most points, and how much of it is filled."
    contour = max(cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0], key=len)
    (w, h) = cv2.minAreaRect(contour)[1]
    return max(w, h)/min(w, h), cv2.contourArea(contour)/(w*h)


def test_features(study, features):
    truth = masks_of(study/"gt.json")
    names = ("num_instances", "area_ratio", "elongation", "rec_area_ratio")
    tables = {n: pd.read_csv(features/f"{n}.csv") for n in names}
    for table in tables.values():
        assert list(table) == [*ORDER, "img_id"] and table.img_id.tolist() == IDS
    for k, i in enumerate(IDS):
        for t in ORDER:
            mask = truth[i][t]
            want = (1, mask.mean(), *rectangle(mask)) if mask.any() else (0, 0, np.nan, np.nan)
            np.testing.assert_allclose([table[t][k] for table in tables.values()], want, rtol=1e-6)


def test_pictures(features, tmp_path):
    run("plot_pathology_features", tmp_path, features_dir=features)
    names = [f"{n}_dist.png" for n in ("area_ratio", "elongation", "irrectangularity", "n_instance")]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    for name in names:
        picture = Image.open(tmp_path/name)
        assert picture.size == (3600, 1800) and np.asarray(picture.convert("L")).std() > 10


def line(x, y):
    "Slope, its interval and its p-value, by least squares."
    n = len(x)
    dx = x - x.mean()
    slope = (dx*y).sum()/(dx**2).sum()
    left = y - y.mean() - slope*dx
    error = math.sqrt((left**2).sum()/(n - 2)/(dx**2).sum())
    wide = stats.t.ppf(.975, n - 2)*error
    return slope, slope - wide, slope + wide, 2*stats.t.sf(abs(slope/error), n - 2)


def text(value, low, high, p, tests=1):
    "An estimate in words."
    stars = "***" if p < .001/tests else "**" if p < .01/tests else "*" if p < .05/tests else ""
    return f"{round(value, 3)}, ({round(low, 3)}, {round(high, 3)}){stars}"


@pytest.fixture(scope="module")
def scores(study, otsu):
    "The folder with IoU and hits of the maps and of the readers."
    for metric, pred, human in (("iou", otsu, False), ("hitmiss", study/"maps", False), ("iou", study/"hb.json", True),
                                ("hitmiss", study/"points.json", True)):
        run("eval", study/"scores", metric=metric, gt_path=study/"gt_sick.json", pred_path=pred,
            if_human_benchmark=human)
    return study/"scores"


def test_regression_on_features(features, scores, tmp_path):
    given = {f"{who}_{m}_results": scores/f"{m}{word}_results_per_cxr.csv"
             for who, word in (("pred", ""), ("hb", "_humanbenchmark")) for m in ("iou", "hitmiss")}
    run("regression_pathology_features", tmp_path, features_dir=features, evaluate_hb=True, **given)
    tables = {n: pd.read_csv(p).set_index("img_id") for n, p in given.items()}
    y = {f"pred_{m}": tables[f"pred_{m}_results"] for m in ("iou", "hitmiss")}
    y |= {f"{m}_diff": tables[f"hb_{m}_results"] - tables[f"pred_{m}_results"] for m in ("iou", "hitmiss")}
    area, full = (pd.read_csv(features/f"{n}.csv", index_col="img_id").loc[IDS[1:]]
                  for n in ("area_ratio", "rec_area_ratio"))
    for name, table in y.items():
        found = pd.read_csv(tmp_path/f"regression_features_{name}.csv")
        assert list(found) == ["task", "feature", "Linear regression coefficients"]
        texts = found.set_index("feature").iloc[:, -1]
        assert texts["n_instance"] == "nan, (nan, nan)" # each finding has one instance
        for feature, x in dict(area_ratio=area.where(area > 0), irrectangularity=1 - full).items():
            x = x.to_numpy()[area.to_numpy() > 0]
            x = (x - x.min())/(x.max() - x.min())
            score = table.loc[IDS[1:], ORDER].to_numpy(float)[area.to_numpy() > 0]
            known = np.isfinite(score)
            assert texts[feature] == text(*line(x[known], score[known]), 4)


def test_regression_on_probabilities(study, scores, tmp_path):
    path = scores/"hitmiss_results_per_cxr.csv"
    run("regression_model_assurance", tmp_path, metric="hitmiss", map_dir=study/"maps", pred_results=path)
    found = pd.read_csv(tmp_path/"regression_modelprob_hitmiss.csv").set_index("task")
    assert list(found) == ["n", "Linear regression coefficients", "Spearman correlations"]
    assert list(found.index) == [*ORDER, "Overall"]
    table = pd.read_csv(path).set_index("img_id")
    x = np.array([[enlarged(study, i, t)[1] for t in ORDER] for i in table.index])
    y = table[ORDER].to_numpy(float)
    known = np.isfinite(y)
    assert found.n["Overall"] == known.sum()
    assert found.loc["Overall"].iloc[1] == text(*line(x[known], y[known]))
    r, p = stats.spearmanr(x[known], y[known])
    wide = 1.96/math.sqrt(known.sum() - 3)
    assert found.loc["Overall"].iloc[2] == text(r, math.tanh(math.atanh(r) - wide), math.tanh(math.atanh(r) + wide), p)


# Mistakes ------------------------------------------------------------------------------------------------------------

def refused(capsys, script, **options):
    "The sentence that answers a command."
    typed = [w for name, value in options.items() for w in (f"--{name}", str(value))]
    assert main(["chexlocalize", script, *typed]) == 1
    return capsys.readouterr().err.strip()


def test_what_is_wrong_is_said_in_a_sentence(study, tmp_path, capsys):
    (tmp_path/"none").mkdir()
    said = refused(capsys, "heatmap_to_segmentation", map_dir=tmp_path/"none", output_path=tmp_path/"out.json")
    assert f"{tmp_path/'none'} holds no ID_TASK_map.pkl" in said and not (tmp_path/"out.json").exists()
    said = refused(capsys, "heatmap_to_segmentation", map_dir=study/"maps", if_smoothing=True)
    assert "over a box of 0 pixels: give its side with --k" in said
    said = refused(capsys, "heatmap_to_segmentation", map_dir=study/"maps", threshold_path=study/"no.csv")
    assert "no.csv does not exist" in said
    said = refused(capsys, "eval", metric="iou", gt_path=study/"gt.json", pred_path=study/"ann.json")
    assert "ann.json holds outlines" in said
    said = refused(capsys, "eval", metric="hitmiss", gt_path=study/"gt.json", pred_path=study/"ann.json",
                   if_human_benchmark=True)
    assert "img_size of patient00_study1_view1_frontal is not a list of points" in said
    said = refused(capsys, "count_segs", seg_path="")
    assert "--seg_path was given as an empty text" in said
    said = refused(capsys, "regression_pathology_features", features_dir=tmp_path, pred_iou_results=tmp_path/"a",
                   pred_hitmiss_results=tmp_path/"b")
    assert "num_instances.csv does not exist" in said


def test_pickles_that_run_something_are_refused(study, tmp_path, capsys):
    class Bad:
        def __reduce__(self): return os.mkdir, (str(tmp_path/"harm"),)
    maps = shutil.copytree(study/"maps", tmp_path/"maps")
    (maps/f"{IDS[0]}_Edema_map.pkl").write_bytes(pickle.dumps(dict(map=Bad(), prob=.5, cxr_dims=(9, 9))))
    for script in ("tune_heatmap_threshold", "tune_probability_threshold"):
        assert "was refused" in refused(capsys, script, map_dir=maps, gt_path=study/"gt.json", save_dir=tmp_path)
    assert "was refused" in refused(capsys, "heatmap_to_segmentation", map_dir=maps, output_path=tmp_path/"out.json")
    assert not (tmp_path/"harm").exists() and not (tmp_path/"out.json").exists()


def test_words_that_a_script_does_not_know_are_refused(study, capsys):
    for typed in (["eval", "--metric", "dice"], ["eval", "--metric", "iou"], ["evaluate"],
                  ["heatmap_to_segmentation", "--map_dir", "x", "--if_smoothing", "yes"]):
        with pytest.raises(SystemExit) as stop:
            main(["chexlocalize", *typed])
        assert stop.value.code == 2 and "chexlocalize" in capsys.readouterr().err


# The real film -------------------------------------------------------------------------------------------------------

@real
def test_real_outlines_and_maps_become_the_published_masks(tmp_path):
    folder = REAL/"CheXlocalize"
    run("annotation_to_segmentation", None, ann_path=folder/"gt_annotations_val.json", output_path=tmp_path/"gt.json")
    run("heatmap_to_segmentation", None, map_dir=folder/"gradcam_maps_val", output_path=tmp_path/"maps.json")
    assert json.loads((tmp_path/"gt.json").read_text()) == json.loads((folder/"gt_segmentations_val.json").read_text())
    drawn, published = masks_of(tmp_path/"maps.json"), masks_of(folder/"gradcam_segmentations_val.json")
    other = {t: int((drawn[i][t] != mask).sum()) for i, of in published.items() for t, mask in of.items()}
    assert sum(other.values()) <= 1 # of 65 million pixels: the published ones were enlarged by another version of torch


@real
def test_real_thresholds_and_scores(tmp_path):
    folder = REAL/"CheXlocalize"
    truth, drawn = (masks_of(folder/f"{n}_segmentations_val.json") for n in ("gt", "gradcam"))
    run("heatmap_to_segmentation", None, map_dir=folder/"gradcam_maps_val", output_path=tmp_path/"cut.json",
        threshold_path=REAL/"tuning_results.csv", probability_threshold_path=REAL/"probability_tuning_results.csv")
    assert {t for of in masks_of(tmp_path/"cut.json").values() for t in of} == set(TASKS)
    run("eval", tmp_path, metric="iou", gt_path=folder/"gt_segmentations_val.json",
        pred_path=folder/"gradcam_segmentations_val.json")
    found = pd.read_csv(tmp_path/"iou_results_per_cxr.csv").set_index("img_id")
    for i in truth:
        np.testing.assert_allclose(found.loc[i, ORDER].astype(float),
                                   [overlap(drawn[i][t], truth[i][t], False) for t in ORDER], rtol=1e-12)
