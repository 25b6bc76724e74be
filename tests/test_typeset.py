"""How the chapters are set: measured on the notebooks, so that a reader meets short cells, each with its example."""
import ast
import base64
import io
import json
import re
import statistics
import tokenize
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
PATHS = sorted(p for p in (ROOT/"nbs").rglob("*.ipynb") if not any(part.startswith((".", "_")) for part in p.parts))
CHAPTERS = [p for p in PATHS if re.match(r"\d\d_", p.name)]
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
WIDGET = "application/vnd.jupyter.widget-view+json"

# Classes that only list choices, one a line, may be longer than a cell should be: their names.
LONG_CLASSES = {"Choices"}
# Figures that may be narrower than 400 pixels or larger than 60 kB: {"02_masks": [numbers of their cells]}.
FIGURES_APART = {}


def without_magics(source):
    "The Python of a cell: lines for the shell or for Jupyter are empty."
    if re.match(r"(#\|.*\n|\s)*%%(?!time)", source):
        return ""
    return "\n".join("" if re.match(r"\s*[%!]", line) else line for line in source.splitlines())


class Cell:
    "One cell of a notebook, with what is measured of it."
    def __init__(self, path, number, cell):
        self.path = path
        self.number = number
        self.source = "".join(cell["source"])
        self.outputs = cell.get("outputs", [])
        self.folded = cell["metadata"].get("jupyter") == dict(source_hidden=True, outputs_hidden=True)
        self.is_code = cell["cell_type"] == "code"
        self.lines = [line for line in self.source.splitlines() if line.strip() and not line.startswith("#|")]
        self.python = without_magics(self.source)
        self.exported = self.is_code and bool(re.match(r"#\|\s*exporti?\b", self.source))

    def __str__(self): return f"{self.path.stem}, cell {self.number}: {self.lines[0] if self.lines else ''}"

    @property
    def defined(self):
        "Names of the functions and classes that the cell defines."
        return [n.name for n in ast.parse(self.python).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]

    def data(self):
        "What each output can be shown as: {mime type: content}."
        return [output.get("data", {}) for output in self.outputs]

    def has_picture(self):
        "Whether a reader sees a picture below the cell."
        html = ["".join(d.get("text/html", "")) for d in self.data()]
        return any(set(PICTURES) & set(d) for d in self.data()) or any(re.search("<img|<svg", h) for h in html)


def read(path):
    "The cells of a notebook."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [Cell(path, k, cell) for k, cell in enumerate(cells)]


CELLS = {p: read(p) for p in PATHS}
CODE = [c for cells in CELLS.values() for c in cells if c.is_code and c.lines]
DEFINING = [c for c in CODE if c.exported and c.defined]
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


def listed(cells): return "\n" + "\n".join(map(str, cells))


# Cells ---------------------------------------------------------------------------------------------------------------

def has_example(cell):
    "Whether one of the next two cells runs something: an example, a test or a picture."
    following = CELLS[cell.path][cell.number + 1:cell.number + 3]
    return any(c.is_code and not c.exported and c.lines for c in following)


def test_exported_cells_have_their_example_near():
    alone = [c for c in DEFINING if not has_example(c)]
    assert len(alone) <= .1*len(DEFINING), listed(alone)


def test_exported_cells_are_short():
    assert statistics.median(len(c.lines) for c in DEFINING) <= 8
    long = [c for c in DEFINING if len(c.lines) > 25 and not set(c.defined) & LONG_CLASSES]
    assert long == [], listed(long)


def test_long_classes_hold_nothing_but_choices():
    for cell in DEFINING:
        for node in ast.parse(cell.python).body:
            if node.__class__ is ast.ClassDef and node.name in LONG_CLASSES:
                assert not [n for n in node.body if isinstance(n, ast.FunctionDef)], f"{cell}: {node.name} has methods"


@each_notebook
def test_one_statement_a_line(path):
    "A `;` that ends a cell joins nothing: in Jupyter it keeps a value from being printed."
    cells = [c for c in CELLS[path] if c.is_code]
    joined = [c for c in cells if ";" in operators(c.python if c.exported else c.python.rstrip().removesuffix(";"))]
    assert joined == [], listed(joined)


