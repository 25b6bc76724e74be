"""Write README.md from nbs/index.ipynb (`make readme`)."""
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from traitlets.config import Config

ROOT = Path(__file__).parent.parent
HEAD = "<!-- Written from nbs/index.ipynb by `make readme`: edit that. -->\n\n"
NO_INPUT = Config(dict(TagRemovePreprocessor=dict(enabled=True, remove_input_tags={"no-input"})))


def is_flagged(cell, flag):
    "Whether a cell begins with this flag."
    return bool(re.match(rf"#\|\s*{flag}\s*$", cell.source.split("\n")[0]))


def shown_cells(cells):
    "The cells that a reader sees, without flags; those whose code is not shown are tagged."
    shown = [c for c in cells if not is_flagged(c, "hide")]
    for c in shown:
        if is_flagged(c, r"echo:\s*false"):
            c.metadata["tags"] = ["no-input"]
        c.source = re.sub(r"^#\|.*\n", "", c.source, flags=re.M)
    return shown


def from_root(markdown):
    "Links as seen from the folder above nbs/."
    into = re.sub(r"(\]\(|src=\")(images/|tutorials/|\d\d[a-z]?_)", r"\1nbs/\2", markdown)
    return re.sub(r"(\]\(|src=\")\.\./", r"\1", into)


def readme():
    "The index notebook as Markdown, its pictures pointing into nbs/."
    nb = nbformat.read(ROOT/"nbs"/"index.ipynb", as_version=4)
    nb.metadata["language_info"] = dict(name="python")
    nb.cells = shown_cells(nb.cells)
    body, resources = MarkdownExporter(config=NO_INPUT).from_notebook_node(nb)
    if resources["outputs"]:
        raise SystemExit("nbs/index.ipynb holds a picture in an output: save it under nbs/images/ and link it.")
    return HEAD + re.sub(r"\n{3,}", "\n\n", from_root(body)).strip() + "\n"


if __name__ == "__main__":
    (ROOT/"README.md").write_text(readme(), encoding="utf-8")
