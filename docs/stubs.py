"""Type stubs of the package, made from its modules: python docs/stubs.py FOLDER.

Chapters add methods to a class one by one (`@patch`), and a default of None means that a value may be missing.
Neither is what a type checker understands. A stub says the same in its words. `setup.py` puts stubs into the wheel;
none is kept here.
"""
import ast
import sys
from pathlib import Path

ANY = ast.Name("Any")
ELLIPSIS = ast.Expr(ast.Constant(...))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def decorator_name(node):
    "The name of a decorator, called or not."
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def patch_of(f):
    "The decorator `patch` of a function, if it has it."
    return next((d for d in f.decorator_list if decorator_name(d) == "patch"), None)


def or_none(annotation, default):
    "An annotation; where the default is None, with None."
    missing = isinstance(default, ast.Constant) and default.value is None
    return ast.BinOp(annotation, ast.BitOr(), ast.Constant(None)) if missing and annotation is not None else annotation


def signature(args):
    "The same arguments, defaults as `...`, None allowed where it is the default."
    positional = [*args.posonlyargs, *args.args]
    for a, d in zip(positional[len(positional) - len(args.defaults):], args.defaults):
        a.annotation = or_none(a.annotation, d)
    for a, d in zip(args.kwonlyargs, args.kw_defaults):
        a.annotation = or_none(a.annotation, d)
    args.defaults = [ast.Constant(...) for _ in args.defaults]
    args.kw_defaults = [d and ast.Constant(...) for d in args.kw_defaults]
    return args


def function(f, decorators=None):
    "A function without its body."
    f.args = signature(f.args)
    f.body = [ELLIPSIS]
    of_f = f.decorator_list if decorators is None else decorators
    f.decorator_list = [d for d in of_f if decorator_name(d) != "checks_arguments"] # a checker does so before it runs
    return f


def method(f):
    "A patched function as a method."
    given = {k.arg for k in getattr(patch_of(f), "keywords", [])}
    kind = ["property"]*("as_prop" in given) + ["classmethod"]*("cls_method" in given)
    others = [d for d in f.decorator_list if d is not patch_of(f)]
    f.args.args[0].annotation = None
    return function(f, [ast.Name(k) for k in kind] + others)


def kept_in(init):
    "The public names that a method sets on its object."
    names = [t.attr for n in ast.walk(init) if isinstance(n, (ast.Assign, ast.AnnAssign, ast.AugAssign))
             for target in (n.targets if isinstance(n, ast.Assign) else [n.target])
             for t in (target.elts if isinstance(target, ast.Tuple) else [target])
             if isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) and t.value.id == "self"]
    stores = any(isinstance(n, ast.Call) and decorator_name(n) == "store_attr" for n in ast.walk(init))
    return names + [a.arg for a in init.args.args[1:]]*stores


def attribute(name, annotation=ANY, value=None):
    "`name: annotation`."
    return ast.AnnAssign(ast.Name(name), annotation, value, 1)


def class_body(c, methods):
    "What a class has, those methods included that were added later."
    own = {n.name for n in c.body if isinstance(n, FUNCTIONS)} | {m.name for m in methods}
    own |= {n.target.id for n in c.body if isinstance(n, ast.AnnAssign)}
    own |= {t.id for n in c.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    is_enum = any("Enum" in ast.unparse(b) for b in c.bases)
    kept = [n for f in [*c.body, *methods] if isinstance(f, FUNCTIONS) for n in kept_in(f)]
    body = [attribute(n) for n in dict.fromkeys(kept) if n not in own and not n.startswith("_")]
    for n in c.body:
        if isinstance(n, ast.AnnAssign):
            body.append(attribute(n.target.id, or_none(n.annotation, n.value), n.value and ast.Constant(...)))
        elif isinstance(n, ast.Assign) and is_enum:
            body.append(n)
        elif isinstance(n, ast.Assign):
            body += [attribute(t.id) for t in n.targets if isinstance(t, ast.Name)]
        elif isinstance(n, FUNCTIONS):
            body.append(function(n))
    return [*body, *map(method, methods)] or [ELLIPSIS]


def constant(n):
    "A name of the module; its type where it is plain to see."
    if isinstance(n.value, ast.BinOp) and isinstance(n.value.op, ast.BitOr):
        return [n]
    kind = {ast.Dict: "dict", ast.List: "list", ast.Tuple: "tuple", ast.Set: "set"}.get(type(n.value))
    if isinstance(n.value, ast.Constant) and n.value.value is not None:
        kind = type(n.value.value).__name__
    return [attribute(t.id, ast.Name(kind or "Any")) for t in n.targets if isinstance(t, ast.Name)]


def imported(n):
    "The same import; what comes from elsewhere may be imported from here, too."
    if isinstance(n, ast.ImportFrom) and not n.level and n.module != "__future__":
        n.names = [ast.alias(a.name, a.asname or a.name) for a in n.names]
    return n


def stub(source):
    "The stub of a module."
    tree = ast.parse(source)
    patched = {}
    for f in tree.body:
        if isinstance(f, FUNCTIONS) and patch_of(f) and isinstance(f.args.args[0].annotation, ast.Name):
            patched.setdefault(f.args.args[0].annotation.id, []).append(f)
    added = {id(f) for methods in patched.values() for f in methods}
    body = [ast.ImportFrom("typing", [ast.alias("Any")], 0)]
    for n in tree.body:
        if isinstance(n, (ast.Import, ast.ImportFrom)):
            body.append(imported(n))
        elif isinstance(n, (ast.With, ast.Try)):
            body += [imported(i) for i in n.body if isinstance(i, (ast.Import, ast.ImportFrom))]
        elif isinstance(n, ast.Assign):
            body += [n] if ast.unparse(n.targets[0]) == "__all__" else constant(n)
        elif isinstance(n, ast.AnnAssign):
            body.append(attribute(n.target.id, n.annotation))
        elif isinstance(n, ast.ClassDef):
            n.body = class_body(n, patched.get(n.name, []))
            body.append(n)
        elif isinstance(n, FUNCTIONS) and id(n) not in added and not patch_of(n) and not n.name.startswith("_"):
            body.append(function(n))
    return ast.unparse(ast.fix_missing_locations(ast.Module(body, []))) + "\n"


def write_stubs(package, out):
    "Write a stub for each module of a package."
    for path in sorted(Path(package).glob("*.py")):
        if path.stem not in ("__init__", "__main__", "_modidx"):
            (Path(out)/f"{path.stem}.pyi").write_text(stub(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_stubs(Path(__file__).parent.parent/"chexseg", sys.argv[1])
