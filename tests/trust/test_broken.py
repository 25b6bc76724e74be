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


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    "What the command says, given arguments: one line."
    monkeypatch.chdir(tmp_path)

    def said(*args):
        assert main([str(a) for a in args]) == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        return lines[0]

    return said


@pytest.mark.parametrize("args", [["run", ""], ["run", "--out", ""], ["run", "--config", ""], ["init", ""], ["runs", ""],
                                  ["predict", "", "--model", "x"], ["predict", "x", "--model", ""], ["check", ""]],
                         ids=lambda a: " ".join(a))
def test_a_name_that_was_never_set(args, said):
    assert "empty text" in said(*args)


def test_what_the_system_refuses(said):
    long = "x"*300
    for args in (["verify", long], ["init", long], ["runs", long], ["run", long], ["phantom", long]):
        assert "too long" in said(*args)


def test_a_phantom_is_no_file(said, tmp_path):
    (tmp_path/"file").write_text("mine")
    assert "is a file" in said("phantom", "file")


def test_files_of_options_that_are_none(said, pipe, tmp_path):
    (tmp_path/"deep.toml").write_text("tasks = " + "["*20_000)
    (tmp_path/"long.toml").write_text("a."*50_000 + "b = 1")
    assert "device or a pipe" in said("run", "--config", pipe)
    assert "deep.toml is not TOML" in said("run", "--config", "deep.toml")
    assert "long.toml is larger" in said("run", "--config", "long.toml")
