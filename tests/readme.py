"""Write README.md from nbs/index.ipynb (`make readme`)."""
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from traitlets.config import Config

ROOT = Path(__file__).parent.parent


def readme():
    "The index notebook as Markdown, its pictures pointing into nbs/."
    nb = nbformat.read(ROOT/"nbs"/"index.ipynb", as_version=4)
    nb.metadata["language_info"] = dict(name="python")
    nb.cells = [c for c in nb.cells if not re.match(r"#\|\s*hide\s*$", c.source.split("\n")[0])]
    for c in nb.cells:
        if re.match(r"#\|\s*echo:\s*false\s*$", c.source.split("\n")[0]): c.metadata["tags"] = ["no-input"]
    for c in nb.cells: c.source = re.sub(r"^#\|.*\n", "", c.source, flags=re.M)
    body, resources = MarkdownExporter(config=Config(dict(TagRemovePreprocessor=dict(enabled=True, remove_input_tags={"no-input"})))).from_notebook_node(nb)
    if resources["outputs"]: raise SystemExit("nbs/index.ipynb holds a picture in an output: save it under nbs/images/ and link it.")
    body = re.sub(r"(\]\(|src=\")(images/|tutorials/|\d\d_)", r"\1nbs/\2", body)
    body = re.sub(r"(\]\(|src=\")\.\./", r"\1", body)
    return "<!-- Written from nbs/index.ipynb by `make readme`: edit that. -->\n\n" + re.sub(r"\n{3,}", "\n\n", body).strip() + "\n"


if __name__ == "__main__": (ROOT/"README.md").write_text(readme(), encoding="utf-8")
