"""Execute notebooks from top to bottom in this environment, in an empty folder; exit 1 at the first error.

    python tests/run_notebook.py nbs/tutorials/phantom_end_to_end.ipynb"""
import os
import sys
import tempfile
import time
from importlib.metadata import version

import nbformat
from nbclient import NotebookClient


def execute(path):
    "Seconds that a notebook takes."
    nb = nbformat.read(path, as_version=4)
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(nb, timeout=3600, kernel_name="python3", resources=resources).execute()
    return time.time() - start


def main(paths):
    os.environ["CHEXSEG_PROGRESS"] = "0" # the kernels inherit it
    versions = f"fastai {version('fastai')}, fastcore {version('fastcore')}"
    for path in paths:
        print(f"{path}: passed in {execute(path):.0f} s with {versions}")


if __name__ == "__main__":
    main(sys.argv[1:])
