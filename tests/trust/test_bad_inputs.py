"""Each bad input is refused in one sentence that names the file: no traceback, no hang, nothing taken in silence."""
import resource
import signal
from collections import Counter
from contextlib import contextmanager

import pytest

from chexseg.core import ChexsegError

from .bad_inputs import cases

CASES = list(cases())
SECONDS = 20
answered = Counter()


@contextmanager
def in_time():
    "Give up on what hangs."
    def late(*_): raise TimeoutError(f"no answer within {SECONDS} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def memory():
    "The most memory that this process has taken so far, in GB."
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1e6


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.group}: {c.name}")
def test_a_sentence(case, tmp_path):
    path = case.make(tmp_path)
    before = memory()
    with in_time(), pytest.raises(ChexsegError) as caught:
        case.read(path)
    said = str(caught.value)
    assert (case.says or path.name) in said, said
    assert "\n" not in said and len(said) < 500, said
    assert memory() - before < 1, "more than 1 GB was taken"
    answered[case.group] += 1


def test_count(record_property):
    "Never fewer than these."
    assert len(CASES) >= 280
    strangers = {group: answered[group] for group in ("pickles", "checkpoints", "run folders")}
    record_property("malicious and spoilt files of strangers refused", f"{sum(strangers.values())} ({strangers})")
    record_property("bad inputs answered with a sentence", f"{sum(answered.values())} ({dict(answered)})")
