"""Figures for a paper and results by subgroup: what is written, and that nothing global changes."""
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chexseg.core import ChexsegError, rng
from chexseg.figures import FIGURES, draw_paper, save_figure
from chexseg.runs import Run, story
from chexseg.subgroups import FEW, film_groups, subgroup_gaps, subgroup_table


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    "Every figure of the story, in every format, for three of its tasks."
    tasks = ["Cardiomegaly", "Edema", "Pleural Effusion"]
    before, opened = dict(matplotlib.rcParams), plt.get_fignums()
    drawn = draw_paper(story(), tmp_path_factory.mktemp("paper"), ("pdf", "svg", "png"), ["full", "ours"], tasks)
    assert dict(matplotlib.rcParams) == before and plt.get_fignums() == opened
    return drawn


def test_every_figure_is_drawn_or_says_why_not(paper):
    assert {*paper.files, *paper.missing} == set(FIGURES)
    assert list(paper.missing) == ["learning"] and "chexseg study curves" in paper.missing["learning"]


@pytest.mark.parametrize("name", [f for f in FIGURES if f != "learning"])
def test_a_figure_fits_a_journal(name, paper):
    "At most two columns wide, letters of six points or more, text as text, no bitmap fonts."
    pdf, svg, png = paper.files[name]
    image = Image.open(png)
    assert image.width/300 <= 7.25 and image.height/300 <= 9.5
    text = svg.read_text()
    sizes = [float(s) for s in re.findall(r"font(?:-size)?: ([\d.]+)px", text)]
    assert "</text>" in text and sizes and min(sizes) >= 6
    assert "patient6" not in text
    raw = pdf.read_bytes()
    assert b"/Type3" not in raw and b"/FontFile2" in raw


def test_a_figure_that_fails_leaves_nothing(tmp_path, monkeypatch):
    fig = plt.subplots()[0]
    monkeypatch.setattr(fig, "savefig", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        save_figure(fig, tmp_path/"any")
    assert list(tmp_path.iterdir()) == []
    plt.close(fig)


def test_run_without_answers_of_its_classifier_says_so(tmp_path):
    run = Run(tmp_path/"run", story().choices)
    for name in ("stages/scores.json", "areas.npz", "tasks.json", "results.csv"):
        (run/name).parent.mkdir(exist_ok=True)
        (run/name).write_bytes((story()/name).read_bytes())
    story().test_films()[["patient", "view", *story().tasks]].to_csv(run/"test_films.csv")
    with pytest.raises(ChexsegError, match="has not kept what its classifier said"):
        draw_paper(run, tmp_path/"paper", names=["roc"])


# Subgroups -----------------------------------------------------------------------------------------------------------

def test_groups_partition_the_films():
    groups = film_groups(story())
    ids = story().areas()["full"].ids
    for by in groups:
        parts = list(groups.groupby(by).groups.values())
        assert sorted(i for p in parts for i in p) == sorted(ids)


def test_scores_of_groups_are_those_of_their_films_alone():
    "A group's mIoU is what scoring only its films gives."
    run = story()
    table = subgroup_table(run, methods=["ours"], conventions=("either",))
    ious, groups = run.film_ious()["ours"], film_groups(run)
    for r in table[~table.few].itertuples():
        mine = ious[groups[r.by] == r.group]
        assert r.mean == pytest.approx(mine.mean().mean()) and r.low < r.mean < r.high and len(mine) == r.films


def test_small_groups_are_flagged():
    table = subgroup_table(story(), methods=["ours"])
    assert (table.few == (table.patients < FEW)).all() and table.few.any()
    gaps = subgroup_gaps(story(), "ours")
    assert (gaps.patients >= FEW).all()


def test_luck_alone_is_found_as_often_as_it_should(tmp_path):
    "20 questions that mean nothing: some look like findings, and none stands among all that were asked."
    patients = sorted(story().test_films().patient.unique())
    asked = {f"question {k}": rng(k, "coin").integers(0, 2, len(patients)) for k in range(20)}
    pd.DataFrame(dict(Patient=patients, **asked)).to_csv(tmp_path/"facts.csv", index=False)
    gaps = subgroup_gaps(story(), "ours", tmp_path/"facts.csv")
    gaps = gaps[gaps.by.str.startswith("question") & (gaps.group == "0")]
    assert len(gaps) == 20 and ((gaps.low > 0) | (gaps.high < 0)).sum() <= 4
    assert not gaps.stands.any()


def test_a_true_difference_stands(tmp_path):
    "Films told apart by how well they were outlined."
    ious = story().film_ious()["ours"].mean(axis=1)
    good = np.where(ious > ious.median(), "good", "bad")
    pd.DataFrame(dict(id=ious.index, outlined=good)).to_csv(tmp_path/"facts.csv", index=False)
    gaps = subgroup_gaps(story(), "ours", tmp_path/"facts.csv").set_index(["by", "group"])
    assert gaps.stands["outlined", "good"] and gaps.difference["outlined", "good"] > .1
