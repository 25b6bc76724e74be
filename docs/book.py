"""Builds the book as a web site of plain HTML files, from the notebooks as they are saved: nothing is run.

    python docs/book.py          # into _docs/, and llms.txt beside README.md
    python docs/book.py FOLDER"""
import ast
import html
import io
import posixpath
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup
from chapters import (ROOT, by_name, directives, modidx, parse, plain, read_book, settings,
                      without_directives)
from jinja2 import Environment, FileSystemLoader
from latex2mathml.converter import convert
from llms import llms_txt
from nbconvert import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

DOCS = Path(__file__).parent
IMAGES = (".png", ".jpg", ".jpeg", ".svg", ".gif")
FLAGS = {"cuda": "needs a GPU: not run for this page", "slow": "takes long: not run for this page",
         "data": "needs the licensed films: not run for this page"}
TEXTS = {"CHANGELOG.md": "changelog.html", "CONTRIBUTING.md": "contributing.html"}
NO_ALT = "No description has been provided for this image"


class Renderer(IPythonRenderer):
    "Markdown as Jupyter shows it, with formulas as MathML, which browsers draw by themselves."
    def inline_math(self, body): return convert(body)

    def block_math(self, body): return convert(body, display="block")

    def latex_environment(self, name, body):
        return convert(rf"\begin{{{name}}}{body}\end{{{name}}}", display="block")


def to_html(markdown):
    "Markdown as HTML."
    return MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(markdown)


class Exporter(HTMLExporter):
    "nbconvert's HTML of a notebook's cells, its pictures as files."
    def markdown2html(self, source): return to_html(source)

    def default_filters(self):
        for name, function in super().default_filters():
            yield name, self.markdown2html if name == "markdown2html" else function


def make_exporter():
    "The exporter with the template of this folder."
    config = Config()
    config.ExtractOutputPreprocessor.enabled = True
    config.ExtractOutputPreprocessor.extract_output_types = {"image/png", "image/jpeg", "image/svg+xml"}
    return Exporter(config=config, template_name="cells", extra_template_basedirs=[str(DOCS/"templates")],
                    exclude_input_prompt=True, exclude_output_prompt=True)


def slug(text):
    "The anchor of a heading."
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")


def first_sentence(markdown):
    "The first sentence of the last paragraph that is prose."
    paragraphs = [p for p in re.split(r"\n\s*\n", markdown) if not re.match(r"\s*([#>|!]|```)", p)]
    text = plain(paragraphs[-1]) if paragraphs else ""
    return re.split(r"(?<=[.:?!])\s", text)[0]


# Cells -------------------------------------------------------------------------------------------------------------

def is_hidden(cell):
    "Whether nbdev would leave the cell out of its pages."
    found = directives(cell.source)
    if "hide" in found or found.get("include") == "false":
        return True
    return cell.cell_type == "code" and not without_directives(cell.source).strip() and not cell.outputs


def only_imports(source):
    "Whether a cell does nothing but import."
    tree = parse(source)
    return bool(tree) and all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree)


def anchors(symbols, taken):
    "An id for each symbol, and, where it is free, the small letters that nbdev's own links have."
    names = [s.name for s in symbols]
    extra = [n.lower() for n in names if n.lower() not in taken]
    taken.update(extra)
    return names + [n for n in extra if n not in names]


def is_answer(cell):
    "Whether a code cell answers an exercise: JupyterLab shows it folded, and so do the pages."
    folded = cell.metadata.get("jupyter", {})
    return bool(folded.get("source_hidden") and folded.get("outputs_hidden"))


def annotate_code(cell, k, chapter, taken, alt):
    "What the template needs to know of a code cell; its directives go."
    found = directives(cell.source)
    symbols = [s for s in chapter.symbols if s.cell == k]
    named = [s.name for s in symbols if not s.private and s.kind != "inner"]
    flags = [FLAGS[f] for f in FLAGS if f in found and not cell.outputs]
    cell.source = without_directives(cell.source)
    cell.metadata["note"] = dict(
        number=k,
        anchors=anchors(symbols, taken),
        symbols=named,
        module=chapter.module,
        flag=flags[0] if flags else "",
        imports=only_imports(cell.source) and not cell.outputs,
        answer=is_answer(cell),
        alt=found.get("fig-alt", alt).strip("\"'"),
    )
    if found.get("echo") == "false" or "hide_input" in found:
        cell.metadata["transient"] = dict(remove_source=True)
    if found.get("output") == "false" or "hide_output" in found:
        cell.outputs = []


def prepare(chapter):
    "A copy of the notebook as its reader sees it: hidden cells gone, the others annotated."
    cells = []
    taken = {s.name for s in chapter.symbols}
    heading = chapter.title
    text = chapter.line
    for k, cell in enumerate(chapter.nb.cells):
        cell = nbformat.from_dict(cell)
        if is_hidden(cell):
            continue
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.+)$", cell.source, flags=re.M)
            heading = plain(headings[-1]) if headings else heading
            text = first_sentence(cell.source) or text
            cell.source = without_directives(cell.source)
        if cell.cell_type == "code":
            annotate_code(cell, k, chapter, taken, f"{heading}. {text}")
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=chapter.nb.metadata)


