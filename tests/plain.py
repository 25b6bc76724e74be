"""What a notebook finds where nothing but its first cell has installed anything, as in Colab."""
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

KERNEL = ("ipykernel", "pip") # which are there before

# Found by Python at its start, when the folder is on its path: what is hidden looks as if it were not installed.
HIDE = """
import sys
from importlib.machinery import PathFinder

HIDDEN = {hidden!r}


class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else PathFinder.find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Plain
"""


def needs(name, extra):
    "What a package, or one of its extras, asks for; nothing where it is not installed."
    try:
        asked = map(Requirement, requires(name) or [])
    except PackageNotFoundError:
        return []
    return [r for r in asked if not r.marker or r.marker.evaluate({"extra": extra})]


def with_needs(named):
    "Packages and all that they need, one after the other."
    todo, found = [Requirement(name) for name in named], set()
    while todo:
        one = todo.pop()
        new = {(canonicalize_name(one.name), extra) for extra in ("", *one.extras)} - found
        found |= new
        todo += [r for name, extra in sorted(new) for r in needs(name, extra)]
    return {name for name, _ in found}


OWNERS = packages_distributions() # {module: names of the packages that hold it}


@cache
def modules(install):
    "{module: whether a notebook has it once its first cell has run}, of all that are installed here."
    named = re.findall(r'"(chexseg(?:\[[a-z,]+\])?(?= @)|[a-z][a-z0-9-]+(?="))', install.partition("\nif ")[2])
    there = with_needs([*named, *KERNEL])
    return {m: any(canonicalize_name(o) in there for o in owners) for m, owners in OWNERS.items()}


def hide(folder, install):
    "Write into a folder what hides, from any Python that has it on its path, all that a first cell does not bring."
    hidden = {module for module, there in modules(install).items() if not there and module != "chexseg"}
    (Path(folder)/"sitecustomize.py").write_text(HIDE.format(hidden=hidden), encoding="utf-8")
