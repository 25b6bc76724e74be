"""The web site of the book, README.md as the package index shows it, and what others read about the project."""
import configparser
import re
import runpy
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import setuptools
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT/"docs"))
import book
import chapters
from llms import llms_txt

CONFIG = configparser.ConfigParser(delimiters=["="])
CONFIG.read(ROOT/"settings.ini", encoding="utf-8")
CONFIG = CONFIG["DEFAULT"]
ADDRESS = CONFIG["doc_host"] + CONFIG["doc_baseurl"]
LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("video", "src")}


class Page(HTMLParser):
    "What a page links, loads and offers as anchors."
    def __init__(self, path):
        super().__init__()
        self.tags = []
        self.ids = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if attrs.get("id"):
            self.ids.append(attrs["id"])

    def links(self):
        return [attrs["href"] for tag, attrs in self.tags if tag == "a" and attrs.get("href")]

    def loads(self):
        found = [attrs.get(name) for tag, attrs in self.tags for t, name in LOADED if t == tag]
        return [f for f in found if f and not f.startswith("data:")]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "The site in a temporary folder, and what its builder found wrong."
    out = tmp_path_factory.mktemp("site")
    return out, book.build(out)


@pytest.fixture(scope="module")
def site(built):
    "{path: Page} of the built site."
    out, _ = built
    return {p.relative_to(out).as_posix(): Page(p) for p in sorted(out.rglob("*.html"))}


def find(out, page, href):
    "The file of the site and the anchor that a link on a page leads to."
    parts = urlsplit(href)
    path = (out/page).parent/unquote(parts.path) if parts.path else out/page
    return path.resolve(), unquote(parts.fragment)


def is_local(href): return not urlsplit(href).scheme


def test_the_builder_found_nothing_wrong(built):
    assert built[1] == []


def test_every_notebook_has_a_page(site):
    expected = {chapters.page_name(p) for p in chapters.notebook_paths()}
    assert expected <= set(site)
    assert len(expected) == len(chapters.notebook_paths()), "two notebooks share a page"


def test_every_internal_link_leads_somewhere(built, site):
    out = built[0].resolve()
    wrong = []
    for name, page in site.items():
        for href in filter(is_local, page.links()):
            path, anchor = find(out, name, href)
            target = site.get(path.relative_to(out).as_posix()) if path.is_relative_to(out) else None
            if not path.is_file() or anchor and (target is None or anchor not in target.ids):
                wrong.append(f"{name}: {href}")
    assert wrong == []


def test_no_link_still_leads_to_a_notebook(site):
    wrong = [f"{name}: {h}" for name, page in site.items() for h in page.links() if is_local(h) and ".ipynb" in h]
    assert wrong == []


def test_pages_load_nothing_from_elsewhere(built, site):
    out = built[0]
    for name, page in site.items():
        assert [h for h in page.loads() if not is_local(h)] == [], name
        assert [h for h in page.loads() if not find(out, name, h)[0].is_file()] == [], name
    assert not re.search(r"@import|url\(", (out/"style.css").read_text(encoding="utf-8"))


def test_pages_can_be_read_by_all(site):
    for name, page in site.items():
        tags = [tag for tag, _ in page.tags]
        assert ("html", {"lang": "en"}) in page.tags, name
        head = tags[:tags.index("body")] # lines of a drawing have titles of their own
        assert head.count("title") == tags.count("h1") == tags.count("main") == 1, name
        pictures = [a for tag, a in page.tags if tag == "img"]
        assert all(a.get("alt") for a in pictures), f"{name}: a picture without a text"
        assert len(page.ids) == len(set(page.ids)), f"{name}: two elements share an id"
        assert not re.search(r"^\s*#\|", re.sub(r"<[^>]+>", "", page.text), flags=re.M), f"{name}: a directive is shown"
        assert "No description has been provided" not in page.text