def operators(source):
    "The operators of a piece of Python."
    tokens = tokenize.generate_tokens(io.StringIO(source + "\n").readline)
    return {t.string for t in tokens if t.type == tokenize.OP}


def test_lines_are_at_most_120_characters():
    lines = [line for c in CODE for line in c.lines]
    assert sum(len(line) > 120 for line in lines) <= .004*len(lines), [line for line in lines if len(line) > 120]


def test_prose_is_wrapped():
    "Tables and what has links in it may be longer: they cannot always be broken."
    prose = [line for cells in CELLS.values() for c in cells if not c.is_code for line in c.lines]
    prose = [line for line in prose if not re.search(r"^\s*\||\]\(|<img|<a ", line)]
    assert sum(len(line) > 120 for line in prose) <= .004*len(prose), [line for line in prose if len(line) > 120]


def test_readers_see_outputs():
    assert sum(bool(c.outputs) for c in CODE) >= .3*len(CODE)


# Chapters ------------------------------------------------------------------------------------------------------------

@each_notebook
def test_a_notebook_begins_with_its_title_and_one_line(path):
    first = CELLS[path][0]
    assert not first.is_code
    assert re.match(r"# \S.*\n\s*\n> \S", first.source), first.source[:80]


@each_chapter
def test_a_chapter_opens_with_a_picture(path):
    "Before the first section that holds code of the module there is a picture."
    opening = []
    for cell in CELLS[path]:
        if cell.exported and cell.defined:
            break
        opening.append(cell)
    else:
        return
    headings = [k for k, c in enumerate(opening) if not c.is_code and re.search(r"^## ", c.source, flags=re.M)]
    before = opening[:headings[-1]] if headings else opening
    assert any(c.has_picture() for c in before), f"{path.stem} explains code before it shows what it is about"


@each_chapter
def test_a_chapter_says_where_it_is(path):
    "The reader's place, in bold, in the line of stages."
    first = CELLS[path][0].source
    stages = re.search(r"^\*.*films and labels.*→.*→.*scores.*\*$", first, flags=re.M)
    assert stages and "**" in stages[0], "the line of stages is missing under the title"


@each_chapter
def test_a_chapter_ends_with_exercises_whose_answers_are_folded(path):
    prose = [(k, c.source) for k, c in enumerate(CELLS[path]) if not c.is_code]
    heads = [(k, h) for k, source in prose for h in re.findall(r"^## (.+)$", source, re.M)]
    (begin, exercises), (end, breaking) = heads[-2:]
    assert (exercises, breaking) == ("Exercises", "How to break it")
    cells = CELLS[path][begin:end + 1]
    assert "<details><summary>Answer</summary>" in "".join(c.source for c in cells)
    open_answers = [c for c in cells if c.is_code and not c.folded]
    assert not open_answers, f"fold code and output of these cells:{listed(open_answers)}"


@each_notebook
def test_saved_outputs_are_clean(path):
    assert "widgets" not in json.loads(path.read_text(encoding="utf-8"))["metadata"], "the state of widgets was saved"
    for cell in CELLS[path]:
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"{cell}: warnings or progress bars were saved"
            assert output["output_type"] != "error", f"{cell}: an error was saved"
            assert WIDGET not in output.get("data", {}), f"{cell}: a widget was saved, which nobody sees"
            text = "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
            assert "\r" not in text, f"{cell}: a progress bar was saved"
            place = re.search("/tmp/|/var/folders/|/root/|/chexseg/story", text)
            assert not place, f"{cell}: a path of one machine was saved"


def figures(path):
    "(cell, width in pixels, size in bytes) of every picture that a notebook holds."
    for cell in CELLS[path]:
        for data in cell.data():
            for kind in ("image/png", "image/jpeg"):
                if kind in data:
                    raw = base64.b64decode("".join(data[kind]))
                    yield cell, Image.open(io.BytesIO(raw)).width, len(raw)


@each_notebook
def test_figures_are_wide_and_small(path):
    measured = [f for f in figures(path) if f[0].number not in FIGURES_APART.get(path.stem, [])]
    wrong = [f"{cell}: {width} pixels wide, {size/1000:.0f} kB" for cell, width, size in measured
             if width < 400 or size > 60_000]
    assert wrong == [], "\n" + "\n".join(wrong)