# Pages -------------------------------------------------------------------------------------------------------------

class Site:
    "All pages, and where everything is."
    def __init__(self, root, out):
        self.root = Path(root)
        self.out = Path(out)
        self.config = settings(self.root)
        self.sections, self.problems = read_book(self.root)
        self.chapters = [c for _, chapters in self.sections for c in chapters]
        self.names = by_name(self.chapters)
        self.pages = {}  # address: page
        self.sources = {f"nbs/{c.path}": c.page for c in self.chapters}
        self.sources |= {name: page for name, page in TEXTS.items() if (self.root/name).is_file()}
        self.jinja = Environment(loader=FileSystemLoader(DOCS/"templates"), autoescape=True)
        self.jinja.filters["backticks"] = backticks
        self.exporter = make_exporter()

    def github(self, path):
        "A file or folder of the repository on GitHub."
        kind = "tree" if (self.root/path).is_dir() else "blob"
        return f"{self.config['git_url']}/{kind}/{self.config['branch']}/{path}"

    def write(self, path, data):
        "A file of the site."
        target = self.out/path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def add(self, page, source, title, line, text):
        "A page whose links are still those of its source."
        soup = BeautifulSoup(text, "html.parser")
        ids = number_headings(soup)
        headings = [SimpleNamespace(id=h["id"], text=h.get_text()) for h in soup("h2")]
        edit = self.github(source) if source.endswith(".ipynb") else ""
        self.pages[page] = SimpleNamespace(page=page, source=source, title=title, line=line, soup=soup, edit=edit,
                                           headings=headings, ids=ids, cells=[], previous=None, next=None)

    def add_chapter(self, chapter):
        "A page from a notebook; its pictures are written at once."
        stem = chapter.page.removesuffix(".html")
        folder = f"{posixpath.basename(stem)}_files"
        resources = dict(unique_key="figure", output_files_dir=folder)
        text, resources = self.exporter.from_notebook_node(prepare(chapter), resources=resources)
        for name, data in resources["outputs"].items():
            self.write(posixpath.join(posixpath.dirname(stem), name), data)
        self.add(chapter.page, f"nbs/{chapter.path}", chapter.title, chapter.line, text)
        self.pages[chapter.page].cells = chapter.nb.cells

    def add_symbols(self):
        "The page of all symbols, as nbdev's index has them."
        modules = []
        index = modidx(self.root)
        exporting = {c.module: c for c in self.chapters if c.module}
        self.problems += [f"chexseg/_modidx.py has {m}, which no chapter exports" for m in index if m not in exporting]
        for module, chapter in exporting.items():
            defined = {s.name: s for s in chapter.symbols}
            skipped = module.split(".")[-1].startswith("_")  # nbdev does not list such modules
            names = list(defined) if skipped else index.get(module, [])
            self.problems += [f"chexseg/_modidx.py has {module}.{n}, which {chapter.path} does not define"
                              for n in names if n not in defined]
            self.problems += [f"{chapter.path} defines {n}, which chexseg/_modidx.py lacks: run nbdev_export"
                              for n in defined if n not in names]
            known = [s for n, s in defined.items() if n in names]
            modules.append(dict(name=module, page=chapter.page, title=chapter.title, line=chapter.line,
                                public=[s for s in known if not s.private],
                                private=[s for s in known if s.private]))
        text = self.jinja.get_template("symbols.html.j2").render(modules=modules)
        self.add("symbols.html", "", "Symbols", "Every function, class and method of the package.", text)

    def add_text(self, name):
        "A page from a Markdown file beside README.md."
        markdown = (self.root/name).read_text(encoding="utf-8")
        title = re.search(r"^# (.+)$", markdown, flags=re.M)[1]
        self.add(TEXTS[name], name, title, "", to_html(markdown))

    def menu(self):
        "The sections of the sidebar."
        sections = [dict(name=name, pages=[self.pages[c.page] for c in chapters]) for name, chapters in self.sections]
        rest = ["symbols.html", *(page for name, page in TEXTS.items() if name in self.sources)]
        return [*sections, dict(name="Reference", pages=[self.pages[p] for p in rest])]

    def build(self):
        "Write everything; returns what is wrong, as sentences."
        for chapter in self.chapters:
            self.add_chapter(chapter)
        self.add_symbols()
        for name in TEXTS:
            if name in self.sources:
                self.add_text(name)
        order = [self.pages[c.page] for c in self.chapters]
        for before, after in zip(order, order[1:]):
            before.next = after
            after.previous = before
        layout = self.jinja.get_template("layout.html.j2")
        menu = self.menu()
        for page in self.pages.values():
            Finisher(self, page).finish()
            text = layout.render(page=page, site=self.config, sections=menu, up="../" * page.page.count("/"),
                                 body=SafeHTML(with_code(str(page.soup), page.cells)))
            self.write(page.page, text.encode())
        self.write("style.css", stylesheet().encode())
        self.write("llms.txt", llms_txt(self.root).encode())
        self.write(".nojekyll", b"")
        return self.problems