def test_the_menu_marks_the_page_and_pages_follow_each_other(site):
    sections, _ = chapters.read_book()
    order = [c.page for _, members in sections for c in members]
    for page in site.values():
        assert sum(a.get("aria-current") == "page" for _, a in page.tags) == 1
    for before, after in zip(order, order[1:]):
        turns = {a["rel"]: a["href"] for tag, a in site[before].tags if tag == "a" and a.get("rel")}
        assert turns["next"].removeprefix("../") == after
        turns = {a["rel"]: a["href"] for tag, a in site[after].tags if tag == "a" and a.get("rel")}
        assert turns["prev"].removeprefix("../") == before


def test_the_symbols_page_has_every_symbol(site):
    links = set(site["symbols.html"].links())
    pages = {c.module: c.page for _, members in chapters.read_book()[0] for c in members}
    index = chapters.modidx()
    assert len(index) > 10
    missing = [f"{m}.{n}" for m, names in index.items() for n in names if f"{pages.get(m)}#{n}" not in links]
    assert missing == []


def test_nbdevs_own_links_work(site):
    "nbdev links a symbol in small letters: masks.html#maskset.add."
    tree = runpy.run_path(str(ROOT/"chexseg"/"_modidx.py"))["d"]["syms"]
    for symbols in tree.values():
        for address, _ in symbols.values():
            page, _, anchor = address.partition("#")
            assert anchor in site[page].ids, address


def test_a_hidden_cell_is_dropped_and_an_exported_one_is_named(tmp_path):
    cells = [
        new_markdown_cell("# Title\n\n> One line."),
        new_code_cell("#| default_exp core"),
        new_code_cell("#| hide\nsecret = 1"),
        new_markdown_cell("See [it](nowhere.ipynb), $x^2$."),
        new_code_cell("#| export\ndef double(x): return 2*x"),
        new_code_cell("#| echo: false\nquiet = 1"),
    ]
    for name in ("settings.ini", "CHANGELOG.md", "CONTRIBUTING.md"):
        (tmp_path/name).write_text((ROOT/name).read_text(encoding="utf-8"), encoding="utf-8")
    for folder in ("nbs", "chexseg"):
        (tmp_path/folder).mkdir()
    (tmp_path/"nbs"/"sidebar.yml").write_text("website: {sidebar: {contents: [00_core.ipynb, gone.ipynb]}}")
    (tmp_path/"chexseg"/"_modidx.py").write_text("d = {'syms': {}}")
    nbformat.write(new_notebook(cells=cells), tmp_path/"nbs"/"00_core.ipynb")
    problems = book.build(tmp_path/"out", tmp_path)
    page = Page(tmp_path/"out"/"core.html")
    assert "double" in page.ids
    assert "<math" in page.text
    assert not re.search("secret|quiet|default_exp", page.text)
    assert problems == ["nbs/sidebar.yml lists gone.ipynb, which is not there",
                        "00_core.ipynb defines double, which chexseg/_modidx.py lacks: run nbdev_export",
                        "nbs/00_core.ipynb links nowhere.ipynb, which is not there"]


# README.md -----------------------------------------------------------------------------------------------------------

def links_of(markdown): return re.findall(r"(?:\]\(|src=\"|href=\")([^)\"\s]+)", markdown)


def test_readme_links_files_that_are_there():
    hrefs = links_of((ROOT/"README.md").read_text(encoding="utf-8"))
    paths = [urlsplit(h).path for h in hrefs if is_local(h) and not h.startswith("#")]
    assert [p for p in paths if not (ROOT/p).exists()] == []


