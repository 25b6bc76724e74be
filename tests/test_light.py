"""What needs no torch: the command line's help loads nothing heavy, and masks, maps, phantoms, scores and the story can
be read, drawn and scored where torch, torchvision and fastai are not installed."""
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from chexseg.choices import STAGES, STUDIES

HEAVY = ("torch", "fastai", "pandas", "matplotlib", "cv2")
LIGHT = ("core choices masks outlines shapes anatomy skeleton radiograph pathology phantom dataset films tables data "
         "formats json_formats run_tables mask_pictures boxes importing screening check show charts devices maps "
         "pseudomasks weak_boxes boxed_masks chexlocalize chexlocalize_masks chexlocalize_scores chexlocalize_shapes "
         "downloads open_data evaluation analysis quality owners runs comparison subgroups figures cards report "
         "trainings settings dicom_seg hub handover").split()
NAMES = (*"run predict phantom excerpt study import export open check figures subgroups runs cards push pull "
           "chexlocalize".split(),
         *STAGES)
COMMANDS = ([], *([name] for name in NAMES), *(["study", name] for name in STUDIES))
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "fastai"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""


def printed(code, *args):
    "What a fresh Python prints."
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Nothing heavy is loaded ---------------------------------------------------------------------------------------------

LOADED = f"\nprint(*(name for name in {HEAVY} if name in sys.modules))"
HELP = """
import contextlib, io, sys
from chexseg.__main__ import parser
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
    parser().parse_args([*sys.argv[1:], '--help'])
assert said.getvalue().startswith('usage: chexseg')
"""


def test_import_chexseg_is_light():
    assert printed("import sys, chexseg" + LOADED).split() == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(["chexseg", *c]))
def test_help_is_light(command):
    assert printed(HELP + LOADED, *command).split() == []


# Without torch -------------------------------------------------------------------------------------------------------

def test_light_modules_import_without_torch():
    code = """
from importlib import import_module
for name in sys.argv[1:]:
    try:
        import_module(f"chexseg.{name}")
    except ImportError as e:
        print(f"{name}: {e}")
"""
    assert printed(WITHOUT + code, *LIGHT) == ""


def test_other_modules_do_not_import_without_torch():
    "Otherwise the tests around this one would say nothing."
    code = "try:\n    import chexseg.training\nexcept ImportError as e:\n    print(e.name)"
    assert printed(WITHOUT + code).strip() in ("torch", "fastai")


WORK = {
    "masks, outlines, evaluation": """
import numpy as np
from chexseg.evaluation import iou_table, miou
from chexseg.masks import MaskSet
from chexseg.outlines import contours, rasterize
square = np.zeros((1, 20, 30), np.uint8)
square[0, 5:15, 5:25] = 1
again = rasterize(contours(square[0]), square[0].shape)
masks = MaskSet(tasks=["Heart"]).add("a", square)
assert miou(iou_table(masks, MaskSet(tasks=["Heart"]).add("a", again[None])))["mIoU"] == 1
""",
    "phantom, dataset, data, films, tables": """
import tempfile
from pathlib import Path
from chexseg.data import assign_roles, open_study
from chexseg.dataset import write_phantom
with tempfile.TemporaryDirectory() as d:
    write_phantom(Path(d)/"phantom", train=4, val=4, test=2, side=64, workers=1)
    study = assign_roles(open_study(Path(d)/"phantom"), experts=2)
    part = study.part("expert")
    assert part.film(0, 32).shape == (32, 32) and part.masks[part.ids[0]].shape[0] == len(part.tasks)
""",
    "formats": """
import json, tempfile
from pathlib import Path
from chexseg.formats import read_chestx_det
with tempfile.TemporaryDirectory() as d:
    film = dict(file_name="a.png", syms=["Nodule"], polygons=[[[1, 1], [9, 1], [9, 9]]])
    (Path(d)/"films.json").write_text(json.dumps([film]))
    assert read_chestx_det(Path(d)/"films.json", ["Nodule"], (16, 16)).positive("a").all()
""",
    "runs, maps, pseudomasks": """
from chexseg.maps import peaks
from chexseg.pseudomasks import best_per_task, pseudo_masks
from chexseg.runs import story
run = story()
maps = run.maps("test")
masks = pseudo_masks(maps, best_per_task(run/"tuning_results.csv"))
assert masks.ids == maps.ids == list(peaks(maps))
""",
    "runs, show": """
import matplotlib
matplotlib.use("Agg")
from chexseg.runs import story
from chexseg.show import show_film, show_grid, show_map
run = story()
part = run.part("test").subset(run.part("test").ids[:1])
film = part.film(0)
assert film.ndim == 2 and film.std() > 10
show_film(film, part.masks[part.ids[0]], part.tasks)
""",
    "analysis": """
from chexseg.analysis import pixel_scores
from chexseg.runs import story
run = story()
scores = pixel_scores(run.predictions()["full"], run.part("test").masks)
assert len(scores) == len(run.tasks)
""",
    "runs, report": """
from chexseg.report import results_text, typical_ids
from chexseg.runs import story
run = story()
assert "mIoU" in set(run.results().task)
assert "mIoU" in results_text(run)
assert typical_ids(run)
""",
}


@pytest.mark.parametrize("what", WORK)
def test_works_without_torch(what):
    printed(WITHOUT + WORK[what])


def test_the_story_of_one_film_needs_no_torch(tmp_path):
    "The first page runs where torch and fastai are missing: its code, in a kernel of its own."
    page = Path(__file__).parent.parent/"nbs"/"tutorials"/"one_film.ipynb"
    notebook = nbformat.read(page, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(WITHOUT))
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
