"""What somebody tried who had not written the package: each of these was a traceback, a hang, or a thing destroyed."""
import os

import pytest

from chexseg.__main__ import main
from chexseg.choices import make_choices
from chexseg.core import ChexsegError, read_json, write_json


@pytest.fixture
def pipe(tmp_path):
    "A named pipe that nobody writes to."
    os.mkfifo(tmp_path/"pipe")
    return tmp_path/"pipe"


def test_a_pipe_or_device_is_not_replaced_by_a_file(pipe):
    with pytest.raises(ChexsegError, match="a device or a pipe"):
        write_json(pipe, {})
    assert pipe.is_fifo()


def test_nobody_waits_for_a_pipe(pipe):
    with pytest.raises(ChexsegError, match="a device or a pipe"):
        read_json(pipe)


@pytest.mark.parametrize("chosen", [dict(tasks=["Edema", "Edema"]), dict(side=10**11), dict(expert_share=2.),
                                    dict(workers=100_000), dict(seed=10**400)], ids=lambda c: next(iter(c)))
def test_options_beyond_reason(chosen):
    with pytest.raises(ChexsegError, match=next(iter(chosen))):
        make_choices(**chosen)
