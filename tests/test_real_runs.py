"""The converter of Wingspan, and the thread of the method on real films.

Skipped without them: name their folder in CHEXSEG_TEST_DATA."""
import os
from pathlib import Path

import pandas as pd
import pytest
from wingspan import convert

from chexseg.choices import METHODS
from chexseg.classifier import fit_classifier
from chexseg.data import open_study
from chexseg.evaluation import hit_rate
from chexseg.maps import peaks
from chexseg.pipeline import run_pipeline
from chexseg.saliency import compute_saliency
from chexseg.studies import ablation, ensemble_table, learning_curves, saliency_zoo

DATA = Path(os.environ.get("CHEXSEG_TEST_DATA", "") or "-")
pytestmark = pytest.mark.skipif(not (DATA/"wingspan").is_dir(),
                                reason="CHEXSEG_TEST_DATA does not name the folder of the real films")


@pytest.fixture(scope="module")
def wingspan(tmp_path_factory):
    return convert(DATA/"wingspan", tmp_path_factory.mktemp("wingspan"))


def test_wingspan_opens_as_a_study(wingspan):
    study = open_study(wingspan)
    films = pd.read_csv(DATA/"wingspan"/"images.csv").set_index("id")
    assert study.tasks == ["Cardiomegaly"] and len(study.table) == len(films)
    assert (study.table.patient == study.table.id).all()
    ratio = films.ctr_published.fillna(films.ctr_from_masks)[study.table.id]
    assert ((ratio.values > 0.5) == (study.table.Cardiomegaly == 1)).all()
    outlined = study.table[study.table.split != "train"]
    assert all(study.experts.positive(r.id)[0] == (r.Cardiomegaly == 1) for r in outlined.itertuples())


def at_border(point, size, share=1/6):
    "Whether a point lies near an edge of its film."
    (x, y), (h, w) = point, size
    return min(x/w, y/h, 1 - x/w, 1 - y/h) < share


def test_few_films_are_enough_to_look_at_the_heart(wingspan):
    "With 8 epochs of 119 films, saliency peaked at the border of nearly all films, and on no heart."
    study = open_study(wingspan)
    model = fit_classifier(study.part("weak"), study.part("valid"), "small", side=96).model
    test = study.part("test")
    test = test.where(test.labels[:, 0] == 1)
    maps = compute_saliency(model, test)
    points = peaks(maps)
    near = [at_border(p["Cardiomegaly"], maps.sizes[maps.row(i)]) for i, p in points.items()]
    hits = hit_rate(points, test.masks, test.ids)
    assert sum(near) < len(near)/2
    assert hits.mean().item() > 1/4


@pytest.fixture(scope="module")
def run(wingspan, tmp_path_factory):
    return run_pipeline(wingspan, out=tmp_path_factory.mktemp("run")/"run", preset="table", tasks=["Cardiomegaly"],
                        experts=40, side=64, classifier_epochs=2, segmenter_steps=20, irnet_steps=10, bootstraps=100,
                        workers=1)


def test_the_paper_s_table_on_wingspan(run):
    t = run.results()
    assert set(t.method) == set(METHODS) # no second readers
    assert not run.on_phantom and run.labels["readers"] == "radiologists"
    assert t["mean"].between(0, 1).all() and (run/"report.html").exists()
    quality = pd.read_csv(run/"pseudomask_quality.csv", index_col="task")
    gates = ("no gate", "exact labels") # what reports would have said is known of phantoms alone
    assert list(quality) == [f"{kind}, {gate}" for kind in ("thresholded", "IRNet") for gate in gates]
    hits = pd.read_csv(run/"hits.csv")
    assert set(hits.method) == {"saliency"} and hits["mean"].between(0, 1).all()


def test_the_saliency_zoo_on_wingspan(run):
    zoo = saliency_zoo(run, ("gradcam", "hirescam", "eigencam"), films=8)
    assert zoo[["mIoU", "hit_rate"]].stack().between(0, 1).all()
    # the same map where a mean and a linear layer follow the last features
    assert zoo.loc["gradcam", "hit_rate"] == zoo.loc["hirescam", "hit_rate"]
    assert abs(zoo.loc["gradcam", "mIoU"] - zoo.loc["hirescam", "mIoU"]) < .02


def test_other_studies_on_wingspan(run):
    curves = learning_curves(run, experts=(20, 40), weak=(50, 100))
    assert len(curves) == 8 and curves["mean"].between(0, 1).all()
    assert ensemble_table(run, 2, 1).auroc.between(0, 1).all()
    assert ablation(run, ("light", "deeplabv3plus"), ("classifier",), ("full",)).full.between(0, 1).all()
