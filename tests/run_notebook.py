"""Execute notebooks from top to bottom in this interpreter's environment, in an empty folder; exit 1 at the first error.

    python tests/run_notebook.py nbs/tutorials/phantom_end_to_end.ipynb"""
import os
import sys
import tempfile
import time
from importlib.metadata import version

import nbformat
from nbclient import NotebookClient

for path in sys.argv[1:]:
    nb, start = nbformat.read(path, as_version=4), time.time()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHEXSEG_PROGRESS"] = "0"
        NotebookClient(nb, timeout=3600, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    print(f"{path}: passed in {time.time() - start:.0f} s with fastai {version('fastai')}, fastcore {version('fastcore')}")
