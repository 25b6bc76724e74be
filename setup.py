"""Reads everything from settings.ini, the one place where names, versions and requirements are kept."""
import re
import runpy
import shlex
from configparser import ConfigParser
from pathlib import Path
from setuptools import setup, find_packages
from setuptools.command.build_py import build_py

here = Path(__file__).parent
cfg = ConfigParser(delimiters=["="], interpolation=None)
cfg.read(here/"settings.ini", encoding="utf-8")
cfg = cfg["DEFAULT"]
extras = {k.removesuffix("_requirements"): shlex.split(v) for k, v in cfg.items() if k.endswith("_requirements")}
extras["all"] = sorted({r for name, rs in extras.items() if name != "dev" for r in rs})
github = f"https://github.com/{cfg['user']}/{cfg['repo']}"
pages = f"https://{cfg['user']}.github.io/{cfg['repo']}"


def web_link(match):
    "A relative link of README.md as the package index needs it: a chapter's page, a picture, or the file on GitHub."
    start, path = match.groups()
    if re.match(r"[a-z]+:|#|/", path):
        return match[0]
    if re.search(r"\.(png|jpe?g|svg|gif)$", path):
        return f"{start}{github}/raw/{cfg['branch']}/{path}"
    # nbdev names a page by its notebook without the number
    chapter = re.fullmatch(r"nbs/(.*?)(?:\d+[a-zA-Z0-9]*_)?([^/]+)\.ipynb(#.*)?", path)
    if chapter:
        folder, name, fragment = chapter.groups()
        return f"{start}{pages}/{folder}{name}.html{fragment or ''}"
    return f"{start}{github}/{'blob' if (here/path.split('#')[0]).is_file() else 'tree'}/{cfg['branch']}/{path}"


class BuildWithStubs(build_py):
    "Also write type stubs, which tell a checker of the methods that chapters add to classes."
    def run(self):
        super().run()
        script = here/"docs"/"stubs.py"
        if script.exists() and not getattr(self, "editable_mode", False):
            runpy.run_path(str(script))["write_stubs"](here/"chexseg", Path(self.build_lib)/"chexseg")


readme = re.sub(r"(\]\(|src=\"|href=\")([^)\"\s]+)", web_link, (here/"README.md").read_text(encoding="utf-8"))

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=readme,
    long_description_content_type="text/markdown",
    keywords=cfg["keywords"],
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=github,
    project_urls={"Documentation": pages, "Changelog": f"{pages}/changelog.html"},
    license="Apache-2.0",
    classifiers=["Development Status :: 3 - Alpha", "Intended Audience :: Science/Research",
                 "Natural Language :: English", "Programming Language :: Python :: 3",
                 "Topic :: Scientific/Engineering :: Medical Science Apps."],
    packages=find_packages(include=["chexseg"]),
    package_data={"chexseg": ["story/**/*", "py.typed"]},
    python_requires=">=" + cfg["min_python"],
    install_requires=shlex.split(cfg["requirements"]),
    extras_require=extras,
    entry_points={"console_scripts": cfg["console_scripts"].split(";")},
    cmdclass=dict(build_py=BuildWithStubs),
    zip_safe=False,
)
