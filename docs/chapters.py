"""Reads the book: its chapters in the order of nbs/sidebar.yml, and what each of them exports."""
import ast
import re
from collections import defaultdict
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import yaml
from nbdev.doclinks import patch_name

ROOT = Path(__file__).parent.parent
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Symbol:
    "A function, class or method that a chapter defines."
    name: str  # as in MaskSet.add
    module: str  # as in chexseg.masks
    page: str  # as in masks.html
    cell: int  # which cell of the notebook defines it
    doc: str  # first paragraph of its docstring
    signature: str  # names of its parameters
    kind: str  # function, class, method (in a cell of its own) or inner (written inside its class)

    @property
    def private(self): return any(part.startswith("_") for part in self.name.split("."))


@dataclass
class Chapter:
    "One notebook: where it is, what it is about, what it defines."
    path: str  # below nbs/, as in tutorials/one_film.ipynb
    nb: nbformat.NotebookNode
    title: str
    line: str  # the sentence under the title
    module: str  # as in chexseg.masks, or ""
    symbols: list = field(default_factory=list)

    @property
    def page(self): return page_name(self.path)


def settings(root=ROOT):
    "What settings.ini says, with its references filled in, as nbdev reads it."
    config = ConfigParser(delimiters=["="])
    config.read(root/"settings.ini", encoding="utf-8")
    return dict(config["DEFAULT"])


def page_name(path):
    "The page of a notebook, named as nbdev names it: 02_masks.ipynb is masks.html."
    folder, _, name = path.rpartition("/")
    name = re.sub(r"^\d+[a-zA-Z0-9]*_", "", name.lower()).removesuffix(".ipynb") + ".html"
    return f"{folder}/{name}" if folder else name


def directives(source):
    "The `#|` lines of a cell as a dict: {'export': ''}, {'echo': 'false'}."
    found = re.findall(r"^#\|[ \t]*([\w-]+):?[ \t]*(.*?)[ \t]*$", source, flags=re.M)
    return dict(found)


def without_directives(source):
    "A cell as its reader sees it."
    return re.sub(r"^#\|.*\n?", "", source, flags=re.M).strip("\n")


def plain(markdown):
    "Markdown as a line of text."
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"[*`]|^#+ ", "", text, flags=re.M)
    return " ".join(text.split())


def title_and_line(nb):
    "`# Title` and `> one line` of a notebook's first cell."
    source = nb.cells[0].source if nb.cells else ""
    title = re.search(r"^# (.+)$", source, flags=re.M)
    quote = re.search(r"^>[^\n]*(\n>[^\n]*)*", source, flags=re.M)
    line = re.sub(r"^> ?", "", quote[0], flags=re.M) if quote else ""
    return plain(title[1]) if title else "", plain(line)


def parse(source):
    "The syntax tree of a cell; nothing for a cell that is not Python alone."
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []


def parameters(node):
    "The names of a function's parameters, as in (mask, size=None) without the defaults."
    args = node.args
    names = [a.arg for a in args.posonlyargs + args.args]
    if args.vararg:
        names.append("*" + args.vararg.arg)
    names += [a.arg for a in args.kwonlyargs]
    if args.kwarg:
        names.append("**" + args.kwarg.arg)
    return "(" + ", ".join(n for n in names if n not in ("self", "cls")) + ")"


def definitions(tree):
    "(name, node, kind) of whatever a cell defines; a patched function bears its class's name, as in nbdev."
    for node in tree:
        if not isinstance(node, DEFINITIONS):
            continue
        names = patch_name(node)
        for name in [names] if isinstance(names, str) else names:
            kind = "class" if isinstance(node, ast.ClassDef) else "method" if "." in name else "function"
            yield name, node, kind
        if isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, DEFINITIONS):
                    yield f"{node.name}.{child.name}", child, "inner"


def is_exported(source):
    "Whether a cell goes into the module."
    return bool({"export", "exporti", "exports"} & set(directives(source)))


def read_chapter(path, root=ROOT):
    "One notebook of nbs/, with the symbols it exports."
    nb = nbformat.read(root/"nbs"/path, as_version=4)
    title, line = title_and_line(nb)
    module = ""
    for cell in nb.cells:
        if cell.cell_type == "code":
            module = directives(cell.source).get("default_exp", module)
    chapter = Chapter(path, nb, title, line, f"chexseg.{module}" if module else "")
    for k, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or not is_exported(cell.source):
            continue
        for name, node, kind in definitions(parse(cell.source)):
            doc = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            signature = "" if kind == "class" else parameters(node)
            chapter.symbols.append(Symbol(name, chapter.module, chapter.page, k, doc, signature, kind))
    return chapter


def read_order(root=ROOT):
    "[(section, [paths])] as nbs/sidebar.yml has them; the section of what stands alone is empty."
    contents = yaml.safe_load((root/"nbs"/"sidebar.yml").read_text(encoding="utf-8"))["website"]["sidebar"]["contents"]
    return [("", [c]) if isinstance(c, str) else (c["section"], c["contents"]) for c in contents]


def notebook_paths(root=ROOT):
    "Every notebook below nbs/."
    found = (p for p in (root/"nbs").rglob("*.ipynb") if not any(part.startswith((".", "_")) for part in p.parts))
    return sorted(p.relative_to(root/"nbs").as_posix() for p in found)


def read_book(root=ROOT):
    "The sections of the book with their chapters, and what is wrong with nbs/sidebar.yml."
    there = notebook_paths(root)
    sections = []
    problems = []
    for name, paths in read_order(root):
        problems += [f"nbs/sidebar.yml lists {p}, which is not there" for p in paths if p not in there]
        sections.append((name, [read_chapter(p, root) for p in paths if p in there]))
    listed = {p for _, paths in read_order(root) for p in paths}
    missing = [p for p in there if p not in listed]
    problems += [f"nbs/sidebar.yml does not list {p}" for p in missing]
    if missing:
        sections.append(("Not in nbs/sidebar.yml", [read_chapter(p, root) for p in missing]))
    return [(name, chapters) for name, chapters in sections if chapters], problems


def modidx(root=ROOT):
    "{module: [symbols]} as nbdev wrote them to chexseg/_modidx.py."
    tree = ast.parse((root/"chexseg"/"_modidx.py").read_text(encoding="utf-8"))
    index = ast.literal_eval(tree.body[0].value)
    return {module: [s.removeprefix(module + ".") for s in symbols] for module, symbols in index["syms"].items()}


def by_name(chapters):
    "{name: [symbols]} over all chapters, for the links from prose."
    found = defaultdict(list)
    for chapter in chapters:
        for symbol in chapter.symbols:
            if not symbol.private:
                found[symbol.name].append(symbol)
    return found