def test_the_package_index_shows_pages_and_pictures(built, site, monkeypatch):
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **kwargs: given.update(kwargs))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT/"setup.py"))
    hrefs = links_of(given["long_description"])
    assert [h for h in hrefs if is_local(h) and not h.startswith("#")] == []
    assert given["project_urls"]["Documentation"] == ADDRESS
    raw = f"{CONFIG['git_url']}/raw/{CONFIG['branch']}/"
    blob = re.compile(re.escape(CONFIG["git_url"]) + r"/(?:blob|tree)/[^/]+/")
    pages = [h for h in hrefs if h.startswith(ADDRESS)]
    assert len(pages) >= 20
    for href in pages:
        path, _, anchor = href.removeprefix(ADDRESS + "/").partition("#")
        assert path in site and (not anchor or anchor in site[path].ids), href
    for href in hrefs:
        if href.startswith(raw):
            assert (ROOT/href.removeprefix(raw)).is_file() and not href.endswith(".ipynb"), href
        elif blob.match(href):
            assert (ROOT/blob.sub("", href).partition("#")[0]).exists(), href


# What others read ----------------------------------------------------------------------------------------------------

def test_llms_txt_is_current_and_leads_to_pages(site):
    text = llms_txt()
    assert (ROOT/"llms.txt").read_text(encoding="utf-8") == text, "run `make docs`"
    assert text.startswith(f"# {CONFIG['title']}\n\n> {CONFIG['description']}\n")
    hrefs = re.findall(r"^- \[[^]]*\]\(([^)]*)\)", text, flags=re.M)
    assert len(hrefs) == len(re.findall("^- ", text, flags=re.M))
    for href in hrefs:
        page, _, anchor = href.removeprefix(ADDRESS + "/").partition("#")
        assert not anchor or anchor in site[page].ids, href


def test_every_public_symbol_has_a_sentence():
    sections, _ = chapters.read_book()
    symbols = [s for _, members in sections for c in members for s in c.symbols]
    silent = [f"{s.module}.{s.name}" for s in symbols if not (s.doc or s.private or s.kind == "inner")]
    assert silent == []


def test_citation_is_complete():
    cff = yaml.safe_load((ROOT/"CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cff)
    assert cff["version"] == CONFIG["version"]
    assert cff["repository-code"] == CONFIG["git_url"]
    assert cff["url"] == ADDRESS
    for reference in cff["references"]:
        assert {"type", "title", "authors", "year"} <= set(reference)
    text = str(cff["references"])
    assert all(word in text for word in ("2102.10484", "10.1038/s42256-022-00536-x", "Inter-pixel Relations"))


def test_changelog_has_this_version_on_top():
    heads = re.findall(r"^## (.+)$", (ROOT/"CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    released = [h.split()[0] for h in heads if h != "Unreleased"]
    assert released[0] == CONFIG["version"]
    assert released == sorted(released, key=lambda v: [int(n) for n in v.split(".")], reverse=True)
    assert "Unreleased" not in heads[1:]


def test_contributing_names_targets_that_exist():
    text = (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT/"Makefile").read_text(encoding="utf-8"), flags=re.M)
    named = {a or b for a, b in re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", text, flags=re.M)}
    assert named and named <= set(targets)


def test_quarto_gets_what_nbdev_gives_it():
    nbs = ROOT/"nbs"
    nbdev = yaml.safe_load((nbs/"nbdev.yml").read_text(encoding="utf-8"))
    assert nbdev["project"]["output-dir"] == Path(CONFIG["doc_path"]).name
    assert nbdev["website"]["site-url"] == ADDRESS
    assert nbdev["website"]["description"] == CONFIG["description"]
    quarto = yaml.safe_load((nbs/"_quarto.yml").read_text(encoding="utf-8"))
    assert all((nbs/name).is_file() for name in [quarto["format"]["html"]["css"], *quarto["metadata-files"]])
    assert CONFIG["custom_sidebar"] == "True", "nbs/sidebar.yml is kept by hand"
    workflow = yaml.safe_load((ROOT/".github"/"workflows"/"deploy.yaml").read_text(encoding="utf-8"))
    assert {"run": "make docs"} in workflow["jobs"]["deploy"]["steps"]
