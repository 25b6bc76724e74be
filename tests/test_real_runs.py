"""The converter of Wingspan, and the thread of the method on real films. Skipped without them: name their folder in CHEXSEG_TEST_DATA."""
import os
from pathlib import Path

import pandas as pd
import pytest
from wingspan import convert

from chexseg.data import open_study
from chexseg.pipeline import results, run_pipeline

DATA = Path(os.environ.get("CHEXSEG_TEST_DATA", ""))
pytestmark = pytest.mark.skipif(not (os.environ.get("CHEXSEG_TEST_DATA") and (DATA/"wingspan").is_dir()),
                                reason="CHEXSEG_TEST_DATA does not name the folder of the real films")


@pytest.fixture(scope="module")
def wingspan(tmp_path_factory): return convert(DATA/"wingspan", tmp_path_factory.mktemp("wingspan"))


def test_wingspan_opens_as_a_study(wingspan):
    study, films = open_study(wingspan), pd.read_csv(DATA/"wingspan"/"images.csv").set_index("id")
    assert study.tasks == ["Cardiomegaly"] and len(study.table) == len(films)
    assert (study.table.patient == study.table.id).all()
    ratio = films.ctr_published.fillna(films.ctr_from_masks)[study.table.id]
    assert ((ratio.values > 0.5) == (study.table.Cardiomegaly == 1)).all()
    outlined = study.table[study.table.split != "train"]
    assert all(study.experts.positive(r.id)[0] == (r.Cardiomegaly == 1) for r in outlined.itertuples())


def test_the_thread_runs_on_wingspan(wingspan, tmp_path):
    run = run_pipeline(wingspan, out=tmp_path/"run", tasks=["Cardiomegaly"], experts=40, side=64, epochs=2, steps=20, bootstraps=100, workers=1)
    t = results(run)
    assert set(t.method) == {"weak", "full", "chexseg", "semi"}  # no second readers, so no radiologists
    assert t["mean"].between(0, 1).all()
    assert (run/"report.html").exists()
