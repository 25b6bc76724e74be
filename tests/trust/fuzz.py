"""Files that chance has spoilt: each is read as it is, or refused in one sentence; never a traceback, never a hang.

    python -m tests.trust.fuzz --minutes 60

A valid file of each kind is spoilt by a few random changes, of its bytes or of the values in its JSON, and read by a
process that may die of it and may not take more than MEMORY bytes. What went wrong is printed with its number, by which
it can be had again: `--seed NUMBER --minutes 0`. Exit status 1 then."""
import argparse
import json
import multiprocessing
import pickle
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image

from chexseg.choices import make_choices, options_text
from chexseg.core import ChexsegError, rng
from chexseg.data import open_study
from chexseg.dataset import write_phantom
from chexseg.evaluation import areas_table, read_areas, save_areas
from chexseg.films import film_size, read_film
from chexseg.importing import FORMATS, page, plan_import, problems
from chexseg.inference import load_segmenter, save_segmenter
from chexseg.maps import SaliencySet, read_map_pickle
from chexseg.masks import MaskSet
from chexseg.outlines import annotations_to_masks, read_annotations
from chexseg.resume import read_state, write_state
from chexseg.runs import Run
from chexseg.segmentation import build_segmenter
from chexseg.settings import read_config
from tests.test_formats import films_and_masks, write

from .bad_inputs import dicom_with

SECONDS = 10 # that reading a small file may take
MEMORY = 8 << 30 # bytes of addresses that a process may have
ODD = [None, True, -1, 0, 1, 1.5, 1e308, float("nan"), float("inf"), 2**63, 10**30, "", "x", "../../x", "\x00", [], {},
       [[]], [1], {"a": 1}, "9"*50]


class Target(NamedTuple):
    "A kind of file."
    make: object # function of a folder that writes a valid one and gives its path
    read: object # function of its path


def saved(write, name):
    "A target's `make` from a function of a path."
    def make(folder):
        write(folder/name)
        return folder/name
    return make


def some_masks():
    "Two films, two tasks."
    masks = MaskSet(tasks=["Edema", "Atelectasis"])
    for k in range(2):
        masks.add(f"patient0000{k}_study1_view1_frontal", np.eye(2*9*9, dtype=np.uint8)[:2, :81].reshape(2, 9, 9))
    return masks


def decoded(path):
    "Read masks and draw all of them."
    masks = MaskSet.read(path)
    return [masks.get(i) for i in masks.ids]


def phantom_file(name):
    "A label file or masks of a small data set."
    return lambda folder: write_phantom(folder/"phantom", 6, 4, 3, side=32)/name


def outlines(path):
    "An outline file."
    film = {"img_size": [16, 12], "Edema": [[[1, 1], [1.5, 9], [8, 8]]], "Atelectasis": []}
    path.write_text(json.dumps({"patient00001_study1_view1_frontal": film}))


def map_pickle(path):
    "A map as CheXlocalize publishes them."
    found = {"map": torch.rand(1, 1, 4, 4), "prob": np.float32(.5), "task": "Edema", "gt": 1, "cxr_dims": (12, 16)}
    path.write_bytes(pickle.dumps(found))


def maps(path):
    "A folder of maps."
    n, tasks = 3, ["Edema", "Atelectasis"]
    some, ones = np.random.rand(n, 2, 4, 4), np.ones((n, 2))
    SaliencySet(some, ones, ones, [(8, 8)]*n, list("abc"), tasks, 8).save(path)


def of_maps(ending):
    "One file of a folder of maps."
    def make(folder):
        maps(folder/"maps")
        return next((folder/"maps").glob(ending))
    return make


def of_net(ending):
    "One of the two files of a segmenter."
    def make(folder):
        save_segmenter(folder/"net", build_segmenter("small", ["Edema"], 64))
        return folder/f"net.{ending}"
    return make


def config(folder):
    "The choices of a run."
    Run(folder/"run", make_choices())
    return folder/"run"/"config.json"


def areas(path):
    "Areas of two films."
    masks = some_masks()
    save_areas(path, {"a": areas_table(masks, masks, masks.ids, masks.tasks)})


def options(path):
    "A file of options."
    path.write_text(options_text(make_choices()))


def root_of(path):
    "The folder in which a format's files and its films lie."
    return next(p for p in path.parents if (p/"films").is_dir() and p.name != "films")


def of_format(name):
    "A file of another project's format, or the first file of its folder."
    def make(folder):
        _, masks = films_and_masks(folder/"films", name, 3)
        out = write(masks, name, folder)
        return out if out.is_file() else min(f for f in out.rglob("*") if f.is_file())
    def read(path):
        root = root_of(path)
        plan = plan_import(name, next(root.glob("theirs*")), root/"mine", root/"films")
        return problems(plan), page(plan)
    return Target(make, read)


def picture(**how):
    "A film in one of the formats."
    def write(path):
        grey = np.random.default_rng(0).integers(0, 255, (40, 32), np.uint8)
        Image.fromarray(grey.astype(np.uint16)*200 if how.pop("deep", False) else grey).save(path, **how)
    return write


def looked_at(path):
    "A film in every way in which films are read."
    return film_size(path), read_film(path), read_film(path, 32)


