"""Disks that are full, or may only be read: one sentence, nothing half-written, and the run goes on afterwards."""
import os
import resource
from functools import partial

import pytest

from chexseg.core import ChexsegError
from chexseg.pipeline import run_pipeline

from .commands import finish
from .test_kills import digests

SMALL = dict(films=(40, 30, 8), side=64, experts=8, classifier_epochs=1, segmenter_steps=2, segmenter_bs=4,
             bootstraps=10, workers=0, methods=("full", "semi"))
RUN = ("run --films 40 30 8 --side 64 --experts 8 --classifier-epochs 1 --segmenter-steps 2 --segmenter-bs 4 "
       "--bootstraps 10 --workers 0 --methods full semi --out run").split()


def limit(largest):
    "Files of this process may have so many bytes."
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))


@pytest.mark.parametrize("largest", [1000, 100_000])
def test_no_room_for_large_files(tmp_path, largest):
    "A table of films, or the weights of a network, cannot be written whole."
    status, said = finish(tmp_path, RUN, partial(limit, largest))
    assert status == 1 and "Traceback" not in said, said
    assert said.splitlines()[-1].startswith("chexseg:") and "cannot be written, the disk is full" in said
    assert not [p for p in (tmp_path/"run").rglob(".*.????????.*") if p.is_file()]


class FullAfter:
    "A disk on which there is room for so many files."
    def __init__(self, n, replace):
        self.left, self.replace = n, replace

    def __call__(self, *names):
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")
        return self.replace(*names)


def test_a_disk_that_is_full_at_any_file(tmp_path, monkeypatch, record_property):
    "Full, emptied, full again: always a sentence, and in the end the files of a run that had room."
    whole = run_pipeline(out=tmp_path/"whole", **SMALL)
    replace, times = os.replace, 0
    while True:
        monkeypatch.setattr(os, "replace", FullAfter(30 + 8*times, replace))
        try:
            run_pipeline(out=tmp_path/"run", **SMALL)
            break
        except ChexsegError as e:
            assert "the disk is full" in str(e)
        times += 1
        assert times < 30
    monkeypatch.setattr(os, "replace", replace)
    assert times >= 1
    assert digests(tmp_path/"run") == digests(whole.folder)
    record_property("full disks survived", times)


@pytest.mark.parametrize("place", ["file/run", "/proc/nowhere/run"])
def test_where_nothing_can_be_written(tmp_path, place):
    (tmp_path/"file").touch()
    with pytest.raises(ChexsegError, match="cannot be written"):
        run_pipeline(out=tmp_path/place, **SMALL)
