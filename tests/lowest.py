"""The lowest versions that settings.ini admits, for pip: `python tests/lowest.py` prints them, one after the other."""
import configparser
import re
import shlex
from pathlib import Path

SETTINGS = Path(__file__).parents[1]/"settings.ini"


def lowest(requirements):
    "Each requirement with its lower bound as the version; those of other Pythons are left out."
    wanted = [r for r in shlex.split(requirements) if ";" not in r]
    bare = [r for r in wanted if not re.fullmatch(r"[\w-]+>=[\d.]+", r)]
    if bare:
        raise SystemExit(f"settings.ini: {bare[0]} has no lower bound: name the lowest version that was tried.")
    return [r.replace(">=", "==") for r in wanted]


def main():
    cfg = configparser.ConfigParser()
    cfg.read(SETTINGS)
    print(" ".join(lowest(cfg["DEFAULT"]["requirements"])))


if __name__ == "__main__":
    main()