TARGETS = {
    "masks": Target(saved(lambda p: some_masks().save(p), "masks.json"), decoded),
    "outlines": Target(saved(outlines, "o.json"), lambda p: annotations_to_masks(read_annotations(p))),
    "labels": Target(phantom_file("CheXpert-v1.0/train.csv"), lambda p: open_study(p.parents[1]).part().labels),
    "JPEG": Target(saved(picture(), "film.jpg"), looked_at),
    "PNG": Target(saved(picture(), "film.png"), looked_at),
    "16 bit": Target(saved(picture(deep=True), "deep.png"), looked_at),
    "TIFF": Target(saved(picture(), "film.tif"), looked_at),
    "DICOM": Target(lambda folder: dicom_with()(folder), looked_at),
    "map pickle": Target(saved(map_pickle, "a_Edema_map.pkl"), read_map_pickle),
    "maps, index": Target(of_maps("index.json"), lambda p: SaliencySet.load(p.parent)),
    "maps, shard": Target(of_maps("*.safetensors"), lambda p: SaliencySet.load(p.parent)),
    "network, config": Target(of_net("json"), lambda p: load_segmenter(p.with_suffix(""))),
    "network, weights": Target(of_net("safetensors"), lambda p: load_segmenter(p.with_suffix(""))),
    "run": Target(config, lambda p: Run(p.parent)),
    "areas": Target(saved(areas, "areas.npz"), read_areas),
    "training": Target(saved(lambda p: write_state(p, {"a": [1, torch.ones(3)]}), "s.safetensors"), read_state),
    "options": Target(saved(options, "run.toml"), lambda p: make_choices(**read_config(p))),
} | {f"import {name}": of_format(name) for name in FORMATS}


def nodes(x):
    "Every place in a JSON value, as (container, key)."
    keys = list(x) if isinstance(x, dict) else range(len(x)) if isinstance(x, list) else ()
    for k in keys:
        yield x, k
        yield from nodes(x[k])


def odd_value(g, text):
    "JSON with an odd value somewhere; it may lack something, too."
    content = json.loads(text)
    for _ in range(g.integers(1, 3)):
        places = list(nodes(content))
        if not places:
            break
        box, key = places[g.integers(len(places))]
        if g.random() < .2:
            del box[key]
        else:
            box[key] = ODD[g.integers(len(ODD))]
    return json.dumps(content).encode()


def odd_bytes(g, data):
    "Bytes flipped, cut off, zeroed, doubled or put in."
    data = bytearray(data)
    for _ in range(g.integers(1, 5)):
        at, n = int(g.integers(len(data) + 1)), int(g.integers(1, 40))
        how = g.integers(5)
        if how == 0 and at < len(data):
            data[at] ^= 1 << int(g.integers(8))
        elif how == 1:
            del data[at:at + n]
        elif how == 2:
            data[at:at + n] = bytes(min(n, len(data) - at))
        elif how == 3:
            data[at:at] = data[at:at + n]
        else:
            data[at:at] = g.bytes(n)
    return bytes(data[:int(g.integers(len(data) + 1))] if g.random() < .1 else data)


def spoilt(g, path):
    "A valid file's bytes after something happened to them."
    data = path.read_bytes()
    return odd_value(g, data) if path.suffix == ".json" and g.random() < .7 else odd_bytes(g, data)


def outcome(read, path)->str:
    "\"read\", \"refused\", or what went wrong."
    def late(*_): raise TimeoutError(f"no answer within {SECONDS} s")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        read(path)
        return "read"
    except ChexsegError as e:
        return "refused" if "\n" not in str(e) and len(str(e)) < 600 else f"a long sentence: {str(e)[:200]}"
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        return f"{type(e).__name__}: {str(e)[:200]}"
    finally:
        signal.alarm(0)


def one(seed, folder, base)->tuple:
    "Spoil and read one file: which kind, and the outcome."
    g = rng(seed, "fuzz")
    name = list(TARGETS)[seed % len(TARGETS)]
    path = base[name]
    whole = path.read_bytes()
    try:
        path.write_bytes(spoilt(g, path))
        return name, outcome(TARGETS[name].read, path)
    finally:
        path.write_bytes(whole)


def valid_files(folder):
    "One of each kind: name -> path."
    base = {}
    for k, (name, target) in enumerate(TARGETS.items()):
        (folder/str(k)).mkdir()
        base[name] = target.make(folder/str(k))
        assert outcome(target.read, base[name]) == "read", f"{name}: the valid file is not read"
    return base


def read_files(seed, end, pipe):
    "What a process does: file after file, from number `seed` on; each number is sent first, then what came of it."
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        base = valid_files(Path(folder))
        while True:
            pipe.send(seed)
            pipe.send(one(seed, Path(folder), base))
            seed += 1
            if time.time() > end:
                return


def outcomes(seed, end):
    "Number, kind and outcome of every file; a process that dies is an outcome, and another one goes on."
    context = multiprocessing.get_context("spawn")
    while True:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=read_files, args=(seed, end, there))
        process.start()
        there.close()
        begun = None
        try:
            while True:
                begun = here.recv()
                yield begun, *here.recv()
                seed, begun = begun + 1, None
        except EOFError:
            process.join()
        if begun is None:
            assert process.exitcode == 0, "valid files were not read"
            return
        yield begun, list(TARGETS)[begun % len(TARGETS)], f"the process died of it ({process.exitcode})"
        seed = begun + 1
        if time.time() > end:
            return


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=60, help="0: one file")
    p.add_argument("--seed", type=int, default=0, help="number of the first file")
    a = p.parse_args()
    counts, wrong = Counter(), {}
    for seed, name, found in outcomes(a.seed, time.time() + 60*a.minutes):
        counts[name, found if found in ("read", "refused") else "WRONG"] += 1
        if found not in ("read", "refused") and wrong.setdefault((name, found.split(":")[0]), seed) == seed:
            print(f"{seed}: {name}: {found}", flush=True)
    table = pd.Series(counts).unstack(fill_value=0)
    print(table.to_string())
    print(f"{sum(counts.values()):,} files, {len(wrong)} kinds of faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
