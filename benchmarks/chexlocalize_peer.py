"""cheXlocalize's scripts beside ours: the same options on the same files, and what comes out, compared.

    git clone https://github.com/rajpurkarlab/cheXlocalize
    pip install statsmodels seaborn
    python -m benchmarks.chexlocalize_peer cheXlocalize

Made-up films in cheXlocalize's formats first, then the two films of the repository's sample folder. Nothing of the
checkout is changed. Files that the second script of a chain reads are those that the reference has written."""
import contextlib
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from pycocotools import mask as coco

from benchmarks.common import RESULTS
from chexseg.__main__ import main as chexseg
from chexseg.core import TASKS
from chexseg.masks import MaskSet
from chexseg.outlines import annotations_to_masks

# The scripts were written for pandas 1.2 and statsmodels 0.13: what newer ones lack is added around them.
SHIM = """
import runpy, sys, warnings
import matplotlib, pandas as pd
matplotlib.use("Agg")
warnings.simplefilter("ignore")
def append(self, other, ignore_index=False): return pd.concat([self, other], ignore_index=ignore_index)
pd.DataFrame.append = append
if "regression" in sys.argv[1]:
    from statsmodels.regression.linear_model import RegressionResultsWrapper as Results
    conf_int = Results.conf_int
    Results.conf_int = lambda self, alpha, cols: conf_int(self, alpha)
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rsplit("/", 1)[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


# Made-up films -------------------------------------------------------------------------------------------------------

def ellipse(r, size):
    "The outline of an ellipse somewhere on a film."
    h, w = size
    angle = np.linspace(0, 2*np.pi, 24, endpoint=False)
    x = w*r.uniform(.25, .75) + w*r.uniform(.06, .2)*np.cos(angle)
    y = h*r.uniform(.25, .75) + h*r.uniform(.06, .2)*np.sin(angle + r.uniform(0, 1))
    return np.stack([x, y], 1).round(2).tolist()


def moved(r, outlines, by):
    "Outlines as somebody else might have drawn them."
    return [(np.array(o) + r.normal(0, by, 2)).tolist() for o in outlines]


def map_of(r, outlines, size, cells):
    "A coarse map, warm near the outlines; without any it is noise, and now and then flat."
    y, x = (np.mgrid[:cells, :cells] + .5)/cells
    warm = r.random((cells, cells))*.5
    for outline in outlines:
        cx, cy = np.mean(outline, 0)/(size[1], size[0]) + r.normal(0, .06, 2)
        warm += np.exp(-((x - cx)**2 + (y - cy)**2)/r.uniform(.01, .04))
    return np.float32(warm*r.uniform(.01, 3)*(bool(outlines) or r.random() > .1))


def write_map(path, raw, prob, task, size):
    "One file of maps."
    torch_map = torch.from_numpy(raw)[None, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(dict(map=torch_map, prob=prob, task=task, gt=0, cxr_dims=size[::-1])))


def write_film(r, folder, id, sick):
    "Maps of one film; its outlines, the readers' outlines, and the readers' points."
    size = tuple(int(n) for n in r.integers(110, 190, 2))
    cells = int(r.choice([10, 14]))
    own, other, points = {}, {}, {}
    for task in TASKS:
        outlines = [ellipse(r, size) for _ in range(r.integers(1, 3))] if sick and r.random() < .6 else []
        prob = float(np.clip(r.normal(.55 if outlines else .35, .2), .01, .99))
        raw = map_of(r, outlines, size, cells)
        write_map(folder/"maps"/f"{id}_{task}_map.pkl", raw, prob, task, size)
        many = torch.from_numpy(r.random(14))
        write_map(folder/"maps14"/id/f"{id}_{task}_map.pkl", raw, many, task, size)
        if outlines:
            own[task] = outlines
        if outlines and r.random() < .9:
            other[task] = moved(r, outlines, 4)
            points[task] = [np.mean(o, 0).round(1).tolist() for o in moved(r, outlines, 9)]
    size = dict(img_size=list(size))
    return size | own, size | other, points


def write_study(folder, films=26, seed=0):
    "Files of a made-up study; two films are healthy, and the files of masks do not have them, as on CheXpert's test."
    r = np.random.default_rng(seed)
    ids = [f"patient{k:05}_study1_view1_frontal" for k in range(films)]
    made = {i: write_film(r, folder, i, k > 1) for k, i in enumerate(ids)}
    own, other, points = ({i: m[k] for i, m in made.items()} for k in range(3))
    (folder/"ann.json").write_text(json.dumps(own))
    (folder/"points.json").write_text(json.dumps(points))
    for name, outlines in dict(gt=own, hb=other).items():
        masks = annotations_to_masks(outlines)
        (folder/f"{name}.json").write_text(json.dumps({i: masks.masks[i] for i in ids[2:]}))
    return folder


# Both sides ----------------------------------------------------------------------------------------------------------

def theirs(checkout, script, options, out):
    "The reference script; the last line of what went wrong."
    out.mkdir(parents=True)
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    command = [sys.executable, "-c", SHIM, str(checkout/f"{script}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out, env=env)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def ours(script, options, out):
    "Our command; what it complained of."
    out.mkdir(parents=True)
    said = io.StringIO()
    before = Path.cwd()
    os.chdir(out)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            status = chexseg(["chexlocalize", script, *options])
    finally:
        os.chdir(before)
    return said.getvalue().strip() if status else ""


def table_difference(a, b):
    "How two tables differ."
    a, b = pd.read_csv(a), pd.read_csv(b)
    if list(a) != list(b) or a.shape != b.shape:
        return f"tables of other columns or rows: {a.shape} and {b.shape}"
    words = [c for c in a if a[c].dtype.kind not in "if"]
    other = sum((a[c] != b[c]).sum() for c in words)
    most = max([np.nanmax(np.abs(a[c] - b[c]).to_numpy(), initial=0) for c in a if c not in words], default=0)
    if not other and not most:
        return "the same numbers, written otherwise"
    return f"{other} texts differ, numbers by at most {most:.1g}"


def mask_difference(a, b):
    "How two sets of masks differ."
    if a == b:
        return "equal, films in another order"
    if {i: set(of) for i, of in a.items()} != {i: set(of) for i, of in b.items()}:
        return "masks of other films or tasks"
    pairs = [(coco.decode(a[i][t]), coco.decode(b[i][t])) for i in a for t in a[i]]
    other, pixels = sum(int((x != y).sum()) for x, y in pairs), sum(x.size for x, _ in pairs)
    return f"{other} of {pixels:,} pixels differ"


def difference(a, b):
    "How two files differ; `equal` where no byte does."
    if not a.exists() or not b.exists():
        return "missing here" if a.exists() else "missing there"
    if a.read_bytes() == b.read_bytes():
        return "equal"
    if a.suffix == ".json":
        return mask_difference(json.loads(a.read_text()), json.loads(b.read_text()))
    if a.suffix == ".png":
        return f"drawn otherwise, {Image.open(a).size} and {Image.open(b).size} pixels"
    return table_difference(a, b)


def verdict(there, here):
    "How the files of two folders differ."
    names = sorted({p.name for folder in (there, here) for p in folder.iterdir()})
    found = {name: difference(there/name, here/name) for name in names}
    several = sorted(set(found.values()))
    return several[0] if len(several) == 1 else "; ".join(f"{name}: {d}" for name, d in found.items())


class Comparison:
    "What was run, and how it came out."
    def __init__(self, checkout, folder, data):
        self.checkout = Path(checkout).resolve()
        self.folder = folder
        self.data = data
        self.rows = []

    def run(self, script, note="", **options):
        "One script on both sides; the folder with what the reference wrote."
        words = [w for name, value in options.items() for w in (f"--{name}", str(value))]
        there, here = (self.folder/side/f"{len(self.rows):02}_{script}" for side in ("theirs", "ours"))
        wrong = theirs(self.checkout, script, words, there)
        fault = ours(script, words, here)
        said = verdict(there, here) if not wrong and not fault else f"there: {wrong or 'fine'}; here: {fault or 'fine'}"
        files = len(list(there.iterdir()))
        self.rows.append(dict(script=script, data=self.data, with_options=note, files=files, result=said))
        print(f"{script:<31}{note:<34}{said}", flush=True)
        return there


def compare_masks(c, ann, maps, gt, tuned=None):
    "Scripts that make masks and choose thresholds (`tuned`: a folder with them); masks by Otsu, and by both CSV files."
    c.run("annotation_to_segmentation", ann_path=ann, output_path="out.json")
    low = c.run("tune_heatmap_threshold", map_dir=maps, gt_path=gt)
    sure = c.run("tune_probability_threshold", map_dir=maps, gt_path=gt)
    otsu = c.run("heatmap_to_segmentation", "Otsu", map_dir=maps, output_path="./out.json")
    thresholds = dict(threshold_path=(tuned or low)/"tuning_results.csv")
    c.run("heatmap_to_segmentation", "threshold_path", map_dir=maps, output_path="./out.json", **thresholds)
    cutoffs = dict(probability_threshold_path=(tuned or sure)/"probability_tuning_results.csv")
    to = dict(map_dir=maps, output_path="./out.json")
    cut = c.run("heatmap_to_segmentation", "both CSV files", **to, **thresholds, **cutoffs)
    c.run("heatmap_to_segmentation", "if_smoothing, k 7", **to, if_smoothing=True, k=7)
    return otsu/"out.json", cut/"out.json"


def compare_scores(c, maps, gt, otsu, cut, hb, points):
    "Scripts that score; the folders with the scores of the method and of the readers."
    plain = [c.run("eval", "iou", metric="iou", gt_path=gt, pred_path=otsu),
             c.run("eval", "hitmiss", metric="hitmiss", gt_path=gt, pred_path=maps)]
    c.run("eval", "iou, true_pos_only False", metric="iou", gt_path=gt, pred_path=cut, true_pos_only=False)
    c.run("eval", "iou, seed 7", metric="iou", gt_path=gt, pred_path=cut, seed=7)
    c.run("count_segs", seg_path=gt)
    c.run("count_segs", "masks of maps", seg_path=cut)
    c.run("precision_recall_specificity", gt_path=gt, pred_seg_path=cut, hb_seg_path=hb)
    human = dict(gt_path=gt, if_human_benchmark=True)
    readers = [c.run("eval", "iou, readers", metric="iou", pred_path=hb, **human)]
    if points:
        readers.append(c.run("eval", "hitmiss, readers", metric="hitmiss", pred_path=points, **human))
    names = dict(iou="miou", hitmiss="hitrate")
    for (metric, name), a, b in zip(names.items(), plain, readers):
        c.run("calculate_percentage_decrease", name, metric=name,
              hb_bootstrap_results=b/f"{metric}_humanbenchmark_bootstrap_results_per_cxr.csv",
              pred_bootstrap_results=a/f"{metric}_bootstrap_results_per_cxr.csv")
    return plain, readers


def compare_shapes(c, ann, gt, maps, plain, readers):
    "Scripts that look at shapes and probabilities."
    features = c.run("compute_pathology_features", gt_ann=ann, gt_seg=gt)
    c.run("plot_pathology_features", features_dir=features)
    scores = {f"pred_{m}_results": folder/f"{m}_results_per_cxr.csv" for m, folder in zip(("iou", "hitmiss"), plain)}
    c.run("regression_pathology_features", features_dir=features, **scores)
    human = {f"hb_{m}_results": folder/f"{m}_humanbenchmark_results_per_cxr.csv"
             for m, folder in zip(("iou", "hitmiss"), readers)}
    if len(human) == 2:
        both = scores | human
        c.run("regression_pathology_features", "evaluate_hb", features_dir=features, evaluate_hb=True, **both)
    for metric, folder in zip(("iou", "hitmiss"), plain):
        c.run("regression_model_assurance", metric, metric=metric, map_dir=maps,
              pred_results=folder/f"{metric}_results_per_cxr.csv")


def made_up(checkout, folder):
    "All scripts on made-up films."
    data = write_study(folder/"study")
    c = Comparison(checkout, folder/"made", "made-up")
    otsu, cut = compare_masks(c, data/"ann.json", data/"maps", data/"gt.json")
    plain, readers = compare_scores(c, data/"maps", data/"gt.json", otsu, cut, data/"hb.json", data/"points.json")
    compare_shapes(c, data/"ann.json", data/"gt.json", data/"maps", plain, readers)
    c.data = "made-up, 14 probabilities a file, folders in folders"
    sure = c.run("tune_probability_threshold", map_dir=data/"maps14", gt_path=data/"gt.json")
    c.run("heatmap_to_segmentation", "probability_threshold_path", map_dir=data/"maps14", output_path="./out.json",
          probability_threshold_path=sure/"probability_tuning_results.csv")
    return c.rows


def sample(checkout, folder):
    "All scripts on the repository's sample, at its thresholds; experts stand in for human readers, who are not there."
    data = Path(checkout).resolve()/"sample"
    gt, maps = data/"gt_segmentations_val.json", data/"gradcam_maps_val"
    c = Comparison(checkout, folder/"sample", "sample of the repository")
    otsu, cut = compare_masks(c, data/"gt_annotations_val.json", maps, gt, data)
    published = MaskSet.read(data/"gradcam_segmentations_val_sample.json").masks
    print("masks at Otsu's threshold and the published ones:", mask_difference(json.loads(otsu.read_text()), published))
    plain, readers = compare_scores(c, maps, gt, otsu, cut, gt, None)
    compare_shapes(c, data/"gt_annotations_val.json", gt, maps, plain, readers)
    return c.rows


def main(checkout):
    with tempfile.TemporaryDirectory() as d:
        rows = made_up(checkout, Path(d)) + sample(checkout, Path(d))
    RESULTS.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS/"chexlocalize_peer.csv", index=False)
    print(f"{sum(r['result'].startswith('equal') for r in rows)} of {len(rows)} equal")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name a checkout of https://github.com/rajpurkarlab/cheXlocalize.")
    main(sys.argv[1])
