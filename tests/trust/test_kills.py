"""A run that is killed at any moment goes on, and ends with the files of a run that nobody disturbed."""
import hashlib
import json
import os
import random
import shutil
import time
from functools import partial

import pytest

import chexseg.resume
from chexseg.choices import STAGES, options
from chexseg.core import ChexsegError
from chexseg.runs import Run
from chexseg.training import FiniteLoss

from .commands import done, finish, start

TINY = ("run --films 40 30 12 --side 64 --experts 8 --classifier-epochs 1 --segmenter-steps 3 --segmenter-bs 4 "
        "--methods weak full full+vote semi --bootstraps 20 --workers 0 --out run").split()
CUT_AFTER = 17 # training steps; an epoch of the trainings here has 3 to 5
MOST = 40 # attempts
KILLS = int(os.environ.get("CHEXSEG_TEST_KILLS", 3))


def digests(folder):
    "{name: digest} of what a run has made; stage records and the page hold times and so differ."
    skip = ("stages", "report.html", "manifest.json", "log.txt", ".lock")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*"))
            if p.is_file() and not any(part in skip for part in p.relative_to(folder).parts)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "A folder with a run that nobody disturbed."
    folder = tmp_path_factory.mktemp("whole")
    done(folder, TINY)
    return folder


def kill_after(folder, stage, pause):
    "Start the run, and kill it a moment after a stage has begun; whether it was still running."
    process, _ = start(folder, TINY)
    while process.is_alive() and not (folder/"run"/"stages"/f"{stage}.json").exists():
        time.sleep(.02)
    time.sleep(pause)
    running = process.is_alive()
    process.kill()
    process.join()
    return running


def test_a_killed_run_goes_on(whole, tmp_path, record_property):
    "Killed during the stages that come after some others, a random moment after these were done."
    moments = random.Random(0)
    after = sorted(moments.choices(list(STAGES)[:-2], k=KILLS), key=list(STAGES).index)
    killed = sum(kill_after(tmp_path, stage, moments.random()*.3) for stage in after)
    done(tmp_path, TINY)
    assert digests(tmp_path/"run") == digests(whole/"run")
    left = {p.name for p in (tmp_path/"run").rglob("*") if p.name.startswith(".")} - {".lock"}
    assert not left, left
    assert killed >= KILLS - 1
    record_property("kills survived", f"{killed}, after {', '.join(after)}")


LONG = ("run --films 48 30 12 --side 64 --experts 8 --classifier-epochs 3 --classifier-bs 8 --segmenter-steps 18 "
        "--segmenter-bs 4 --methods full ours --bootstraps 20 --workers 0 --until segmenters --out run").split()


def end_after(steps):
    "End this process, as if killed, at a step of its trainings; no chance to tidy up."
    seen = 0

    def after_batch(callback):
        nonlocal seen
        seen += callback.training
        if seen == steps:
            os._exit(9)

    chexseg.resume.EVERY = 0
    FiniteLoss.run_valid = True
    FiniteLoss.after_batch = after_batch


def run_cut(folder):
    "A run of longer trainings, whose process ends after some steps of them, again and again; how often it did."
    for cuts in range(MOST):
        status, said = finish(folder, LONG, partial(end_after, CUT_AFTER))
        if status != 9:
            assert status == 0, said[-2000:]
            return cuts
    raise AssertionError("no progress between two cuts")


def test_a_training_that_was_cut_off_is_taken_up(tmp_path, record_property):
    "Ended again and again in the middle of trainings: the same networks as undisturbed, to the last bit."
    done(tmp_path/"whole", LONG)
    cuts = run_cut(tmp_path/"cut")
    assert cuts > 4
    assert digests(tmp_path/"cut"/"run") == digests(tmp_path/"whole"/"run")
    assert not list((tmp_path/"cut"/"run").glob(".resume-*"))
    record_property("trainings cut off and taken up", f"{cuts} times")


def spoilt(data, how):
    "The bytes of a file after something has happened to it."
    if how == "a bit flipped":
        return data[:len(data)//2] + bytes([data[len(data)//2] ^ 1]) + data[len(data)//2 + 1:]
    return data[:-1] if how == "cut" else b""


@pytest.mark.parametrize("how", ["a bit flipped", "cut", "emptied", "gone"])
def test_every_spoilt_file_is_found(whole, how, record_property):
    folder = whole/"run"
    run = Run(folder)
    names = [n for n in run.digests() if (folder/n).stat().st_size]
    assert len(names) > 20 and {"classifier.safetensors", "areas.npz", "study.csv"} <= set(names)
    for name in names:
        data = (folder/name).read_bytes()
        if how == "gone":
            (folder/name).unlink()
        else:
            (folder/name).write_bytes(spoilt(data, how))
        assert list(run.damaged()) == [name]
        (folder/name).write_bytes(data)
    assert run.damaged() == {}
    record_property(f"corruptions found, {how}", f"{len(names)} of {len(names)}")


@pytest.mark.parametrize("option, value", [("side", 96), ("seed", 1), ("uncertain", "U-Ones"), ("segmenter_lr", .1)])
def test_choices_that_were_edited_are_refused(whole, tmp_path, option, value):
    "One choice in the config.json of a run that is done."
    for name in ("config.json", "stages/prepare.json"):
        (tmp_path/name).parent.mkdir(exist_ok=True)
        shutil.copyfile(whole/"run"/name, tmp_path/name)
    assert Run(tmp_path).choices == Run(whole/"run").choices
    config, known = json.loads((tmp_path/"config.json").read_text()), options()[option]
    assert config["choices"][known.group][known.field] != value
    config["choices"][known.group][known.field] = value
    (tmp_path/"config.json").write_text(json.dumps(config))
    with pytest.raises(ChexsegError, match=f"config.json says {option}={value!r}, but the run was begun with"):
        Run(tmp_path)


def test_two_exchanged_networks_are_found(whole):
    folder = whole/"run"
    pair = [folder/"segmenters"/f"{m}.safetensors" for m in ("weak", "semi")]
    kept = [p.read_bytes() for p in pair]
    for path, data in zip(pair, reversed(kept)):
        path.write_bytes(data)
    assert list(Run(folder).damaged()) == ["segmenters/semi.safetensors", "segmenters/weak.safetensors"]
    for path, data in zip(pair, kept):
        path.write_bytes(data)


def test_what_is_spoilt_is_made_anew(whole, tmp_path):
    "A network's weights: it, and all that was made of it, as it was before."
    folder = whole/"run"
    shutil.copytree(folder, tmp_path/"run")
    (tmp_path/"run"/"segmenters"/"semi.safetensors").write_bytes(b"spoilt")
    with pytest.raises(ChexsegError, match="semi.safetensors is gone or was changed after the stage 'segmenters'"):
        Run(tmp_path/"run").check_files()
    assert Run(tmp_path/"run").forget_damaged() == ["segmenters", "predictions", "scores", "report"]
    done(tmp_path, TINY)
    assert digests(tmp_path/"run") == digests(folder)