class SafeHTML(str):
    "HTML that the layout takes as it is."
    def __html__(self): return self


def with_code(text, cells):
    "The HTML of a page with the code of its cells, which only now joins it: colours make it long to read."
    highlight = Highlight2HTML(pygments_lexer="ipython3")
    return re.sub(r"<!--code (\d+)-->", lambda m: highlight(without_directives(cells[int(m[1])].source)), text)


def backticks(text):
    "A sentence, with what stands in backticks as code."
    return SafeHTML(re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False)))


def number_headings(soup):
    "An anchor for every heading, each once on a page; returns all ids of the page."
    taken = {e["id"] for e in soup.find_all(id=True)}
    for heading in soup(["h1", "h2", "h3", "h4"]):
        if heading.get("id"):
            continue
        name = base = slug(heading.get_text()) or "section"
        k = 1
        while name in taken:
            k += 1
            name = f"{base}-{k}"
        taken.add(name)
        heading["id"] = name
    return taken


def stylesheet():
    "The site's style, with the colours of code."
    return (DOCS/"style.css").read_text(encoding="utf-8") + HtmlFormatter(style="friendly").get_style_defs(".highlight")


class Finisher:
    "Turns what a notebook links and shows into what a web page can."
    def __init__(self, site, page):
        self.site = site
        self.page = page
        self.folder = posixpath.dirname(page.page)

    def finish(self):
        "All of it, in place."
        soup = self.page.soup
        if self.page.source:
            for script in soup("script"):
                script.decompose()
        for image in soup("img"):
            self.finish_image(image)
        for link in soup("a", href=True):
            if self.page.source:
                link["href"] = self.address(link["href"])
        for table in soup("table"):
            table.attrs.pop("border", None)
            table.wrap(soup.new_tag("div", attrs={"class": "table"}))
        for code in soup("code"):
            self.link_code(code)

    def relative(self, target):
        "From this page to a file of the site."
        return posixpath.relpath(target, self.folder or ".")

    def address(self, href):
        "Where a link of the source leads on the site."
        parts = urlsplit(href)
        if parts.scheme or parts.netloc:
            return href
        if not parts.path:
            return "#" + self.fragment(self.page, parts.fragment)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.page.source), unquote(parts.path)))
        if path in self.site.sources:
            target = self.site.pages[self.site.sources[path]]
            fragment = "#" + self.fragment(target, parts.fragment) if parts.fragment else ""
            return self.relative(target.page) + fragment
        if not (self.site.root/path).exists():
            self.site.problems.append(f"{self.page.source} links {href}, which is not there")
            return href
        return self.asset(path) if path.lower().endswith(IMAGES) else self.site.github(path)

    def fragment(self, target, fragment):
        "An anchor as Jupyter or GitHub writes it, as the page has it."
        name = unquote(fragment)
        return name if name in target.ids else slug(name)

    def asset(self, path):
        "A picture of the repository, copied."
        target = path.removeprefix("nbs/")
        self.site.write(target, (self.site.root/path).read_bytes())
        return self.relative(target)

    def finish_image(self, image):
        "A local picture with its size and a text; one from elsewhere becomes that text."
        if image.get("alt", NO_ALT) == NO_ALT:
            image["alt"] = f"A figure of the page {self.page.title}"
        source = image.get("src", "")
        if source.startswith("data:"):
            return
        if urlsplit(source).scheme:
            if image.parent.name == "a":
                image.parent["class"] = "badge"
            image.replace_with(image["alt"])
            return
        written = self.site.out/self.folder/source
        if not written.is_file():
            source = image["src"] = self.address(source)
            written = self.site.out/self.folder/source
        if written.is_file() and written.suffix != ".svg":
            image["width"], image["height"] = map(str, Image.open(io.BytesIO(written.read_bytes())).size)
        image["loading"] = "lazy"

    def link_code(self, code):
        "A name of the package in the prose leads to its definition."
        if code.find_parent(["a", "pre", "h1", "h2", "h3"]) or code.find("a"):
            return
        text = code.get_text()
        symbols = self.site.names.get(text.removesuffix("()"), [])
        here = [s for s in symbols if s.page == self.page.page]
        symbols = here or symbols
        if len(symbols) != 1 or not (here or re.search(r"[A-Z_().]", text)):
            return
        symbol = symbols[0]
        href = f"#{symbol.name}" if here else f"{self.relative(symbol.page)}#{symbol.name}"
        code.wrap(self.page.soup.new_tag("a", href=href))


def build(out, root=ROOT):
    "The site of the project in `root`, written into `out`; returns what is wrong, as sentences."
    return Site(root, out).build()


def main():
    "The command."
    if len(sys.argv) > 1:
        out = Path(sys.argv[1])
    else:
        out = ROOT/"_docs"
        shutil.rmtree(out, ignore_errors=True)
    problems = build(out)
    (ROOT/"llms.txt").write_text(llms_txt(), encoding="utf-8")
    print(f"{out/'index.html'}")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
