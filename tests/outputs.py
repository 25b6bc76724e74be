"""Are the saved outputs of the notebooks what they give today? `python tests/outputs.py [NOTEBOOK ...]`, all when none.

Each notebook is executed as in Colab, where only its first cell has installed anything, and the text of its outputs is
compared with what was saved: words exactly, numbers within TOLERANCE, pictures not at all. Times, and what depends on
the machine, differ; so this lists differences and is not part of `make test`. Trained networks differ between kinds of
processors: on another one, more numbers are outside. Exit status 1 when a notebook stops, or more than MOST of the
outputs with numbers are outside."""
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from plain import hide

NBS = Path(__file__).parents[1]/"nbs"
TOLERANCE = .15 # relative, or .03 absolute where numbers are small
MOST = .1
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e-?\d+)?")


def texts(cell):
    "The text of a cell's outputs, without warnings."
    shown = [o for o in cell.get("outputs", []) if o.get("name") != "stderr"]
    found = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in shown]
    return "\n".join(t for t in found if "<Figure" not in t and "<Axes" not in t and " object at 0x" not in t)


def numbers(text):
    "All numbers of a text."
    return [float(n.replace(",", "")) for n in NUMBER.findall(text)]


def is_near(a, b):
    "Are two numbers the same within the tolerance?"
    return abs(a - b) <= max(.03, TOLERANCE*max(abs(a), abs(b)))


def compared(old, new):
    "\"same\", \"near\", \"numbers\" or \"words\": how far two texts are apart."
    if old == new:
        return "same"
    if [w for w in NUMBER.sub("#", old).split()] != [w for w in NUMBER.sub("#", new).split()]:
        return "words"
    a, b = numbers(old), numbers(new)
    return "near" if len(a) == len(b) and all(map(is_near, a, b)) else "numbers"


def executed(path):
    "A notebook as it comes out today, of what its first cell brings; cells that are not to be run are left out."
    nb = nbformat.read(path, 4)
    for cell in nb.cells:
        if cell.cell_type == "code" and re.search(r"^#\| *(eval: *false|cuda|data)", cell.source, re.M):
            cell.source = ""
    resources = {"metadata": {"path": str(Path(path).parent)}}
    with tempfile.TemporaryDirectory() as folder:
        hide(folder, next(c.source for c in nb.cells if c.cell_type == "code"))
        client = NotebookClient(nb, timeout=3600, kernel_name="python3", resources=resources)
        client.execute(env=os.environ | dict(PYTHONPATH=folder))
    return nb


def main(paths):
    os.environ["CHEXSEG_PROGRESS"] = "0"
    counts = dict(same=0, near=0, numbers=0, words=0, stopped=0)
    for path in paths or sorted([*NBS.glob("[0-9]*.ipynb"), *NBS.glob("tutorials/*.ipynb")]):
        try:
            before, after = nbformat.read(path, 4), executed(path)
        except CellExecutionError as e:
            print(f"{Path(path).stem} stops: {str(e).strip().splitlines()[-1]}", flush=True)
            counts["stopped"] += 1
            continue
        for k, (old, new) in enumerate(zip(before.cells, after.cells)):
            if old.cell_type == "code" and new.source and texts(old).strip():
                how = compared(texts(old), texts(new))
                counts[how] += 1
                if how in ("numbers", "words"):
                    print(f"{Path(path).stem}, cell {k}: other {how}", flush=True)
    print(counts)
    outside = counts["numbers"] + counts["words"]
    return 1 if counts["stopped"] or outside > MOST*sum(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
