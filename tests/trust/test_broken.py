"""What somebody tried who had not written the package: each of these was a traceback, a hang, or a thing destroyed."""
import json
import os
import shutil

import pytest
from PIL import Image

from chexseg.__main__ import main
from chexseg.choices import make_choices
from chexseg.core import ChexsegError, read_json, write_json
from chexseg.data import open_study
from chexseg.films import film_size, read_film
from chexseg.inference import load_segmenter, save_segmenter
from chexseg.runs import Run, story
from chexseg.segmentation import build_segmenter


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


@pytest.mark.parametrize("args", [["run", ""], ["run", "--out", ""], ["run", "--config", ""], ["init", ""],
                                  ["runs", ""],
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


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    "A segmenter on disk."
    path = tmp_path_factory.mktemp("net")/"net"
    save_segmenter(path, build_segmenter("small", ["Edema"], 64))
    return path


@pytest.mark.parametrize("task", ["../../../evil", "/evil", "..", "a\nb", "a\0b", "C:\\evil"])
def test_a_strangers_segmenter_writes_nowhere_else(task, net, tmp_path):
    for end in (".json", ".safetensors"):
        (tmp_path/f"net{end}").write_bytes(net.with_suffix(end).read_bytes())
    about = json.loads((tmp_path/"net.json").read_text().replace('"Edema"', json.dumps(task)))
    del about["sha256_config"] # as a stranger would
    (tmp_path/"net.json").write_text(json.dumps(about))
    with pytest.raises(ChexsegError, match="cannot name a folder for masks"):
        load_segmenter(tmp_path/"net")


def test_films_that_are_pipes_or_point_at_themselves(pipe, tmp_path):
    for read in (read_film, film_size):
        with pytest.raises(ChexsegError, match="a device or a pipe"):
            read(pipe)
    os.symlink("loop", tmp_path/"loop")
    with pytest.raises(ChexsegError, match="holds no label file"):
        open_study(tmp_path)


def test_films_whose_names_cannot_be_written(tmp_path, said, net):
    Image.new("L", (64, 64)).save(tmp_path/"a\nb.png")
    assert "letters in its name" in said("predict", "a\nb.png", "--model", net)


def test_a_spoilt_table_of_a_run(tmp_path, said):
    run = Run(tmp_path/"run", make_choices())
    (run/"study.csv").write_bytes(b"\xff\xfe,1\n")
    with pytest.raises(ChexsegError, match="study.csv is not the table that the run wrote"):
        run.table
    (run/"study.csv").write_text("id,path,split,role,patient\na,{data}/a.png,test,test,a\n")
    about = json.loads((run/"config.json").read_text())
    (run/"config.json").write_text(json.dumps(about | dict(folder=None)))
    with pytest.raises(ChexsegError, match="folder=None is no name of a folder"):
        run.table


def test_numbers_of_a_phantom_and_an_excerpt(said):
    assert "seed=-1" in said("phantom", "p", "--seed", -1)
    assert "99999999 pixels" in said("phantom", "p", "--side", 99999999)
    assert "-3 test films" in said("excerpt", story().folder, "e", "--films", -3)


def test_nothing_is_put_into_a_run(said, tmp_path):
    run = tmp_path/"run"
    shutil.copytree(story().folder, run)
    before = sorted(run.rglob("*"))
    assert "lies in the run" in said("excerpt", run, run/"inside")
    assert "is a run or lies in one" in said("figures", run, "--out", run)
    assert "is a run or lies in one" in said("figures", run, "--out", run/"figures")
    assert "is a run, and what is made there" in said("init", run)
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize("n", [0, -1, 999])
def test_numbers_of_films_for_a_curve(n, said, tmp_path):
    run = tmp_path/"run"
    shutil.copytree(story().folder, run)
    assert f"--experts {n} cannot be: the run has 12 films" in said("study", "curves", run, "--experts", n)


def test_names_given_twice(said):
    assert "two columns" in said("init", "own", "--tasks", "a", "a")
    assert "would be one folder on macOS and Windows" in said("init", "own", "--tasks", "a", "A")
    assert "two columns" in said("init", "own", "--tasks", "Path")
