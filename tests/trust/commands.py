"""Commands of the package in processes of their own, that begin at once.

Each is forked from one process that has imported everything and done nothing: the same as `python -m chexseg`, without
the seconds that importing takes."""
import multiprocessing
import os
import sys

from chexseg.__main__ import main

ENV = dict(OMP_NUM_THREADS="1", CHEXSEG_PROGRESS="0", CHEXSEG_DEVICE="cpu", PYTHONWARNINGS="ignore")
SECONDS = 600 # the most that a command may take
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["chexseg.pipeline"])


def _work(said, folder, arguments, before):
    "Be the command: its folder, its terminal, its exit status."
    for stream in (1, 2):
        os.dup2(said.fileno(), stream)
    os.chdir(folder)
    os.environ.update(ENV)
    if before:
        before()
    sys.exit(main(arguments))


def start(folder, arguments, before=None):
    "A command in a folder, after a function was called in its process: the process, and the end of its terminal."
    folder.mkdir(exist_ok=True)
    said, terminal = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_work, args=(terminal, str(folder), [*map(str, arguments)], before))
    process.start()
    terminal.close()
    return process, said


def finish(folder, arguments, before=None):
    "Let a command come to its end: its exit status and what it said."
    process, said = start(folder, arguments, before)
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"{arguments} did not end in {SECONDS} s")
    with open(os.dup(said.fileno())) as terminal:
        return process.exitcode, terminal.read()


def done(folder, arguments):
    "What a command said that has to succeed."
    status, said = finish(folder, arguments)
    assert status == 0, said[-2000:]
    return said
