"""The page of promises names tests and chapters that exist."""
import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
PAGE = ROOT/"nbs"/"tutorials"/"promises.ipynb"


def rows():
    "The cells of each promise: what, held by what, made for what."
    text = "\n".join(c.source for c in nbformat.read(PAGE, 4).cells if c.cell_type == "markdown")
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [cells for cells in lines if cells[0] != "promise"]


def test_every_promise_names_what_holds_it():
    assert len(rows()) >= 15
    for promise, held, made_for in rows():
        assert "::" in held or ".ipynb" in held, promise
        assert made_for


def test_the_tests_are_there():
    named = [name for _, held, _ in rows() for name in re.findall(r"`([\w/]+\.py)::(\w+)`", held)]
    assert len(named) >= 12
    for file, test in named:
        assert re.search(rf"^def {test}\(", (ROOT/"tests"/file).read_text(), re.M), f"{file} has no {test}"


def test_the_chapters_have_these_sections():
    named = [pair for _, held, _ in rows() for pair in re.findall(r"\]\(\.\./([\w]+\.ipynb)\), \"([^\"]+)\"", held)]
    assert len(named) >= 4
    for file, section in named:
        text = "\n".join(c.source for c in nbformat.read(ROOT/"nbs"/file, 4).cells)
        assert re.search(rf"^##+ {re.escape(section)}$", text, re.M), f"{file} has no section {section!r}"
