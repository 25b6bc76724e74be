"""Every metric against brute force, on masks of any shape: empty, full, one pixel, long and thin."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chexseg.core import ChexsegError, rng
from chexseg.evaluation import (CONVENTIONS, areas_table, bootstrap, dice_table, false_alarms, fractions,
                                gap_reduction, miou, sensitivity_table)
from chexseg.masks import MaskSet, check_runs, decode, encode, iou, letterbox, pixel_counts
from chexseg.outlines import contours, rasterize

pytestmark = pytest.mark.filterwarnings("ignore:No film counts for", "ignore:__array__ implementation")
TASKS = ["Edema", "Atelectasis", "Fracture"]
quick = settings(max_examples=25, deadline=None)
sizes = st.tuples(st.integers(1, 14), st.integers(1, 14))


@st.composite
def masks(draw, size=None):
    "One mask: often empty or full, else random."
    size = size or draw(sizes)
    kind = draw(st.sampled_from(["empty", "full", "pixel", "any", "any"]))
    if kind == "any":
        return draw(arrays(np.uint8, size, elements=st.integers(0, 1)))
    mask = np.full(size, kind == "full", np.uint8)
    if kind == "pixel":
        mask[draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))] = 1
    return mask


@st.composite
def films(draw):
    "Predicted and true masks of a few films, (films, 2, tasks, h, w)."
    size = draw(sizes)
    n = draw(st.integers(1, 4))
    return np.array([[[draw(masks(size)) for _ in TASKS] for _ in range(2)] for _ in range(n)])


def both_sets(x):
    "The masks of films as two `MaskSet`s."
    made = [MaskSet(tasks=TASKS), MaskSet(tasks=TASKS)]
    for k, pair in enumerate(x):
        for masks_of, planes in zip(made, pair):
            masks_of.add(f"film{k}", planes)
    return made


def places(mask):
    "The pixels of a mask as a set."
    return set(zip(*np.nonzero(mask)))


@given(masks())
@quick
def test_run_lengths_lose_nothing(mask):
    rle = encode(mask)
    np.testing.assert_array_equal(decode(rle), mask)
    assert pixel_counts([rle["counts"]])[0] == mask.size
    check_runs({"a": {"Edema": rle}})


@given(masks())
@quick
def test_outlines_lose_nothing(mask):
    np.testing.assert_array_equal(rasterize(contours(mask), mask.shape), mask)


@given(sizes.flatmap(lambda s: st.tuples(masks(s), masks(s))))
@quick
def test_iou_is_shared_over_all(pair):
    a, b = map(places, pair)
    want = len(a & b)/len(a | b) if a | b else np.nan
    np.testing.assert_equal(iou(*pair), want)


def counted(pred, truth, convention):
    "Whether a film counts, written out."
    if convention == "either":
        return bool(pred or truth)
    return bool(truth) if convention == "truth" else bool(pred and truth)


def brute_mean(x, j, convention):
    "The mean IoU of one task, from sets of pixels."
    pairs = [tuple(places(m[j]) for m in pair) for pair in x]
    if convention.startswith("pooled"):
        kept = [(p, t) for (p, t), film in zip(pairs, x) if convention == "pooled" or film[1].any()]
        shared, union = (sum(len(f(p, t)) for p, t in kept) for f in (set.intersection, set.union))
        return shared/union if union else np.nan
    ious = [len(p & t)/len(p | t) if p | t else np.nan for p, t in pairs if counted(p, t, convention)]
    return np.mean(ious) if ious else np.nan


@pytest.mark.parametrize("convention", [c for c in CONVENTIONS if c != "pooled_outlined"])
@given(films())
@quick
def test_means_in_every_convention(convention, x):
    pred, truth = both_sets(x)
    areas = areas_table(pred, truth)
    want = [brute_mean(x, j, convention) for j in range(len(TASKS))]
    if np.isnan(want).all():
        with pytest.raises(ChexsegError, match="nothing to average"):
            miou(fractions(areas, convention))
        return
    means = miou(fractions(areas, convention))
    np.testing.assert_allclose([means[t] for t in TASKS], want, rtol=1e-12)
    np.testing.assert_allclose(means["mIoU"], np.nanmean(want), rtol=1e-12)


@given(films())
@quick
def test_dice_sensitivity_and_false_alarms(x):
    areas = areas_table(*both_sets(x))
    dice, hit = dice_table(areas), sensitivity_table(areas)
    for k, pair in enumerate(x):
        for j, task in enumerate(TASKS):
            p, t = places(pair[0][j]), places(pair[1][j])
            np.testing.assert_equal(float(dice[task].iloc[k]), 2*len(p & t)/(len(p) + len(t)) if p or t else np.nan)
            np.testing.assert_equal(float(hit[task].iloc[k]), float(bool(p & t)) if t else np.nan)
    wrong = [bool(pair[0][j].any() and not pair[1][j].any()) for pair in x for j in range(len(TASKS))]
    free = any(not pair[1][j].any() for pair in x for j in range(len(TASKS))) # else none can be seen
    np.testing.assert_allclose(false_alarms(areas), sum(wrong)/len(x) if free else np.nan)


@given(masks(), st.integers(2, 20))
@quick
def test_a_mask_in_a_square(mask, side):
    "What is there stays there, what is not does not come, and nothing lies on the padding."
    box = letterbox(mask.shape, side)
    small = box.shrink(encode(mask))
    assert small.shape == (side, side) and small.any() == mask.any()
    outside = small.copy()
    outside[box.top:box.top + box.height, box.left:box.left + box.width] = 0
    assert not outside.any()
    if mask.all():
        assert small.sum() == box.height*box.width


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@quick
def test_share_of_a_gap(start, end, readers):
    "A share there is only where the readers are ahead."
    got = gap_reduction(start, end, readers)
    assert np.isclose(got, (end - start)/(readers - start)) if readers > start else np.isnan(got)


def test_a_film_of_four_thousand_pixels():
    "Sums of areas do not overflow, and a single pixel in the far corner is found."
    mask = np.zeros((4000, 4000), np.uint8)
    mask[-1, -1] = 1
    full = np.ones_like(mask)
    pixel, everything = encode(mask), encode(full)
    pred = MaskSet({f"film{k}": {"Edema": pixel} for k in range(200)}, ["Edema"])
    truth = MaskSet({f"film{k}": {"Edema": everything} for k in range(200)}, ["Edema"])
    areas = areas_table(pred, truth)
    assert areas.union.sum() == 200*16_000_000 and areas.shared.sum() == 200
    assert np.isclose(miou(fractions(areas, "pooled"))["Edema"], 1/16_000_000)


def scores_of_patients(g, patients, mean):
    "IoUs of one to three films of each patient, alike within a patient."
    each = np.clip(g.normal(mean, .15, patients), 0, 1)
    n = g.integers(1, 4, patients)
    values = np.clip(np.repeat(each, n) + g.normal(0, .05, n.sum()), 0, 1)
    ids = [f"film{k}" for k in range(len(values))]
    table = pd.DataFrame(dict(Edema=values), pd.Index(ids, name="id"))
    table.attrs["convention"] = "either"
    return table, dict(zip(ids, np.repeat(np.arange(patients), n).tolist()))


def times_held(patients, studies=200):
    "In how many studies of so many patients a 95% interval holds the mean of all films there are."
    g = rng(0, "coverage")
    population, _ = scores_of_patients(g, 20_000, .5)
    truth = population.Edema.mean()
    held = 0
    for k in range(studies):
        table, whose = scores_of_patients(g, patients, .5)
        row = bootstrap({"a method": table}, whose, 200, k).query("task == 'mIoU'").iloc[0]
        held += row.low <= truth <= row.high
    return held/studies


@pytest.mark.parametrize("patients", [20, 150])
def test_intervals_hold_the_truth_as_often_as_they_say(patients):
    assert .9 <= times_held(patients) <= .99


def test_intervals_of_ten_patients():
    "Percentile intervals of very few patients are too narrow, as the page of promises says."
    assert .8 <= times_held(10) < .92
